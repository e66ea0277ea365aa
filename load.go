package dbfleet

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
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
func (m *Model[T]) Load(ctx context.Context, rows iter.Seq[T], options ...LoadOptions) (int64, error) {
	var record T
	w := loading{record: &record}
	if err := w.prepare((*query)(m), rows == nil, options); err != nil {
		return 0, told(err)
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
	q      *query
	o      LoadOptions
	home   destination
	at     time.Time // see recording
	record any       // a pointer to the record that the iterator has given last
	args   []any
	plan   *table.InsertPlan // of the record before
	values rowmap.Batch
	rows   int64 // that were handed over
	said   int64 // rows at the last call of Progress
}

func (w *loading) prepare(q *query, noRows bool, options []LoadOptions) error {
	if err := q.usable(); err != nil {
		return err
	}
	w.q = q
	t := q.src.table
	if noRows {
		return t.Fail("the iterator is nil")
	}
	var err error
	if w.o, err = atMostOne(options); err != nil {
		return t.Fail("%s", err)
	}
	if w.o.BatchRows < 0 || w.o.ProgressEvery < 0 {
		return t.Fail("LoadOptions has a negative number")
	}
	w.o.ProgressEvery = cmp.Or(w.o.ProgressEvery, progressEvery)
	return nil
}

// records sets loading.record to one record after the other.
type records func(yield func() bool)

func (w *loading) load(ctx context.Context, all records) (int64, error) {
	n, err := w.loadAll(ctx, all)
	return n, told(err)
}

func (w *loading) loadAll(ctx context.Context, all records) (int64, error) {
	var err error
	if w.q, err = w.q.inSchema(ctx); err != nil {
		return 0, err
	}
	if w.home, err = w.q.src.destination(w.q.wish(), nil, false); err != nil {
		return 0, err
	}
	if w.o.BatchRows > 0 {
		if w.q.wish().tx != nil || txOf(ctx, w.q.src.reg, w.home.connection) != nil {
			return 0, w.q.src.table.Fail("LoadOptions.BatchRows commits, which a transaction around the load does not let it")
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
	return w.q.atomic(ctx, w.home.connection, true, func(ctx context.Context) error { return w.run(ctx, all) })
}

// run loads records in the transaction of ctx, those of one plan that follow
// each other together.
func (w *loading) run(ctx context.Context, all records) (err error) {
	var p place
	if err := w.q.src.reg.place(ctx, &p, w.home, w.q.wish(), true); err != nil {
		return err
	}
	defer p.leave()
	if err := w.q.src.table.CheckOn(p.e.dialect); err != nil {
		return err
	}
	if owned := w.q.ownedOn(p.e.home()); owned != nil {
		if _, _, err := owned.tenant(p.wants()); err != nil {
			return err
		}
		if w.q.src.tenant == nil {
			return owned.table.Fail("its rows belong to tenants, and the model %s, which has no Tenant, makes none", w.q.src.table.Model)
		}
	}
	p.holds(w.q.src)
	if w.at, err = w.q.clock(ctx, w.home); err != nil {
		return err
	}
	var l *loadRun
	defer func() {
		if l != nil { // a panic of the iterator, of Progress or of a Valuer
			l.abort(errPanicked)
		}
	}()
	all(func() bool {
		var plan *table.InsertPlan
		if plan, err = w.next(ctx, p.e.dialect); err != nil {
			return false
		}
		if l != nil && l.plan != plan {
			last := l
			l = nil
			if err = last.done(); err != nil {
				return false
			}
		}
		if l == nil {
			if l, err = w.begin(ctx, &p, plan); err != nil {
				return false
			}
		}
		if err = l.add(w.args); err != nil {
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
	return last.done()
}

func (w *loading) told() {
	if w.o.Progress != nil && w.said != w.rows {
		w.said = w.rows
		w.o.Progress(w.rows)
	}
}

// next makes the arguments of the record at hand.
func (w *loading) next(ctx context.Context, d *dialect.Dialect) (*table.InsertPlan, error) {
	t := w.q.src.table
	if w.q.src.shard != nil && w.q.wish().db == "" {
		if _, err := w.q.homeOf(w.record); err != nil {
			return nil, recordError(int(w.rows), err)
		}
	}
	t.Plan.OwnEmbedded(w.record) // the iterator's own is left alone
	if validate := w.q.src.callbacks.validate; validate != nil {
		if err := validate(w.record, ctx); err != nil {
			return nil, recordError(int(w.rows), err)
		}
	}
	if err := w.q.ownRecords(ctx, rowmap.One(w.record)); err != nil {
		return nil, recordError(int(w.rows), err)
	}
	if err := t.Stamp(w.record, true, w.at); err != nil {
		return nil, recordError(int(w.rows), err)
	}
	plan := t.InsertPlan(w.record)
	var err error
	if plan != w.plan {
		w.plan, w.values = plan, plan.Args.Batch(d, loadBatch)
	}
	if w.args, err = w.values.AppendArgs(w.args[:0], w.record); err != nil {
		return nil, recordError(int(w.rows), err)
	}
	return plan, nil
}

// loadRun is one load of the driver: records of one plan that follow each other.
type loadRun struct {
	w     *loading
	p     *place
	plan  *table.InsertPlan
	s     statement
	ctx   context.Context // the statement's
	hooks *call
	load  *driver.Load
	first int64 // index of the first record
	added int64
}

func (w *loading) begin(ctx context.Context, p *place, plan *table.InsertPlan) (*loadRun, error) {
	into, err := w.into(plan, p.e.dialect)
	if err != nil {
		return nil, err
	}
	l := &loadRun{w: w, p: p, plan: plan, first: w.rows}
	l.s = statement{op: "load", table: w.q.src.table.Name, write: true}
	if l.s.text, err = into.Insert(1); err != nil {
		return nil, err
	}
	if err := p.choose(ctx, true); err != nil {
		return nil, err
	}
	p.begun(ctx, &l.s)
	l.ctx = ctx
	if l.hooks = p.callHooks(ctx, &l.s); l.hooks != nil {
		l.ctx = l.hooks.context(nil)
	}
	c, err := p.hold(l.ctx)
	if err == nil {
		l.load, err = c.Load(into)
		p.letGo(c)
	}
	if err != nil {
		return nil, p.ended(&l.s, l.hooks, unknownRows, err)
	}
	return l, nil
}

func (l *loadRun) add(args []any) error {
	if err := l.load.Add(l.ctx, args); err != nil {
		return l.wrap(err, args)
	}
	l.added++
	return nil
}

// done ends the load. The database's number of rows must be that of the records.
func (l *loadRun) done() error {
	n, err := l.load.Done(l.ctx)
	if err != nil {
		err = l.wrap(err, nil)
	} else if n != l.added {
		err = otherRows(l.w.q.src.table, n, int(l.added))
	}
	return l.ended(n, err)
}

// abort gives the load up because of err.
func (l *loadRun) abort(err error) {
	l.load.Abort()
	_ = l.ended(-1, err)
}

// ended tells what came of the load. An error is wrapped already.
func (l *loadRun) ended(n int64, err error) error {
	if err != nil {
		n = -1
	}
	if l.hooks != nil {
		l.hooks.end(l.p, &l.s, n, err)
	}
	return err
}

func (l *loadRun) wrap(err error, args []any) error {
	s := l.s
	s.args = args // a message may quote them
	var row *driver.RowError
	if errors.As(err, &row) {
		return recordError(int(l.first+row.Row), l.p.wrap(&s, row.Err))
	}
	return l.p.wrap(&s, err)
}

// into is what the driver must know of the table.
func (w *loading) into(plan *table.InsertPlan, d *dialect.Dialect) (driver.LoadTarget, error) {
	into := driver.LoadTarget{
		Columns: make([]string, len(plan.Columns)),
		Insert:  func(rows int) (string, error) { return plan.ManyText(d, rows, false) },
	}
	var err error
	for i, c := range plan.Columns {
		if into.Columns[i], err = sqlgen.QuoteIdent(d, c); err != nil {
			return into, err
		}
	}
	into.Table, err = w.q.src.table.QuotedName(d)
	return into, err
}
