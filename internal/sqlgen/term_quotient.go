package sqlgen

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Quotient is left / right, without a fraction: 7 / 2 is 3, and -7 / 2 is -3.
type Quotient struct {
	Left, Right Term
	Sum         Sum // Whole or Unsigned
}

// DecimalQuotient is left / right as a decimal of so many digits behind the point, of
// which the last is rounded, half away from zero.
//
// It is computed in whole numbers, since each database has digits of its own for a
// fraction: |left| * 2 * 10^digits + |right|, divided by 2 * |right|, is the result's size in
// units of its last digit.
type DecimalQuotient struct {
	Left, Right Term
	Digits      int
	Whole       bool // both are whole numbers
}

// MaxQuotientDigits is the most that DecimalQuotient has behind the point.
const MaxQuotientDigits = 15

func (q Quotient) reads(f func(string)) {
	q.Left.reads(f)
	q.Right.reads(f)
}

func (q DecimalQuotient) reads(f func(string)) {
	q.Left.reads(f)
	q.Right.reads(f)
}

func (q Quotient) write(r *renderer) {
	switch r.d {
	case dialect.Postgres: // whose / keeps the fraction of a NUMERIC, such as a sum
		r.str([2]string{"CAST(", ""}[index(q.Sum == Unsigned)])
		r.str("DIV(")
		r.numeric(q.Left)
		r.str(", ")
		r.numeric(q.Right)
		r.str(")")
		r.str([2]string{" AS BIGINT)", ""}[index(q.Sum == Unsigned)])
	default:
		whole := func() {
			r.str("(")
			r.dividend(q.Left)
			r.str([2]string{" / ", " DIV "}[index(r.d == dialect.MySQL)])
			r.dividend(q.Right)
			r.str(")")
		}
		conds := r.divisible(q.Left, q.Right)
		if r.d == dialect.SQLite {
			conds = append(conds, func() {
				r.str("typeof(")
				whole()
				r.str(") = 'integer'")
			})
		}
		r.provided(isWindowed(q), conds, func() { r.both(q.Left, q.Right) }, whole)
	}
}

func (q DecimalQuotient) write(r *renderer) {
	switch r.d {
	case dialect.Postgres:
		r.str("(SIGN(")
		r.numeric(q.Left)
		r.str(") * SIGN(")
		r.numeric(q.Right)
		r.str(") * DIV(ABS(")
		r.numeric(q.Left)
		r.str(") * 2")
		r.zeros(q.Digits)
		r.str(" + ABS(")
		r.numeric(q.Right)
		r.str("), 2 * ABS(")
		r.numeric(q.Right)
		r.str(")) * ")
		r.unit(q.Digits)
		r.str(")")
	case dialect.MySQL:
		r.provided(isWindowed(q), q.exactIf(r), func() { r.both(q.Left, q.Right) }, func() { q.writeMySQL(r) })
	default:
		q.writeSQLite(r)
	}
}

// exactIf are the conditions under which MySQL has all digits of a quotient of decimals
// until it rounds: there is a place for the groups of the sum that is divided, and for one
// that it carries.
func (q DecimalQuotient) exactIf(r *renderer) []func() {
	conds := r.divisible(q.Left, q.Right)
	left, isLeft := r.sideOf(q.Left)
	right, isRight := r.sideOf(q.Right)
	if q.Whole || !isLeft || !isRight {
		return conds
	}
	return append(conds, func() {
		r.str("GREATEST(")
		r.groupsOf(r.wholeOf, left)
		r.str(" + ")
		r.whole(groups(q.Digits + 1))
		r.str(", ")
		r.groupsOf(r.wholeOf, right)
		r.str(") + GREATEST(")
		r.groupsOf(r.scaleOf, left)
		r.str(", ")
		r.groupsOf(r.scaleOf, right)
		r.str(") <= 8")
	})
}

