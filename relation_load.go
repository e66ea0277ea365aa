package dbfleet

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
		if r == nil {
			return nil, errNilRelation(q)
		}
		column, err := r.needs()
		if err == nil {
			out, err = out.selecting(column)
		}
		if err != nil {
			return nil, fmt.Errorf("dbfleet: a relation of table %q: %w", q.src.table.Name, err)
		}
	}
	return &out.q, nil
}

func errNilRelation(q *query) error { return q.src.table.Fail("With was given a nil relation") }

// selecting is the query that reads a column also if it has a select list of its
// own.
func (q *query) selecting(column string) (*query, error) {
	if !q.q.Selects() || q.q.Gives(column) {
		return q, nil
	}
	if q.q.Merges() || q.q.Unites() {
		return q, q.src.table.Fail("a relation needs the column %q, which the query does not select", column)
	}
	return q.columns(sqlgen.Column{Name: column}), nil
}

// loadRelations fills in the relations of the rows that were read at p into *into,
// a []T, or a T for one.
func (q *query) loadRelations(ctx context.Context, p *place, into any, one bool) error {
	if len(q.relations) == 0 {
		return nil
	}
	rows := rowmap.One(into)
	if !one {
		rows = q.src.table.Plan.Records(into)
	}
	if rows.N == 0 {
		return nil
	}
	w := q.wish()
	if w.tx != nil {
		ctx = withTx(ctx, w.tx)
	}
	for _, r := range q.relations {
		if r == nil {
			return errNilRelation(q)
		}
		if err := r.load(ctx, origin{p.e.name, w.primary}, rows); err != nil {
			return fmt.Errorf("dbfleet: loading a relation of table %q: %w", q.src.table.Name, err)
		}
	}
	return nil
}

// dealt says where related records go.
type dealt struct {
	groups *group.Groups
	places []int // by record; -1 is nowhere
	n      int   // how many go somewhere
	firsts []int // by place: the record that goes there
}

// first is the first record of a parent, -1 for none.
func (d *dealt) first(parent int) int {
	a, b := d.groups.Bounds(parent)
	if a == b {
		return -1
	}
	if d.firsts == nil {
		d.firsts = make([]int, d.n)
		for record, at := range d.places {
			if at >= 0 {
				d.firsts[at] = record
			}
		}
	}
	return d.firsts[a]
}

// load reads the related records of parents into *all, a []C, and says where each
// of them goes.
func (t *tie) load(ctx context.Context, from origin, parents rowmap.Records, all any) (*dealt, error) {
	q, err := t.narrowed(from)
	if err != nil {
		return nil, err
	}
	g, err := t.collect(parents)
	if err != nil {
		return nil, err
	}
	plan := t.related.src.table.Plan
	var shards []string // by record, where keys are told apart by shard
	for i, part := range t.parts(q, g) {
		if i == 0 {
			if err := part.get(ctx, all); err != nil {
				return nil, err
			}
		} else {
			more := plan.NewList()
			if err := part.get(ctx, more); err != nil {
				return nil, err
			}
			plan.Append(all, more)
		}
		if g.Sharded {
			n := plan.Records(all).N
			shards = append(shards, slices.Repeat([]string{part.wish().db}, n-len(shards))...)
		}
	}
	d := &dealt{groups: g}
	d.places, d.n = g.Deal(plan, t.relatedColumn, plan.Records(all), shards)
	return d, nil
}

// narrowed is the query for related records, without the parents' keys.
func (t *tie) narrowed(from origin) (*query, error) {
	if _, err := t.needs(); err != nil {
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
	return q.selecting(t.column())
}

// collect finds the group of each parent: those with equal keys have the same.
func (t *tie) collect(parents rowmap.Records) (*group.Groups, error) {
	g := group.New(parents.N)
	sharded := t.related.src.shard != nil && !t.related.wish().placed()
	var errs error
	for i := range parents.N {
		p := parents.At(i)
		if !sharded && !t.mixed {
			if n, ok := t.parents.table.Plan.IntKey(t.parentColumn, p); ok {
				g.AddInt(i, n)
				continue
			}
		}
		value, key, ok := t.key(p)
		switch {
		case !ok:
		case !sharded:
			g.Add(i, value, key)
		default:
			shard, err := t.shardOf(p, value)
			if err != nil {
				errs = errors.Join(errs, err)
				continue
			}
			g.AddOnShard(i, shard, value, key)
		}
	}
	return g, errs
}

// maxKeys bounds the keys of one statement where they are arguments of their own.
const maxKeys = 5000

// parts are the queries that read the related records of all groups.
func (t *tie) parts(q *query, g *group.Groups) []*query {
	var out []*query
	ask := func(q *query, keys any) { out = append(out, q.in(t.column(), sqlgen.In, keys)) }
	for keys := range slices.Chunk(g.Ints, maxKeys) {
		ask(q, keys)
	}
	for keys := range slices.Chunk(g.Keys, maxKeys) {
		ask(q, keys)
	}
	for _, shard := range g.Order {
		on := q.named(shard)
		for keys := range slices.Chunk(g.Shards[shard], maxKeys) {
			ask(on, keys)
		}
	}
	return out
}
