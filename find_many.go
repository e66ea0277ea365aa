package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/group"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// FindMany returns the rows with these primary keys: those that there are, each once,
// in the query's order, and by the primary key where that holds rows for equal. A key of
// several columns is a slice of their values in the order of ModelConfig.PrimaryKey; keys
// of one column may also be given as one slice. A table without a model is asked for its
// column "id".
//
//	found, err := users.FindMany(ctx, 7, 9)
//	found, err := users.FindMany(ctx, ids)                       // an []int64
//	found, err := lines.FindMany(ctx, []any{1, "a"}, []any{1, "b"})
//
// No keys are no statement. A nil among them is refused. On a sharded model all keys
// must live on one shard, which is found by them if they have the shard key; else name
// it by Shard.
func (q *Query[T]) FindMany(ctx context.Context, keys ...any) ([]T, error) {
	rows := []T{}
	err := (*query)(q).findMany(ctx, &rows, keys)
	return rows, err
}

// FindMany is Query.FindMany.
func (m *Model[T]) FindMany(ctx context.Context, keys ...any) ([]T, error) {
	return (*Query[T])(m).FindMany(ctx, keys...)
}

func (q *query) findMany(ctx context.Context, rows any, keys []any) error {
	among, err := q.amongKeys(keys)
	if err != nil || among == nil {
		return err
	}
	return among.get(ctx, rows)
}

// amongKeys is the query for the rows with some primary keys, nil for none.
func (q *query) amongKeys(keys []any) (*query, error) {
	if err := q.usable(); err != nil {
		return nil, err
	}
	t := q.src.table
	if q.q.Unites() {
		return nil, t.Fail("a key's condition would not hold for the other rows of a union")
	}
	next := q.next()
	next.q = next.q.Enclosed()
	names := t.KeyNames()
	var err error
	if len(names) == 1 {
		keys, err = next.amongSole(names[0], keys)
	} else {
		err = next.amongTuples(names, keys)
	}
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	for _, name := range names {
		next.q.AddTie(name)
	}
	return next, nil
}

// amongSole adds the condition of keys of one column. It returns them.
func (q *query) amongSole(name string, keys []any) ([]any, error) {
	var all []any
	for _, key := range keys {
		if _, isQuery := key.(Queryable); isQuery || !rowmap.IsList(key) {
			all = append(all, key)
			continue
		}
		list, hasNull, err := rowmap.Elements(key)
		if err != nil {
			return nil, err
		}
		if hasNull {
			return nil, q.src.table.NilKey(name)
		}
		all = append(all, list...)
	}
	for _, key := range all {
		if isNil(key) {
			return nil, q.src.table.NilKey(name)
		}
	}
	q.q.Add(sqlgen.Compare(name, sqlgen.In, all))
	return all, nil
}

// amongTuples adds the condition of keys of several columns.
func (q *query) amongTuples(names []string, keys []any) error {
	t := q.src.table
	var placed []any // the shard keys among them
	all := group.Of(len(keys))
	for i, key := range keys {
		if !rowmap.IsList(key) {
			return t.Fail("key %d is no slice: the primary key has the columns %s", i, listed(names, nil))
		}
		values, hasNull, err := rowmap.Elements(key)
		if err != nil {
			return err
		}
		if len(values) != len(names) && !hasNull {
			return t.Fail("key %d has %d values: the primary key has the columns %s", i, len(values), listed(names, nil))
		}
		compared := make([]any, len(names))
		for n, name := range names {
			if hasNull || isNil(values[n]) {
				return t.NilKey(name)
			}
			fits, err := t.Fit(t.Key()[n], values[n])
			if err != nil {
				return err
			}
			k, ok := rowmap.Key(fits)
			if !ok {
				return t.Fail("key %d: a %T is no value of a key", i, values[n])
			}
			compared[n] = k
			if s := q.src.shard; s != nil && s.column() == name {
				placed = append(placed, values[n])
			}
		}
		tuple := group.TupleOf(values, compared)
		all.Add(i, "", tuple, tuple.Key())
	}
	if placed != nil {
		q.q.Add(sqlgen.Compare(q.src.shard.column(), sqlgen.In, placed))
	}
	parts := all.Parts()
	conds := make([]sqlgen.Cond, len(parts))
	for i, part := range parts {
		conds[i] = grouped(names, part.Groups()).Or()
	}
	q.q.Add(sqlgen.Group(conds...))
	return nil
}
