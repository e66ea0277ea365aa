package sqlgen

import "github.com/dbfleet/dbfleet/internal/dialect"

// termIs writes a comparison of a term with the value v, whose argument is a, that holds NULL
// for equal to nothing else.
func (r *renderer) termIs(c *Cond, v, a any, typed bool) {
	left := c.detail().expr.Term
	a = r.exactArg(left, a)
	same := func() {
		r.str(" ")
		r.str(r.d.NullSafeEqual)
		r.str(" ")
	}
	number, digits := isNumber(left), isDecimal(a) && !r.d.Numbered
	scale, exact := commonScale([]any{a})
	switch {
	case digits && number:
		r.left(c)
		same()
		r.numberText(a.(string))
	case digits && ofColumns(left) && r.d == dialect.SQLite:
		r.str("(")
		r.left(c)
		same()
		r.ready(a)
		r.str(" OR ")
		r.left(c)
		same()
		r.bareNumber(a)
		r.str(")")
	case digits && ofColumns(left) && exact:
		r.ifNumber(c)
		r.left(c)
		same()
		r.decimal(a.(string), scale)
		r.str(" ELSE ")
		r.left(c)
		same()
		r.ready(a)
		r.str(" END")
	default:
		r.term(exactly(left), typed)
		same()
		r.literal(Literal{v}, typed)
	}
}
