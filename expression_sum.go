package dbfleet

import (
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// Arithmetic of columns and expressions has the rules of Increment: a result is exact, or
// the statement fails with ErrInvalidValue or ErrRange. Whole numbers beyond int64 fail,
// and a uint below zero does, and what is computed with a text, on every database; decimals,
// in a V that is a string or a decimal type, are exact on PostgreSQL and on MySQL (where
// they fail beyond 65 digits; see Limits in docs/language.md), while SQLite has whole ones
// only. Floats are the database's. What is computed with NULL is NULL. DivInt and Div divide.

// Plus is column + v.
func (c Col[V]) Plus(v V) Expression[V] { return computed(c, '+', Value(v)) }

// Minus is column - v.
func (c Col[V]) Minus(v V) Expression[V] { return computed(c, '-', Value(v)) }

// Times is column * v.
func (c Col[V]) Times(v V) Expression[V] { return computed(c, '*', Value(v)) }

// Add is column + other.
func (c Col[V]) Add(other Operand[V]) Expression[V] { return computed(c, '+', other) }

// Sub is column - other.
func (c Col[V]) Sub(other Operand[V]) Expression[V] { return computed(c, '-', other) }

// Mul is column * other.
func (c Col[V]) Mul(other Operand[V]) Expression[V] { return computed(c, '*', other) }

// Plus is expression + v.
func (e Expression[V]) Plus(v V) Expression[V] { return computed(e, '+', Value(v)) }

// Minus is expression - v.
func (e Expression[V]) Minus(v V) Expression[V] { return computed(e, '-', Value(v)) }

// Times is expression * v.
func (e Expression[V]) Times(v V) Expression[V] { return computed(e, '*', Value(v)) }

// Add is expression + other.
func (e Expression[V]) Add(other Operand[V]) Expression[V] { return computed(e, '+', other) }

// Sub is expression - other.
func (e Expression[V]) Sub(other Operand[V]) Expression[V] { return computed(e, '-', other) }

// Mul is expression * other.
func (e Expression[V]) Mul(other Operand[V]) Expression[V] { return computed(e, '*', other) }

func computed[V any](left Operand[V], op byte, right Operand[V]) Expression[V] {
	return Expression[V]{t: arithmetic(left, op, right, rowmap.KindOf[V]()), number: true}
}

func arithmetic(left Term, op byte, right Term, kind rowmap.Kind) sqlgen.Term {
	part := "arithmetic " + string(op)
	return sqlgen.Arithmetic{Op: op, Left: amount(part, termOf(part, left), kind), Right: amount(part, termOf(part, right), kind), Sum: table.SumOf(kind)}
}

// amount is a term of arithmetic, of which values of Go are numbers.
func amount(part string, t sqlgen.Term, kind rowmap.Kind) sqlgen.Term {
	l, ok := t.(sqlgen.Literal)
	if !ok {
		return t
	}
	if _, is := l.V.(*sqlgen.Number); is {
		return t
	}
	v, err := table.Amount(l.V, kind)
	if err != nil {
		return sqlgen.BrokenTerm{Err: &sqlgen.StatementError{Part: part, Err: err}}
	}
	return sqlgen.Literal{V: v}
}