// writeMySQL writes a quotient whose digits have places.
func (q DecimalQuotient) writeMySQL(r *renderer) {
	r.str("(SIGN(")
	r.dividend(q.Left)
	r.str(") * SIGN(")
	r.dividend(q.Right)
	r.str(") * ((ABS(")
	r.dividend(q.Left)
	r.str(") * CAST(2") // which makes a DECIMAL of what a BIGINT might not hold
	r.zeros(q.Digits)
	r.str(" AS DECIMAL(20)) + ABS(")
	r.dividend(q.Right)
	r.str(")) DIV (CAST(2 AS DECIMAL(20)) * ABS(")
	r.dividend(q.Right)
	r.str("))) * ")
	r.unit(q.Digits)
	r.str(")")
}

// writeSQLite writes a quotient of whole numbers, as a float that stands for it: SQLite has
// no decimals. A float has 15 decimal digits for certain.
func (q DecimalQuotient) writeSQLite(r *renderer) {
	units := func() {
		r.str("((abs(")
		r.dividend(q.Left)
		r.str(") * 2")
		r.zeros(q.Digits)
		r.str(" + abs(")
		r.dividend(q.Right)
		r.str(")) / (2 * abs(")
		r.dividend(q.Right)
		r.str(")))")
	}
	r.str("CASE WHEN ")
	r.dividend(q.Left)
	r.str(" IS NULL OR ")
	r.dividend(q.Right)
	r.str(" IS NULL THEN NULL WHEN typeof(")
	r.dividend(q.Left)
	r.str(") <> 'integer' OR typeof(")
	r.dividend(q.Right)
	r.str(") <> 'integer' OR ")
	r.dividend(q.Right)
	r.str(" = 0 OR typeof(")
	units()
	r.str(") <> 'integer' OR ")
	units()
	r.str(" >= 1000000000000000 THEN zeroblob(9223372036854775807) ELSE sign(")
	r.dividend(q.Left)
	r.str(") * sign(")
	r.dividend(q.Right)
	r.str(") * ")
	units()
	if q.Digits > 0 {
		r.str(" / 1")
		r.zeros(q.Digits)
		r.str(".0")
	}
	r.str(" END")
}

// divisible are the conditions for a division: its numbers are no texts, and the divisor is
// not zero, of which MySQL and SQLite make NULL.
func (r *renderer) divisible(left, right Term) []func() {
	conds := append(r.noText(left, Whole), r.noText(right, Whole)...)
	if isLiteral(right) { // which zero was refused for
		return conds
	}
	return append(conds, func() {
		r.dividend(right)
		r.str(" <> 0")
	})
}

// both writes what is NULL if one of two numbers is.
func (r *renderer) both(left, right Term) {
	r.dividend(left)
	r.str(" + ")
	r.dividend(right)
}

// dividend writes a number that is divided or divides.
func (r *renderer) dividend(t Term) {
	if l, ok := t.(Literal); ok {
		r.amount(l.V, false, false)
		return
	}
	r.str("(")
	r.asNumeral(true, func() { r.term(t, false) })
	r.str(")")
}

// numeric writes a number for PostgreSQL as a NUMERIC, whose division keeps to no type.
func (r *renderer) numeric(t Term) {
	r.str("CAST(")
	if l, ok := t.(Literal); ok {
		r.amount(l.V, false, true)
	} else {
		r.term(t, false)
	}
	r.str(" AS NUMERIC)")
}

// zeros are the digits of a power of ten behind its first.
func (r *renderer) zeros(n int) {
	for range n {
		r.str("0")
	}
}

// unit writes 10 to the power of -digits.
func (r *renderer) unit(digits int) {
	if digits == 0 {
		r.str("1")
		return
	}
	r.str("0.")
	r.zeros(digits - 1)
	r.str("1")
}

// IsZero says whether a term is a number of Go's that is zero.
func IsZero(t Term) bool {
	l, ok := t.(Literal)
	if !ok {
		return false
	}
	switch v := l.V.(type) {
	case int64:
		return v == 0
	case uint64:
		return v == 0
	case string:
		return strings.Trim(v, "-+0.") == ""
	}
	return false
}
