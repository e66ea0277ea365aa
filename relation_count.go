package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// CountRelated is a relation for With that reads how many related records each parent has,
// and none of them:
//
//	type User struct {
//		ID        int64
//		PostCount int64 `db:"-"`
//	}
//	postCount := dbfleet.CountRelated(postsOf, func(u *User) *int64 { return &u.PostCount })
//	list, err := users.With(postCount).Get(ctx)
//
// The relation's Scope says which records count; its order and its With say nothing, and
// one that groups or merges rows, or bounds them, is refused. A parent without any has 0.
// All parents are asked of by one statement, which groups the related records by their
// key, or by one for some thousands of them; where only the database knows which keys are
// equal, as Relation tells, by one for 48 keys. The statement goes where With would send
// that of the relation. Of a HasOne all records count that have the parent's key.
//
// Of a relation over a pivot or through others each record counts once for each parent,
// however many ways lead to it, also with KeepPivot. The records between are read first,
// level by level as With reads them and no more of them than their keys, and then those
// of up to 48 parents are counted by one statement. It is refused where the records of
// one parent are on several shards, or refer to more keys than a statement takes.
//
// A Tally is no relation that is counted: it is refused when it is used, as is a function
// that returns nil.
func CountRelated[P any](r Relation[P], field func(*P) *int64) Tally[P] {
	return tallyOf(r, "CountRelated", "COUNT", "*", field)
}

// ExistsRelated is a relation for With that reads whether each parent has related records,
// and none of them. See CountRelated.
func ExistsRelated[P any](r Relation[P], field func(*P) *bool) Tally[P] {
	return newTally(r, "ExistsRelated", field == nil, func() tallying {
		var found []int64
		return tallying{function: "COUNT", column: "*", exist: true, read: behind(&found), give: func(parent any, at int) error {
			return set(field(parent.(*P)), at >= 0 && found[at] > 0)
		}}
	})
}

// SumRelated is a relation for With that adds up a column of each parent's related records, as
// V. NULL is no value, and a sum of none is the zero value of V: 0, or nil for a pointer.
// The sum is the database's own, as SelectSum has it: one that does not fit V is ErrRange,
// and of texts MySQL and SQLite make numbers as they can. See CountRelated.
//
//	spent := dbfleet.SumRelated(ordersOf, "amount", func(u *User) *int64 { return &u.Spent })
func SumRelated[P, V any](r Relation[P], column string, field func(*P) *V) Tally[P] {
	return tallyOf(r, "SumRelated", "SUM", column, field)
}

// MinRelated is a relation for With that reads the smallest value of a column of each parent's
// related records; without any it is the zero value of V, which nil tells from others. See
// CountRelated.
func MinRelated[P, V any](r Relation[P], column string, field func(*P) *V) Tally[P] {
	return tallyOf(r, "MinRelated", "MIN", column, field)
}

// MaxRelated is a relation for With that reads the largest value of a column of each parent's
// related records. See MinRelated.
func MaxRelated[P, V any](r Relation[P], column string, field func(*P) *V) Tally[P] {
	return tallyOf(r, "MaxRelated", "MAX", column, field)
}

// AvgRelated is a relation for With that reads the mean of a column of each parent's related
// records, as a float of the database's; without any it is the zero value of V, which nil
// tells from 0. See CountRelated.
func AvgRelated[P, V any](r Relation[P], column string, field func(*P) *V) Tally[P] {
	return tallyOf(r, "AvgRelated", sqlgen.Mean, column, field)
}

// Tally is a relation that asks for one value about the related records of each parent,
// and does not load them. CountRelated, ExistsRelated, SumRelated, MinRelated, MaxRelated and AvgRelated make one. It may
// be shared by many goroutines.
type Tally[P any] struct {
	related   relation // nil for none
	part      string   // what made it
	fieldless bool
	each      func() tallying // one for each use
}

// tallied is what relations are that can tell of their records without loading them.
type tallied interface {
	relation
	// tally asks for an aggregate of the related records of each of the parents, which
	// are *P, and gives it to them.
	tally(ctx context.Context, from origin, parents rowmap.Records, ask tallying) error
}

// tallying is one aggregate that is asked for.
type tallying struct {
	part     string // what the caller wrote
	function string // as sqlgen.Column.Func
	column   string // "*" for rows
	exist    bool   // only whether there are rows counts
	// read takes the values of one statement, none of which is NULL, behind those of
	// the statements before.
	read func(src rowmap.Source) error
	// give tells a parent the value that read took as the at-th of all, -1 for none.
	give func(parent any, at int) error
}

func tallyOf[P, V any](r Relation[P], part, function, column string, field func(*P) *V) Tally[P] {
	return newTally(r, part, field == nil, func() tallying {
		var all []V
		return tallying{function: function, column: column, read: behind(&all), give: func(parent any, at int) error {
			var v V
			if at >= 0 {
				v = all[at]
			}
			return set(field(parent.(*P)), v)
		}}
	})
}

func newTally[P any](r Relation[P], part string, fieldless bool, each func() tallying) Tally[P] {
	t := Tally[P]{part: part, fieldless: fieldless, each: each}
	if !rowmap.IsNil(r) {
		t.related = r.of(nil)
	}
	return t
}

// set sets a parent's field.
func set[V any](field *V, v V) error {
	if field == nil {
		return errNoField
	}
	*field = v
	return nil
}

// behind reads a column behind the values of *all.
func behind[V any](all *[]V) func(src rowmap.Source) error {
	return func(src rowmap.Source) error {
		more, err := rowmap.ReadColumn[V](src)
		*all = append(*all, more...)
		return err
	}
}

func (t Tally[P]) of(*P) relation { return t }

func (t Tally[P]) needs() ([]string, error) {
	r, err := t.tallied()
	if err != nil {
		return nil, err
	}
	return r.needs()
}

func (t Tally[P]) load(ctx context.Context, from origin, parents rowmap.Records) error {
	r, err := t.tallied()
	if err != nil {
		return err
	}
	ask := t.each()
	ask.part = t.part
	return r.tally(ctx, from, parents, ask)
}

// tallied is the relation that is asked.
func (t Tally[P]) tallied() (tallied, error) {
	switch {
	case t.each == nil:
		return nil, &StatementError{Part: "relation", Reason: "it is the zero value; CountRelated, ExistsRelated, SumRelated, MinRelated, MaxRelated and AvgRelated make one"}
	case t.fieldless:
		return nil, &StatementError{Part: t.part, Reason: "the function that names a field of the parent is nil"}
	}
	switch r := t.related.(type) {
	case nil:
		return nil, &StatementError{Part: t.part, Reason: "the relation is nil"}
	case tallied:
		return r, nil
	}
	return nil, &StatementError{Part: t.part, Reason: "the relation has no records to count"}
}
