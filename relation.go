package dbfleet

import (
	"context"
	"slices"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// Relation loads the related records of many parents of type P at once, for Query.With. It
// is sealed: HasMany, HasOne, BelongsTo, ManyToMany, HasManyThrough and HasOneThrough make
// one. A Tally loads none of the records but what CountRelated, ExistsRelated, SumRelated,
// MinRelated, MaxRelated or AvgRelated tell of them. WithN1Check reports relations that are
// read for one parent after the other.
//
// Each side has its own connection, dialect and replicas: related records come
// by a statement of their own, never by a JOIN. If both models live on the same
// connection, the related records are read where the parents were read, also
// when that was named by DB. The transaction of Using and the wish for the
// primary hold for them too. Records of a sharded model are found by the shard
// key, which is one of the relation's columns, or a column by which the parents are
// sharded as well.
//
// A record belongs to a parent if the database says so: With gives each parent what
// For finds for it, by the comparison of the related column with the parent's key,
// whatever collation or type makes the two equal. Go compares keys only where the
// database cannot see it otherwise; keys such as "a" and "A", or with letters beyond
// ASCII, cost another statement, or one for each 48 of them. A record that fits no
// parent is an error. Of rows that an order holds for equal, With takes those of the
// smallest primary key where a limit, or one record a parent, makes it choose; For
// leaves them to the database. A CHAR(n) of PostgreSQL is read with its blanks, which
// no TEXT column equals.
//
// A relation is known to Registry.Describe and Registry.Check from when it is made, as long
// as the model of its parents is in use. One that is made again, for each request say,
// of the same tables and columns, is the same to them, whatever its function, Scope and
// values of OnType.
//
// Keys of different types are compared as the related column's type: the number
// 7 finds the text "7". NULL refers to nothing. Parents that have the same record
// get one each, with nothing in common but what unexported fields hold.
//
// Relations of one query that are read from different connections are read at once, by
// up to four goroutines, those of related records included. Functions that name fields,
// and hooks, are called by them; no two for the same connection. They are read in turn
// if the context carries a transaction, whatever its connection, or a Route to be told
// (WithRoute). The first error ends the others, and a panic is the caller's.
type Relation[P any] interface {
	of(*P) relation // P ties it to the type of its parents
}

// relation is a Relation without its type.
type relation interface {
	// needs are the parents' columns by which related records are found, or what
	// is wrong with the relation.
	needs() (columns []string, err error)
	// load fills in the related records of parents, which are *P.
	load(ctx context.Context, from origin, parents rowmap.Records) error
}

// erased takes the type off relations.
//
//go:noinline
func erased[P any](relations []Relation[P]) []relation {
	list := make([]relation, len(relations))
	for i, r := range relations {
		if !rowmap.IsNil(r) {
			list[i] = r.of(nil)
		}
	}
	return list
}

// Link names the columns that tie two models; On makes one.
type Link struct {
	foreign, local []string
	is             []constant // beside those: columns that have one value
	err            error
}

// On names the column that refers to the other side, and optionally the column
// that it refers to, which is the primary key otherwise. Links of several columns go on
// with And.
func On(foreignKey string, refersTo ...string) Link { return Link{}.and(foreignKey, refersTo...) }

// And returns the link with one more column, for records that are found, or sharded, by
// several:
//
//	dbfleet.On("user_id").And("tenant_id")                         // the users' primary key is tenant_id, id
//	dbfleet.On("user_id", "number").And("tenant_id", "tenant_id") // the users' own columns number and tenant_id
//
// A record is related if it has the parent's values in all columns; if one of them is
// NULL, in none. A column that names nothing to refer to stands for one of the primary
// key: that of the same name, or else the next one in the key's order that no other
// column refers to. As many as there are must be there: what is left over is a fault of
// the link that names the columns of both sides.
func (l Link) And(foreignKey string, refersTo ...string) Link {
	if len(l.foreign)+len(l.is) == 0 && l.err == nil {
		l.err = errNoLink
	}
	return l.and(foreignKey, refersTo...)
}

func (l Link) and(foreignKey string, refersTo ...string) Link {
	local, err := atMostOne(refersTo)
	if err != nil {
		l.err = &StatementError{Part: "link", Reason: "the column " + quoted(foreignKey) + " refers to one column, not to " + listed(refersTo, nil)}
	}
	l.foreign, l.local = append(slices.Clip(l.foreign), foreignKey), append(slices.Clip(l.local), local)
	return l
}

// ToMany is a relation to any number of records; HasMany makes one.
type ToMany[P, C any] struct {
	tie     tie
	field   func(*P) *[]C
	inverse func(*C) **P // nil for none
}

// ToOne is a relation to one record or none; HasOne and BelongsTo make one.
type ToOne[P, C any] struct {
	tie     tie
	field   func(*P) **C
	inverse func(*C) **P // nil for none
}

// HasMany relates a parent to the children whose columns that link names refer to
// it. field says where the parent keeps them.
//
//	postsOf := dbfleet.HasMany(users, posts, dbfleet.On("user_id"), func(u *User) *[]Post { return &u.Posts })
//
// A fault of the link is told when the relation is used.
func HasMany[P, C any](parents *Model[P], children *Model[C], link Link, field func(*P) *[]C) ToMany[P, C] {
	return ToMany[P, C]{tie: has(kindHasMany, (*query)(parents), (*query)(children), link, field == nil), field: field}
}

// HasOne relates a parent to the one child that refers to it; of several, the
// first in the order of Scope is taken, and in an order With reads no other.
// Children that the order holds for equal are sorted by their primary key.
func HasOne[P, C any](parents *Model[P], children *Model[C], link Link, field func(*P) **C) ToOne[P, C] {
	return ToOne[P, C]{tie: has(kindHasOne, (*query)(parents), (*query)(children), link, field == nil).toOne(), field: field}
}

// BelongsTo relates a record to the one that its own columns, which link names, refer
// to. field says where the record keeps it.
func BelongsTo[P, C any](records *Model[P], owners *Model[C], link Link, field func(*P) **C) ToOne[P, C] {
	return ToOne[P, C]{tie: belongs(kindBelongsTo, (*query)(records), (*query)(owners), link, field == nil).toOne(), field: field}
}

// Scope returns the relation with the related records narrowed or ordered by f. A
// limit or offset holds for each parent; records that the order holds for equal are
// then sorted by their primary key. With asks for those of 48 parents in one
// statement, of more where the keys are whole numbers, on PostgreSQL and, if the parents
// have few, on MariaDB; but for each parent by itself where rows are locked, grouped or
// distinct, or sorted by SQL or by what the select list names.
func (r ToMany[P, C]) Scope(f func(*Query[C]) *Query[C]) ToMany[P, C] {
	r.tie = r.tie.scoped(of(r.tie.related, f))
	return r
}

// Scope returns the relation with the related records narrowed or ordered by f.
func (r ToOne[P, C]) Scope(f func(*Query[C]) *Query[C]) ToOne[P, C] {
	r.tie = r.tie.scoped(of(r.tie.related, f))
	return r
}

// With loads relations of the related records too.
func (r ToMany[P, C]) With(relations ...Relation[C]) ToMany[P, C] {
	r.tie.related = r.tie.related.with(erased(relations))
	return r
}

// With loads relations of the related record too.
func (r ToOne[P, C]) With(relations ...Relation[C]) ToOne[P, C] {
	r.tie.related = r.tie.related.with(erased(relations))
	return r
}

// For returns the query for the related records of one parent.
func (r ToMany[P, C]) For(parent *P) *Query[C] {
	return (*Query[C])(r.tie.queryFor(parent, parent == nil))
}

// For returns the query for the related record of one parent.
func (r ToOne[P, C]) For(parent *P) *Query[C] {
	return (*Query[C])(r.tie.queryFor(parent, parent == nil))
}

func (r ToMany[P, C]) of(*P) relation { return r }

func (r ToOne[P, C]) of(*P) relation { return r }

func (r ToMany[P, C]) needs() ([]string, error) { return r.tie.needs() }

func (r ToOne[P, C]) needs() ([]string, error) { return r.tie.needs() }

func (r ToMany[P, C]) load(ctx context.Context, from origin, parents rowmap.Records) error {
	d, err := r.tie.load(ctx, from, parents)
	if err != nil {
		return err
	}
	list := *d.list.(*[]C)
	for i := range parents.N {
		a, b := d.bounds[i], d.bounds[i+1]
		own := []C{}
		if a < b {
			own = list[a:b:b]
		}
		at := r.field(parents.At(i).(*P))
		if at == nil {
			return errNoField
		}
		*at = own
		for k := range own {
			if err := refer(r.inverse, &own[k], parents.At(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r ToOne[P, C]) load(ctx context.Context, from origin, parents rowmap.Records) error {
	d, err := r.tie.load(ctx, from, parents)
	if err != nil {
		return err
	}
	list := *d.list.(*[]C)
	for i := range parents.N {
		var one *C
		if a := d.bounds[i]; a < d.bounds[i+1] {
			one = &list[a]
		}
		at := r.field(parents.At(i).(*P))
		if at == nil {
			return errNoField
		}
		*at = one
		if err := refer(r.inverse, one, parents.At(i)); err != nil {
			return err
		}
	}
	return nil
}
