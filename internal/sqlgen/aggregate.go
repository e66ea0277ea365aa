package sqlgen

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// AllValues is the aggregate that is no function: the values of a column, or beside
// the smallest or largest of them on SQLite the column of that row.
const AllValues = "VALUES"

// Mean is the aggregate that is a mean as a float of double precision on every
// database. The functions of that name give decimals for some columns, of which MySQL
// cuts the digits.
const Mean = "MEAN"

// WithZeroSums returns the query, which has a select list, whose sums over no values are 0 where the column of
// the result takes no NULL.
func (q *Query) WithZeroSums(takesNull func(column string) bool) *Query {
	cols := q.more.columns
	for i, c := range cols {
		if c.Func == "SUM" && !takesNull(c.As) {
			cols = slices.Clone(cols)
			for j := i; j < len(cols); j++ {
				cols[j].Zero = cols[j].Func == "SUM" && !takesNull(cols[j].As)
			}
			zero := q.OnlyColumns(cols...)
			return &zero
		}
	}
	return q
}

// Aggregated returns the query for one aggregate over the rows that q gives,
// with its DISTINCT, GROUP BY, LIMIT and UNION, and for more of the same column. An
// empty column counts rows.
func (q Query) Aggregated(function, column string, more ...string) Query {
	q = q.WithLock(NoLock)
	if column == "" {
		return q.counted(Column{Func: function, Name: "*", As: "aggregate"})
	}
	columns := []Column{{Func: function, As: "aggregate"}}
	for i, f := range more {
		columns = append(columns, Column{Func: f, As: "aggregate" + strconv.Itoa(i+2)})
	}
	of := func(name string) []Column {
		for i := range columns {
			columns[i].Name = name
		}
		return columns
	}
	merged := q.Merges() || q.Unites()
	bounded := q.bounded()
	if !bounded {
		q.steps = q.steps.unordered()
	}
	if merged || q.Computes(column) {
		return FromQuery(q.distinctNames(), "counted").OnlyColumns(of(column)...)
	}
	if o, n, _ := q.named(nil, column, nil); n == 1 && o.kind == plain {
		column = o.path() // as the select list has it
	}
	if bounded {
		const value = "aggregated"
		return FromQuery(q.distinctNames().WithColumns(Column{Name: column, As: value}), "counted").OnlyColumns(of(value)...)
	}
	return q.OnlyColumns(of(column)...)
}

// counted returns the query for a column of one row about the rows of q.
func (q Query) counted(c Column) Query {
	bounded := q.bounded()
	q.steps = q.steps.unordered() // no order changes how many rows there are
	switch {
	case q.Merges() || q.Unites() || q.aggregates():
		q = q.distinctNames()
		if !q.Selects() && !q.Unites() && !q.distinct() { // of which no column is read
			var p *parts
			q, p = q.extend()
			p.counts = true
		}
		return FromQuery(q, "counted").OnlyColumns(c)
	case bounded:
		return FromQuery(q.OnlyColumns(Column{Expr: one, As: "found"}), "counted").OnlyColumns(c)
	}
	return q.OnlyColumns(c)
}

// aggregates says whether the select list may hold an aggregate, which makes one
// row of all.
func (q *Query) aggregates() bool {
	return q.Selects() && slices.ContainsFunc(q.more.columns, func(c Column) bool { return c.Expr != nil || c.Func != "" })
}

// Aggregates says whether the select list may hold an aggregate: expressions of columns and
// values do not, nor does SQL of the caller's that calls nothing.
func (q *Query) Aggregates() bool {
	return q.Selects() && slices.ContainsFunc(q.more.columns, func(c Column) bool {
		switch {
		case c.Func != "" || c.Expr == nil:
			return c.Func != ""
		case c.Expr.Term != nil:
			return !ofOneRow(c.Expr.Term)
		}
		text, _, err := c.Expr.resolve()
		return err != nil || strings.Contains(text, "(")
	})
}

// ofOneRow says that a term is known to be a value of one row, as one is that is made of
// columns and values.
func ofOneRow(t Term) bool {
	switch t := t.(type) {
	case ColumnTerm, Literal:
		return true
	case Arithmetic:
		return ofOneRow(t.Left) && ofOneRow(t.Right)
	case Quotient:
		return ofOneRow(t.Left) && ofOneRow(t.Right)
	case DecimalQuotient:
		return ofOneRow(t.Left) && ofOneRow(t.Right)
	case TextCall:
		return ofOneRow(t.Of)
	case Part:
		return ofOneRow(t.Of)
	case Truncated:
		return ofOneRow(t.Of)
	case JSONValue:
		return ofOneRow(t.Document)
	case First:
		return allOfOneRow(t)
	case Joined:
		return allOfOneRow(t)
	}
	return false
}

func allOfOneRow(list []Term) bool {
	return !slices.ContainsFunc(list, func(t Term) bool { return !ofOneRow(t) })
}

// isOneRow says whether the select list makes one row of all. It has no order, and
// PostgreSQL takes none.
func (q *Query) isOneRow() bool {
	return q.Selects() && len(q.more.groups) == 0 && !slices.ContainsFunc(q.more.columns, func(c Column) bool { return c.Func == "" || c.Func == AllValues })
}

// distinctNames gives an alias to columns of the select list whose name occurs
// before: a derived table must not have one twice.
func (q Query) distinctNames() Query {
	if !q.Selects() {
		return q
	}
	seen := map[string]bool{}
	columns := slices.Clone(q.more.columns)
	for i := range columns {
		c := &columns[i]
		name := strings.ToLower(cmp.Or(c.As, lastPart(c.Name)))
		if name == "" || name == "*" {
			continue
		}
		if seen[name] {
			c.As = "column" + strconv.Itoa(i+1)
		}
		seen[name] = true
	}
	return q.OnlyColumns(columns...)
}

// ForExistence returns the query for the existence of q's rows.
func (q Query) ForExistence() Query {
	q = q.WithLock(NoLock)
	c := Column{Expr: one, As: "found"}
	if q.Offset() != 0 || q.limit < -1 || q.Unites() || q.aggregates() || q.more != nil && len(q.more.groups)+len(q.more.having) > 0 {
		return q.counted(c).WithFixedLimit(1)
	}
	q.steps = q.steps.unordered()
	q, p := q.extend()
	p.unique, p.columns = false, []Column{c}
	return q
}

// one is the select list of a query that is only asked whether it has rows, or
// how many.
var one = &Expr{SQL: "1"}
