package dbfleet

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/table"
)

// CreateMany inserts records with as few statements as the database's limits
// allow, all of them or none: several statements share a transaction (a
// savepoint inside one). Ids and other values that the database made are
// filled in, as by Create. No records are no statement. On a sharded model all
// records must live on one shard. An error of a callback, or of a value, is a
// *RecordError with the record's index. On an error the records are as they
// were before. Load is faster for many records whose ids need not be known.
func (m *Model[T]) CreateMany(ctx context.Context, records []T) error {
	return (*query)(m).createAll(ctx, &records)
}

//go:noinline
func (q *query) createAll(ctx context.Context, list any) error {
	return q.restoring(list, func(records rowmap.Records, l *landing) error { return q.createMany(ctx, records, l) })
}

// restoring gives the records of *list, a *[]T, to write. On an error, and when the
// transaction is undone that they were written in, they are as they were before.
func (q *query) restoring(list any, write func(records rowmap.Records, l *landing) error) error {
	if err := q.usable(); err != nil {
		return err
	}
	plan := q.src.table.Plan
	l, old := takeLanding(), plan.Snapshot(list)
	ended := false
	defer func() {
		if !ended {
			q.panicked(l, old)
		}
		l.give()
	}()
	err := write(plan.Records(list), l)
	ended = true
	if err = told(err); err != nil {
		old.Restore()
		return err
	}
	return q.restored(l.in, old)
}

