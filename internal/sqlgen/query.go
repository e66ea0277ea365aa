package sqlgen

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// Query describes a SELECT, and the conditions of an UPDATE or DELETE.
//
// It is a value: every With… method returns a changed copy and leaves the
// receiver as it was, so a query may be stored, branched and used by many
// goroutines.
type Query struct {
	table *string // nil without one
	steps steps
	limit int64  // -1: none
	more  *parts // nil in the common case; never changed once shared
	fixed bool   // limit is part of the text
}

// parts are what few queries have.
type parts struct {
	alias   string
	from    *Query // FROM (subquery) AS alias
	columns []Column
	implied bool // columns stand for a select list that was not given
	joins   []join
	groups  []string
	having  []Cond
	unions  []union
	offset  int64
	lock    Lock
	unique  bool // DISTINCT
	all     bool // a write may go without conditions
	discard bool // the rows may have columns that nothing takes
	apart   bool // the keys of joined tables stand behind the order
	counts  bool // only how many rows there are is asked
	deleted Deleted
	each    *each
	marks   *marks
	related *ofRelated

	implicit  []Cond
	keyset    *keyset
	returning bool // a write returns the rows
	ctes      []CTE
}

// Column is one item of a select list: a column, or SQL given raw.
type Column struct {
	Name string
	Func string   // an aggregate around Name; written as it is, but for Mean and AllValues
	Zero bool     // an aggregate over no values is 0
	Expr *Expr    // instead of Name
	Sub  Subquery // instead of Name
	As   string
}

// join is a table that is joined.
type join struct {
	kind  string // "JOIN", "LEFT JOIN", "CROSS JOIN"; "" is raw
	table string
	alias string // how the query calls it, "" is by its name
	left  string
	op    Op
	right string
	expr  *Expr
}

// union is a query whose rows are added.
type union struct {
	all bool
	q   Subquery
}

// Order is one item of ORDER BY.
type Order struct {
	Column string
	Desc   bool
	Nulls  Nulls
	Expr   *Expr // instead of Column
}

// Lock is the row lock that a SELECT takes.
type Lock uint8

// The row locks.
const (
	NoLock Lock = iota
	ForUpdate
	ForShare
	ForUpdateSkipLocked
	ForUpdateNoWait
)

// From returns a query for all rows of a table.
func From(table string) Query { return Query{table: &table, limit: -1} }

// FromQuery returns a query for the rows of another one.
func FromQuery(q Query, alias string) Query {
	return Query{limit: -1, more: &parts{from: &q, alias: alias}}
}

// Table is the name of the table that the query reads.
func (q *Query) Table() string {
	if q == nil || q.table == nil {
		return ""
	}
	return *q.table
}

// Limit is the largest number of rows, -1 for no bound.
func (q *Query) Limit() int64 { return q.limit }

// Offset is how many rows are skipped.
func (q *Query) Offset() int64 {
	if q.more == nil {
		return 0
	}
	return q.more.offset
}

// bounded says whether only some of the rows that match are asked for.
func (q *Query) bounded() bool { return q.limit != -1 || q.Offset() != 0 }

// Bare says that the query asks for all rows of its table as they are.
func (q *Query) Bare() bool {
	return q.steps.n == 0 && q.more == nil && q.limit == -1
}

// Lock tells the row lock that the query takes.
func (q *Query) Lock() Lock {
	if q.more == nil {
		return NoLock
	}
	return q.more.lock
}

// distinct says whether the query keeps one of equal rows.
func (q *Query) distinct() bool { return q.more != nil && q.more.unique }

// Ordered says whether the query's rows are sorted.
func (q *Query) Ordered() bool { return q.steps.ordered() }

// Joined says whether the query reads more than one table.
func (q *Query) Joined() bool { return q.more != nil && len(q.more.joins) > 0 }

// Selects says whether the query names its columns itself.
func (q *Query) Selects() bool { return q.more != nil && len(q.more.columns) > 0 }

// SelectsAll says whether the select list has an item * or table.*.
func (q *Query) SelectsAll(d *dialect.Dialect) bool {
	if !q.Selects() {
		return false
	}
	for i := range q.more.columns {
		c := &q.more.columns[i]
		if c.Name == "*" || strings.HasSuffix(c.Name, ".*") {
			return true
		}
		if c.Expr == nil || c.As != "" {
			continue
		}
		if text, _, err := c.Expr.resolve(); err == nil && lex.ListHasStar(text, d) {
			return true
		}
	}
	return false
}

// extend returns q with parts of its own, which the caller may change.
func (q Query) extend() (Query, *parts) {
	p := &parts{}
	if q.more != nil {
		*p = *q.more
	}
	q.more = p
	return q, p
}

// WithCond adds a condition.
func (q Query) WithCond(c Cond) Query { q.Add(c); return q }

// Add adds a condition to the query itself.
func (q *Query) Add(c Cond) { *q.steps.next() = c }

// AddCompare adds Compare to the query itself, joined by OR or AND.
func (q *Query) AddCompare(or bool, column string, op Op, value any) {
	c := q.steps.next()
	c.kind, c.op, c.or, c.col, c.val = compare, op, or, column, value
}

// AddOrder adds an item to ORDER BY of the query itself.
func (q *Query) AddOrder(o Order) {
	c := q.steps.next()
	c.kind, c.or, c.col = order, o.Desc, o.Column
	if o.Expr != nil || o.Nulls != NullsAnywhere {
		c.val = &detail{expr: o.Expr, nulls: o.Nulls}
	}
}

