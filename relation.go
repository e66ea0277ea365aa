package dbfleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// Relation loads the related records of many parents of type P at once, for
// Query.With. HasMany, HasOne and BelongsTo make one.
//
// Each side has its own connection, dialect and replicas: related records come
// by a statement of their own, never by a JOIN. If both models live on the same
// connection, the related records are read where the parents were read, also
// when that was named by DB.
type Relation[P any] interface {
	// load fills in the related records of parents.
	load(ctx context.Context, from origin, parents []P) error
}

// Link names the columns that tie two models; On makes one.
type Link struct{ foreign, local string }

// On names the column that refers to the other side, and optionally the column
// that it refers to, which is the primary key otherwise.
func On(foreignKey string, refersTo ...string) Link {
	l := Link{foreign: foreignKey}
	if len(refersTo) > 0 {
		l.local = refersTo[0]
	}
	return l
}

// ToMany is a relation to any number of records; HasMany makes one.
type ToMany[P, C any] struct {
	tie   tie[P, C]
	field func(*P) *[]C
}

// ToOne is a relation to one record or none; HasOne and BelongsTo make one.
type ToOne[P, C any] struct {
	tie   tie[P, C]
	field func(*P) **C
}

// HasMany relates a parent to the children whose column link names refers to
// it. field says where the parent keeps them.
//
//	var postsOf = dbfleet.HasMany(users, posts, dbfleet.On("user_id"), func(u *User) *[]Post { return &u.Posts })
//
// A fault of the link is told when the relation is used.
func HasMany[P, C any](parents Model[P], children Model[C], link Link, field func(*P) *[]C) ToMany[P, C] {
	return ToMany[P, C]{tie: has(parents, children, link), field: field}
}

// HasOne relates a parent to the one child that refers to it; of several, the
// first in the order of Scope is taken.
func HasOne[P, C any](parents Model[P], children Model[C], link Link, field func(*P) **C) ToOne[P, C] {
	return ToOne[P, C]{tie: has(parents, children, link), field: field}
}

// BelongsTo relates a record to the one that its own column refers to.
func BelongsTo[P, C any](records Model[P], owners Model[C], link Link, field func(*P) **C) ToOne[P, C] {
	t := tie[P, C]{parents: records.src, related: owners.Query}
	t.parentColumn, t.err = tieColumn(records.src, link.foreign)
	if link.local == "" && owners.src != nil {
		link.local = owners.src.soleKey()
	}
	var err error
	t.relatedColumn, err = tieColumn(owners.src, link.local)
	t.err = errors.Join(t.err, err)
	return ToOne[P, C]{tie: t, field: field}
}

func has[P, C any](parents Model[P], children Model[C], link Link) tie[P, C] {
	t := tie[P, C]{parents: parents.src, related: children.Query}
	if link.local == "" && parents.src != nil {
		link.local = parents.src.soleKey()
	}
	t.parentColumn, t.err = tieColumn(parents.src, link.local)
	var err error
	t.relatedColumn, err = tieColumn(children.src, link.foreign)
	t.err = errors.Join(t.err, err)
	return t
}

func tieColumn(s *source, column string) (int, error) {
	if s == nil {
		return 0, errNoSource
	}
	if column == "" {
		return 0, s.fail("a relation needs the column of a composite primary key: On(foreign, refersTo)")
	}
	return s.columnIndex(column)
}

// soleKey is the primary key's column, "" when it has several.
func (s *source) soleKey() string {
	if len(s.key) != 1 {
		return ""
	}
	return s.plan.Field(s.key[0]).Column
}

// Scope returns the relation with the related records narrowed or ordered by
// f. A limit would hold for all parents together, so it is refused.
func (r ToMany[P, C]) Scope(f func(Query[C]) Query[C]) ToMany[P, C] {
	r.tie.related = f(r.tie.related)
	return r
}

// Scope returns the relation with the related records narrowed or ordered by f.
func (r ToOne[P, C]) Scope(f func(Query[C]) Query[C]) ToOne[P, C] {
	r.tie.related = f(r.tie.related)
	return r
}

// With loads relations of the related records too.
func (r ToMany[P, C]) With(relations ...Relation[C]) ToMany[P, C] {
	r.tie.related = r.tie.related.With(relations...)
	return r
}

