package dbfleet

import (
	"context"
	"errors"

	"github.com/dbfleet/dbfleet/internal/group"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// origin is where parents were read.
type origin struct {
	connection string
	primary    bool
}

// withKeysOfRelations checks the query's relations, and makes a select list of its
// own read what they need.
func (q *query) withKeysOfRelations() (*sqlgen.Query, error) {
	out := q
	for _, r := range q.relations {
		columns, err := r.needs()
		if err == nil {
			out, err = out.selecting(columns)
		}
		if err != nil {
			return nil, errorf("a relation of table %q: %w", q.src.table.Name, err)
		}
	}
	return &out.q, nil
}

// selecting is the query that reads columns also if it has a select list of its
// own.
func (q *query) selecting(columns []string) (*query, error) {
	if !q.q.Selects() {
		return q, nil
	}
	for _, column := range columns {
		if q.q.Gives(column) {
			continue
		}
		if q.q.Merges() || q.q.Unites() {
			return q, q.src.table.Fail("a relation needs the column %q, which the query does not select", column)
		}
		q = q.columns(sqlgen.Column{Name: column})
	}
	return q, nil
}

// loadRelations fills in the relations of the rows that were read at p into *into,
// a []T, or a T for one.
func (q *query) loadRelations(ctx context.Context, p *place, into any, one bool) error {
	if len(q.relations) == 0 && q.src.callbacks.find == nil || q.shape != nil {
		return nil
	}
	rows := rowmap.One(into)
	if !one {
		rows = q.src.table.Plan.Records(into)
	}
	return q.relate(ctx, p.e.name, rows)
}

// relate fills in the relations of rows that were read on a connection, and calls
// AfterFind.
func (q *query) relate(ctx context.Context, connection string, rows rowmap.Records) error {
	if rows.N == 0 {
		return nil
	}
	w := q.wish()
	if w.tx != nil {
		ctx = withTx(ctx, w.tx)
	}
	if len(q.relations) > 0 {
		if err := loadAll(ctx, q.relations, origin{connection, w.primary}, rows); err != nil {
			return errorf("loading a relation of table %q: %w", q.src.table.Name, err)
		}
	}
	return q.foundOf(ctx, rows)
}

// dealt are related records, those of each parent side by side.
type dealt struct {
	list   any     // a *[]C
	bounds []int32 // parent i has list[bounds[i]:bounds[i+1]]
}

// load reads the related records of parents. A record that several parents have
// is there several times, each with relations of its own.
func (t *tie) load(ctx context.Context, from origin, parents rowmap.Records) (*dealt, error) {
	g, err := t.gather(ctx, from, parents)
	if err != nil {
		return nil, err
	}
	return g.deal(ctx)
}

// gather reads the related records of parents, each once for those of one statement.
func (t *tie) gather(ctx context.Context, from origin, parents rowmap.Records) (*gathering, error) {
	q, err := t.narrowed(from)
	if err != nil {
		return nil, err
	}
	keys, err := t.collect(parents)
	if err != nil {
		return nil, err
	}
	g := &gathering{tie: t, query: q, keys: keys}
	for _, part := range keys.Parts() {
		if err := g.read(ctx, part); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// narrowed is the query for related records, without the parents' keys.
func (t *tie) narrowed(from origin) (*query, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	q := t.related
	if t.follows() {
		q = q.named(from.connection)
	}
	if from.primary {
		q = q.primary()
	}
	q = q.next()
	q.q = q.q.Enclosed()
	return q.selecting(t.columns())
}

// collect finds the key of each parent.
func (t *tie) collect(parents rowmap.Records) (*group.Keys, error) {
	keys := group.Of(parents.N)
	sharded := t.related.src.shard != nil && !t.related.wish().placed()
	plain := !sharded && len(t.mixed) == 1 && !t.mixed[0] && t.whose == nil
	var errs error
	for i := range parents.N {
		p := parents.At(i)
		if plain {
			if n, ok := t.parents.table.Plan.IntKey(t.parentColumns[0], p); ok {
				keys.AddInt(i, n)
				continue
			}
		}
		value, key, ok, err := t.key(p)
		shard := ""
		if ok && sharded {
			shard, err = t.shardOf(p, value)
		}
		switch {
		case err != nil:
			errs = errors.Join(errs, err)
		case ok:
			keys.Add(i, shard, value, key)
		}
	}
	return keys, errs
}
