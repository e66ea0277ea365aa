package dbfleet

import (
	"errors"
	"math"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/group"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Has is the condition of parents that have a related record for which all of conds
// hold. It stands where conditions do, also inside of And, Or, Not and of another Has:
//
//	users.Filter(postsOf.Has())
//	users.Filter(dbfleet.Or(admin.Eq(true), postsOf.Has(published.Eq(true))))
//	users.Filter(postsOf.Has(commentsOf.Has()))
//	users.Filter(dbfleet.Not(postsOf.Has())).Delete(ctx)
//
// The query must read the parents' table, as its own or as one that it joins with Join or
// LeftJoin. Conditions and joins of the relation's Scope hold too; its order says nothing,
// and of a HasOne every record counts that has the parent's key. A Scope that groups,
// merges or skips rows, or reads none, is refused. Where a table is related to itself, its
// rows are called "related" in SQL of one's own, and by the table's name everywhere else.
//
// If the related records live where the query goes, this is EXISTS. Otherwise their keys
// are read first, by a statement on their own connection, and given to the query as a
// list: see MaxKeys. That statement takes part in the transaction that the context carries for
// its connection, and in the session, and reads from the primary where the query writes,
// locks or was asked to. The two statements see their databases at two moments. The
// parents' database then compares the keys as texts of its own, by the collation of the
// parent's column, where With has the related one compare; a key that the parent's
// column cannot hold is nobody's. So it is also on one connection, if the Go types of the
// two columns are of different kinds, which some databases do not compare.
//
// A parent whose key is NULL has no related records: Has is false for it, and Not of that
// true, never NULL.
func (r ToMany[P, C]) Has(conds ...Cond) Cond { return r.tie.has(conds) }

// HasNone is the condition of parents that have no related record for which all of conds
// hold; it is Not(Has(conds...)).
func (r ToMany[P, C]) HasNone(conds ...Cond) Cond { return r.tie.hasNone(conds) }

// HasAtLeast is the condition of parents that have n related records or more for which
// all of conds hold. It is true for n = 0, and a negative n is refused when the query
// runs. A Limit in the relation's Scope is refused.
func (r ToMany[P, C]) HasAtLeast(n int, conds ...Cond) Cond {
	return r.tie.hasCount("HasAtLeast", ">=", n, conds)
}

// HasCount is the condition of parents of whose related records a number is op n for which
// all of conds hold; op is =, !=, <>, <, <=, > or >=. Records that are read from another
// connection are counted there, by the key that its database holds for equal. See
// HasAtLeast.
//
//	users.Filter(postsOf.HasCount("<", 3)) // those without posts, too
func (r ToMany[P, C]) HasCount(op string, n int, conds ...Cond) Cond {
	return r.tie.hasCount("HasCount", op, n, conds)
}

// MaxKeys says how many keys of related records Has and its like may take over from
// another connection for one statement. More are ErrTooManyKeys, and nothing is sent to
// the parents' database. Keys that repeat count once. Each is an argument of the statement
// or an element of a list; n must be more than 0.
//
// Defaults to 10000.
func (r ToMany[P, C]) MaxKeys(n int) ToMany[P, C] {
	r.tie = r.tie.takingAtMost(n)
	return r
}

// Has is the condition of parents, or records that belong to others, that have a related
// record for which all of conds hold; see ToMany.Has.
func (r ToOne[P, C]) Has(conds ...Cond) Cond { return r.tie.has(conds) }

// HasNone is the condition of those that have no related record for which all of conds
// hold; see ToMany.Has.
func (r ToOne[P, C]) HasNone(conds ...Cond) Cond { return r.tie.hasNone(conds) }

// MaxKeys says how many keys of related records Has and HasNone may take over from another
// connection; see ToMany.MaxKeys.
func (r ToOne[P, C]) MaxKeys(n int) ToOne[P, C] {
	r.tie = r.tie.takingAtMost(n)
	return r
}

// ErrTooManyKeys tells of a condition about related records on another connection of
// which more keys are to be taken over than the relation's MaxKeys.
var ErrTooManyKeys = errors.New("dbfleet: more keys of related records than a condition takes over from another connection")

const defaultMaxKeys = 10_000

// having is the condition of rows of the tie's parents that a number of related records
// which have conds is op n. It is a value: what it needs to know of other connections, the
// query that runs asks for.
type having struct {
	tie   tie
	conds []Cond
	part  string // what the caller wrote
	op    sqlgen.Op
	n     int64
	err   error
}

// has is the condition of parents that have a related record which has conds.
//
//go:noinline
func (t tie) has(conds []Cond) Cond {
	return Cond{sqlgen.Of(&having{tie: t, conds: conds, part: "Has", op: sqlgen.Gt})}
}

// hasNone is the condition of parents that have none.
//
//go:noinline
func (t tie) hasNone(conds []Cond) Cond {
	return Cond{sqlgen.Of(&having{tie: t, conds: conds, part: "HasNone", op: sqlgen.Eq})}
}

// hasCount is the condition of parents of which the number of related records that have
// conds is op n.
//
//go:noinline
func (t tie) hasCount(part, op string, n int, conds []Cond) Cond {
	h := &having{tie: t, conds: conds, part: part, n: int64(n)}
	h.op, h.err = countOp(part, op, n)
	return Cond{sqlgen.Of(h)}
}

// countOp is the comparison of a number of records.
func countOp(part, op string, n int) (sqlgen.Op, error) {
	parsed, ok := sqlgen.ParseOp(op)
	switch {
	case !ok || !parsed.Orders():
		return parsed, &OperatorError{Column: part, Operator: op, Known: []string{"=", "!=", "<>", "<", "<=", ">", ">="}}
	case n < 0:
		return parsed, &StatementError{Reason: "a number of records is not " + strconv.Itoa(n)}
	}
	return parsed, nil
}

// takingAtMost is the tie of which Has takes so many keys over.
func (t tie) takingAtMost(n int) tie {
	if n <= 0 {
		t.err = errors.Join(t.err, &StatementError{Part: "MaxKeys", Reason: "it takes a number above 0, not " + strconv.Itoa(n)})
	}
	t.most = n
	return t
}

// Instead implements sqlgen.Related.
func (h *having) Instead(at sqlgen.At) (sqlgen.Cond, error) {
	q, to, near, err := h.asked(at.Connection)
	var c sqlgen.Cond
	switch {
	case err != nil:
		return sqlgen.Cond{}, h.fault(err)
	case near || at.Names(to):
		c, err = h.within(&at, q)
	default:
		told, ok := at.Told(h)
		if !ok {
			return sqlgen.Cond{}, sqlgen.ErrUnanswered
		}
		c, err = h.among(&at, told.([]any))
	}
	if err != nil {
		return sqlgen.Cond{}, err
	}
	return h.concerned(&at, c)
}

// fault is what is wrong with the condition.
func (h *having) fault(err error) error {
	name := ""
	if h.tie.parents != nil {
		name = h.tie.parents.table.Name
	}
	return &StatementError{Table: name, Part: h.part, Err: err}
}

// asked is the query for the related records that count, in a statement of that
// connection, and the connection that they are on. near says that this is the same, and
// that they can be compared there.
func (h *having) asked(connection string) (q *query, on string, near bool, err error) {
	t := &h.tie
	if err := errors.Join(h.err, t.check()); err != nil {
		return nil, "", false, err
	}
	q = t.related
	if t.follows() || t.shardsAlike() {
		q = q.named(connection)
	}
	q = q.next()
	q.q, q.relations = q.q.Enclosed(), nil
	if q, err = t.rows(q.filter(h.conds), h.exists()); err != nil {
		return nil, "", false, err
	}
	to, err := q.destination()
	if err != nil {
		return nil, "", false, err
	}
	near = to.connection == connection && q.src.reg == t.parents.reg
	for _, mixed := range t.mixed {
		near = near && !mixed
	}
	return q, to.connection, near, nil
}

// rows is the query for the records of q, a query for related ones, of which only their
// number counts, or with exist whether there are any.
func (t *tie) rows(q *query, exist bool) (*query, error) {
	limit, offset := q.q.Limit(), q.q.Offset()
	switch {
	case q.q.Merges():
		return nil, q.src.table.Fail("the relation's Scope groups or merges rows, so that none of them is a related record")
	case limit == 0 || limit < -1 || offset != 0 || limit != -1 && !exist:
		return nil, q.src.table.Fail("the relation's Scope bounds the records of each parent, which only With knows")
	}
	q = q.next()
	q.q = q.q.Rows()
	return q, nil
}

// shardsAlike says whether both sides are sharded by one rule, whose key the relation
// ties or they share: related records are then on the shard of their parent.
func (t *tie) shardsAlike() bool {
	s, p := t.related.src, t.parents
	if s.shard == nil || s.shard != p.shard || t.related.wish().placed() || s.reg != p.reg {
		return false
	}
	for i, column := range t.relatedColumns {
		if t.related.src.table.Column(column) == s.shard.column() {
			return t.parents.table.Column(t.parentColumns[i]) == p.shard.column()
		}
	}
	return true
}

// exists says whether the condition asks for nothing but that there is a record, or none.
func (h *having) exists() bool {
	one, none := h.op.Holds(1, h.n), h.op.Holds(0, h.n)
	return one != none && h.op.Holds(math.MaxInt64, h.n) == one && h.op.Holds(2, h.n) == one
}

// within is the condition as a subquery.
func (h *having) within(at *sqlgen.At, q *query) (sqlgen.Cond, error) {
	sub, table, err := at.Statement(q)
	if err != nil {
		return sqlgen.Cond{}, h.fault(err)
	}
	t := &h.tie
	sub, err = sub.Belonging(*at, t.parents.table.Name, t.columns(), t.parents.table.ColumnsOf(t.parentColumns), t.turned)
	switch {
	case err != nil:
		return sqlgen.Cond{}, h.fault(err)
	case !h.exists():
		return sqlgen.CompareCount(&rendered{q, sub.Counted(), table}, h.op, h.n), nil
	case h.op.Holds(0, h.n):
		return sqlgen.NotExists(&rendered{q, sub.Existence(), table}), nil
	}
	return sqlgen.Exists(&rendered{q, sub.Existence(), table}), nil
}

// rendered is a subquery of which it is known that it lives where the statement goes.
type rendered struct {
	of    *query
	q     sqlgen.Query
	table sqlgen.Table
}

// Statement implements sqlgen.Subquery.
func (r *rendered) Statement(string) (sqlgen.Query, sqlgen.Table, error) { return r.q, r.table, nil }

// among is the condition by the keys of related records: of those for which it holds, or
// of those for which it does not if it holds for parents without a record. It is never
// NULL.
func (h *having) among(at *sqlgen.At, keys []any) (sqlgen.Cond, error) {
	t := &h.tie
	columns := t.parents.table.ColumnsOf(t.parentColumns)
	var err error
	for i, column := range columns {
		if columns[i], err = at.Column(t.parents.table.Name, column); err != nil {
			return sqlgen.Cond{}, h.fault(err)
		}
	}
	all := make([]sqlgen.Cond, 0, len(columns)+1)
	switch {
	case len(columns) == 1:
		all = append(all, sqlgen.Compare(columns[0], sqlgen.In, keys))
	case len(keys) == 0:
		all = append(all, sqlgen.Not(sqlgen.Group()))
	default:
		all = append(all, tuples(columns, keys))
	}
	if len(keys) > 0 {
		for _, column := range columns {
			all = append(all, sqlgen.Compare(column, sqlgen.IsNot, nil))
		}
	}
	if h.op.Holds(0, h.n) {
		return sqlgen.Not(all...), nil
	}
	return sqlgen.Group(all...), nil
}

// tuples is the condition of rows that have one of the keys, each a group.Tuple.
func tuples(columns []string, keys []any) sqlgen.Cond {
	list := group.Of(len(keys))
	for i, key := range keys {
		list.Add(i, "", key, key.(group.Tuple).Key())
	}
	var parts []sqlgen.Cond
	for i, part := range list.Parts() {
		parts = append(parts, grouped(columns, part.Groups()))
		if i > 0 {
			parts[i] = parts[i].Or()
		}
	}
	return sqlgen.Group(parts...)
}

// parentKey is the key of related record as the parents' columns have it; ok is false when
// no parent has it.
func (t *tie) parentKey(record any) (value, key any, ok bool) {
	n := len(t.relatedColumns)
	values, keys := make([]any, n), make([]any, n)
	for i, column := range t.relatedColumns {
		if values[i], keys[i], ok = t.parentKeyOf(i, t.related.src.table.Plan.Value(column, record)); !ok {
			return nil, nil, false
		}
	}
	if n == 1 {
		return values[0], keys[0], true
	}
	tuple := group.TupleOf(values, keys)
	return tuple, tuple.Key(), true
}

func (t *tie) parentKeyOf(i int, value any) (fits, key any, ok bool) {
	if _, ok = rowmap.Key(value); !ok {
		return nil, nil, false
	}
	if fits = value; t.mixed[i] {
		plan, column := t.parents.table.Plan, t.parentColumns[i]
		var err error
		if fits, err = plan.Fit(column, value); err != nil {
			if fits, err = plan.Fit(column, rowmap.Whole(value)); err != nil {
				return nil, nil, false
			}
		}
	}
	key, ok = rowmap.Key(fits)
	return fits, key, ok
}
