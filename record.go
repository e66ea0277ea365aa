package dbfleet

import (
	"context"
	"sync"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// writeRecord runs a write of one record. On an error the record is as it was before,
// unless it was inserted, and so it is when a transaction is undone. It is no method, of
// which Go compiles two for each T.
func writeRecord[T any](ctx context.Context, m *Model[T], record *T, w recordWrite) error {
	if record == nil {
		return w.refuseNil((*query)(m))
	}
	return w.run(ctx, (*query)(m), record)
}

// recordWrite is a write of one record without the record's type.
type recordWrite struct {
	do       func(ctx context.Context, q *query, record any, w recordWrite) error
	columns  []string   // of SaveColumns, or those by which a row is looked for
	conflict []Conflict // of Upsert, at most one
	created  *bool      // takes whether the record was created, rather than found
	landing  *landing
}

// run does the write.
//
//go:noinline
func (w recordWrite) run(ctx context.Context, q *query, record any) error {
	if err := q.usable(); err != nil {
		return err
	}
	w.landing = takeLanding()
	old := q.src.table.Plan.SnapshotOne(record)
	ended := false
	defer func() {
		if !ended {
			q.panicked(w.landing, old)
		}
		old.GiveBack()
		w.landing.give()
	}()
	err := w.do(ctx, q, record, w)
	ended = true
	switch err = told(err); {
	case err == nil:
		return q.restored(w.landing.in, old)
	case !isWritten(err, record):
		old.Restore()
	}
	return err
}

// landing is what is known of where one write of records has landed. It is known as well
// when a hook after a statement ends the write in a panic, or in runtime.Goexit.
type landing struct {
	in    *Tx  // that the last statement stood in which was answered; nil outside of one
	wrote bool // rows have been written
}

// note takes a statement that was answered.
func (l *landing) note(p *place, s *statement, res driver.Result) {
	l.in = p.within
	l.wrote = l.wrote || s.write && res.RowsAffected != 0
}

// undone says that what was written is undone by now.
func (l *landing) undone() bool {
	if l.in == nil {
		return false
	}
	l.in.st.mu.Lock()
	defer l.in.st.mu.Unlock()
	return l.in.holder().fate != nil
}

var landings = sync.Pool{New: func() any { return new(landing) }}

func takeLanding() *landing { return landings.Get().(*landing) }

func (l *landing) give() {
	*l = landing{}
	landings.Put(l)
}

// panicked leaves records as their rows are when a callback or a hook has ended the write
// of them: as they were before, unless the rows are written and may stay.
func (q *query) panicked(l *landing, old rowmap.Snapshot) {
	if !l.wrote || l.undone() {
		old.Restore()
		return
	}
	records := old.Records()
	for i := range records.N {
		q.src.table.Settle(records.At(i))
	}
	_ = q.restored(l.in, old)
}

// restored has what a write has changed in records undone with the transaction that they
// were written in, nil for none.
func (q *query) restored(in *Tx, old rowmap.Snapshot) error {
	if in == nil {
		return nil
	}
	changes := old.Changes(q.src.table.Key())
	if changes == nil {
		return nil
	}
	return told(in.undoes(changes))
}

//go:noinline
func (w recordWrite) refuseNil(q *query) error {
	if err := q.usable(); err != nil {
		return err
	}
	return told(q.src.table.NilRecord())
}

func createRecord(ctx context.Context, q *query, record any, w recordWrite) error {
	return q.create(ctx, record, w.landing)
}

func saveRecord(ctx context.Context, q *query, record any, w recordWrite) error {
	if t := q.src.table; t.Unsaved(record) {
		if err := t.CheckRead(record); err != nil {
			return err
		}
		return q.create(ctx, record, w.landing)
	}
	return q.save(ctx, record, nil, w.landing)
}

func saveColumns(ctx context.Context, q *query, record any, w recordWrite) error {
	if err := q.checkColumns(w.columns); err != nil {
		return err
	}
	return q.save(ctx, record, w.columns, w.landing)
}

func deleteRecord(ctx context.Context, q *query, record any, w recordWrite) error {
	return q.delete(ctx, record, w.landing)
}

func upsertRecord(ctx context.Context, q *query, record any, w recordWrite) error {
	conflict, err := q.conflict(w.conflict)
	if err != nil {
		return err
	}
	return q.upsertMany(ctx, rowmap.One(record), conflict, nil, w.landing)
}