// With loads relations of the related record too.
func (r ToOne[P, C]) With(relations ...Relation[C]) ToOne[P, C] {
	r.tie.related = r.tie.related.With(relations...)
	return r
}

// For returns the query for the related records of one parent.
func (r ToMany[P, C]) For(parent *P) Query[C] { return r.tie.of(parent) }

// For returns the query for the related record of one parent.
func (r ToOne[P, C]) For(parent *P) Query[C] { return r.tie.of(parent) }

func (r ToMany[P, C]) load(ctx context.Context, from origin, parents []P) error {
	found, err := r.tie.fetch(ctx, from, parents)
	if err != nil {
		return err
	}
	for i := range parents {
		list := found.of(r.tie.parents, r.tie.parentColumn, &parents[i])
		if list == nil {
			list = []C{}
		}
		*r.field(&parents[i]) = list
	}
	return nil
}

func (r ToOne[P, C]) load(ctx context.Context, from origin, parents []P) error {
	found, err := r.tie.fetch(ctx, from, parents)
	if err != nil {
		return err
	}
	for i := range parents {
		var one *C
		if list := found.of(r.tie.parents, r.tie.parentColumn, &parents[i]); len(list) > 0 {
			c := list[0]
			one = &c
		}
		*r.field(&parents[i]) = one
	}
	return nil
}

// origin is where parents were read.
type origin struct {
	connection string
	primary    bool
}

// tie is what all relations are: a column of the parent whose values a column
// of the related records has.
type tie[P, C any] struct {
	parents                     *source
	parentColumn, relatedColumn int
	related                     Query[C]
	err                         error
}

func (t *tie[P, C]) key(parent *P) (any, bool) {
	return t.parents.plan.FieldKey(t.parentColumn, parent)
}

func (t *tie[P, C]) column() string { return t.related.src.plan.Field(t.relatedColumn).Column }

func (t *tie[P, C]) of(parent *P) Query[C] {
	q := t.related
	if t.err != nil || parent == nil {
		return broken(q, errors.Join(t.err, nilParent(parent == nil)))
	}
	if _, ok := t.key(parent); !ok {
		return q.WhereIn(t.column(), []int64{}) // NULL refers to nothing
	}
	q.q = q.q.Enclosed()
	return q.Where(t.column(), "=", t.parents.plan.Value(t.parentColumn, parent))
}

func nilParent(is bool) error {
	if is {
		return &StatementError{Part: "relation", Reason: "the parent is a nil pointer"}
	}
	return nil
}

// broken returns a query that fails with err.
func broken[C any](q Query[C], err error) Query[C] {
	q.src = &source{err: err}
	return q
}

// maxKeys bounds the keys of one statement where they are arguments of their own.
const maxKeys = 5000

// fetch reads the related records of all parents, by key.
func (t *tie[P, C]) fetch(ctx context.Context, from origin, parents []P) (*groups[C], error) {
	if t.err != nil {
		return nil, t.err
	}
	q := t.related
	if q.q.Limit() != -1 {
		return nil, q.src.fail("a relation's limit would hold for all parents together")
	}
	if t.follows() {
		q.at.db, q.at.primary = from.connection, q.at.primary || from.primary
	}
	q.q = q.q.Enclosed()
	g := &groups[C]{}
	var ints []int64
	var others []any
	for i := range parents {
		if n, ok := t.parents.plan.IntKey(t.parentColumn, &parents[i]); ok {
			if g.addInt(n) {
				ints = append(ints, n)
			}
		} else if k, ok := t.key(&parents[i]); ok && g.add(k) {
			others = append(others, t.parents.plan.Value(t.parentColumn, &parents[i]))
		}
	}
	var all []C
	for len(ints) > 0 {
		n := min(len(ints), maxKeys)
		list, err := t.batch(ctx, q, ints[:n])
		if err != nil {
			return nil, err
		}
		ints, all = ints[n:], join(all, list)
	}
	for len(others) > 0 {
		n := min(len(others), maxKeys)
		list, err := t.batch(ctx, q, others[:n])
		if err != nil {
			return nil, err
		}
		others, all = others[n:], join(all, list)
	}
	g.sort(q.src, t.relatedColumn, all)
	return g, nil
}

func join[C any](all, list []C) []C {
	if all == nil {
		return list
	}
	return append(all, list...)
}

