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
	tie   tie
	with  *[]Relation[C]
	field func(*P) *[]C
}

// ToOne is a relation to one record or none; HasOne and BelongsTo make one.
type ToOne[P, C any] struct {
	tie   tie
	with  *[]Relation[C]
	field func(*P) **C
}

// HasMany relates a parent to the children whose column link names refers to
// it. field says where the parent keeps them.
//
//	var postsOf = dbfleet.HasMany(users, posts, dbfleet.On("user_id"), func(u *User) *[]Post { return &u.Posts })
//
// A fault of the link is told when the relation is used.
func HasMany[P, C any](parents Model[P], children Model[C], link Link, field func(*P) *[]C) ToMany[P, C] {
	return ToMany[P, C]{tie: has(parents.c, children.c, link, field == nil), field: field}
}

// HasOne relates a parent to the one child that refers to it; of several, the
// first in the order of Scope is taken.
func HasOne[P, C any](parents Model[P], children Model[C], link Link, field func(*P) **C) ToOne[P, C] {
	return ToOne[P, C]{tie: has(parents.c, children.c, link, field == nil), field: field}
}

// BelongsTo relates a record to the one that its own column refers to.
func BelongsTo[P, C any](records Model[P], owners Model[C], link Link, field func(*P) **C) ToOne[P, C] {
	return ToOne[P, C]{tie: belongs(records.c, owners.c, link, field == nil), field: field}
}

func belongs(records, owners core, link Link, fieldless bool) tie {
	if link.local == "" && owners.src != nil {
		link.local = owners.src.soleKey()
	}
	return newTie(records, owners, link.foreign, link.local, fieldless)
}

func has(parents, children core, link Link, fieldless bool) tie {
	if link.local == "" && parents.src != nil {
		link.local = parents.src.soleKey()
	}
	return newTie(parents, children, link.local, link.foreign, fieldless)
}

func newTie(parents, related core, parentColumn, relatedColumn string, fieldless bool) tie {
	t := tie{parents: parents.src, related: related}
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
	q := f(Query[C]{c: r.tie.related, with: r.with})
	r.tie.related, r.with = q.c, q.with
	return r
}

// Scope returns the relation with the related records narrowed or ordered by f.
func (r ToOne[P, C]) Scope(f func(Query[C]) Query[C]) ToOne[P, C] {
	q := f(Query[C]{c: r.tie.related, with: r.with})
	r.tie.related, r.with = q.c, q.with
	return r
}

// With loads relations of the related records too.
func (r ToMany[P, C]) With(relations ...Relation[C]) ToMany[P, C] {
	r.with = withMore(r.with, relations)
	return r
}

// With loads relations of the related record too.
func (r ToOne[P, C]) With(relations ...Relation[C]) ToOne[P, C] {
	r.with = withMore(r.with, relations)
	return r
}

// For returns the query for the related records of one parent.
func (r ToMany[P, C]) For(parent *P) Query[C] {
	if parent == nil {
		return Query[C]{c: r.tie.of(nil), with: r.with}
	}
	return Query[C]{c: r.tie.of(parent), with: r.with}
}

// For returns the query for the related record of one parent.
func (r ToOne[P, C]) For(parent *P) Query[C] {
	if parent == nil {
		return Query[C]{c: r.tie.of(nil), with: r.with}
	}
	return Query[C]{c: r.tie.of(parent), with: r.with}
}

func (r ToMany[P, C]) needs() (string, error) { return r.tie.needs() }

func (r ToOne[P, C]) needs() (string, error) { return r.tie.needs() }

func (r ToMany[P, C]) load(ctx context.Context, from origin, parents []P) error {
	g := r.tie.collect(listOf(parents))
	dealt, err := related(ctx, &r.tie, r.with, from, g)
	if err != nil {
		return err
	}
	for i := range parents {
		list := []C{}
		if a, b := g.bounds(i); a < b {
			if list = dealt[a:b:b]; g.again(i) { // two parents share no slice
				list = slices.Clone(list)
			}
		}
		*r.field(&parents[i]) = list
	}
	return nil
}

