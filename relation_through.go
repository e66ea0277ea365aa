package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// Step is a relation from which HasManyThrough and HasOneThrough go on, or with which they
// end: a ToMany, a ToOne, or again one through others. It is sealed.
type Step[P, C any] interface {
	Relation[P]
	leads(*P, *C) []tie // it ties the types of both sides
}

// ToManyThrough is a relation to any number of records through others; HasManyThrough
// makes one.
type ToManyThrough[P, C any] struct {
	chain chain
	field func(*P) *[]C
}

// ToOneThrough is a relation to one record or none through others; HasOneThrough makes
// one.
type ToOneThrough[P, C any] struct {
	chain chain
	field func(*P) **C
}

// HasManyThrough relates a parent to the records that those have which it has: what first
// leads to, and second from there. field says where the parent keeps them.
//
//	usersOf := dbfleet.HasMany(countries, users, dbfleet.On("country_id"), func(c *Country) *[]User { return &c.Users })
//	postsOf := dbfleet.HasMany(users, posts, dbfleet.On("user_id"), func(u *User) *[]Post { return &u.Posts })
//	postsIn := dbfleet.HasManyThrough(usersOf, postsOf, func(c *Country) *[]Post { return &c.Posts })
//
// Steps may be of any kind, and on any connections: each level is read by statements of
// its own, none by a JOIN. The records between are not kept, and their fields are not set;
// of them only the columns are read that the next step needs. A parent has a record once,
// however many ways lead to it. What the Scope of a step asks of its records holds; a limit
// there is refused, and of a HasOne every record counts that has the parent's key. The
// related records come in the order of the relation's Scope, or of the second step's; without
// one, as the records between came.
//
// A fault of a step is told when the relation is used.
func HasManyThrough[P, M, C any](first Step[P, M], second Step[M, C], field func(*P) *[]C) ToManyThrough[P, C] {
	return ToManyThrough[P, C]{chain: chained(field == nil, stepOf(first), stepOf(second)).told(kindManyThrough), field: field}
}

// HasOneThrough relates a parent to one record that those have which it has; of several,
// the first in the order of Scope. See HasManyThrough.
func HasOneThrough[P, M, C any](first Step[P, M], second Step[M, C], field func(*P) **C) ToOneThrough[P, C] {
	c := chained(field == nil, stepOf(first), stepOf(second))
	c.one = true
	c = c.told(kindOneThrough)
	return ToOneThrough[P, C]{chain: c, field: field}
}

// stepOf are the ties of a step.
func stepOf[P, C any](s Step[P, C]) []tie {
	if rowmap.IsNil(s) {
		return []tie{{err: &StatementError{Part: "relation", Reason: "a step is nil"}}}
	}
	return s.leads(nil, nil)
}

func (r ToMany[P, C]) leads(*P, *C) []tie { return []tie{r.tie} }

func (r ToOne[P, C]) leads(*P, *C) []tie { return []tie{r.tie} }

func (r ToManyThrough[P, C]) leads(*P, *C) []tie { return r.chain.ties() }

func (r ToOneThrough[P, C]) leads(*P, *C) []tie { return r.chain.ties() }

// Scope returns the relation with the related records narrowed or ordered by f. A limit or
// offset holds for each parent, and records that the order holds for equal are then sorted
// by their primary key: With asks for those of 48 parents in one statement, and for each
// parent by itself where ToMany.Scope tells.
func (r ToManyThrough[P, C]) Scope(f func(*Query[C]) *Query[C]) ToManyThrough[P, C] {
	r.chain = r.chain.scoped(of(r.chain.last.related, f))
	return r
}

// Scope returns the relation with the related records narrowed or ordered by f.
func (r ToOneThrough[P, C]) Scope(f func(*Query[C]) *Query[C]) ToOneThrough[P, C] {
	r.chain = r.chain.scoped(of(r.chain.last.related, f))
	return r
}

// With loads relations of the related records too.
func (r ToManyThrough[P, C]) With(relations ...Relation[C]) ToManyThrough[P, C] {
	r.chain = r.chain.with(erased(relations))
	return r
}

// With loads relations of the related record too.
func (r ToOneThrough[P, C]) With(relations ...Relation[C]) ToOneThrough[P, C] {
	r.chain = r.chain.with(erased(relations))
	return r
}

// For returns the query for the related records of one parent. The records between are
// found in a subquery where they live on the same connection and the keys are whole numbers,
// bools or UUIDs. Otherwise their keys are read first, when the query runs, by a statement
// on their own connection: more than MaxKeys says are ErrTooManyKeys. The statements see
// their databases at their own moments.
func (r ToManyThrough[P, C]) For(parent *P) *Query[C] {
	return (*Query[C])(r.chain.queryFor(parent, parent == nil))
}

// For returns the query for the related record of one parent; see ToManyThrough.For.
func (r ToOneThrough[P, C]) For(parent *P) *Query[C] {
	return (*Query[C])(r.chain.queryFor(parent, parent == nil))
}

