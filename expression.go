package dbfleet

import (
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// Term is a Col, an Expression or an Aggregation of any type: what SelectValue, the
// windows and the values of Where, Update and Insert take. It is sealed.
type Term interface {
	term() sqlgen.Term
}

// Operand is a Term whose values are of type V. It is sealed.
type Operand[V any] interface {
	Term
	valued(V)
}

// Expression is a value of type V that the database computes: by arithmetic (Plus, Minus
// and Times with a value, Add, Sub and Mul with another column; DivInt and Div), Case and Coalesce, of texts
// by Lower, Upper, Trim, Length and Concat, of times by Year, Month, Day, Hour, Minute,
// Second and Truncate, of JSON documents by JSONPath and JSONType, of groups by an
// Aggregation, of the rows around by a WindowFunction.
// Value makes one of a Go value, QueryValue of a subquery, RawValue of SQL.
//
//	total := price.Mul(count)
//	lines.Query().Filter(total.Gt(100)).OrderWith(total.Desc())
//	lines.Where("id", "=", 7).Update(ctx, map[string]any{"count": count.Plus(1)})
//
// It stands in SelectValue, in conditions, in OrderWith, and wherever a value does: in
// Where, Update, Insert and the arguments of raw SQL. GroupBy and Having take it by the
// alias that SelectValue gave it. Names are quoted, and Go's values are arguments.
//
// With a value of Go it is compared as the columns are whose values it has: decimals of
// Coalesce, Case, MinOf, Lag or a QueryValue as decimals, to the last digit, texts as texts,
// and a time in each form that a column may have it in.
//
// An expression is immutable and belongs to no database: each statement writes it in the
// words of its own, with the same meaning on all of them, where the function does not say
// otherwise. The zero value is refused when the query runs. A value that may be NULL, as
// that of a Case without Else, is read into a field that can hold it.
type Expression[V any] struct {
	t      sqlgen.Term
	number bool // a number, also where a V is not one of Go's
}

func (e Expression[V]) term() sqlgen.Term { return e.t }

func (e Expression[V]) valued(V) {}

func (c Col[V]) term() sqlgen.Term { return sqlgen.ColumnTerm(c) }

func (c Col[V]) valued(V) {}

// Value is a value of Go as an expression. Compared with a column or an expression it is
// what the plain value is there.
func Value[V any](v V) Expression[V] { return Expression[V]{t: valueTerm(v)} }

// QueryValue is the one value that a query of the same connection gives, which has one
// column and one row; without rows it is NULL. It may name the columns of the query
// around it behind their table.
//
//	average := dbfleet.QueryValue[float64](orders.Query().SelectAvg("total", "average"))
//	orders.Filter(dbfleet.Compare(total, ">", average))
func QueryValue[V any](sub Queryable) Expression[V] { return Expression[V]{t: queryTerm(sub)} }

// RawValue is SQL of the caller's as an expression, with ? for each argument; see Raw.
func RawValue[V any](sql string, args ...any) Expression[V] {
	return Expression[V]{t: sqlgen.SQLTerm{Expr: expr(sql, args)}}
}

// Compare is the condition that left op right, of which op is =, !=, <>, <, <=, >, >=,
// LIKE or NOT LIKE. Texts on the right of LIKE are patterns, with \ as Like has it on
// MySQL and PostgreSQL only.
func Compare[V any](left Operand[V], op string, right Operand[V]) Cond {
	return compareTerms(left, op, right)
}

func compareTerms(left Term, op string, right Term) Cond {
	parsed, ok := sqlgen.ParseOp(op)
	if !ok || parsed > sqlgen.NotLike {
		return Cond{unknownComparison("Compare", op)}
	}
	return Cond{sqlgen.CompareTerm(termOf("Compare", left), parsed, &sqlgen.Expr{Term: termOf("Compare", right)})}
}

// InQuery is one of the values that a query of one column gives. No rows match nothing.
func (c Col[V]) InQuery(sub Queryable) Cond { return inQuery(c, sqlgen.In, sub) }

// NotInQuery is none of the values that a query of one column gives. As SQL has it,
// nothing matches if one of them is NULL: leave those out by WhereNotNull.
func (c Col[V]) NotInQuery(sub Queryable) Cond { return inQuery(c, sqlgen.NotIn, sub) }

// InQuery is one of the values that a query of one column gives; see Col.
func (e Expression[V]) InQuery(sub Queryable) Cond { return inQuery(e, sqlgen.In, sub) }

// NotInQuery is none of the values that a query of one column gives; see Col.
func (e Expression[V]) NotInQuery(sub Queryable) Cond { return inQuery(e, sqlgen.NotIn, sub) }

func inQuery(left Term, op sqlgen.Op, sub Queryable) Cond {
	if baseOf(sub) == nil {
		return Cond{sqlgen.Invalid(&StatementError{Part: "InQuery", Reason: "the query is nil"})}
	}
	return Cond{sqlgen.CompareTerm(termOf("InQuery", left), op, sub.base())}
}

func valueTerm(v any) sqlgen.Term {
	switch v := operand(v).(type) {
	case *query:
		return sqlgen.QueryTerm{Query: v}
	case *sqlgen.Expr:
		if v.Term != nil {
			return v.Term
		}
		return sqlgen.SQLTerm{Expr: v}
	default:
		return sqlgen.Literal{V: v}
	}
}

func queryTerm(sub Queryable) sqlgen.Term {
	if baseOf(sub) == nil {
		return broken("QueryValue", "the query is nil")
	}
	return sqlgen.QueryTerm{Query: sub.base()}
}

// selectValue reads an expression.
//
//go:noinline
func (q *query) selectValue(value Term, alias string) *query {
	if alias == "" {
		return q.without("SelectValue", "the alias is empty")
	}
	t := termOf("SelectValue", value)
	if column, ok := t.(sqlgen.ColumnTerm); ok {
		return q.columns(sqlgen.Column{Name: string(column), As: alias})
	}
	return q.columns(sqlgen.Column{Expr: &sqlgen.Expr{Term: t}, As: alias})
}

// termOf is what a term stands for, one that fails if it is nil or the zero value.
func termOf(part string, t Term) sqlgen.Term {
	if rowmap.IsNil(t) {
		return broken(part, "an operand is nil")
	}
	made := t.term()
	if made == nil {
		return broken(part, "an expression is the zero value; the functions of the package make one")
	}
	if made == sqlgen.ColumnTerm("") {
		return broken(part, "the name of a column is empty")
	}
	return made
}

func termsOf[V any](part string, list []Operand[V]) []sqlgen.Term {
	out := make([]sqlgen.Term, len(list))
	for i, o := range list {
		out[i] = termOf(part, o)
	}
	return out
}

// broken is a term that fails when the query runs.
func broken(part, reason string) sqlgen.Term {
	return sqlgen.BrokenTerm{Err: &sqlgen.StatementError{Part: part, Reason: reason}}
}

// number is a value that a number is compared with, as one: SQLite would compare a
// decimal in a text as text.
func number(v any, kind rowmap.Kind) any {
	switch kind {
	case rowmap.Int, rowmap.Uint, rowmap.Float:
		return v
	}
	if rowmap.IsNil(v) {
		return nil
	}
	return table.Number(v)
}
