package dbfleet

import (
	"errors"
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet/internal/group"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// tie is what all relations are: columns of the parent whose values columns of the
// related records have.
type tie struct {
	parents        *source
	parentColumns  []int
	relatedColumns []int      // as many, each for the parent's column at its place
	mixed          []bool     // by column: the two are of different kinds
	one            bool       // a parent has one related record, or none
	whose          []constant // of the parents that have related records, where not all may
	turned         bool       // it leads back, and is compared as the tie that leads there
	most           int        // keys that Has takes from another connection; 0 is defaultMaxKeys
	related        *query     // for all related records
	crowd          *crowd     // shared by all copies
	err            error
}

// errNoRelation tells of the zero value of a relation.
var errNoRelation = &StatementError{Part: "relation", Reason: "it is the zero value; HasMany, HasOne and BelongsTo make one"}

// errNoLink tells of a link without a column.
var errNoLink = &StatementError{Part: "relation", Reason: "its link names no column; On names the one that refers to the other side"}

// errNoField tells of a function that should say where related records go.
var errNoField = &StatementError{Part: "relation", Reason: "its function returned nil in place of a field of the parent"}

func belongs(kind string, records, owners *query, link Link, fieldless bool) tie {
	if link.empty() {
		return tie{err: errNoLink}
	}
	locals, err := owners.referred(records, link)
	return newTie(records, owners, link.foreign, locals, fieldless, err).only(records, link).told(kind, link.foreign, locals, link.is)
}

func has(kind string, parents, children *query, link Link, fieldless bool) tie {
	if link.empty() {
		return tie{err: errNoLink}
	}
	locals, err := parents.referred(children, link)
	return newTie(parents, children, locals, link.foreign, fieldless, err).onlyRelated(children, link).told(kind, locals, link.foreign, link.is)
}

// empty says that the link names no column, or an empty one.
func (l Link) empty() bool {
	return l.err == nil && (len(l.foreign) == 0 || slices.Contains(l.foreign, ""))
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
	if t.related = related; t.parents != nil && related.usable() == nil && related.src.relates == nil {
		t.related = related.relatedTo(t.parents, t.columns())
	}
	return t
}

// referred are the columns of q that the columns of a link, which are those of from,
// refer to. What the link leaves open are columns of the primary key: that of the same
// name, or else the next that nothing refers to.
func (q *query) referred(from *query, link Link) ([]string, error) {
	if err := errors.Join(q.usable(), from.usable()); err != nil {
		return nil, err
	}
	if link.err != nil {
		return nil, link.err
	}
	if len(link.foreign) == 0 {
		return nil, from.src.table.Fail("the link names no column; On makes one")
	}
	if i := firstTwice(link.foreign); i >= 0 {
		return nil, from.src.table.Fail("the link names its column %q twice", link.foreign[i])
	}
	locals := slices.Clone(link.local)
	left := slices.DeleteFunc(slices.Clone(q.src.table.KeyNames()), func(c string) bool { return slices.Contains(locals, c) })
	var open []int
	for i, local := range locals {
		if local == "" {
			open = append(open, i)
		}
	}
	if len(open) == 0 {
		return locals, nil
	}
	if len(open) != len(left) {
		return nil, q.src.table.Fail("the link from table %q names %s without the column that each refers to, the primary key leaves %s: name the rest by And, or what each refers to: On(column, refersTo)",
			from.src.table.Name, listed(link.foreign, open), listed(left, nil))
	}
	open = slices.DeleteFunc(open, func(i int) bool {
		at := slices.Index(left, link.foreign[i])
		if at >= 0 && len(left) > 1 {
			locals[i] = left[at]
			left = slices.Delete(left, at, at+1)
		}
		return locals[i] != ""
	})
	for n, i := range open {
		locals[i] = left[n]
	}
	return locals, nil
}

// firstTwice is where the first name stands that is there twice, -1 without one.
func firstTwice(names []string) int {
	for i, name := range names {
		if slices.Contains(names[i+1:], name) {
			return i
		}
	}
	return -1
}

// listed tells names, or those at some places.
func listed(names []string, at []int) string {
	var list []string
	for i, name := range names {
		if at == nil || slices.Contains(at, i) {
			list = append(list, quoted(name))
		}
	}
	if len(list) == 0 {
		return "no column"
	}
	return strings.Join(list, ", ")
}

func newTie(parents, related *query, parentColumns, relatedColumns []string, fieldless bool, fault error) tie {
	t := tie{related: related.next(), crowd: &crowd{}}
	if fault != nil {
		t.err = fault
		return t
	}
	var errs [3]error
	t.parentColumns, errs[0] = parents.tieColumns(parentColumns)
	t.relatedColumns, errs[1] = related.tieColumns(relatedColumns)
	if fieldless {
		errs[2] = &StatementError{Part: "relation", Reason: "the function that names a field of the parent is nil"}
	}
	if t.err = errors.Join(errs[:]...); t.err == nil {
		t.parents = parents.src
		t.related = t.related.relatedTo(t.parents, relatedColumns)
		kind := func(q *query, column int) rowmap.Kind { return q.src.table.Plan.Field(column).Kind }
		for i, column := range t.parentColumns {
			t.mixed = append(t.mixed, kind(parents, column) != kind(related, t.relatedColumns[i]))
		}
	}
	return t
}

func (q *query) tieColumns(names []string) ([]int, error) {
	if err := q.usable(); err != nil {
		return nil, err
	}
	columns := make([]int, len(names))
	var errs error
	for i, name := range names {
		var err error
		if columns[i], err = q.src.table.Index(name); err == nil {
			err = q.src.table.CheckRelated(name)
		}
		errs = errors.Join(errs, err)
	}
	return columns, errs
}

// check tells what is wrong with the relation.
func (t *tie) check() error {
	switch {
	case t.err != nil:
		return t.err
	case t.parents == nil:
		return errNoRelation
	}
	if err := t.related.usable(); err != nil {
		return err
	}
	if t.related.q.Unites() {
		return errUnitedRelation(t.related)
	}
	return nil
}

func (t *tie) needs() ([]string, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	columns := t.parents.table.ColumnsOf(t.parentColumns)
	for _, c := range t.whose {
		columns = append(columns, c.column)
	}
	if i, shared := t.sharedShardKey(); shared && !t.related.wish().placed() {
		columns = append(columns, t.parents.table.Column(i))
	}
	return columns, nil
}

func errUnitedRelation(q *query) error {
	return q.src.table.Fail("a relation's condition would not hold for the other rows of a union")
}

// columns are the related records' columns.
func (t *tie) columns() []string { return t.related.src.table.ColumnsOf(t.relatedColumns) }

// toOne is the tie that gives a parent one related record, the first of them.
func (t tie) toOne() tie {
	t.one = true
	return t
}

// key is the parent's value as the related column has it, and what is equal for
// equal ones; of several columns the value is a group.Tuple. ok is false when no related
// record can have it. A value that cannot be taken out of the parent is an error.
func (t *tie) key(parent any) (value, key any, ok bool, err error) {
	if ok, err := t.concerns(parent); !ok || err != nil {
		return nil, nil, false, err
	}
	if len(t.parentColumns) == 1 {
		return t.keyOf(0, parent)
	}
	values, keys := make([]any, len(t.parentColumns)), make([]any, len(t.parentColumns))
	for i := range t.parentColumns {
		if values[i], keys[i], ok, err = t.keyOf(i, parent); !ok || err != nil {
			return nil, nil, false, err
		}
	}
	tuple := group.TupleOf(values, keys)
	return tuple, tuple.Key(), true, nil
}

// keyOf is key for one of the columns.
func (t *tie) keyOf(i int, parent any) (value, key any, ok bool, err error) {
	value = t.parents.table.Plan.Value(t.parentColumns[i], parent)
	if key, ok = rowmap.Key(value); !ok {
		if _, err = rowmap.Arg(value, nil); err != nil {
			err = &ColumnError{Model: t.parents.table.Model, Column: t.parents.table.Column(t.parentColumns[i]), Err: err}
		}
		return value, key, ok, err
	}
	if !t.mixed[i] {
		return value, key, ok, nil
	}
	related, column := t.related.src.table.Plan, t.relatedColumns[i]
	fits, err := related.Fit(column, value)
	if err != nil {
		if fits, err = related.Fit(column, rowmap.Whole(value)); err != nil {
			return nil, nil, false, nil //nolint:nilerr // no related record can have it
		}
	}
	value = fits
	if related.Field(column).Kind == rowmap.Float {
		var f float64
		if rowmap.Convert(&f, value) == nil {
			value = f
		}
	}
	key, ok = rowmap.Key(value)
	return value, key, ok, nil
}

// equal is the condition of the related records that have a key.
func (t *tie) equal(value any) sqlgen.Cond {
	tuple, several := value.(group.Tuple)
	if !several {
		return sqlgen.Compare(t.column(0), sqlgen.Eq, value)
	}
	conds := make([]sqlgen.Cond, len(tuple.Values))
	for i, v := range tuple.Values {
		conds[i] = sqlgen.Compare(t.column(i), sqlgen.Eq, v)
	}
	return sqlgen.Group(conds...)
}

func (t *tie) column(i int) string { return t.related.src.table.Column(t.relatedColumns[i]) }

// queryFor is the query for the related records of one parent.
func (t *tie) queryFor(parent any, isNil bool) *query {
	q := t.related
	err := t.check()
	if isNil {
		err = errors.Join(err, &StatementError{Part: "relation", Reason: "the parent is a nil pointer"})
	}
	if err != nil {
		return q.broken(err)
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
		return q.compare(false, t.column(0), sqlgen.In, []int64{}) // NULL refers to nothing
	}
	return q.where(t.equal(value))
}

// broken returns a query that fails with err.
func (q *query) broken(err error) *query {
	next := q.next()
	next.src = &source{err: told(err)}
	return next
}

// shardOf is where the related records of a parent with that key are: by one of their
// columns in the link, or by a column of the parent beside those.
func (t *tie) shardOf(parent, key any) (string, error) {
	s := t.related.src
	at := slices.Index(t.columns(), s.shard.column())
	if tuple, several := key.(group.Tuple); several && at >= 0 {
		key = tuple.Values[at]
	}
	if at < 0 {
		i, ok := t.sharedShardKey()
		if !ok {
			return "", s.table.Fail("the relation's columns (%s) have no shard key %q, and the parents are not sharded by that", listed(t.columns(), nil), s.shard.column())
		}
		key = t.parents.table.Plan.Value(i, parent)
	}
	return s.shard.connection(key)
}

// sharedShardKey finds the parents' column that places their related records
// on a shard, when it is not in the link.
func (t *tie) sharedShardKey() (column int, ok bool) {
	s := t.related.src
	if s.shard == nil || t.parents.shard == nil || slices.Contains(t.columns(), s.shard.column()) || s.shard.column() != t.parents.shard.column() {
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
