package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// Record callbacks are methods of *T that a model calls for each record, found
// once by NewModel. An error of a Before method stops the operation before
// anything is sent. A type with After methods is written in a transaction, and
// an error of one undoes it, as does a panic, after which the records are what
// they were; callbacks' own statements with their context take part in it.
// CreateMany and UpsertMany call them once per record, all Before methods first;
// an error is a *RecordError. An upsert calls those of Create. Update and Delete
// of a query call none.
type (
	// BeforeCreator is called before a record is inserted; it may change it.
	BeforeCreator interface {
		BeforeCreate(ctx context.Context) error
	}
	// AfterCreator is called after a record was inserted, with its id.
	AfterCreator interface {
		AfterCreate(ctx context.Context) error
	}
	// BeforeUpdater is called before Save or SaveColumns updates a record.
	BeforeUpdater interface {
		BeforeUpdate(ctx context.Context) error
	}
	// AfterUpdater is called after a record was updated.
	AfterUpdater interface {
		AfterUpdate(ctx context.Context) error
	}
	// BeforeDeleter is called before a record is deleted.
	BeforeDeleter interface {
		BeforeDelete(ctx context.Context) error
	}
	// AfterDeleter is called after a record was deleted.
	AfterDeleter interface {
		AfterDelete(ctx context.Context) error
	}
)

// maxDepth bounds how deep callbacks may write records of their own.
const maxDepth = 16

// callbacks tells which of the methods a type has.
type callbacks struct {
	beforeCreate, afterCreate, beforeUpdate, afterUpdate, beforeDelete, afterDelete bool
}

func (c callbacks) none() bool { return c == callbacks{} }

func callbacksOf(record any) callbacks {
	var c callbacks
	_, c.beforeCreate = record.(BeforeCreator)
	_, c.afterCreate = record.(AfterCreator)
	_, c.beforeUpdate = record.(BeforeUpdater)
	_, c.afterUpdate = record.(AfterUpdater)
	_, c.beforeDelete = record.(BeforeDeleter)
	_, c.afterDelete = record.(AfterDeleter)
	return c
}

type depthKey struct{}

// deeper counts callbacks inside callbacks, so that one that saves its own
// record again and again ends with an error instead of the stack.
func deeper(ctx context.Context, model string) (context.Context, error) {
	if ctx == nil {
		return nil, errorf("model %s: the context is nil", model)
	}
	n, _ := ctx.Value(depthKey{}).(int)
	if n >= maxDepth {
		return nil, errorf("model %s: callbacks call each other more than %d deep", model, maxDepth)
	}
	return context.WithValue(ctx, depthKey{}, n+1), nil
}

// step is one kind of write: its callbacks and whether they are there.
type step struct {
	before, after         bool
	indexed               bool // errors tell the record's index
	callBefore, callAfter func(record any, ctx context.Context) error
}

func (s *source) creating() step {
	return step{
		before: s.callbacks.beforeCreate, after: s.callbacks.afterCreate,
		callBefore: func(r any, ctx context.Context) error { return r.(BeforeCreator).BeforeCreate(ctx) },
		callAfter:  func(r any, ctx context.Context) error { return r.(AfterCreator).AfterCreate(ctx) },
	}
}

func (s *source) updating() step {
	return step{
		before: s.callbacks.beforeUpdate, after: s.callbacks.afterUpdate,
		callBefore: func(r any, ctx context.Context) error { return r.(BeforeUpdater).BeforeUpdate(ctx) },
		callAfter:  func(r any, ctx context.Context) error { return r.(AfterUpdater).AfterUpdate(ctx) },
	}
}

func (s *source) deleting() step {
	return step{
		before: s.callbacks.beforeDelete, after: s.callbacks.afterDelete,
		callBefore: func(r any, ctx context.Context) error { return r.(BeforeDeleter).BeforeDelete(ctx) },
		callAfter:  func(r any, ctx context.Context) error { return r.(AfterDeleter).AfterDelete(ctx) },
	}
}

// around runs write between the callbacks of all records; in a transaction when
// there is something to undo. connection is where the write routes.
func (q *query) around(ctx context.Context, connection string, st step, records rowmap.Records, write func(ctx context.Context) error) error {
	if !st.before && !st.after {
		return write(ctx)
	}
	ctx, err := deeper(ctx, q.src.table.Model)
	if err != nil {
		return err
	}
	tx := q.wish().tx
	if tx != nil {
		if err := q.src.reg.belongs(tx, connection); err != nil {
			return err
		}
		ctx = withTx(ctx, tx) // for what the callbacks do
	}
	run := func(ctx context.Context) error {
		if st.before {
			if err := st.each(ctx, records, st.callBefore); err != nil {
				return err
			}
		}
		if err := write(ctx); err != nil {
			return err
		}
		if st.after {
			return st.each(ctx, records, st.callAfter)
		}
		return nil
	}
	if !st.after {
		return run(ctx)
	}
	inTx := func(ctx context.Context, _ *Tx) error { return run(ctx) }
	if tx != nil {
		return undone(tx.hidden(ctx, inTx))
	}
	return undone(q.src.reg.DB(connection).framed(ctx, inTx))
}

func (st *step) each(ctx context.Context, records rowmap.Records, call func(record any, ctx context.Context) error) error {
	for i := range records.N {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := call(records.At(i), ctx); err != nil {
			if st.indexed || records.N > 1 {
				return recordError(i, err)
			}
			return err
		}
	}
	return nil
}