// Has is the condition of parents that have a related record for which all of conds hold;
// see ToMany.Has.
func (r ToManyThrough[P, C]) Has(conds ...Cond) Cond { return r.chain.has(conds) }

// HasNone is the condition of parents that have no related record for which all of conds
// hold.
func (r ToManyThrough[P, C]) HasNone(conds ...Cond) Cond { return r.chain.hasNone(conds) }

// Has is the condition of parents that have a related record for which all of conds hold;
// see ToMany.Has.
func (r ToOneThrough[P, C]) Has(conds ...Cond) Cond { return r.chain.has(conds) }

// HasNone is the condition of parents that have no related record for which all of conds
// hold.
func (r ToOneThrough[P, C]) HasNone(conds ...Cond) Cond { return r.chain.hasNone(conds) }

// HasAtLeast is the condition of parents that have n related records or more for which all
// of conds hold; see HasCount and ToMany.HasAtLeast.
func (r ToManyThrough[P, C]) HasAtLeast(n int, conds ...Cond) Cond {
	return r.chain.hasCount("HasAtLeast", ">=", n, conds)
}

// HasCount is the condition of parents of whose related records a number is op n for which
// all of conds hold; op is =, !=, <>, <, <=, > or >=. A record counts once, however many
// ways lead to it. A Limit in the Scope is refused.
//
// Where all tables are on one connection, the database counts. Otherwise the records
// between are read before the query runs, and with them the keys of those that count: not
// more of either than MaxKeys says, whatever n is (ErrTooManyKeys). The parents' keys are
// whole numbers, bools or UUIDs then, and others are refused. So it is also on one
// connection, if the records between are of the parents' own table.
func (r ToManyThrough[P, C]) HasCount(op string, n int, conds ...Cond) Cond {
	return r.chain.hasCount("HasCount", op, n, conds)
}

// MaxKeys says how many keys For, Has and its like may take over from another connection,
// at each step; see ToMany.MaxKeys. Defaults to 10000.
func (r ToManyThrough[P, C]) MaxKeys(n int) ToManyThrough[P, C] {
	r.chain = r.chain.takingAtMost(n)
	return r
}

// MaxKeys says how many keys For, Has and HasNone may take over; see ToMany.MaxKeys.
func (r ToOneThrough[P, C]) MaxKeys(n int) ToOneThrough[P, C] {
	r.chain = r.chain.takingAtMost(n)
	return r
}

// LoadInto loads the relation of records at hand; see ToMany.LoadInto.
func (r ToManyThrough[P, C]) LoadInto(ctx context.Context, records []P) error {
	return loadInto(ctx, r, recordsOf(records))
}

// LoadOne is LoadInto for one record.
func (r ToManyThrough[P, C]) LoadOne(ctx context.Context, record *P) error {
	return loadOne(ctx, r, record, record == nil)
}

// LoadInto loads the relation of records at hand; see ToMany.LoadInto.
func (r ToOneThrough[P, C]) LoadInto(ctx context.Context, records []P) error {
	return loadInto(ctx, r, recordsOf(records))
}

// LoadOne is LoadInto for one record.
func (r ToOneThrough[P, C]) LoadOne(ctx context.Context, record *P) error {
	return loadOne(ctx, r, record, record == nil)
}

func (r ToManyThrough[P, C]) of(*P) relation { return r }

func (r ToOneThrough[P, C]) of(*P) relation { return r }

func (r ToManyThrough[P, C]) needs() ([]string, error) { return r.chain.needs() }

func (r ToOneThrough[P, C]) needs() ([]string, error) { return r.chain.needs() }

func (r ToManyThrough[P, C]) home() string { return r.chain.home() }

func (r ToOneThrough[P, C]) home() string { return r.chain.home() }

func (r ToManyThrough[P, C]) goesTo(from origin) (string, bool) { return r.chain.goesTo(from) }

func (r ToOneThrough[P, C]) goesTo(from origin) (string, bool) { return r.chain.goesTo(from) }

func (r ToManyThrough[P, C]) load(ctx context.Context, from origin, parents rowmap.Records) error {
	d, err := r.chain.load(ctx, from, parents)
	if err != nil {
		return err
	}
	return giveEach(&d.dealt, parents, r.field)
}

func (r ToOneThrough[P, C]) load(ctx context.Context, from origin, parents rowmap.Records) error {
	d, err := r.chain.load(ctx, from, parents)
	if err != nil {
		return err
	}
	list := *d.list.(*[]C)
	for i := range parents.N {
		at := r.field(parents.At(i).(*P))
		if at == nil {
			return errNoField
		}
		*at = nil
		if a := d.bounds[i]; a < d.bounds[i+1] {
			*at = &list[a]
		}
	}
	return nil
}

// giveEach gives each parent its records.
func giveEach[P, C any](d *dealt, parents rowmap.Records, field func(*P) *[]C) error {
	list := *d.list.(*[]C)
	for i := range parents.N {
		at := field(parents.At(i).(*P))
		if at == nil {
			return errNoField
		}
		a, b := d.bounds[i], d.bounds[i+1]
		if *at = list[a:b:b]; a == b {
			*at = []C{}
		}
	}
	return nil
}
