package dbfleet

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Relation loads the related records of many parents of type P at once, for
// Query.With. HasMany, HasOne and BelongsTo make one.
//
// Each side has its own connection, dialect and replicas: related records come
// by a statement of their own, never by a JOIN. If both models live on the same
// connection, the related records are read where the parents were read, also
// when that was named by DB. The transaction of Using and the wish for the
// primary hold for them too. Records of a sharded model are found by the shard
// key, which is the relation's column, or a column by which the parents are
// sharded as well.
//
// Keys of different types are compared as the related column's type: the number
// 7 finds the text "7". NULL refers to nothing.
type Relation[P any] interface {
	// load fills in the related records of parents.
	load(ctx context.Context, from origin, parents []P) error
	// needs is the parents' column by which related records are found, or what
	// is wrong with the relation.
	needs() (column string, err error)
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
	return ToMany[P, C]{tie: has(parents, children, link, field == nil), field: field}
}

// HasOne relates a parent to the one child that refers to it; of several, the
// first in the order of Scope is taken.
func HasOne[P, C any](parents Model[P], children Model[C], link Link, field func(*P) **C) ToOne[P, C] {
	return ToOne[P, C]{tie: has(parents, children, link, field == nil), field: field}
}

// BelongsTo relates a record to the one that its own column refers to.
func BelongsTo[P, C any](records Model[P], owners Model[C], link Link, field func(*P) **C) ToOne[P, C] {
	if link.local == "" && owners.src != nil {
		link.local = owners.src.soleKey()
	}
	t := newTie(records, owners, link.foreign, link.local, field == nil)
	return ToOne[P, C]{tie: t, field: field}
}

func has[P, C any](parents Model[P], children Model[C], link Link, fieldless bool) tie[P, C] {
	if link.local == "" && parents.src != nil {
		link.local = parents.src.soleKey()
	}
	return newTie(parents, children, link.local, link.foreign, fieldless)
}

