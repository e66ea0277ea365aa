package dbfleet

import (
	"errors"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// tie is what all relations are: a column of the parent whose values a column
// of the related records has.
type tie struct {
	parents                     *source
	parentColumn, relatedColumn int
	mixed                       bool   // the columns are of different kinds
	one                         bool   // a parent has one related record, or none
	related                     *query // for all related records
	err                         error
}

// errNoRelation tells of the zero value of a relation.
var errNoRelation = &StatementError{Part: "relation", Reason: "it is the zero value; HasMany, HasOne and BelongsTo make one"}

// errNoLink tells of a link without a column.
var errNoLink = &StatementError{Part: "relation", Reason: "its link names no column; On names the one that refers to the other side"}

// errNoField tells of a function that should say where related records go.
var errNoField = &StatementError{Part: "relation", Reason: "its function returned nil in place of a field of the parent"}

func belongs(records, owners *query, link Link, fieldless bool) tie {
	if link.foreign == "" {
		return tie{err: errNoLink}
	}
	if link.local == "" {
		link.local = owners.soleKey()
	}
	return newTie(records, owners, link.foreign, link.local, fieldless)
}

func has(parents, children *query, link Link, fieldless bool) tie {
	if link.foreign == "" {
		return tie{err: errNoLink}
	}
	if link.local == "" {
		link.local = parents.soleKey()
	}
	return newTie(parents, children, link.local, link.foreign, fieldless)
}

// scoped is the tie with what Scope's function made of the related query.
func (t tie) scoped(related *query) tie {
	if t.parents == nil && t.err == nil {
		return t // the zero value, which tells it
	}
	if why := unmade(related); why != "" {
		t.err = errors.Join(t.err, &StatementError{Part: "Scope", Reason: why})
		return t
	}
	t.related = related
	return t
}

// soleKey is the primary key's column, "" when it has several.
func (q *query) soleKey() string {
	if q.usable() != nil {
		return ""
	}
	return q.src.table.SoleKey()
}

func newTie(parents, related *query, parentColumn, relatedColumn string, fieldless bool) tie {
	t := tie{related: related.next()}
	var errs [3]error
	t.parentColumn, errs[0] = parents.tieColumn(parentColumn)
	t.relatedColumn, errs[1] = related.tieColumn(relatedColumn)
	if fieldless {
		errs[2] = &StatementError{Part: "relation", Reason: "the function that names a field of the parent is nil"}
	}
	if t.err = errors.Join(errs[:]...); t.err == nil {
		t.parents = parents.src
		kind := func(q *query, column int) rowmap.Kind { return q.src.table.Plan.Field(column).Kind }
		t.mixed = kind(parents, t.parentColumn) != kind(related, t.relatedColumn)
	}
	return t
}

func (q *query) tieColumn(column string) (int, error) {
	if err := q.usable(); err != nil {
		return 0, err
	}
	if column == "" {
		return 0, q.src.table.Fail("a relation needs the column of a composite primary key: On(foreign, refersTo)")
	}
	return q.src.table.Index(column)
}

func (t *tie) needs() (string, error) {
	switch {
	case t.err != nil:
		return "", t.err
	case t.parents == nil:
		return "", errNoRelation
	}
	q := t.related
	if err := q.usable(); err != nil {
		return "", err
	}
	if q.q.Unites() {
		return "", errUnitedRelation(q)
	}
	return t.parents.table.Column(t.parentColumn), nil
}

func errUnitedRelation(q *query) error {
	return q.src.table.Fail("a relation's condition would not hold for the other rows of a union")
}

// column is the related records' column.
func (t *tie) column() string { return t.related.src.table.Column(t.relatedColumn) }

// toOne is the tie that gives a parent one related record, the first of them.
func (t tie) toOne() tie {
	t.one = true
	return t
}

// key is the parent's value as the related column has it, and what is equal for
// equal ones. ok is false when no related record can have it. A value that cannot be
// taken out of the parent is an error.
func (t *tie) key(parent any) (value, key any, ok bool, err error) {
	value = t.parents.table.Plan.Value(t.parentColumn, parent)
	if key, ok = rowmap.Key(value); !ok {
		if _, err = rowmap.Arg(value, nil); err != nil {
			err = &ColumnError{Model: t.parents.table.Model, Column: t.parents.table.Column(t.parentColumn), Err: err}
		}
		return value, key, ok, err
	}
	if !t.mixed {
		return value, key, ok, nil
	}
	related := t.related.src.table.Plan
	fits, err := related.Fit(t.relatedColumn, value)
	if err != nil {
		if fits, err = related.Fit(t.relatedColumn, rowmap.Whole(value)); err != nil {
			return nil, nil, false, nil //nolint:nilerr // no related record can have it
		}
	}
	value = fits
	if related.Field(t.relatedColumn).Kind == rowmap.Float {
		var f float64
		if rowmap.Convert(&f, value) == nil {
			value = f
		}
	}
	key, ok = rowmap.Key(value)
	return value, key, ok, nil
}

// queryFor is the query for the related records of one parent.
func (t *tie) queryFor(parent any, isNil bool) *query {
	q := t.related
	switch {
	case t.err != nil || isNil:
		err := t.err
		if isNil {
			err = errors.Join(err, &StatementError{Part: "relation", Reason: "the parent is a nil pointer"})
		}
		return q.broken(err)
	case t.parents == nil:
		return q.broken(errNoRelation)
	case q.usable() != nil:
		return q
	case q.q.Unites():
		return q.broken(errUnitedRelation(q))
	}
	q = q.next()
	q.q = q.q.Enclosed()
	if i, shared := t.sharedShardKey(); shared && !q.wish().placed() {
		q = q.sharded(t.parents.table.Plan.Value(i, parent))
	}
	value, _, ok, err := t.key(parent)
	if err != nil {
		return q.broken(err)
	}
	if !ok {
		return q.in(t.column(), sqlgen.In, []int64{}) // NULL refers to nothing
	}
	return q.where(sqlgen.Compare(t.column(), sqlgen.Eq, value))
}

// broken returns a query that fails with err.
func (q *query) broken(err error) *query {
	next := q.next()
	next.src = &source{err: told(err)}
	return next
}

// shardOf is where one parent's related records are: by their common column,
// or by one of the parent beside it.
func (t *tie) shardOf(parent, key any) (string, error) {
	s := t.related.src
	if s.shard.column() != t.column() {
		i, ok := t.sharedShardKey()
		if !ok {
			return "", s.table.Fail("the relation's column %q is not the shard key %q, and the parents are not sharded by that", t.column(), s.shard.column())
		}
		key = t.parents.table.Plan.Value(i, parent)
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
	return t.parents.table.Plan.Column(s.shard.column())
}

// follows says whether related records are read where their parents were: both
// models live on the same connection and the relation names no other.
func (t *tie) follows() bool {
	q, p := t.related, t.parents
	return q.wish().db == "" && q.src.shard == nil && p.shard == nil && q.src.reg == p.reg &&
		q.src.reg.nameOr(q.src.connection) == p.reg.nameOr(p.connection)
}