// groups are related records by the key that their parents have.
type groups[C any] struct {
	ints   map[int64]int // key to number of group
	others map[any]int
	lists  [][]C // all cut from one slice
}

func (g *groups[C]) addInt(n int64) (fresh bool) {
	if g.ints == nil {
		g.ints = map[int64]int{}
	}
	if _, known := g.ints[n]; known {
		return false
	}
	g.ints[n] = len(g.ints) + len(g.others)
	return true
}

func (g *groups[C]) add(k any) (fresh bool) {
	if g.others == nil {
		g.others = map[any]int{}
	}
	if _, known := g.others[k]; known {
		return false
	}
	g.others[k] = len(g.ints) + len(g.others)
	return true
}

// find returns the number of a record's group, -1 for none. Keys of different
// Go types that mean the same find each other.
func (g *groups[C]) find(s *source, column int, record any) int {
	if n, ok := s.plan.IntKey(column, record); ok && g.others == nil {
		if at, ok := g.ints[n]; ok {
			return at
		}
		return -1
	}
	k, ok := s.plan.FieldKey(column, record)
	if !ok {
		return -1
	}
	if n, ok := k.(int64); ok {
		if at, ok := g.ints[n]; ok {
			return at
		}
	}
	if at, ok := g.others[k]; ok {
		return at
	}
	return -1
}

// sort deals the records out to their groups, in their order.
func (g *groups[C]) sort(s *source, column int, all []C) {
	n := len(g.ints) + len(g.others)
	ends := make([]int, n+1)
	at := make([]int, len(all))
	for i := range all {
		at[i] = g.find(s, column, &all[i])
		ends[at[i]+1]++
	}
	ends[0] = 0 // those of no group
	for i := 1; i <= n; i++ {
		ends[i] += ends[i-1]
	}
	dealt := make([]C, ends[n])
	next := append([]int(nil), ends[:n]...)
	for i := range all {
		if k := at[i]; k >= 0 {
			dealt[next[k]] = all[i]
			next[k]++
		}
	}
	g.lists = make([][]C, n)
	for i := range n {
		g.lists[i] = dealt[ends[i]:ends[i+1]:ends[i+1]]
	}
}

// of returns the records related to one parent.
func (g *groups[C]) of(s *source, column int, parent any) []C {
	at := g.find(s, column, parent)
	if at < 0 || len(g.lists[at]) == 0 {
		return nil
	}
	return g.lists[at]
}

// batch reads the related records of some keys; on a sharded model shard by
// shard.
func (t *tie[P, C]) batch(ctx context.Context, q Query[C], list any) ([]C, error) {
	s := q.src
	if s.shard == nil || q.at.db != "" || q.at.hasShard {
		return q.WhereIn(t.column(), list).Get(ctx)
	}
	keys, _, err := rowmap.Elements(list)
	if err != nil {
		return nil, err
	}
	if s.shard.column() != t.column() {
		return nil, s.fail("the relation's column %q is not the shard key %q", t.column(), s.shard.column())
	}
	byShard := map[string][]any{}
	var order []string
	for _, k := range keys {
		name, err := s.shard.connection(k)
		if err != nil {
			return nil, err
		}
		if byShard[name] == nil {
			order = append(order, name)
		}
		byShard[name] = append(byShard[name], k)
	}
	var all []C
	for _, name := range order {
		list, err := q.DB(name).WhereIn(t.column(), byShard[name]).Get(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// follows says whether related records are read where their parents were: both
// models live on the same connection and the relation names no other.
func (t *tie[P, C]) follows() bool {
	c := t.related
	return c.at.db == "" && c.src.shard == nil && t.parents.shard == nil && c.src.reg == t.parents.reg &&
		c.src.reg.nameOr(c.src.connection) == t.parents.reg.nameOr(t.parents.connection)
}

// load fills in the relations of the rows that were read from t.
func (q *Query[T]) load(ctx context.Context, t *target, rows []T) error {
	if len(q.with) == 0 || len(rows) == 0 {
		return nil
	}
	if q.at.tx != nil {
		ctx = withTx(ctx, q.at.tx.st)
	}
	for _, r := range q.with {
		if err := r.load(ctx, origin{t.e.name, q.at.primary}, rows); err != nil {
			return fmt.Errorf("dbfleet: loading a relation of table %q: %w", q.src.table, err)
		}
	}
	return nil
}