func (q *query) createMany(ctx context.Context, records rowmap.Records, l *landing) (err error) {
	if q, err = q.inSchema(ctx); err != nil {
		return err
	}
	return q.writeMany(ctx, records, true, func(ctx context.Context, home destination) error {
		e, err := q.entryAt(ctx, home.connection)
		if err != nil {
			return err
		}
		batches, err := q.batches(records, e.dialect)
		if err != nil {
			return err
		}
		defer giveBack(batches)
		if len(batches) == 1 && q.keyable(&batches[0], e.dialect) {
			b := &batches[0]
			v := &keyedInsertion{insertion: insertion{recording: recording{writing: writing{trip{q: q}}, home: home}, records: b.records, plan: b.plan, args: b.args}}
			v.place.landing = l
			if _, err := v.run(ctx, v); !errors.Is(err, errKeysUnknown) {
				return err
			}
		}
		return q.atomic(ctx, home.connection, q.severalSteps(batches, e.dialect), func(ctx context.Context) error {
			for i := range batches {
				b := &batches[i]
				v := &insertion{recording: recording{writing: writing{trip{q: q}}, home: home}, records: b.records, plan: b.plan, args: b.args}
				v.place.landing = l
				if _, err := v.run(ctx, v); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// writeMany runs a write of several records between their callbacks.
func (q *query) writeMany(ctx context.Context, records rowmap.Records, indexed bool, write func(ctx context.Context, home destination) error) error {
	home, err := q.homeOfAll(records)
	if err != nil || records.N == 0 {
		return err
	}
	if err := q.ownRecords(ctx, records); err != nil {
		return err
	}
	st := q.src.callbacks.creating
	st.indexed = indexed
	return q.around(ctx, home.connection, st, records, func(ctx context.Context) error {
		if err := q.ownRecords(ctx, records); err != nil {
			return err
		}
		at, err := q.clock(ctx, home)
		if err != nil {
			return err
		}
		for i := range records.N {
			if err := q.stillAt(home, records.At(i)); err != nil {
				return recordError(i, err)
			}
			if err := q.src.table.Stamp(records.At(i), true, at); err != nil {
				return recordError(i, err)
			}
		}
		return write(ctx, home)
	})
}

func recordError(i int, err error) error { return &RecordError{Index: i, Err: err} }

// homeOfAll is the one connection of all records.
func (q *query) homeOfAll(records rowmap.Records) (home destination, err error) {
	for i := range records.N {
		to, err := q.homeOf(records.At(i))
		if err != nil {
			return destination{}, recordError(i, err)
		}
		if i > 0 && to.connection != home.connection {
			return destination{}, q.src.table.Fail("record %d lives on shard %q, those before it on %q; create the records of each shard by themselves", i, to.connection, home.connection)
		}
		home = to
		if q.src.shard == nil || q.wish().db != "" {
			break // all alike
		}
	}
	return home, nil
}

// severalSteps says whether batches need a transaction to be all or nothing:
// several do, one whose rows a trigger may skip (not on MySQL), and one after
// which rows are read again.
func (q *query) severalSteps(batches []batch, d *dialect.Dialect) bool {
	if len(batches) != 1 {
		return true
	}
	b := &batches[0]
	if d.InsertReturning {
		return b.records.N > 1
	}
	// They are read again, or their keys may not fit.
	t := q.src.table
	return len(b.plan.Back) > 0 && (!b.plan.OnlyKey || !t.Plan.HoldsInt64(t.Key()[0]))
}

// atomic runs fn in a transaction if several statements need one.
func (q *query) atomic(ctx context.Context, connection string, several bool, fn func(ctx context.Context) error) error {
	if !several {
		return fn(ctx)
	}
	inTx := func(ctx context.Context, _ *Tx) error { return fn(ctx) }
	if tx := q.wish().tx; tx != nil {
		if inner := txOf(ctx, q.src.reg, connection); inner != nil && inner.st == tx.st {
			tx = inner // a callback's savepoint is open in it
		}
		return undone(tx.hidden(ctx, inTx))
	}
	return undone(q.src.reg.DB(connection).framed(ctx, inTx))
}

// A statement of a bulk insert holds at most maxBatchRows rows and about
// maxBatchBytes of values: MariaDB's max_allowed_packet is 16 MiB.
const (
	maxBatchRows  = 1000
	maxBatchBytes = 4 << 20
)

// batch is one statement of a bulk insert.
type batch struct {
	records rowmap.Records
	plan    *table.InsertPlan
	args    []any
	list    *argList // what args lie in
	// there are the keys of the rows that an upsert has found before; nil is not known.
	there map[any]bool
}

// giveBack gives the lists of batches back.
func giveBack(batches []batch) {
	for i := range batches {
		batches[i].list.list = batches[i].args
		batches[i].list.give()
	}
}

// batches splits records where their plan changes or a limit is reached.
func (q *query) batches(records rowmap.Records, d *dialect.Dialect) ([]batch, error) {
	var (
		out         []batch
		row         rowmap.Batch
		plan        *table.InsertPlan
		args        []any
		list        *argList
		first       int // record of the batch at hand
		limit, size int
	)
	end := func(i int) {
		if i > first {
			out = append(out, batch{records: records.Part(first, i-first), plan: plan, args: args, list: list})
		}
		first, size, args = i, 0, nil
	}
	for i := range records.N {
		r := records.At(i)
		if is := q.src.table.InsertPlan(r); is != plan {
			end(i)
			plan, limit = is, batchRows(d, len(is.Write))
			row = plan.Args.Batch(d, records.N-i)
		} else if i-first >= limit {
			end(i)
		}
		if args == nil {
			list = takeArgs()
			args = slices.Grow(list.list, min(limit, records.N-i)*len(plan.Write))
		}
		before := len(args)
		var err error
		if args, err = row.AppendArgs(args, r); err != nil {
			return nil, recordError(i, err)
		}
		added := argBytes(args[before:])
		if size > 0 && size+added > maxBatchBytes { // it begins the next one
			next := takeArgs()
			last := append(next.list, args[before:]...)
			clear(args[before:])
			args = args[:before]
			end(i)
			args, list = last, next
		}
		size += added
	}
	end(records.N)
	return out, nil
}

// argBytes is about what arguments take in a statement.
func argBytes(args []any) int {
	n := 0
	for _, a := range args {
		switch a := a.(type) {
		case string:
			n += len(a)
		case []byte:
			n += len(a)
		default:
			n += 8
		}
	}
	return n
}

func batchRows(d *dialect.Dialect, columns int) int {
	n := maxBatchRows
	if columns == 0 {
		return 1 // DEFAULT VALUES makes one row
	}
	if d.MaxParams > 0 {
		n = min(n, max(1, d.MaxParams/columns))
	}
	return n
}

// argList is a list for the arguments of one statement, which is free again
// when the statement has ended: the driver copies it, and hooks are given copies.
// The arguments themselves may be kept.
type argList struct{ list []any }

var argLists = sync.Pool{New: func() any { return &argList{list: make([]any, 0, 16)} }}

func takeArgs() *argList { return argLists.Get().(*argList) }

// maxArgList is the longest list that is kept.
const maxArgList = 4096

func (a *argList) give() {
	if cap(a.list) > maxArgList {
		return
	}
	clear(a.list)
	a.list = a.list[:0]
	argLists.Put(a)
}