// SetLimit is WithLimit on the query itself.
func (q *Query) SetLimit(n int64) {
	if n < 0 {
		n = -2
	}
	q.limit, q.fixed = n, false
}

// WithLimit bounds the number of rows; a negative n is kept and refused when
// the query is rendered. The number is an argument of the statement, so that
// queries with other numbers have the same text.
func (q Query) WithLimit(n int64) Query { q.SetLimit(n); return q }

// WithFixedLimit is WithLimit for a number that is part of what the query asks
// for, as the one row of First. It is part of the text.
func (q Query) WithFixedLimit(n int64) Query {
	q.SetLimit(n)
	q.fixed = true
	return q
}

// WithOffset skips rows. The number is an argument of the statement.
func (q Query) WithOffset(n int64) Query {
	if n == q.Offset() {
		return q
	}
	q, p := q.extend()
	p.offset = n
	return q
}

// WithoutBounds returns the query without limit and offset.
func (q Query) WithoutBounds() Query {
	q.limit, q.fixed = -1, false
	return q.WithOffset(0)
}

// WithLock takes a row lock.
func (q Query) WithLock(l Lock) Query {
	if l == q.Lock() {
		return q
	}
	q, p := q.extend()
	p.lock = l
	return q
}

// WithDistinct keeps one of equal rows.
func (q Query) WithDistinct() Query {
	q, p := q.extend()
	p.unique = true
	return q
}

// WithAllRows lets a write go without conditions.
func (q Query) WithAllRows() Query {
	q, p := q.extend()
	p.all = true
	return q
}

// Returning makes a write return the rows that it has written, by the select list.
func (q Query) Returning() Query {
	q, p := q.extend()
	p.returning = true
	return q
}

// WithUnknownDiscarded lets the rows have columns that nothing takes.
func (q Query) WithUnknownDiscarded() Query {
	q, p := q.extend()
	p.discard = true
	return q
}

// DiscardsUnknown says whether the rows may have columns that nothing takes.
func (q *Query) DiscardsUnknown() bool { return q.more != nil && q.more.discard }

// WithAlias names the table for the rest of the statement.
func (q Query) WithAlias(alias string) Query {
	q, p := q.extend()
	p.alias = alias
	return q
}

// WithColumns adds to the select list.
func (q Query) WithColumns(cols ...Column) Query {
	q, p := q.extend()
	if p.implied {
		p.columns, p.implied = nil, false
	}
	p.columns = append(p.columns[:len(p.columns):len(p.columns)], cols...)
	return q
}

// WithImpliedColumns makes these the select list, unless one was given or is given
// later.
func (q Query) WithImpliedColumns(names []string) Query {
	if q.Selects() && !q.more.implied {
		return q
	}
	cols := make([]Column, len(names))
	for i, name := range names {
		cols[i].Name = name
	}
	q, p := q.extend()
	p.columns, p.implied = cols, true
	return q
}

// OnlyColumns replaces the select list.
func (q Query) OnlyColumns(cols ...Column) Query {
	q, p := q.extend()
	p.columns, p.implied = cols, false
	return q
}

// WithJoin joins a table, which may have an alias behind it, on left op right,
// both of them columns.
func (q Query) WithJoin(kind, table, left string, op Op, right string) Query {
	q, p := q.extend()
	table, alias := splitAlias(table)
	p.joins = append(p.joins[:len(p.joins):len(p.joins)], join{kind: kind, table: table, alias: alias, left: left, op: op, right: right})
	return q
}

// splitAlias splits "table AS alias" and "table alias"; any other text is the name
// of a table.
func splitAlias(text string) (table, alias string) {
	words := strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(blanks, c) })
	n := len(words)
	switch {
	case n == 2:
		return words[0], words[1]
	case n > 2 && strings.EqualFold(words[n-2], "AS"):
		before := strings.TrimRight(text, blanks)
		before = strings.TrimRight(before[:len(before)-len(words[n-1])], blanks)
		return strings.Trim(before[:len(before)-len("AS")], blanks), words[n-1]
	}
	return text, ""
}

const blanks = " \t\r\n"

// WithRawJoin adds a join clause given as SQL.
func (q Query) WithRawJoin(e *Expr) Query {
	q, p := q.extend()
	p.joins = append(p.joins[:len(p.joins):len(p.joins)], join{expr: e})
	return q
}

// WithGroups adds columns to GROUP BY.
func (q Query) WithGroups(columns ...string) Query {
	q, p := q.extend()
	p.groups = append(p.groups[:len(p.groups):len(p.groups)], columns...)
	return q
}

// WithHaving adds a condition on groups.
func (q Query) WithHaving(c Cond) Query {
	q, p := q.extend()
	p.having = append(p.having[:len(p.having):len(p.having)], c)
	return q
}

// WithUnion adds the rows of another query.
func (q Query) WithUnion(other Subquery, all bool) Query {
	q, p := q.extend()
	p.unions = append(p.unions[:len(p.unions):len(p.unions)], union{all: all, q: other})
	return q
}

// Enclosed returns the query with its conditions in parentheses, so that one
// more condition holds for all of them.
func (q Query) Enclosed() Query {
	if !q.alternates() {
		return q
	}
	group := Group(q.Conditions()...)
	q.steps = q.steps.onlyOrders()
	return q.WithCond(group)
}