func newTie[P, C any](parents Model[P], related Model[C], parentColumn, relatedColumn string, fieldless bool) tie[P, C] {
	t := tie[P, C]{parents: parents.src, related: related.Query}
	var errs [3]error
	t.parentColumn, errs[0] = tieColumn(parents.src, parentColumn)
	t.relatedColumn, errs[1] = tieColumn(related.src, relatedColumn)
	if fieldless {
		errs[2] = &StatementError{Part: "relation", Reason: "it names no field of the parent"}
	}
	if t.err = errors.Join(errs[:]...); t.err == nil {
		of := func(s *source, column int) rowmap.Kind { return s.plan.Field(column).Kind }
		t.mixed = of(parents.src, t.parentColumn) != of(related.src, t.relatedColumn)
	}
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
// f. A limit or offset would hold for all parents together, so With refuses it;
// For takes it.
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

func (r ToMany[P, C]) needs() (string, error) { return r.tie.needs() }

func (r ToOne[P, C]) needs() (string, error) { return r.tie.needs() }

func (r ToMany[P, C]) load(ctx context.Context, from origin, parents []P) error {
	found, err := r.tie.fetch(ctx, from, parents)
	if err != nil {
		return err
	}
	for i := range parents {
		*r.field(&parents[i]) = found.take(r.tie.find(found, &parents[i]))
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
		if at := r.tie.find(found, &parents[i]); at >= 0 && len(found.lists[at]) > 0 {
			c := found.lists[at][0]
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
	mixed                       bool // the columns are of different kinds
	related                     Query[C]
	err                         error
}

// key is the parent's value as the related column has it, and what is equal for
// equal ones. ok is false when no related record can have it.
func (t *tie[P, C]) key(parent *P) (value, key any, ok bool) {
	value = t.parents.plan.Value(t.parentColumn, parent)
	if key, ok = rowmap.Key(value); !ok || !t.mixed {
		return value, key, ok
	}
	value, err := t.related.src.plan.Fit(t.relatedColumn, value)
	if err != nil {
		return nil, nil, false
	}
	key, ok = rowmap.Key(value)
	return value, key, ok
}

// find returns the number of a parent's group, -1 for none.
func (t *tie[P, C]) find(g *groups[C], parent *P) int {
	if !t.mixed {
		return g.find(t.parents, t.parentColumn, parent)
	}
	if _, k, ok := t.key(parent); ok {
		return g.at(k)
	}
	return -1
}

func (t *tie[P, C]) needs() (string, error) {
	if t.err != nil {
		return "", t.err
	}
	q := &t.related
	switch {
	case q.q.Limit() != -1 || q.q.Offset() != 0:
		return "", q.src.fail("a relation's limit or offset would hold for all parents together")
	case q.q.Unites():
		return "", q.src.fail("a relation's condition would not hold for the other rows of a union")
	}
	return t.parents.plan.Field(t.parentColumn).Column, nil
}

func (t *tie[P, C]) column() string { return t.related.src.plan.Field(t.relatedColumn).Column }

func (t *tie[P, C]) of(parent *P) Query[C] {
	q := t.related
	if t.err != nil || parent == nil {
		return broken(q, errors.Join(t.err, nilParent(parent == nil)))
	}
	if q.q.Unites() {
		return broken(q, q.src.fail("a relation's condition would not hold for the other rows of a union"))
	}
	q.q = q.q.Enclosed()
	if i, shared := t.sharedShardKey(); shared && !q.placed() {
		q = q.Shard(t.parents.plan.Value(i, parent))
	}
	value, _, ok := t.key(parent)
	if !ok {
		return q.WhereIn(t.column(), []int64{}) // NULL refers to nothing
	}
	return q.Where(t.column(), "=", value)
}

func nilParent(is bool) error {
	if is {
		return &StatementError{Part: "relation", Reason: "the parent is a nil pointer"}
	}
	return nil
}

// broken returns a query that fails with err.
func broken[C any](q Query[C], err error) Query[C] {
	q.src = &source{err: err, created: -1, updated: -1}
	return q
}

// maxKeys bounds the keys of one statement where they are arguments of their own.
const maxKeys = 5000

// fetch reads the related records of all parents, by key.
func (t *tie[P, C]) fetch(ctx context.Context, from origin, parents []P) (*groups[C], error) {
	q, err := t.narrowed(from)
	if err != nil {
		return nil, err
	}
	g := &groups[C]{}
	if q.src.shard != nil && !q.placed() {
		all, err := t.fetchShards(ctx, q, g, parents)
		if err != nil {
			return nil, err
		}
		g.sort(q.src, t.relatedColumn, all)
		return g, nil
	}
	var ints []int64
	var others []any
	for i := range parents {
		if n, ok := t.parents.plan.IntKey(t.parentColumn, &parents[i]); ok && !t.mixed {
			if g.addInt(n) {
				ints = append(ints, n)
			}
		} else if v, k, ok := t.key(&parents[i]); ok && g.add(k) {
			others = append(others, v)
		}
	}
	var all []C
	for keys := range slices.Chunk(ints, maxKeys) {
		list, err := q.WhereIn(t.column(), keys).Get(ctx)
		if err != nil {
			return nil, err
		}
		all = join(all, list)
	}
	for keys := range slices.Chunk(others, maxKeys) {
		list, err := q.WhereIn(t.column(), keys).Get(ctx)
		if err != nil {
			return nil, err
		}
		all = join(all, list)
	}
	g.sort(q.src, t.relatedColumn, all)
	return g, nil
}

// narrowed returns the query for related records, to which their keys are yet
// to be added.
func (t *tie[P, C]) narrowed(from origin) (Query[C], error) {
	q := t.related
	if _, err := t.needs(); err != nil {
		return q, err
	}
	if t.follows() {
		q.at.db = from.connection
	}
	q.at.primary = q.at.primary || from.primary
	q.q = q.q.Enclosed()
	return q, q.selectKey(t.column())
}

// fetchShards is fetch for a sharded model, shard by shard.
func (t *tie[P, C]) fetchShards(ctx context.Context, q Query[C], g *groups[C], parents []P) (all []C, err error) {
	type place struct {
		shard string
		key   any
	}
	seen := make(map[place]struct{}, len(parents))
	byShard := map[string][]any{}
	var order []string
	for i := range parents {
		v, k, ok := t.key(&parents[i])
		if !ok {
			continue
		}
		shard, err := t.shardOf(&parents[i], v)
		if err != nil {
			return nil, err
		}
		if _, dup := seen[place{shard, k}]; dup {
			continue
		}
		seen[place{shard, k}] = struct{}{}
		g.add(k)
		if byShard[shard] == nil {
			order = append(order, shard)
		}
		byShard[shard] = append(byShard[shard], v)
	}
	for _, shard := range order {
		for keys := range slices.Chunk(byShard[shard], maxKeys) {
			list, err := q.DB(shard).WhereIn(t.column(), keys).Get(ctx)
			if err != nil {
				return nil, err
			}
			all = join(all, list)
		}
	}
	return all, nil
}

// shardOf is where one parent's related records are: by their common column,
// or by one of the parent beside it.
func (t *tie[P, C]) shardOf(parent *P, key any) (string, error) {
	s := t.related.src
	if s.shard.column() != t.column() {
		i, ok := t.sharedShardKey()
		if !ok {
			return "", s.fail("the relation's column %q is not the shard key %q, and the parents are not sharded by that", t.column(), s.shard.column())
		}
		key = t.parents.plan.Value(i, parent)
	}
	return s.shard.connection(key)
}

// sharedShardKey finds the parents' column that places their related records
// on a shard, when it is not the relation's.
func (t *tie[P, C]) sharedShardKey() (column int, ok bool) {
	s := t.related.src
	if s.shard == nil || t.parents.shard == nil || s.shard.column() == t.column() || s.shard.column() != t.parents.shard.column() {
		return 0, false
	}
	return t.parents.plan.Column(s.shard.column())
}

// placed says whether the call names the query's place.
func (q *Query[T]) placed() bool { return q.at.db != "" || q.at.hasShard }

// selectKeys checks the query's relations, and makes a select list of its own
// read what they need.
func (q *Query[T]) selectKeys() error {
	for _, r := range q.with {
		column, err := r.needs()
		if err == nil {
			err = q.selectKey(column)
		}
		if err != nil {
			return fmt.Errorf("dbfleet: a relation of table %q: %w", q.src.table, err)
		}
	}
	return nil
}

func (q *Query[T]) selectKey(column string) error {
	if !q.q.Selects() || q.q.Gives(column) {
		return nil
	}
	if q.q.Merges() || q.q.Unites() {
		return q.src.fail("a relation needs the column %q, which the query does not select", column)
	}
	q.q = q.q.WithColumns(sqlgen.Column{Name: column})
	return nil
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
	taken  []bool
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
	if n, ok := k.(int64); ok {
		return g.addInt(n)
	}
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
	return g.at(k)
}

// at returns the number of a key's group, -1 for none.
func (g *groups[C]) at(k any) int {
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
	g.lists, g.taken = make([][]C, n), make([]bool, n)
	for i := range n {
		g.lists[i] = dealt[ends[i]:ends[i+1]:ends[i+1]]
	}
}

// take returns the records of a group, to each parent its own.
func (g *groups[C]) take(at int) []C {
	if at < 0 || len(g.lists[at]) == 0 {
		return []C{}
	}
	if g.taken[at] {
		return slices.Clone(g.lists[at])
	}
	g.taken[at] = true
	return g.lists[at]
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
		ctx = withTx(ctx, q.at.tx)
	}
	for _, r := range q.with {
		if err := r.load(ctx, origin{t.e.name, q.at.primary}, rows); err != nil {
			return fmt.Errorf("dbfleet: loading a relation of table %q: %w", q.src.table, err)
		}
	}
	return nil
}
