package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// writeRecord runs a write of one record. On an error the record is as it was
// before, unless it was inserted. It is no method, of which Go compiles two for
// each T.
func writeRecord[T any](ctx context.Context, m *Model[T], record *T, w recordWrite) error {
	if record == nil {
		return w.refuseNil((*query)(m))
	}
	old := *record
	undo, err := w.run(ctx, (*query)(m), record)
	if undo {
		*record = old
	}
	return err
}

// recordWrite is a write of one record without the record's type.
type recordWrite struct {
	do       func(ctx context.Context, q *query, record any, w recordWrite) error
	columns  []string   // of SaveColumns
	conflict []Conflict // of Upsert, at most one
}

// run does the write and says whether the record is to be what it was. If a
// callback ends in a panic, the record is that already.
//
//go:noinline
func (w recordWrite) run(ctx context.Context, q *query, record any) (undo bool, err error) {
	if err = q.usable(); err != nil {
		return true, err
	}
	returned := false
	if !q.src.callbacks.none() {
		plan := q.src.table.Plan
		old := plan.Clone(record)
		defer func() {
			if !returned {
				plan.Copy(record, old)
			}
		}()
	}
	err = told(w.do(ctx, q, record, w))
	returned = true
	return err != nil && !isWritten(err, record), err
}

//go:noinline
func (w recordWrite) refuseNil(q *query) error {
	if err := q.usable(); err != nil {
		return err
	}
	return told(q.src.table.NilRecord())
}

func createRecord(ctx context.Context, q *query, record any, _ recordWrite) error {
	return q.create(ctx, record)
}

func saveRecord(ctx context.Context, q *query, record any, _ recordWrite) error {
	if q.src.table.Unsaved(record) {
		return q.create(ctx, record)
	}
	return q.save(ctx, record, nil)
}

func saveColumns(ctx context.Context, q *query, record any, w recordWrite) error {
	if err := q.checkColumns(w.columns); err != nil {
		return err
	}
	return q.save(ctx, record, w.columns)
}

func deleteRecord(ctx context.Context, q *query, record any, _ recordWrite) error {
	return q.delete(ctx, record)
}

func upsertRecord(ctx context.Context, q *query, record any, w recordWrite) error {
	conflict, err := q.conflict(w.conflict)
	if err != nil {
		return err
	}
	return q.upsertMany(ctx, rowmap.One(record), conflict)
}
