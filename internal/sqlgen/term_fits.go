package sqlgen

import (
	"fmt"

	"github.com/dbfleet/dbfleet/internal/value"
)

// MySQL computes with nine groups of nine digits, counted from the point on, and with 30
// digits behind the point (MariaDB 38): what does not fit is cut from the end, in silence.
// Where a result is kept for a while, as for GROUP BY, it has 65 digits, of which those
// behind the point are its type's: a larger one becomes 65 nines. So arithmetic with
// decimals stands behind the condition that all its digits have a place. That of short
// numbers, which is nearly all, takes two or four comparisons.

const (
	groupDigits = 9
	maxGroups   = 9
	// shortDigits is the most before the point that has a place whatever is behind it.
	shortDigits = maxDigits - maxScale - 1
)

// side is one side of arithmetic. The digits of a value of Go are known.
type side struct {
	term               Term
	known              bool
	whole, scale, used int // before the point, behind it as it is sent, and without zeros at the end
}

// sideOf tells about a side. ok is false for a value of Go that is no decimal.
func (r *renderer) sideOf(t Term) (s side, ok bool) {
	l, literal := t.(Literal)
	if !literal {
		return side{term: t}, true
	}
	var d value.Decimal
	if n, number := l.V.(*Number); number {
		d, ok = n.Decimal, n.Err == nil
	} else if a, err := r.values.Amount(l.V, false, r.d); err == nil {
		d, ok = value.ParseDecimal(fmt.Sprint(a))
	}
	scale, _ := commonScale([]any{d.String()})
	return side{term: t, known: true, whole: max(d.Whole(), 1), scale: scale, used: d.Scale}, ok
}

// fits is the condition under which MySQL has places for all digits of arithmetic with
// decimals; none where that is known.
func (r *renderer) fits(a Arithmetic) []func() {
	left, isLeft := r.sideOf(a.Left)
	right, isRight := r.sideOf(a.Right)
	switch {
	case !isLeft || !isRight: // which is told where it is written
		return nil
	case left.known && right.known:
		whole, scale := max(left.whole, right.whole)+1, max(left.scale, right.scale)
		if a.Op == '*' {
			whole, scale = left.whole+right.whole, left.scale+right.scale
		}
		if scale > mysqlScale || whole+scale > maxDigits {
			r.fail(r.fault("expression", "", errDigits))
		}
		return nil
	}
	short, long := r.sumFits(a, left, right)
	if a.Op == '*' {
		short, long = r.productFits(a, left, right)
	}
	return []func(){func() { r.eitherHolds(isWindowed(a), short, long) }}
}

// sumFits are the conditions for a sum or difference: both sides are short before the
// point, or the whole has a place for its digits.
func (r *renderer) sumFits(a Arithmetic, left, right side) (short, long []func()) {
	if left.whole < shortDigits && right.whole < shortDigits {
		short = append(r.below(left, shortDigits-1), r.below(right, shortDigits-1)...)
	}
	return short, []func(){func() {
		r.wholeOf(side{term: a})
		r.str(" + GREATEST(")
		r.scaleOf(left)
		r.str(", ")
		r.scaleOf(right)
		r.str(") <= 65")
	}}
}

// productFits are the conditions for a product: both factors are short, or there is a place
// for their groups, for what is behind the point, and for all digits together.
func (r *renderer) productFits(a Arithmetic, left, right side) (short, long []func()) {
	switch {
	case left.known:
		short = r.shortBy(right, left)
	case right.known:
		short = r.shortBy(left, right)
	default: // four groups before the point, and at least one behind it for each
		for _, s := range []side{left, right} {
			short = append(append(short, r.below(s, shortDigits/2)...), r.endsAt(s, groupDigits))
		}
	}
	return short, []func(){func() {
		for i, s := range []side{left, right} {
			r.str([2]string{"", " + "}[i])
			r.groupsOf(r.wholeOf, s)
			r.str(" + ")
			r.groupsOf(r.scaleOf, s)
		}
		r.str(" <= 9")
	}, func() {
		r.usedOf(left)
		r.str(" + ")
		r.usedOf(right)
		r.str(" <= ")
		r.scaleOf(side{term: a})
	}, func() {
		r.wholeOf(left)
		r.str(" + ")
		r.wholeOf(right)
		r.str(" + ")
		r.scaleOf(side{term: a})
		r.str(" <= 65")
	}}
}

// shortBy are the conditions that a side is short beside a value of Go; none if that leaves
// no place for it.
func (r *renderer) shortBy(s, beside side) (conds []func()) {
	left := maxGroups - groups(maxScale) - groups(beside.scale) - groups(beside.whole)
	whole := min(shortDigits-beside.whole, left*groupDigits)
	if whole <= 0 || beside.used > mysqlScale {
		return nil
	}
	conds = r.below(s, whole)
	if beside.scale > 0 {
		conds = append(conds, r.endsAt(s, mysqlScale-beside.used))
	}
	return conds
}

// below is the condition that a side has so many digits before the point; none where they
// are known.
func (r *renderer) below(s side, whole int) []func() {
	if s.known {
		return nil
	}
	return []func(){func() {
		r.str("ABS(")
		r.bare(s.term)
		r.str(") < 1")
		r.zeros(whole)
	}}
}

// endsAt is the condition that a side has so many digits behind the point.
func (r *renderer) endsAt(s side, scale int) func() {
	return func() {
		r.bare(s.term)
		r.str(" = TRUNCATE(")
		r.bare(s.term)
		r.str(", ")
		r.whole(scale)
		r.str(")")
	}
}

// groups is how many groups so many digits take.
func groups(digits int) int { return (digits + groupDigits - 1) / groupDigits }

// groupsOf writes how many groups the digits take that digits writes of a side.
func (r *renderer) groupsOf(digits func(side), s side) {
	r.str("(")
	digits(s)
	r.str(" + 8) DIV 9")
}

// wholeOf writes how many digits a side has before the point.
func (r *renderer) wholeOf(s side) {
	if s.known {
		r.whole(s.whole)
		return
	}
	r.str("CHAR_LENGTH(TRUNCATE(ABS(")
	r.bare(s.term)
	r.str("), 0))")
}

// scaleOf writes how many digits a side has behind the point.
func (r *renderer) scaleOf(s side) {
	if s.known {
		r.whole(s.scale)
		return
	}
	r.behindPoint(s, func() { r.bare(s.term) })
}

// usedOf writes how many digits a side has behind the point without the zeros at the end.
func (r *renderer) usedOf(s side) {
	if s.known {
		r.whole(s.used)
		return
	}
	r.behindPoint(s, func() {
		r.str("TRIM(TRAILING '0' FROM ")
		r.bare(s.term)
		r.str(")")
	})
}

// behindPoint writes the length of what is behind the point of a text.
func (r *renderer) behindPoint(s side, text func()) {
	r.str("CHAR_LENGTH(SUBSTRING(")
	text()
	r.str(", LOCATE('.', CONCAT(")
	r.bare(s.term)
	r.str(", '.')) + 1))")
}
