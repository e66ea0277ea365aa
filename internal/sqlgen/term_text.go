package sqlgen

import "github.com/dbfleet/dbfleet/internal/dialect"

// TextCall is a text function of one text.
type TextCall struct {
	Func Function
	Of   Term
}

func (c TextCall) reads(f func(string)) { c.Of.reads(f) }

func (c TextCall) write(r *renderer) {
	if c.Func == CharLength && r.d == dialect.SQLite {
		r.call(sqliteLength)
	} else {
		r.call(c.Func)
	}
	r.byItself(func() { r.term(c.Of, true) })
	r.str(")")
}

// Joined is texts behind each other; NULL if one of them is.
type Joined []Term

func (l Joined) reads(f func(string)) { First(l).reads(f) }

func (l Joined) write(r *renderer) {
	if r.d == dialect.MySQL { // where || may be OR
		r.str("CONCAT(")
		for i, t := range l {
			r.commas(i)
			r.term(t, false)
		}
		r.str(")")
		return
	}
	r.str("(")
	for i, t := range l {
		if i > 0 {
			r.str(" || ")
		}
		r.term(t, true)
	}
	r.str(")")
}
