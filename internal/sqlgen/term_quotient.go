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
	case dialect.MySQL:
		r.unlessZero(q.Right, func() {
			r.str("(")
			r.dividend(q.Left)
			r.str(" DIV ")
			r.dividend(q.Right)
			r.str(")")
		})
	default:
		whole := func() {
			r.str("(")
			r.dividend(q.Left)
			r.str(" / ")
			r.dividend(q.Right)
			r.str(")")
		}
		r.unlessZero(q.Right, func() {
			r.str("CASE typeof(")
			whole()
			r.str(") WHEN 'null' THEN NULL WHEN 'integer' THEN ")
			whole()
			r.str(" ELSE zeroblob(9223372036854775807) END")
		})
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
		r.unlessZero(q.Right, func() {
			r.str("(SIGN(")
			r.dividend(q.Left)
			r.str(") * SIGN(")
			r.dividend(q.Right)
			r.str(") * ((ABS(")
			r.dividend(q.Left)
			r.str(") * 2")
			r.zeros(q.Digits)
			r.str(".0 + ABS(") // which makes a DECIMAL of what a BIGINT might not hold
			r.dividend(q.Right)
			r.str(")) DIV (2.0 * ABS(")
			r.dividend(q.Right)
			r.str("))) * ")
			r.unit(q.Digits)
			r.str(")")
		})
	default:
		q.writeSQLite(r)
	}
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

// unlessZero writes a division that fails for a divisor of zero, of which MySQL and SQLite
// make NULL.
func (r *renderer) unlessZero(divisor Term, division func()) {
	if isLiteral(divisor) { // which zero was refused for
		division()
		return
	}
	r.str("CASE WHEN ")
	r.dividend(divisor)
	if r.d == dialect.MySQL {
		r.str(" = 0 THEN 9223372036854775807 + LENGTH(")
		r.dividend(divisor)
		r.str(") ELSE ")
	} else {
		r.str(" = 0 THEN zeroblob(9223372036854775807) ELSE ")
	}
	division()
	r.str(" END")
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
