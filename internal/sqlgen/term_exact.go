package sqlgen

import "github.com/dbfleet/dbfleet/internal/dialect"

// What MySQL and SQLite compute wrong in silence stands behind conditions under which it is
// right, and fails otherwise.

// provided writes then, which fails unless the conditions hold and on is NULL if then is.
// windowed says that a window's function is among them.
func (r *renderer) provided(windowed bool, conds []func(), on, then func()) {
	if len(conds) == 0 {
		then()
		return
	}
	r.str("CASE WHEN ")
	if r.d == dialect.SQLite {
		on()
		r.str(" IS NULL THEN NULL WHEN ")
	}
	r.allHold(windowed, conds)
	r.str(" THEN ")
	then()
	if r.d == dialect.SQLite {
		r.str(" ELSE zeroblob(9223372036854775807) END")
		return
	}
	r.str(" ELSE 9223372036854775807 + CHAR_LENGTH(")
	on()
	r.str(") END")
}

// allHold writes conditions that must all hold. MariaDB makes NULL of an AND beside a window's
// function (see compare_window.go); & is as good here, where what is NULL is taken as false.
func (r *renderer) allHold(windowed bool, conds []func()) {
	windowed = windowed && r.d == dialect.MySQL
	for i, cond := range conds {
		if i > 0 {
			r.str([2]string{" AND ", " & "}[index(windowed)])
		}
		if windowed {
			r.str("(")
		}
		cond()
		if windowed {
			r.str(")")
		}
	}
}

// eitherHolds writes that all of one list of conditions hold, if there are some, or of another.
func (r *renderer) eitherHolds(windowed bool, some, others []func()) {
	r.str("(")
	if len(some) > 0 {
		r.allHold(windowed, some)
		r.str([2]string{" OR ", " | "}[index(windowed)])
	}
	r.allHold(windowed, others)
	r.str(")")
}

// exactIf are the conditions under which arithmetic is exact, and all within it.
func (r *renderer) exactIf(a Arithmetic) (conds []func()) {
	for _, t := range []Term{a.Left, a.Right} {
		if within, ok := t.(Arithmetic); ok {
			conds = append(conds, r.exactIf(within)...)
		} else {
			conds = append(conds, r.noText(t, a.Sum)...)
		}
	}
	if r.d == dialect.MySQL && (a.Sum == Decimal || a.Sum == Any) {
		conds = append(conds, r.fits(a)...)
	}
	return conds
}

// noText is the condition that a term is no text, which would be computed with as a float.
// Of SQLite's decimals, which may be texts, one is taken that is a whole number.
func (r *renderer) noText(t Term, sum Sum) []func() {
	if isLiteral(t) || isNumber(t) {
		return nil
	}
	return []func(){func() {
		switch {
		case r.d == dialect.MySQL:
			r.typeIsNumber(true, func() { r.bare(t) })
		case sum == Decimal || sum == Any:
			r.str("(typeof(")
			r.bare(t)
			r.str(") NOT IN ('text', 'blob') OR CAST(CAST(")
			r.bare(t)
			r.str(" AS INTEGER) AS TEXT) = ")
			r.bare(t)
			r.str(")")
		default:
			r.str("typeof(")
			r.bare(t)
			r.str(") NOT IN ('text', 'blob')")
		}
	}}
}

// bare writes a term that is computed with, without conditions before it.
func (r *renderer) bare(t Term) {
	if a, ok := t.(Arithmetic); ok {
		r.computed(a)
		return
	}
	r.asNumeral(true, func() { r.term(t, false) })
}
