package sqlgen

import (
	"slices"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// No column's type makes numbers of texts where a query computes what is compared: a column
// of a query that is read as a table, or in HAVING an alias of the select list. MySQL
// compares decimals with lists of texts as floats there, and SQLite takes a text for more
// than every number. Here they are compared as the expression behind the name would be.

// computedColumn is such a name, of which it is a term.
type computedColumn struct {
	ColumnTerm
	of Term
}

// compareComputed writes a comparison of what a query computes with digits. ok is false for
// all others, when nothing is written.
func (r *renderer) compareComputed(c *Cond) (ok bool) {
	if r.d.Numbered || r.q == nil || r.q.more == nil && len(r.ctes) == 0 || isPattern(c.op) || c.op == NoOp {
		return false
	}
	term := r.computedTerm(c.col)
	if term == nil || !isNumber(term) && !ofColumns(term) || !r.hasDigits(c, isNumber(term)) {
		return false
	}
	left := computedColumn{ColumnTerm(c.col), term}
	one := Cond{kind: terms, op: c.op, val: &detail{expr: &Expr{Term: left}, value: c.val}}
	r.compareTerm(&one)
	return true
}

// hasDigits says whether what a query computes is compared with a text of digits, or would
// be, see Env.Untyped; and a number with any text.
func (r *renderer) hasDigits(c *Cond, number bool) bool {
	var args []any
	switch c.op {
	case In, NotIn, Between, NotBetween:
		var err error
		if args, _, _, err = r.values.AppendList(nil, c.val, r.d, false); err != nil {
			return false
		}
	default:
		a, err := r.values.Arg(c.val, r.d)
		if err != nil {
			return false
		}
		args = append(args, a)
	}
	untyped := r.untyped != nil && r.field(c.col) < 0
	return slices.ContainsFunc(args, func(a any) bool {
		if r.d == dialect.MySQL {
			a = mysqlExact(a)
		}
		_, text := a.(string)
		return isDecimal(a) || number && text || untyped && isDecimal(r.untyped(a, r.d))
	})
}

// exactArg is an argument that a term is compared with, on MySQL as that compares it exactly.
func (r *renderer) exactArg(left Term, a any) any {
	if r.d != dialect.MySQL {
		return a
	}
	a = mysqlExact(a)
	if _, computed := left.(computedColumn); computed && r.untyped != nil && !isNumber(left) {
		return r.untyped(a, r.d)
	}
	return a
}

// computedTerm is what a query computes as the column that a name means, nil for anything
// else.
func (r *renderer) computedTerm(name string) Term {
	if r.having {
		_, alias, _ := r.havingMeans(name)
		return alias.term()
	}
	q := r.q
	for range 16 { // a column of a column of …; a recursive CTE reads itself
		from := r.readBy(q, name)
		if from == nil {
			return nil
		}
		o, n, _ := from.named(r.d, lastPart(name), nil)
		switch {
		case n == 1 && o.path() != "":
			q, name = from, o.path()
		case n == 1:
			return o.term()
		case n == 0 && (!from.Selects() || from.readsAll()):
			q, name = from, lastPart(name)
		default:
			return nil
		}
	}
	return nil
}

// readsAll says whether the select list is a star.
func (q *Query) readsAll() bool {
	return len(q.more.columns) == 1 && q.more.columns[0].Name == "*"
}

// readBy is the query that q reads as the table of a column, nil for a table.
func (r *renderer) readBy(q *Query, name string) *Query {
	table, _ := splitName(name)
	if q.more != nil && q.more.from != nil && (table == "" || table == q.refName()) {
		return q.more.from
	}
	if len(r.ctes) == 0 && (q.more == nil || len(q.more.ctes) == 0) {
		return nil
	}
	read := q.Table()
	if table != "" && !q.own(table) {
		j := q.joined(table)
		if j == nil {
			return nil
		}
		read = j.table
	}
	if q.more != nil {
		for i := range q.more.ctes {
			if c := &q.more.ctes[i]; c.Name == read && c.Query != nil {
				if sub, _, err := c.Query.Statement(r.connection); err == nil {
					return &sub
				}
				return nil
			}
		}
	}
	for i := len(r.ctes) - 1; i >= 0; i-- {
		if r.ctes[i].name == read {
			return r.ctes[i].query
		}
	}
	return nil
}

// functions are the aggregates of a select list.
var functions = map[string]Function{"COUNT": CountRows, "SUM": SumOf, "AVG": MeanOf, Mean: MeanOf, "MIN": MinOf, "MAX": MaxOf}

// term is what the output computes, nil for a column as it is.
func (o *output) term() Term {
	if o == nil || o.item == nil || o.path() != "" {
		return nil
	}
	switch c := o.item; {
	case c.Sub != nil:
		return QueryTerm{c.Sub}
	case c.Func != "":
		if function, ok := functions[c.Func]; ok {
			return Aggregate{Func: function, Of: ColumnTerm(c.Name)}
		}
	case c.Expr == nil:
	case c.Expr.Term == nil:
		return SQLTerm{&o.raw}
	default:
		if _, plain := c.Expr.Term.(ColumnTerm); !plain {
			return c.Expr.Term
		}
	}
	return nil
}
