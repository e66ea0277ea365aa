package sqlgen

import (
	"slices"
	"time"
)

// MySQL gives COALESCE and CASE a type that all of their values have: a text, if a text of
// Go is among decimals. So each of their values is compared by itself.

// divides says whether what a term chooses from is compared with the argument one by one:
// where a comparison of one of its columns would be written with care.
func (r *renderer) divides(c *Cond, t Term, a any) bool {
	switch t.(type) {
	case First, Choice:
	default:
		return false
	}
	if isNumber(t) {
		return false
	}
	switch a.(type) {
	case string:
		return true
	case time.Time: // of which a value of Go makes a text
		return hasValue(t)
	case int64, uint64:
		found := false
		eachValue(t, func(t Term) {
			if column, ok := t.(ColumnTerm); ok {
				i := r.field(string(column))
				found = found || i < 0 && r.untyped != nil || r.inTexts(c.op, i, []any{a})
			}
		})
		return found
	}
	return false
}

// hasValue says whether a value of Go is among what a term chooses from.
func hasValue(t Term) (has bool) {
	eachValue(t, func(t Term) { has = has || isLiteral(t) })
	return has
}

// eachValue calls f with all that a term chooses from.
func eachValue(t Term, f func(Term)) {
	switch t := t.(type) {
	case First:
		for _, one := range t {
			eachValue(one, f)
		}
	case Choice:
		for i := range t.Whens {
			eachValue(t.Whens[i].Then, f)
		}
		if t.Else != nil {
			eachValue(t.Else, f)
		}
	default:
		f(t)
	}
}

// divided writes the comparison of t, which is c's left side all or a part of it.
func (r *renderer) divided(c *Cond, all, t Term) {
	switch t := t.(type) {
	case First:
		r.str("CASE")
		for _, one := range t[:len(t)-1] {
			r.str(" WHEN ")
			r.term(one, false)
			r.str(" IS NOT NULL THEN ")
			r.divided(c, all, one)
		}
		r.str(" ELSE ")
		r.divided(c, all, t[len(t)-1])
		r.str(" END")
	case Choice:
		r.str("CASE")
		for i := range t.Whens {
			r.str(" WHEN ")
			r.cond(&t.Whens[i].If)
			r.str(" THEN ")
			r.divided(c, all, t.Whens[i].Then)
		}
		r.str(" ELSE ")
		if t.Else != nil {
			r.divided(c, all, t.Else)
		} else {
			r.dividedLiteral(c, all, Literal{})
		}
		r.str(" END")
	case ColumnTerm:
		r.plain(string(t))
		one := Compare(string(t), c.op, c.detail().value)
		r.compare(&one)
	case Literal:
		r.dividedLiteral(c, all, t)
	default:
		one := CompareTerm(t, c.op, c.detail().value)
		r.compareTerm(&one)
	}
}

// dividedLiteral compares a value of Go as the columns beside it would be: as a number if
// they are numbers, else by their collation.
func (r *renderer) dividedLiteral(c *Cond, all Term, l Literal) {
	plain := func() {
		one := Cond{kind: terms, op: c.op, val: &detail{expr: &Expr{Term: l}, value: c.detail().value}}
		r.compareTerm(&one)
	}
	if _, ok := l.V.(*Number); ok {
		plain()
		return
	}
	a, err := r.values.Arg(l.V, r.d)
	if err != nil {
		r.fail(r.fault("expression", "", err))
		return
	}
	text, ok := mysqlExact(a).(string)
	beside := columnAmong(all)
	if !ok || beside == nil {
		plain()
		return
	}
	one := Cond{kind: terms, op: c.op, val: &detail{expr: &Expr{Term: likened{text, beside}}, value: c.detail().value}}
	holds, known := r.asNumbers(c, text)
	if known {
		column := Cond{kind: terms, val: &detail{expr: &Expr{Term: beside}}}
		r.ifNumber(&column)
		r.str([2]string{"1 = 0", "1 = 1"}[index(holds)])
		r.str(" ELSE ")
	}
	r.compareTerm(&one)
	if known {
		r.str(" END")
	}
}

// asNumbers says whether a text is compared so as a number, and whether it is one.
func (r *renderer) asNumbers(c *Cond, text string) (holds, known bool) {
	left, ok := decimalOf(text)
	if !ok {
		return false, false
	}
	if c.op == In || c.op == NotIn {
		args, _, _, err := r.values.AppendList(nil, c.detail().value, r.d, false)
		if err != nil {
			return false, false
		}
		found := slices.ContainsFunc(args, func(a any) bool {
			d, ok := decimalOf(mysqlExact(a))
			return ok && left.Compare(d) == 0
		})
		return found == (c.op == In), true
	}
	a, err := r.values.Arg(c.detail().value, r.d)
	if err != nil {
		return false, false
	}
	right, ok := decimalOf(mysqlExact(a))
	if !ok {
		return false, false
	}
	return c.op.Orders() && c.op.Holds(int64(left.Compare(right)), 0), c.op.Orders()
}

// likened is a text in the collation of a term.
type likened struct {
	text string
	of   Term
}

func (l likened) reads(f func(string)) { l.of.reads(f) }

func (l likened) write(r *renderer) {
	r.str("IF(TRUE, ")
	r.ready(l.text)
	r.str(", ")
	r.term(l.of, false)
	r.str(")")
}
