package dbfleet

import (
	"errors"
	"strings"

	"github.com/Masterminds/squirrel"

	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// Cond is a condition for Filter. Col, And, Or, Not, Raw and Expr make one.
//
// What Raw and Expr made is SQL, and may also stand where a value does: in Where and
// Having, in Update, Insert and Increment, and among the arguments of other SQL. There
// another condition is refused when the query runs.
type Cond struct{ c sqlgen.Cond }

// value is the condition in the place of a value.
func (c Cond) value() *sqlgen.Expr {
	if e := c.c.Expr(); e != nil {
		return e
	}
	return &sqlgen.Expr{Err: errors.New("a condition is no value; Raw and Expr are")}
}

// Col is a column whose values are of type V: a condition with a value of
// another type does not compile.
//
//	var age = dbfleet.Col[int]("age")
//	users.Filter(age.Gt(18), dbfleet.Or(age.In(1, 2), age.IsNull()))
type Col[V any] string

// Eq is column = v. A v that is a nil pointer or an invalid sql.Null is
// IS NULL.
func (c Col[V]) Eq(v V) Cond { return c.op(sqlgen.Eq, v) }

// NotEq is column <> v.
func (c Col[V]) NotEq(v V) Cond { return c.op(sqlgen.NotEq, v) }

// Lt is column < v.
func (c Col[V]) Lt(v V) Cond { return c.op(sqlgen.Lt, v) }

// LtEq is column <= v.
func (c Col[V]) LtEq(v V) Cond { return c.op(sqlgen.LtEq, v) }

// Gt is column > v.
func (c Col[V]) Gt(v V) Cond { return c.op(sqlgen.Gt, v) }

// GtEq is column >= v.
func (c Col[V]) GtEq(v V) Cond { return c.op(sqlgen.GtEq, v) }

// NotLike is the negation of Like.
func (c Col[V]) NotLike(pattern string) Cond { return c.op(sqlgen.NotLike, pattern) }

// ILike is Like that does not tell letters' case, and nothing else: on every database é is
// another letter than e, whatever the column's collation says. Which letters have two cases
// is known to Go for SQLite, elsewhere to the database: PostgreSQL knows those of its
// LC_CTYPE, which are those of ASCII for C. An index on the column does not serve it.
func (c Col[V]) ILike(pattern string) Cond { return c.op(sqlgen.ILike, pattern) }

// NotILike is the negation of ILike.
func (c Col[V]) NotILike(pattern string) Cond { return c.op(sqlgen.NotILike, pattern) }

// LikeExact is Like that tells all letters' case, on every database and whatever the
// column's collation says. On MySQL an index on the column does not serve it.
func (c Col[V]) LikeExact(pattern string) Cond { return c.op(sqlgen.LikeExact, pattern) }

// NotLikeExact is the negation of LikeExact.
func (c Col[V]) NotLikeExact(pattern string) Cond { return c.op(sqlgen.NotLikeExact, pattern) }

// Like matches a pattern, in which % stands for any text, _ for a character
// and \ makes the next one literal; see EscapeLike. Whether it tells letters' case is the
// database's affair; LikeExact does, and ILike does not.
func (c Col[V]) Like(pattern string) Cond { return c.op(sqlgen.Like, pattern) }

// StartsWith is Like for texts that begin with text, whatever characters are in it.
//
// Whether it, EndsWith and Contains tell letters' case is the database's affair, as for
// LIKE: PostgreSQL does, SQLite does not for ASCII, MySQL by the column's collation.
func (c Col[V]) StartsWith(text string) Cond { return c.Like(EscapeLike(text) + "%") }

// EndsWith is Like for texts that end with text; see StartsWith.
func (c Col[V]) EndsWith(text string) Cond { return c.Like("%" + EscapeLike(text)) }

// Contains is Like for texts in which text occurs; see StartsWith.
func (c Col[V]) Contains(text string) Cond { return c.Like("%" + EscapeLike(text) + "%") }

// In is one of the values; none matches nothing. A nil pointer among them is NULL, as
// in Eq.
func (c Col[V]) In(vs ...V) Cond { return c.op(sqlgen.In, vs) }

// NotIn is none of the values; no values match everything.
func (c Col[V]) NotIn(vs ...V) Cond { return c.op(sqlgen.NotIn, vs) }

// Between is low <= column <= high.
func (c Col[V]) Between(low, high V) Cond { return c.op(sqlgen.Between, []V{low, high}) }

// NotBetween is column < low OR column > high.
func (c Col[V]) NotBetween(low, high V) Cond { return c.op(sqlgen.NotBetween, []V{low, high}) }

// IsNull is column IS NULL.
func (c Col[V]) IsNull() Cond { return c.op(sqlgen.Is, nil) }

// IsNotNull is column IS NOT NULL.
func (c Col[V]) IsNotNull() Cond { return c.op(sqlgen.IsNot, nil) }

func (c Col[V]) op(op sqlgen.Op, v any) Cond { return Cond{sqlgen.Compare(string(c), op, v)} }

// And holds when all of its conditions hold; without any it holds.
func And(conds ...Cond) Cond { return Cond{sqlgen.Group(joined(conds, false)...)} }

// Or holds when one of its conditions holds. Without any it is refused when
// the query runs.
func Or(conds ...Cond) Cond {
	if len(conds) == 0 {
		return Cond{sqlgen.Invalid(&sqlgen.StatementError{Part: "Or", Reason: "has no conditions"})}
	}
	return Cond{sqlgen.Group(joined(conds, true)...)}
}

// Not holds when not all of its conditions hold. Without any it is refused
// when the query runs.
func Not(conds ...Cond) Cond { return Cond{sqlgen.Not(joined(conds, false)...)} }

// Raw is SQL of the caller's own, as a condition or as a value, with ? for each
// argument, on every database; ?? is a question mark. An argument may be a query, or
// other SQL, which is put in its place in parentheses.
//
//	users.Filter(dbfleet.Raw("LENGTH(name) > ?", 5))
//	users.Where("id", "=", 1).Update(ctx, dbfleet.Row{"visits": dbfleet.Raw("visits + ?", 1)})
//	users.Where("created_at", "<", dbfleet.Raw("CURRENT_TIMESTAMP"))
//
// A condition that is not known to be a plain read, because it calls a function that
// may do more, makes the whole query a write.
func Raw(sql string, args ...any) Cond {
	return Cond{sqlgen.Raw(expr(sql, args))}
}

// Expr is Raw that squirrel, or anything with its ToSql method, renders.
func Expr(s squirrel.Sqlizer) Cond {
	if err := missingSqlizer("Expr", s); err != nil {
		return Cond{sqlgen.Invalid(err)}
	}
	return Cond{sqlgen.Raw(&sqlgen.Expr{Sqlizer: s})}
}

func joined(conds []Cond, or bool) []sqlgen.Cond {
	out := make([]sqlgen.Cond, len(conds))
	for i, c := range conds {
		out[i] = c.c.And()
		if or && i > 0 {
			out[i] = c.c.Or()
		}
	}
	return out
}

// Decimal is a number for SQL that is not a plain column: the argument of WhereRaw,
// HavingRaw, SelectRaw or Raw. v is a decimal as text, a Valuer of one, or another number:
//
//	q.HavingRaw("SUM(price) > ?", dbfleet.Decimal("1.50"))
//
// Every database then compares and computes with a number, exactly on PostgreSQL and
// MySQL. Of a text beside SQL SQLite does not make a number: it is greater than all of them.
// A column, an alias or an Expression that is compared with text needs no Decimal.
//
// SQLite has numbers of int64 and float64 only. A decimal of more than 15 digits is
// ErrRange there, and = and <> of Where and Having refuse a Decimal, since they would
// also find numbers nearby. Columns that keep decimals as TEXT lose no digit, are
// found by their text, and are ordered and compared as text; with a Decimal < and >
// compare them as floats:
//
//	q.Where("price", ">", dbfleet.Decimal("9.50")).OrderByRaw("CAST(price AS NUMERIC)")
//
// Whole numbers of the smallest unit in an INTEGER column are exact in everything.
//
// In a struct a decimal is a string, or a type that is a sql.Scanner and driver.Valuer
// of text, as those of github.com/shopspring/decimal and github.com/cockroachdb/apd
// are. In a list of Where, and in what is written, a Decimal is its text. What is no number
// is ErrType when the query runs.
func Decimal(v any) any { return table.Number(v) }

// EscapeLike returns text with a backslash before %, _ and \, so that LIKE
// finds it literally, on every database. (In SQL of one's own SQLite's LIKE takes a
// backslash for an escape only with ESCAPE '\' behind it.)
func EscapeLike(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}

// Direction is the direction of an order. OrderBy also takes it as text in any
// case, so that one from a request can be passed and is checked.
type Direction string

// The directions.
const (
	Asc  Direction = "ASC"
	Desc Direction = "DESC"
)

// compare checks an operator's name and makes the condition.
func compare(column, op string, value any) sqlgen.Cond {
	parsed, ok := sqlgen.ParseOp(op)
	if !ok {
		return unknownOperator(column, op)
	}
	return sqlgen.Compare(column, parsed, operand(value))
}

// unknownOperator is a condition that fails when the query is rendered.
func unknownOperator(column, op string) sqlgen.Cond {
	return sqlgen.Invalid(&OperatorError{Column: column, Operator: op, Known: strings.Split(sqlgen.Operators, ", ")})
}

// unknownComparison is unknownOperator for what compares two columns.
func unknownComparison(column, op string) sqlgen.Cond {
	return sqlgen.Invalid(&OperatorError{Column: column, Operator: op, Known: []string{"=", "!=", "<>", "<", "<=", ">", ">="}})
}

func compareColumns(left, op, right string) sqlgen.Cond {
	parsed, ok := sqlgen.ParseOp(op)
	if !ok {
		return unknownComparison(left, op)
	}
	return sqlgen.CompareColumns(left, parsed, right)
}