func (r ToOne[P, C]) load(ctx context.Context, from origin, parents []P) error {
	g := r.tie.collect(listOf(parents))
	dealt, err := related(ctx, &r.tie, r.with, from, g)
	if err != nil {
		return err
	}
	for i := range parents {
		var one *C
		if a, b := g.bounds(i); a < b {
			c := dealt[a]
			one = &c
		}
		*r.field(&parents[i]) = one
	}
	return nil
}

// related reads the related records of all parents, dealt out group by group.
func related[C any](ctx context.Context, t *tie, with *[]Relation[C], from origin, g *groups) ([]C, error) {
	queries, err := t.queries(from, g)
	if err != nil {
		return nil, err
	}
	var all []C
	var shards []string // by record, where keys are told apart by shard
	for _, q := range queries {
		list, err := Query[C]{c: q, with: with}.Get(ctx)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = list
		} else {
			all = append(all, list...)
		}
		if g.shards != nil {
			shards = append(shards, slices.Repeat([]string{q.place().db}, len(list))...)
		}
	}
	places, n := g.deal(t.related.src, t.relatedColumn, listOf(all), shards)
	dealt := make([]C, n)
	for i, at := range places {
		if at >= 0 {
			dealt[at] = all[i]
		}
	}
	return dealt, nil
}

// withMore returns a list of its own.
func withMore[T any](with *[]Relation[T], more []Relation[T]) *[]Relation[T] {
	if with != nil {
		more = slices.Concat(*with, more)
	} else {
		more = slices.Clone(more)
	}
	if len(more) == 0 {
		return nil
	}
	return &more
}

// origin is where parents were read.
type origin struct {
	connection string
	primary    bool
}

// tie is what all relations are: a column of the parent whose values a column
// of the related records has.
type tie struct {
	parents                     *source
	parentColumn, relatedColumn int
	mixed                       bool // the columns are of different kinds
	related                     core
	err                         error
}

// key is the parent's value as the related column has it, and what is equal for
// equal ones. ok is false when no related record can have it.
func (t *tie) key(parent any) (value, key any, ok bool) {
	value = t.parents.plan.Value(t.parentColumn, parent)
	if key, ok = rowmap.Key(value); !ok || !t.mixed {
		return value, key, ok
	}
	value, err := t.related.src.plan.Fit(t.relatedColumn, value)
	if err != nil {
		return nil, nil, false
	}
	if t.related.src.plan.Field(t.relatedColumn).Kind == rowmap.Float {
		var f float64
		if rowmap.Convert(&f, value) == nil {
			value = f
		}
	}
	key, ok = rowmap.Key(value)
	return value, key, ok
}

