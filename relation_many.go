package dbfleet

import (
	"context"
	"errors"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// ToManyPivot is a relation to any number of records that the rows of a table between tie
// to their parents; ManyToMany makes one.
type ToManyPivot[P, C, J any] struct {
	chain chain
	pivot pivot
	field func(*P) *[]C
	row   func(*C) **J // nil if the rows between are not kept
}

// ManyToMany relates a parent to the children that rows of a third table, the pivot, tie to
// it. toParent names the pivot's columns that refer to the parent, toChild those that refer
// to the child; field says where the parent keeps its children.
//
//	tagsOf := dbfleet.ManyToMany(posts, tags, postTags, dbfleet.On("post_id"), dbfleet.On("tag_id"),
//		func(p *Post) *[]Tag { return &p.Tags })
//	list, err := posts.With(tagsOf).Get(ctx)
//	err = tagsOf.Attach(ctx, &list[0], Tag{ID: 7})
//
// The pivot is a model as any other. Each of the three may live on a connection of its own:
// With reads the pivot and then the children, by one statement each. A link may
// ask for a column's value, by OnType, so that one pivot serves parents of several types.
//
// A parent has a child once, however many rows tie them, unless KeepPivot asks for those.
// Rows that refer to a child that is not there, or to NULL, are no child. Children come in
// the order of Scope, or without one as the rows of the pivot came, which ScopePivot
// orders.
//
// A fault of a link is told when the relation is used.
func ManyToMany[P, C, J any](parents *Model[P], children *Model[C], rows *Model[J], toParent, toChild Link, field func(*P) *[]C) ToManyPivot[P, C, J] {
	p := pivotOf((*query)(parents), (*query)(children), (*query)(rows), toParent, toChild)
	return ToManyPivot[P, C, J]{chain: chained(field == nil, []tie{p.rows}, []tie{p.to}), pivot: p, field: field}
}

// Scope returns the relation with the children narrowed or ordered by f. A limit or offset
// holds for each parent, and children that the order holds for equal are then sorted by
// their primary key; see ToManyThrough.Scope.
func (r ToManyPivot[P, C, J]) Scope(f func(*Query[C]) *Query[C]) ToManyPivot[P, C, J] {
	r.chain = r.chain.scoped(of(r.chain.last.related, f))
	return r
}

// ScopePivot returns the relation with the rows of the pivot narrowed by f, for With, For,
// Has, Detach, DetachAll and Sync; Attach looks at all rows. What f orders them by is the
// children's order for With where Scope has none. A limit is refused.
func (r ToManyPivot[P, C, J]) ScopePivot(f func(*Query[J]) *Query[J]) ToManyPivot[P, C, J] {
	if r.chain.between != nil {
		r.chain.between = []tie{r.chain.between[0].scoped(of(r.chain.between[0].related, f))}
	}
	return r
}

// KeepPivot says where a child keeps the row that ties it to its parent, which With then
// sets, for the pivot's other columns:
//
//	type Tag struct {
//		ID   int64
//		Name string
//		Link *PostTag `db:"-"`
//	}
//	tagsOf = tagsOf.KeepPivot(func(t *Tag) **PostTag { return &t.Link })
//
// A parent then has a child once for each row that ties them. For does not set it.
func (r ToManyPivot[P, C, J]) KeepPivot(field func(*C) **J) ToManyPivot[P, C, J] {
	if field == nil {
		r.chain.err = errors.Join(r.chain.err, &StatementError{Part: "KeepPivot", Reason: "the function is nil"})
	}
	r.row, r.chain.kept = field, true
	return r
}

// With loads relations of the children too.
func (r ToManyPivot[P, C, J]) With(relations ...Relation[C]) ToManyPivot[P, C, J] {
	r.chain = r.chain.with(erased(relations))
	return r
}

// For returns the query for the children of one parent, each once; see ToManyThrough.For.
func (r ToManyPivot[P, C, J]) For(parent *P) *Query[C] {
	return (*Query[C])(r.chain.queryFor(parent, parent == nil))
}

// PivotFor returns the query for the pivot's rows of one parent, of ScopePivot.
func (r ToManyPivot[P, C, J]) PivotFor(parent *P) *Query[J] {
	return (*Query[J])(r.pivotFor(parent))
}

func (r *ToManyPivot[P, C, J]) pivotFor(parent *P) *query {
	if err := r.chain.check(); err != nil {
		return (*query)(nil).broken(err)
	}
	return r.chain.between[0].queryFor(parent, parent == nil)
}

// Has is the condition of parents that have a child for which all of conds hold; see
// ToMany.Has.
func (r ToManyPivot[P, C, J]) Has(conds ...Cond) Cond { return r.chain.has(conds) }

// HasNone is the condition of parents that have no child for which all of conds hold.
func (r ToManyPivot[P, C, J]) HasNone(conds ...Cond) Cond { return r.chain.hasNone(conds) }

// HasAtLeast is the condition of parents that have n related records or more for which all
// of conds hold; see HasCount and ToMany.HasAtLeast.
func (r ToManyPivot[P, C, J]) HasAtLeast(n int, conds ...Cond) Cond {
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
func (r ToManyPivot[P, C, J]) HasCount(op string, n int, conds ...Cond) Cond {
	return r.chain.hasCount("HasCount", op, n, conds)
}

// MaxKeys says how many keys For, Has and its like may take over from another connection,
// at each step; see ToMany.MaxKeys. Defaults to 10000.
func (r ToManyPivot[P, C, J]) MaxKeys(n int) ToManyPivot[P, C, J] {
	r.chain = r.chain.takingAtMost(n)
	return r
}

// LoadInto loads the relation of records at hand; see ToMany.LoadInto.
func (r ToManyPivot[P, C, J]) LoadInto(ctx context.Context, records []P) error {
	return loadInto(ctx, r, recordsOf(records))
}

// LoadOne is LoadInto for one record.
func (r ToManyPivot[P, C, J]) LoadOne(ctx context.Context, record *P) error {
	return loadOne(ctx, r, record, record == nil)
}

func (r ToManyPivot[P, C, J]) of(*P) relation { return r }

func (r ToManyPivot[P, C, J]) leads(*P, *C) []tie { return r.chain.ties() }

func (r ToManyPivot[P, C, J]) needs() ([]string, error) { return r.chain.needs() }

func (r ToManyPivot[P, C, J]) home() string { return r.chain.home() }

func (r ToManyPivot[P, C, J]) goesTo(from origin) (string, bool) { return r.chain.goesTo(from) }

func (r ToManyPivot[P, C, J]) load(ctx context.Context, from origin, parents rowmap.Records) error {
	d, err := r.chain.load(ctx, from, parents)
	if err != nil {
		return err
	}
	if d.between != nil {
		list, rows := *d.list.(*[]C), *d.between.(*[]J)
		for i := range list {
			at := r.row(&list[i])
			if at == nil {
				return &StatementError{Part: "KeepPivot", Reason: "its function returned nil in place of a field of the child"}
			}
			*at = &rows[i]
		}
	}
	return giveEach(&d.dealt, parents, r.field)
}
