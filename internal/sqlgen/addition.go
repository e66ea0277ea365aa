package sqlgen

import (
	"strconv"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Sum says what is known of the column that a number is added to.
type Sum uint8

// The columns.
const (
	Any      Sum = iota
	Whole        // of a field of integers
	Unsigned     // the same, and never below zero
	Decimal      // of a field of text
	Float        // of a field of floats
)

// addition writes column + value, which is exact or fails: MySQL would take text for
// a double, and SQLite makes a float of whole numbers beyond int64.
func (r *renderer) addition(s *Set) {
	switch v := s.Value.(type) {
	case *Expr:
		r.ownColumn(s.Column)
		r.str([2]string{" + (", " - ("}[index(s.Minus)])
		r.raw(v, "column "+strconv.Quote(s.Column))
		r.str(")")
		return
	case Subquery:
		r.ownColumn(s.Column)
		r.str([2]string{" + ", " - "}[index(s.Minus)])
		r.subquery(r.statement(v))
		return
	}
	a, err := r.values.Amount(s.Value, s.Sum == Float, r.d)
	if err != nil {
		r.fail(r.fault("column "+strconv.Quote(s.Column), "", err))
		return
	}
	switch {
	case r.d == dialect.SQLite:
		r.sqliteSum(s, a)
	case s.Sum == Unsigned && isNegative(a):
		// What the database might keep, the field cannot. No other number is below
		// zero, so nothing else fails.
		r.str("CASE WHEN ")
		r.sum(s.Column, a)
		r.str(" < 0 THEN 9223372036854775807 - CAST(")
		r.sum(s.Column, a)
		r.str([2]string{" AS SIGNED) ELSE ", " AS BIGINT) ELSE "}[index(r.d == dialect.Postgres)])
		r.sum(s.Column, a)
		r.str(" END")
	case r.d == dialect.MySQL && s.Sum != Float:
		// It would add to text as doubles do.
		r.str("CASE WHEN ")
		r.typeIsNumber(false, func() { r.ownColumn(s.Column) })
		r.str(" THEN LENGTH(")
		r.ownColumn(s.Column)
		r.str(") + 1 + ~0 ELSE ")
		r.sum(s.Column, a)
		r.str(" END")
	default:
		r.sum(s.Column, a)
	}
}

// sum writes column + a.
func (r *renderer) sum(column string, a any) {
	r.ownColumn(column)
	r.str(" + ")
	text, ok := a.(string)
	if !ok || r.d != dialect.MySQL {
		r.ready(a)
		return
	}
	scale, _ := commonScale([]any{text})
	r.decimal(text, scale)
}

func isNegative(a any) bool {
	n, ok := a.(int64)
	return ok && n < 0
}

// sqliteSum writes column + a, and what fails instead of a sum that is not exact, or
// of one with a text: a blob that is too large. A float may be added to floats, and to
// whole numbers that are one.
func (r *renderer) sqliteSum(s *Set, a any) {
	column := s.Column
	r.str("CASE WHEN ")
	r.ownColumn(column)
	r.str(" IS NULL OR typeof(")
	r.ownColumn(column)
	r.str(") = 'integer' AND ")
	if _, float := a.(float64); float {
		r.ownColumn(column)
		r.str(" BETWEEN -9007199254740992 AND 9007199254740992")
	} else {
		r.str("typeof(")
		r.sum(column, a)
		r.str(") = 'integer'")
		if s.Sum == Unsigned && isNegative(a) {
			r.str(" AND ")
			r.sum(column, a)
			r.str(" >= 0")
		}
	}
	if s.Sum != Decimal {
		r.str(" OR typeof(")
		r.ownColumn(column)
		r.str(") = 'real'")
	}
	r.str(" THEN ")
	r.sum(column, a)
	r.str(" ELSE zeroblob(9223372036854775807) END")
}
