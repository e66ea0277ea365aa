package dbfleet

import (
	"slices"

	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Cases are conditions and the value of each; Case begins them.
type Cases[V any] struct {
	whens []sqlgen.When
}

// Case is the value of the first condition that holds.
//
//	size := dbfleet.Case[string]().When(total.Gt(1000), "large").When(total.Gt(100), "medium").Else("small")
//	orders.Query().SelectValue(size, "size").SelectCount("n").GroupBy("size")
//
// It is immutable, as a query is.
func Case[V any]() Cases[V] { return Cases[V]{} }

// When adds a condition and its value.
func (c Cases[V]) When(cond Cond, v V) Cases[V] { return c.when(cond, Value(v)) }

// WhenOf is When for a value that is a column or an expression.
func (c Cases[V]) WhenOf(cond Cond, value Operand[V]) Cases[V] { return c.when(cond, value) }

// Else is the value of the rows for which no condition holds.
func (c Cases[V]) Else(v V) Expression[V] { return Expression[V]{t: c.choice(Value(v))} }

// ElseOf is Else for a value that is a column or an expression.
func (c Cases[V]) ElseOf(value Operand[V]) Expression[V] { return Expression[V]{t: c.choice(value)} }

// ElseNull is Else without a value.
func (c Cases[V]) ElseNull() Expression[V] {
	if len(c.whens) == 0 {
		return Expression[V]{t: broken("Case", "has no When")}
	}
	return Expression[V]{t: sqlgen.Choice{Whens: c.whens}}
}

func (c Cases[V]) when(cond Cond, value Operand[V]) Cases[V] {
	c.whens = append(slices.Clip(c.whens), sqlgen.When{If: cond.c.And(), Then: termOf("Case", value)})
	return c
}

func (c Cases[V]) choice(value Operand[V]) sqlgen.Term {
	if len(c.whens) == 0 {
		return broken("Case", "has no When")
	}
	return sqlgen.Choice{Whens: c.whens, Else: termOf("Case", value)}
}

// Coalesce is the first of the values that is not NULL, NULL if all of them are. A text of
// digits, also of a Case, is a number beside columns of numbers, and a text beside texts.
// Beside numbers MySQL refuses one that a number is not written as, such as 007 or 1e3, unless
// it is computed with, and SQLite one of more than 15 digits. Beside the columns of a query
// that is read as a table SQLite takes it for a text, which is behind all numbers. A float64
// beside a FLOAT of MySQL makes a DOUBLE of it, which shows more digits than the FLOAT has.
//
//	users.Query().SelectValue(dbfleet.Coalesce(nickname, name, dbfleet.Value("?")), "called")
func Coalesce[V any](first, second Operand[V], more ...Operand[V]) Expression[V] {
	return Expression[V]{t: sqlgen.First(termsOf("Coalesce", append([]Operand[V]{first, second}, more...)))}
}
