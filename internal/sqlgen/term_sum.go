package sqlgen

import "github.com/dbfleet/dbfleet/internal/dialect"

// Arithmetic is left + right, left - right or left * right. A value of Go among them is
// an amount: an int64, a uint64, a float64 or a decimal as text.
//
// It is exact or fails: SQLite makes a float of whole numbers beyond int64, and of
// decimals; MySQL cuts decimals to the digits that it has; both take a text for the number
// that it begins with, if any; and what is below zero is no number of an unsigned type.
type Arithmetic struct {
	Op          byte
	Left, Right Term
	Sum         Sum
}

func (a Arithmetic) reads(f func(string)) {
	a.Left.reads(f)
	a.Right.reads(f)
}

func (a Arithmetic) write(r *renderer) {
	computed := func() { r.computed(a) }
	if r.d == dialect.Postgres {
		if a.Sum != Unsigned {
			computed()
			return
		}
		r.str("CASE WHEN ")
		computed()
		r.str(" < 0 THEN 9223372036854775807 - CAST(")
		computed()
		r.str(" AS BIGINT) ELSE ")
		computed()
		r.str(" END")
		return
	}
	conds := r.exactIf(a)
	if r.d == dialect.SQLite && a.Sum != Float {
		// The whole is a float, too, if a part of it is: one look at it is enough.
		conds = append(conds, func() {
			r.str("typeof(")
			computed()
			r.str(") = 'integer'")
		})
	}
	if a.Sum == Unsigned {
		conds = append(conds, func() {
			computed()
			r.str(" >= 0")
		})
	}
	r.provided(isWindowed(a), conds, computed, computed)
}

// computed writes arithmetic, and that within it, without a look at the result.
func (r *renderer) computed(a Arithmetic) {
	typed := isLiteral(a.Left) && isLiteral(a.Right)
	r.str("(")
	r.part(a, a.Left, typed)
	switch a.Op {
	case '+':
		r.str(" + ")
	case '-':
		r.str(" - ")
	default:
		r.str(" * ")
	}
	r.part(a, a.Right, typed)
	if a.Op == '*' && a.Sum == Float && r.d == dialect.MySQL { // which tells 0 and -0 apart
		r.str(" + 0")
	}
	r.str(")")
}

// part writes one side of arithmetic.
func (r *renderer) part(a Arithmetic, t Term, typed bool) {
	switch t := t.(type) {
	case Arithmetic:
		r.computed(t)
	case Literal:
		r.amount(t.V, a.Sum == Float, typed)
	default:
		r.asNumeral(true, func() { r.term(t, false) })
	}
}

// amount writes a number that is computed with.
func (r *renderer) amount(v any, floats, typed bool) {
	if n, ok := v.(*Number); ok {
		r.number(n, "expression")
		return
	}
	a, err := r.values.Amount(v, floats, r.d)
	if err != nil {
		r.fail(r.fault("expression", "", err))
		return
	}
	text, ok := a.(string)
	switch {
	case ok && (typed || r.d == dialect.MySQL):
		scale, _ := commonScale([]any{text})
		r.decimal(text, scale)
	case typed:
		r.literal(Literal{a}, true)
	default:
		r.ready(a)
	}
}
