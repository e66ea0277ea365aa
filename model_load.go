package dbfleet

import (
	"cmp"
	"context"
	"errors"
	"iter"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// LoadOptions say how Load works. The zero value loads all rows or none.
type LoadOptions struct {
	// Progress is called on the goroutine that called Load, with the number of
	// rows that were handed to the database so far, and with that of all rows at
	// the end of a load that succeeded.
	Progress func(rows int64)
	// ProgressEvery is how many rows lie between two calls of Progress.
	//
	// Defaults to 10000.
	ProgressEvery int64
	// BatchRows makes Load commit whenever so many rows were loaded, for loads
	// that are too large for one transaction. An error then undoes the rows since
	// the last commit only; how many were committed is what Load returns. Inside
	// a transaction it is refused.
	//
	// Defaults to 0: all rows are loaded in one transaction.
	BatchRows int64
}

const (
	progressEvery = 10_000
	// loadBatch is how many records' arguments share memory.
	loadBatch = 32
)

// Load inserts the records of an iterator, by the fastest way that the database
// has: COPY on PostgreSQL, LOAD DATA LOCAL on MySQL where the server allows it,
// and INSERT statements of many rows on SQLite and otherwise. It holds a few
// blocks of rows in memory, however many there are, and returns how many were
// loaded.
//
// All are loaded or none: an error, an iterator that panics and the end of ctx
// leave nothing behind. In a transaction, of ctx or Using, Load takes part
// behind a savepoint. The iterator runs on the goroutine that called Load. It
// must not use the transaction that Load runs in: its statements fail with
// ErrBusy.
//
// Timestamps are set as by Create. Ids and other values that the database makes
// are not read back, and callbacks are not called: CreateMany does both. On a
// sharded model the shard must be given, by Shard or DB. Records that leave
// different columns to the database (a zero id, a zero column of Defaults) may
// be mixed; those that follow each other and are alike are loaded together.
//
// An error of a value, of a record's shard, or of the database where it
// tells the row, is a *RecordError with the record's index. Hooks see one event
// "load" for each run of records that are alike, with the text of an INSERT in
// place of what the database's own way sends, and without arguments.
//
//	n, err := events.Load(ctx, func(yield func(Event) bool) {
//		for scanner.Scan() {
//			if !yield(parse(scanner.Text())) {
//				return
//			}
//		}
//	})
func (m Model[T]) Load(ctx context.Context, rows iter.Seq[T], options ...LoadOptions) (int64, error) {
	switch {
	case m.c.src == nil:
		return 0, errNoSource
	case rows == nil:
		return 0, m.c.src.fail("the iterator is nil")
	case len(options) > 1:
		return 0, m.c.src.fail("more than one LoadOptions")
	}
	var record T
	w := loading{src: m.c.src, at: m.c.place(), record: &record}
	if len(options) == 1 {
		w.o = options[0]
	}
	return w.load(ctx, func(yield func() bool) {
		for record = range rows {
			if !yield() {
				return
			}
		}
	})
}

// loading is one call of Load.
type loading struct {
	src    *source
	at     *place
	o      LoadOptions
	name   string
	record any // a pointer to the record that the iterator has given last
	args   []any
	shape  *shape // of the record before
	values rowmap.Batch
	rows   int64 // that were handed over
	said   int64 // rows at the last call of Progress
}

// records sets loading.record to one record after the other.
type records func(yield func() bool)

func (w *loading) load(ctx context.Context, all records) (int64, error) {
	if w.o.BatchRows < 0 || w.o.ProgressEvery < 0 {
		return 0, w.src.fail("LoadOptions has a negative number")
	}
	w.o.ProgressEvery = cmp.Or(w.o.ProgressEvery, progressEvery)
	var err error
	if w.name, _, err = w.src.connectionFor(w.at, nil, false); err != nil {
		return 0, err
	}
	if w.o.BatchRows > 0 {
		if w.at.tx != nil || txOf(ctx, w.src.reg, w.name) != nil {
			return 0, w.src.fail("LoadOptions.BatchRows commits, which a transaction around the load does not let it")
		}
		return w.batches(ctx, all)
	}
	if err := w.batch(ctx, all); err != nil {
		return 0, err
	}
	w.told()
	return w.rows, nil
}

// batches loads so many records at a time.
func (w *loading) batches(ctx context.Context, all records) (done int64, err error) {
	next, stop := iter.Pull(func(yield func(struct{}) bool) {
		all(func() bool { return yield(struct{}{}) })
	})
	defer stop()
	_, more := next()
	for more {
		err := w.batch(ctx, func(yield func() bool) {
			for n := int64(0); more && n < w.o.BatchRows && yield(); n++ {
				_, more = next()
			}
		})
		if err != nil {
			return done, err
		}
		done = w.rows
	}
	w.told()
	return done, nil
}

// batch loads records in one transaction.
func (w *loading) batch(ctx context.Context, all records) error {
	return w.src.atomic(ctx, w.at, w.name, true, func(ctx context.Context) error { return w.run(ctx, all) })
}

// run loads records in the transaction of ctx, those of one shape that follow
// each other together.
func (w *loading) run(ctx context.Context, all records) (err error) {
	var t target
	if err := w.src.writeTarget(ctx, &t, w.at, w.name); err != nil {
		return err
	}
	defer t.leave()
	var l *loadRun
	defer func() {
		if l != nil { // a panic of the iterator, of Progress or of a Valuer
			l.abort(errPanicked)
		}
	}()
	all(func() bool {
		var sh *shape
		if sh, err = w.prepare(&t); err != nil {
			return false
		}
		if l != nil && l.shape != sh {
			last := l
			l = nil
			if err = last.done(ctx); err != nil {
				return false
			}
		}
		if l == nil {
			if l, err = beginLoad(ctx, &t, w.src, sh, w.rows); err != nil {
				return false
			}
		}
		if err = l.add(ctx, w.args); err != nil {
			return false
		}
		w.rows++
		if w.rows-w.said >= w.o.ProgressEvery {
			w.told()
		}
		return true
	})
	last := l
	l = nil
	switch {
	case last == nil:
		return err
	case err != nil:
		last.abort(err)
		return err
	}
	return last.done(ctx)
}

func (w *loading) told() {
	if w.o.Progress != nil && w.said != w.rows {
		w.said = w.rows
		w.o.Progress(w.rows)
	}
}

// prepare makes the arguments of the record at hand.
func (w *loading) prepare(t *target) (*shape, error) {
	s := w.src
	if s.shard != nil && w.at.db == "" {
		if _, err := s.homeOf(w.at, w.record); err != nil {
			return nil, indexed(int(w.rows), err)
		}
	}
	if err := s.stamp(w.record, true); err != nil {
		return nil, indexed(int(w.rows), err)
	}
	sh := s.shapeOf(w.record)
	var err error
	if sh != w.shape {
		w.shape, w.values = sh, sh.args.Batch(t.e.dialect, loadBatch)
	}
	if w.args, err = w.values.AppendArgs(w.args[:0], w.record); err != nil {
		return nil, indexed(int(w.rows), err)
	}
	return sh, nil
}

// loadRun is one load of the driver: records of one shape that follow each
// other.
type loadRun struct {
	t     *target
	s     *source
	shape *shape
	load  *driver.Load
	call  *call
	first int64 // index of the first record
	added int64
	text  string
}

func beginLoad(ctx context.Context, t *target, s *source, sh *shape, first int64) (*loadRun, error) {
	into, err := s.loadTarget(sh, t)
	if err != nil {
		return nil, err
	}
	l := &loadRun{t: t, s: s, shape: sh, first: first}
	if l.text, err = into.Insert(1); err != nil {
		return nil, err
	}
	l.call = t.begin(ctx, "load", l.text, nil)
	err = func() error {
		t.tx.mu.Lock()
		defer t.tx.mu.Unlock()
		if err := t.tx.ready(); err != nil {
			return err
		}
		l.load, err = t.tx.conn.Load(into)
		return err
	}()
	if err != nil {
		err = t.route.wrap("load", l.text, nil, false, err)
		l.call.end(&t.route, -1, err)
		return nil, err
	}
	return l, nil
}

func (l *loadRun) add(ctx context.Context, args []any) error {
	if err := l.load.Add(ctx, args); err != nil {
		return l.wrap(err, args)
	}
	l.added++
	return nil
}

// done ends the load. The database's number of rows must be that of the records.
func (l *loadRun) done(ctx context.Context) error {
	n, err := l.load.Done(ctx)
	if err != nil {
		err = l.wrap(err, nil)
	} else if n != l.added {
		err = l.s.otherRows(n, int(l.added))
	}
	if err != nil {
		n = -1
	}
	l.call.end(&l.t.route, n, err)
	return err
}

// abort gives the load up because of err.
func (l *loadRun) abort(err error) {
	l.load.Abort()
	l.call.end(&l.t.route, -1, err)
}

func (l *loadRun) wrap(err error, args []any) error {
	var row *driver.RowError
	if errors.As(err, &row) {
		return indexed(int(l.first+row.Row), l.t.route.wrap("load", l.text, args, false, row.Err))
	}
	return l.t.route.wrap("load", l.text, args, false, err)
}

// loadTarget is what the driver must know of the table.
func (s *source) loadTarget(sh *shape, t *target) (driver.LoadTarget, error) {
	d := t.e.dialect
	into := driver.LoadTarget{
		Columns: make([]string, len(sh.columns)),
		Insert:  func(rows int) (string, error) { return s.insertText(sh, d, rows, false) },
	}
	var err error
	for i, c := range sh.columns {
		if into.Columns[i], err = sqlgen.QuoteIdent(d, c); err != nil {
			return into, err
		}
	}
	into.Table, err = s.quotedTable(d)
	return into, err
}
