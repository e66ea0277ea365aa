package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// Record callbacks are methods of *T that a model calls for each record, found once by
// NewModel: those of BeforeCreator, AfterCreator, BeforeUpdater, AfterUpdater,
// BeforeSaver, AfterSaver, BeforeDeleter, AfterDeleter, AfterFinder and Validator. An
// error of a Before method, or of Validate, stops the operation before anything is sent. A
// type with After methods of writes is written in a transaction, and an error of one
// undoes it, as does a panic, after which the records are what they were; callbacks' own
// statements with their context take part in it.
//
// What is called, in this order, and by which verbs:
//
//	BeforeSave BeforeCreate Validate, AfterCreate AfterSave    Create, CreateFrom, CreateMany, CreateIgnore, Upsert,
//	                                                           UpsertMany; Save and SaveChanges of a zero key;
//	                                                           FirstOrCreate and UpdateOrCreate that create
//	BeforeSave BeforeUpdate Validate, AfterUpdate AfterSave    Save, SaveColumns, SaveChanges, SaveMany, Touch, Restore;
//	                                                           UpdateOrCreate that updates
//	BeforeDelete, AfterDelete                                  Delete and ForceDelete of a record
//	Validate                                                   Load
//	AfterFind                                                  Get, First, Find, FindMany, Iter, Refresh, relations, what
//	                                                           writes return; FirstOrCreate that finds
//
// Verbs of several records call each method once per record, all Before methods first; an
// error is a *RecordError. SaveChanges without changes calls none. Query.Update,
// Query.Delete, Query.Insert, Increment and the functions for rows call none: they see no
// records.
type (
	// BeforeCreator is called before a record is inserted; it may change it.
	BeforeCreator interface {
		BeforeCreate(ctx context.Context) error
	}
	// AfterCreator is called after a record was inserted, with its id.
	AfterCreator interface {
		AfterCreate(ctx context.Context) error
	}
	// BeforeUpdater is called before a record's row is updated; it may change the record,
	// and what it changes is written.
	BeforeUpdater interface {
		BeforeUpdate(ctx context.Context) error
	}
	// AfterUpdater is called after a record was updated.
	AfterUpdater interface {
		AfterUpdate(ctx context.Context) error
	}
	// BeforeSaver is called before a record is inserted or updated, before the methods of
	// one of them; it may change the record, and what it changes is written.
	BeforeSaver interface {
		BeforeSave(ctx context.Context) error
	}
	// AfterSaver is called after a record was inserted or updated, after the methods of
	// one of them.
	AfterSaver interface {
		AfterSave(ctx context.Context) error
	}
	// BeforeDeleter is called before a record is deleted.
	BeforeDeleter interface {
		BeforeDelete(ctx context.Context) error
	}
	// AfterDeleter is called after a record was deleted.
	AfterDeleter interface {
		AfterDelete(ctx context.Context) error
	}
	// AfterFinder is called after a record was read, once the relations of With are
	// there. Its error is that of the read. In a loop of Iter, a transaction of PostgreSQL
	// and MySQL takes no statement of it.
	AfterFinder interface {
		AfterFind(ctx context.Context) error
	}
	// Validator is called before a record is inserted or updated, after all Before methods. Its error,
	// which the verb returns as it is (errors.As finds it), says why the record is not
	// written.
	Validator interface {
		Validate(ctx context.Context) error
	}
)

// maxDepth bounds how deep callbacks may write records of their own.
const maxDepth = 16

// callbacks are the methods that a type has.
type callbacks struct {
	creating, updating, deleting step
	validate, find               callback // nil without one
}

type callback func(record any, ctx context.Context) error

// none says that a write of a record calls none.
func (c *callbacks) none() bool {
	return !c.creating.calls() && !c.updating.calls() && !c.deleting.calls()
}

func callbacksOf(record any) (c callbacks) {
	add := func(is bool, call callback, lists ...*[]callback) {
		for _, list := range lists {
			if is {
				*list = append(*list, call)
			}
		}
	}
	create, update, remove := &c.creating, &c.updating, &c.deleting
	_, is := record.(BeforeSaver)
	add(is, func(r any, ctx context.Context) error { return r.(BeforeSaver).BeforeSave(ctx) }, &create.before, &update.before)
	_, is = record.(BeforeCreator)
	add(is, func(r any, ctx context.Context) error { return r.(BeforeCreator).BeforeCreate(ctx) }, &create.before)
	_, is = record.(BeforeUpdater)
	add(is, func(r any, ctx context.Context) error { return r.(BeforeUpdater).BeforeUpdate(ctx) }, &update.before)
	if _, is = record.(Validator); is {
		c.validate = func(r any, ctx context.Context) error { return r.(Validator).Validate(ctx) }
	}
	add(is, c.validate, &create.before, &update.before)
	_, is = record.(AfterCreator)
	add(is, func(r any, ctx context.Context) error { return r.(AfterCreator).AfterCreate(ctx) }, &create.after)
	_, is = record.(AfterUpdater)
	add(is, func(r any, ctx context.Context) error { return r.(AfterUpdater).AfterUpdate(ctx) }, &update.after)
	_, is = record.(AfterSaver)
	add(is, func(r any, ctx context.Context) error { return r.(AfterSaver).AfterSave(ctx) }, &create.after, &update.after)
	_, is = record.(BeforeDeleter)
	add(is, func(r any, ctx context.Context) error { return r.(BeforeDeleter).BeforeDelete(ctx) }, &remove.before)
	_, is = record.(AfterDeleter)
	add(is, func(r any, ctx context.Context) error { return r.(AfterDeleter).AfterDelete(ctx) }, &remove.after)
	if _, is = record.(AfterFinder); is {
		c.find = func(r any, ctx context.Context) error { return r.(AfterFinder).AfterFind(ctx) }
	}
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

// step is one kind of write: what is called before and after.
type step struct {
	before, after []callback
	indexed       bool // errors tell the record's index
}

func (st *step) calls() bool { return len(st.before)+len(st.after) > 0 }

// foundOf calls AfterFind of records that were read.
func (q *query) foundOf(ctx context.Context, records rowmap.Records) error {
	if q.src.callbacks.find == nil || q.shape != nil || records.N == 0 {
		return nil
	}
	ctx, err := deeper(ctx, q.src.table.Model)
	if err != nil {
		return err
	}
	st := step{after: []callback{q.src.callbacks.find}}
	return st.each(ctx, records, st.after)
}

// around runs write between the callbacks of all records; in a transaction when
// there is something to undo. connection is where the write routes.
func (q *query) around(ctx context.Context, connection string, st step, records rowmap.Records, write func(ctx context.Context) error) error {
	if !st.calls() {
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
		if err := st.each(ctx, records, st.before); err != nil {
			return err
		}
		if err := write(ctx); err != nil {
			return err
		}
		return st.each(ctx, records, st.after)
	}
	if len(st.after) == 0 {
		return run(ctx)
	}
	inTx := func(ctx context.Context, _ *Tx) error { return run(ctx) }
	if tx != nil {
		return undone(tx.hidden(ctx, inTx))
	}
	return undone(q.src.reg.DB(connection).framed(ctx, inTx))
}

func (st *step) each(ctx context.Context, records rowmap.Records, calls []callback) error {
	for i := range records.N * len(calls) {
		i, call := i/len(calls), calls[i%len(calls)]
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
