package dbfleet

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/dbfleet/dbfleet/internal/driver"
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

const progressEvery = 10_000

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
// An error of a value, of the iterator's record, or of the database where it
// tells the row, is a *RecordError with the record's index. Before nothing was
// sent to the database nothing is said to hooks; they see one event "load" for
// each run of records that are alike, with the text of an INSERT in place of
// what the database's own way sends.
//
//	n, err := events.Load(ctx, func(yield func(Event) bool) {
//		for scanner.Scan() {
//			if !yield(parse(scanner.Text())) {
//				return
//			}
//		}
//	})
func (m Model[T]) Load(ctx context.Context, rows iter.Seq[T], options ...LoadOptions) (int64, error) {
	if m.src == nil {
		return 0, errNoSource
	}
	var o LoadOptions
	switch {
	case len(options) > 1:
		return 0, m.src.fail("more than one LoadOptions")
	case len(options) == 1:
		o = options[0]
	}
	switch {
	case rows == nil:
		return 0, m.src.fail("the iterator is nil")
	case o.BatchRows < 0 || o.ProgressEvery < 0:
		return 0, m.src.fail("LoadOptions has a negative number")
	case o.ProgressEvery == 0:
		o.ProgressEvery = progressEvery
	}
	name, _, err := m.src.connectionFor(&m.at, nil, false)
	if err != nil {
		return 0, err
	}
	w := loading[T]{m: &m, name: name, o: o}
	if o.BatchRows == 0 {
		err = m.atomic(ctx, name, true, func(ctx context.Context) error { return w.run(ctx, rows) })
		if err != nil {
			return 0, err
		}
		w.told()
		return w.rows, nil
	}
	if m.at.tx != nil || txOf(ctx, m.src.reg, name) != nil {
		return 0, m.src.fail("LoadOptions.BatchRows commits, which a transaction around the load does not let it")
	}
	return w.batches(ctx, rows)
}

// loading is one call of Load.
type loading[T any] struct {
	m    *Model[T]
	name string
	o    LoadOptions
	rows int64 // that were handed over
	said int64 // rows at the last call of Progress
	args []any
	rec  T // the row that is being worked on
}

func (w *loading[T]) told() {
	if w.o.Progress != nil && w.said != w.rows {
		w.said = w.rows
		w.o.Progress(w.rows)
	}
}

// batches loads the rows in transactions of their own.
func (w *loading[T]) batches(ctx context.Context, rows iter.Seq[T]) (done int64, err error) {
	next, stop := iter.Pull(rows)
	defer stop()
	row, ok := next()
	for ok {
		batch := func(yield func(T) bool) {
			for n := int64(0); ok && n < w.o.BatchRows; n++ {
				if !yield(row) {
					return
				}
				row, ok = next()
			}
		}
		err := w.m.atomic(ctx, w.name, true, func(ctx context.Context) error { return w.run(ctx, batch) })
		if err != nil {
			return done, err
		}
		done = w.rows
	}
	w.told()
	return done, nil
}

// run loads rows in the transaction of ctx, those of one shape after the other
// together.
func (w *loading[T]) run(ctx context.Context, rows iter.Seq[T]) error {
	t, err := w.m.writeTarget(ctx, w.name)
	if err != nil {
		return err
	}
	defer t.leave()
	var l *loadRun
	defer func() {
		if l != nil { // a panic of the iterator, of a callback or of a Valuer
			l.abort(errPanicked)
		}
	}()
	for row := range rows {
		w.rec = row
		sh, err := w.prepare(&t)
		if err == nil && l != nil && l.shape != sh {
			err = l.done(ctx)
			l = nil
		}
		if err == nil && l == nil {
			l, err = beginLoad(ctx, &t, w.m.src, sh, w.rows)
		}
		if err == nil {
			err = l.add(ctx, w.args)
		}
		if err != nil {
			if l != nil {
				l.abort(err)
				l = nil
			}
			return err
		}
		w.rows++
		if w.o.Progress != nil && w.rows-w.said >= w.o.ProgressEvery {
			w.told()
		}
	}
	if l == nil {
		return nil
	}
	last := l
	l = nil
	return last.done(ctx)
}

// prepare makes the arguments of the record at hand.
func (w *loading[T]) prepare(t *target) (*shape, error) {
	s := w.m.src
	if s.shard != nil && w.m.at.db == "" {
		if _, err := w.m.home(&w.rec); err != nil {
			return nil, indexed(int(w.rows), err)
		}
	}
	if err := s.stamp(&w.rec, true); err != nil {
		return nil, indexed(int(w.rows), err)
	}
	sh := s.shapeOf(&w.rec)
	var err error
	w.args, err = s.plan.AppendArgs(w.args[:0], sh.write, &w.rec, t.e.dialect)
	if err != nil {
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
	parts := strings.Split(s.table, ".")
	for i := range parts {
		if parts[i], err = sqlgen.QuoteIdent(d, parts[i]); err != nil {
			return into, err
		}
	}
	into.Table = strings.Join(parts, ".")
	return into, nil
}
