package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// writeRecord runs a write of one record. On an error the record is as it was
// before, unless it was inserted, and so it is when a transaction is undone. It is no
// method, of which Go compiles two for each T.
func writeRecord[T any](ctx context.Context, m *Model[T], record *T, w recordWrite) error {
	if record == nil {
		return w.refuseNil((*query)(m))
	}
	old := *record
	done := w.run(ctx, (*query)(m), record)
	if done.undo {
		*record = old
	}
	if was, ok := done.was.(*T); ok {
		*was = old
		return done.keep((*query)(m), record)
	}
	return done.err
}

// recordWrite is a write of one record without the record's type.
type recordWrite struct {
	do       func(ctx context.Context, q *query, record any, w recordWrite) (in *Tx, err error)
	columns  []string   // of SaveColumns, or those by which a row is looked for
	conflict []Conflict // of Upsert, at most one
	created  *bool      // takes whether the record was created, rather than found
}

// recordDone is how a write of one record has ended.
type recordDone struct {
	undo bool // the record is to be what it was
	in   *Tx  // that the row was written in
	was  any  // takes what the record was, which in is to be told
	err  error
}

// run does the write. If a callback ends in a panic, the record is what it was.
//
//go:noinline
func (w recordWrite) run(ctx context.Context, q *query, record any) (done recordDone) {
	if err := q.usable(); err != nil {
		return recordDone{undo: true, err: err}
	}
	plan := q.src.table.Plan
	kept := !q.src.callbacks.none() || plan.Embeds()
	var old rowmap.Snapshot
	returned := false
	if kept {
		old = plan.SnapshotOne(record)
		defer func() {
			if !returned {
				old.Restore()
			}
		}()
	}
	in, err := w.do(ctx, q, record, w)
	returned = true
	err = told(err)
	switch {
	case err == nil && in != nil && kept:
		return recordDone{err: q.restored(in, old.Changes(q.src.table.Key()))}
	case err == nil && in != nil:
		return recordDone{in: in, was: plan.Scratch()}
	case err == nil || isWritten(err, record):
		return recordDone{err: err}
	case kept:
		old.Restore()
	}
	return recordDone{undo: true, err: err}
}

// keep lets what the write has changed in the record be undone with its transaction.
//
//go:noinline
func (done *recordDone) keep(q *query, record any) error {
	plan := q.src.table.Plan
	changes := plan.Changes(record, done.was, q.src.table.Key())
	plan.GiveBack(done.was)
	return q.restored(done.in, changes)
}

// restored has changes of records undone with the transaction that they were written
// in.
func (q *query) restored(in *Tx, changes *rowmap.Changes) error {
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

func createRecord(ctx context.Context, q *query, record any, _ recordWrite) (*Tx, error) {
	return q.create(ctx, record)
}

func saveRecord(ctx context.Context, q *query, record any, _ recordWrite) (*Tx, error) {
	if q.src.table.Unsaved(record) {
		return q.create(ctx, record)
	}
	return q.save(ctx, record, nil)
}

func saveColumns(ctx context.Context, q *query, record any, w recordWrite) (*Tx, error) {
	if err := q.checkColumns(w.columns); err != nil {
		return nil, err
	}
	return q.save(ctx, record, w.columns)
}

func deleteRecord(ctx context.Context, q *query, record any, _ recordWrite) (*Tx, error) {
	return q.delete(ctx, record)
}

func upsertRecord(ctx context.Context, q *query, record any, w recordWrite) (*Tx, error) {
	conflict, err := q.conflict(w.conflict)
	if err != nil {
		return nil, err
	}
	return q.upsertMany(ctx, rowmap.One(record), conflict, nil)
}