func (t *tie) needs() (string, error) {
	if t.related.src == nil && t.err == nil {
		return "", errNoSource
	}
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

func (t *tie) column() string { return t.related.src.plan.Field(t.relatedColumn).Column }

func (t *tie) of(parent any) core {
	q := t.related
	switch {
	case t.err != nil || parent == nil:
		return broken(q, errors.Join(t.err, nilParent(parent == nil)))
	case q.src == nil:
		return broken(q, errNoSource)
	case q.q.Unites():
		return broken(q, q.src.fail("a relation's condition would not hold for the other rows of a union"))
	}
	q.q = q.q.Enclosed()
	if i, shared := t.sharedShardKey(); shared && !q.placed() {
		q.sharded(t.parents.plan.Value(i, parent))
	}
	value, _, ok := t.key(parent)
	if !ok {
		q.where(sqlgen.Compare(t.column(), sqlgen.In, []int64{})) // NULL refers to nothing
		return q
	}
	q.where(sqlgen.Compare(t.column(), sqlgen.Eq, value))
	return q
}

func nilParent(is bool) error {
	if is {
		return &StatementError{Part: "relation", Reason: "the parent is a nil pointer"}
	}
	return nil
}

// broken returns a query that fails with err.
func broken(q core, err error) core {
	q.src = &source{err: err, created: -1, updated: -1}
	return q
}

// maxKeys bounds the keys of one statement where they are arguments of their own.
const maxKeys = 5000

// collect finds the group of each parent: those with equal keys have the same.
func (t *tie) collect(parents list) *groups {
	g := &groups{of: make([]int, parents.n)}
	if t.err != nil {
		return g
	}
	for i := range parents.n {
		g.of[i] = -1
		p := parents.at(i)
		if t.related.src.shard != nil && !t.related.placed() {
			t.collectSharded(g, i, p)
			continue
		}
		if n, ok := t.parents.plan.IntKey(t.parentColumn, p); ok && !t.mixed {
			at, fresh := g.addInt(n)
			if g.of[i] = at; fresh {
				g.intKeys = append(g.intKeys, n)
			}
		} else if v, k, ok := t.key(p); ok {
			at, fresh := g.add(k)
			if g.of[i] = at; fresh {
				g.keys = append(g.keys, v)
			}
		}
	}
	return g
}

// collectSharded does the same for related records that live on shards.
func (t *tie) collectSharded(g *groups, i int, parent any) {
	v, k, ok := t.key(parent)
	if !ok {
		return
	}
	shard, err := t.shardOf(parent, v)
	if err != nil {
		g.err = errors.Join(g.err, err)
		return
	}
	if g.shards == nil {
		g.shards, g.asked = map[string][]any{}, map[shardedKey]bool{}
	}
	g.of[i], _ = g.add(shardedKey{shard, k})
	if g.asked[shardedKey{shard, k}] {
		return
	}
	g.asked[shardedKey{shard, k}] = true
	if g.shards[shard] == nil {
		g.order = append(g.order, shard)
	}
	g.shards[shard] = append(g.shards[shard], v)
}

// queries are the statements that read the related records of all groups.
func (t *tie) queries(from origin, g *groups) ([]core, error) {
	q, err := t.narrowed(from)
	if err == nil {
		err = g.err
	}
	if err != nil {
		return nil, err
	}
	var out []core
	ask := func(q core, keys any) {
		q.where(sqlgen.Compare(t.column(), sqlgen.In, keys))
		out = append(out, q)
	}
	for keys := range slices.Chunk(g.intKeys, maxKeys) {
		ask(q, keys)
	}
	for keys := range slices.Chunk(g.keys, maxKeys) {
		ask(q, keys)
	}
	for _, shard := range g.order {
		q.named(shard)
		for keys := range slices.Chunk(g.shards[shard], maxKeys) {
			ask(q, keys)
		}
	}
	return out, nil
}

// narrowed is the query for related records, without the parents' keys.
func (t *tie) narrowed(from origin) (core, error) {
	q := t.related
	if _, err := t.needs(); err != nil {
		return q, err
	}
	if t.follows() {
		q.named(from.connection)
	}
	if from.primary {
		q.primary()
	}
	q.q = q.q.Enclosed()
	err := q.selectKey(t.column())
	return q, err
}

// shardOf is where one parent's related records are: by their common column,
// or by one of the parent beside it.
func (t *tie) shardOf(parent, key any) (string, error) {
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
func (t *tie) sharedShardKey() (column int, ok bool) {
	s := t.related.src
	if s.shard == nil || t.parents.shard == nil || s.shard.column() == t.column() || s.shard.column() != t.parents.shard.column() {
		return 0, false
	}
	return t.parents.plan.Column(s.shard.column())
}

// placed says whether the call names the query's place.
func (q *core) placed() bool { return q.place().db != "" || q.place().hasShard }

// selectKeys checks the query's relations, and makes a select list of its own
// read what they need.
func (q *core) selectKeys(relations []needer) error {
	for _, r := range relations {
		if r == nil {
			return q.src.fail("With was given a nil relation")
		}
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

func (q *core) selectKey(column string) error {
	if !q.q.Selects() || q.q.Gives(column) {
		return nil
	}
	if q.q.Merges() || q.q.Unites() {
		return q.src.fail("a relation needs the column %q, which the query does not select", column)
	}
	q.q = q.q.WithColumns(sqlgen.Column{Name: column})
	return nil
}

// groups are related records by the key that their parents have.
type groups struct {
	of     []int // by parent: its group, -1 for none
	ints   map[int64]int
	others map[any]int
	ends   []int // by group: where it begins among the dealt records, and the next
	seen   []bool

	intKeys []int64 // what to ask for: the keys, or those of each shard
	keys    []any
	shards  map[string][]any
	order   []string
	asked   map[shardedKey]bool
	err     error
}

type shardedKey struct {
	shard string
	key   any
}

func (g *groups) addInt(n int64) (at int, fresh bool) {
	if g.ints == nil {
		g.ints = map[int64]int{}
	}
	if at, known := g.ints[n]; known {
		return at, false
	}
	at = len(g.ints) + len(g.others)
	g.ints[n] = at
	return at, true
}

func (g *groups) add(k any) (at int, fresh bool) {
	if n, ok := k.(int64); ok {
		return g.addInt(n)
	}
	if g.others == nil {
		g.others = map[any]int{}
	}
	if at, known := g.others[k]; known {
		return at, false
	}
	at = len(g.ints) + len(g.others)
	g.others[k] = at
	return at, true
}

// find returns the number of a related record's group, -1 for none. Keys of
// different Go types that mean the same find each other.
func (g *groups) find(s *source, column int, record any) int {
	if n, ok := s.plan.IntKey(column, record); ok {
		if at, ok := g.ints[n]; ok {
			return at
		}
		if g.others == nil {
			return -1
		}
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

// deal says where each related record goes, in their order within a group, and
// how many go somewhere; -1 is nowhere.
func (g *groups) deal(s *source, column int, all list, shards []string) (places []int, n int) {
	count := len(g.ints) + len(g.others)
	g.ends, g.seen = make([]int, count+1), make([]bool, count)
	places = make([]int, all.n)
	for i := range places {
		at := -1
		if shards == nil {
			at = g.find(s, column, all.at(i))
		} else if k, ok := s.plan.FieldKey(column, all.at(i)); ok {
			if known, ok := g.others[shardedKey{shards[i], k}]; ok {
				at = known
			}
		}
		if places[i] = at; at >= 0 {
			g.ends[at+1]++
		}
	}
	for i := range count {
		g.ends[i+1] += g.ends[i]
	}
	next := slices.Clone(g.ends[:count])
	for i, at := range places {
		if at >= 0 {
			places[i] = next[at]
			next[at]++
		}
	}
	return places, g.ends[count]
}

// bounds are where the records of a parent lie.
func (g *groups) bounds(parent int) (from, to int) {
	at := g.of[parent]
	if at < 0 {
		return 0, 0
	}
	return g.ends[at], g.ends[at+1]
}

// again says whether another parent has had these records before.
func (g *groups) again(parent int) bool {
	at := g.of[parent]
	had := g.seen[at]
	g.seen[at] = true
	return had
}

// follows says whether related records are read where their parents were: both
// models live on the same connection and the relation names no other.
func (t *tie) follows() bool {
	c := t.related
	return c.place().db == "" && c.src.shard == nil && t.parents.shard == nil && c.src.reg == t.parents.reg &&
		c.src.reg.nameOr(c.src.connection) == t.parents.reg.nameOr(t.parents.connection)
}

// load fills in the relations of the rows that were read from t.
func (q *Query[T]) load(ctx context.Context, e *entry, rows []T) error {
	if q.with == nil || len(rows) == 0 {
		return nil
	}
	if q.c.place().tx != nil {
		ctx = withTx(ctx, q.c.place().tx)
	}
	for _, r := range *q.with {
		if err := r.load(ctx, origin{e.name, q.c.place().primary}, rows); err != nil {
			return fmt.Errorf("dbfleet: loading a relation of table %q: %w", q.c.src.table, err)
		}
	}
	return nil
}
