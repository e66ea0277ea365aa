package sqlgen

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// What a column's type does for a value that it is compared with, an expression of the
// column does not: SQLite makes no number of a text beside COALESCE, and MySQL makes
// floats of decimals, or texts where a value of Go is among them. Here such a comparison
// is written so that it finds what that of the columns would.

// ofColumns says whether a term may have the value of a column as it is, so that its type
// is not known here.
func ofColumns(t Term) bool {
	switch t := t.(type) {
	case ColumnTerm, QueryTerm, SQLTerm:
		return true
	case First:
		return slices.ContainsFunc(t, ofColumns)
	case Choice:
		return t.Else != nil && ofColumns(t.Else) || slices.ContainsFunc(t.Whens, func(w When) bool { return ofColumns(w.Then) })
	case Ranking:
		return t.Of != nil && ofColumns(t.Of)
	case Over:
		return ofColumns(t.Func)
	case Aggregate:
		return (t.Func == MinOf || t.Func == MaxOf) && ofColumns(t.Of)
	case computedColumn:
		return ofColumns(t.of)
	}
	return false
}

// isTime says of a value of Go that it is a time, which no column takes for a number.
func isTime(v any) bool {
	switch v.(type) {
	case time.Time, *time.Time:
		return true
	}
	return false
}

// isDecimal says whether an argument is a text that a column of numbers takes for one.
func isDecimal(a any) bool {
	text, ok := a.(string)
	return ok && value.IsDecimal(strings.TrimSpace(text))
}

// carefulTerm writes a comparison of a term with the value v, whose argument is a. ok is
// false for what needs no care, when nothing is written.
func (r *renderer) carefulTerm(c *Cond, v, a any) (ok bool) {
	left := c.detail().expr.Term
	a = r.exactArg(left, a)
	switch {
	case r.d.Numbered:
		return false
	case isNumber(left):
		return r.numberTerm(c, a)
	case !ofColumns(left):
		return false
	}
	if r.d == dialect.MySQL {
		if r.divides(c, left, a) {
			r.divided(c, left, left)
			return true
		}
	}
	if other := r.values.Other(v, a, r.d); other != nil {
		return r.either(c, a, other)
	}
	switch {
	case isDecimal(a):
		return r.asDecimal(c, a)
	case Misread(a, r.d) && !isTime(v):
		r.noNumberTerm(c, func() {
			r.comparison(c)
			r.ready(a)
		})
		return true
	}
	return false
}

// numberTerm compares a number with a text as numbers.
func (r *renderer) numberTerm(c *Cond, a any) (ok bool) {
	text, ok := a.(string)
	if !ok {
		return false
	}
	r.comparison(c)
	r.numberText(text)
	return true
}

// numberText writes a text that a number is compared with, as a number.
func (r *renderer) numberText(text string) {
	scale, ok := commonScale([]any{text})
	switch {
	case !isDecimal(text):
		r.fail(r.fault("expression", "a number is compared with the text "+strconv.Quote(text)+", which is none", nil))
	case r.d == dialect.SQLite:
		r.bareNumber(text)
	case !ok:
		r.fail(r.fault("expression", "a number for "+r.d.Name, errDigits))
	default:
		r.decimal(text, scale)
	}
}

// asDecimal compares with a number that is given as text: as a number if the term has
// one, else as text.
func (r *renderer) asDecimal(c *Cond, a any) bool {
	scale, ok := commonScale([]any{a})
	switch {
	case r.d == dialect.SQLite: // where all numbers are less than all texts
	case !ok:
		return false
	default:
		r.ifNumber(c)
		r.comparison(c)
		r.decimal(a.(string), scale)
		r.str(" ELSE ")
		r.comparison(c)
		r.ready(a)
		r.str(" END")
		return true
	}
	side := func(op Op) {
		r.left(c)
		r.str(" ")
		r.str(opNames[op])
		r.str(" ")
	}
	switch c.op {
	case Eq, NotEq:
		side([2]Op{In, NotIn}[index(c.op == NotEq)])
		r.str("(")
		r.ready(a)
		r.str(", ")
		r.bareNumber(a)
		r.str(")")
	case Lt, LtEq:
		r.str("(")
		side(c.op)
		r.bareNumber(a)
		r.str(" OR ")
		side(GtEq)
		r.str("'' AND ")
		side(c.op)
		r.ready(a)
		r.str(")")
	default:
		r.str("(")
		side(c.op)
		r.bareNumber(a)
		r.str(" AND ")
		side(Lt)
		r.str("'' OR ")
		side(c.op)
		r.ready(a)
		r.str(")")
	}
	return true
}

// bareNumber writes a text as a number that makes none of what it is compared with.
func (r *renderer) bareNumber(a any) {
	r.str("+CAST(")
	r.ready(a)
	r.str(" AS NUMERIC)")
}

// ifNumber begins a CASE for what MySQL knows as a number, or as a time.
func (r *renderer) ifNumber(c *Cond) {
	r.str("CASE WHEN ")
	r.typeIsNumber(true, func() { r.left(c) })
	r.str(" THEN ")
}

// left writes the left side of a comparison.
func (r *renderer) left(c *Cond) {
	if c.kind != terms {
		r.column(c.col)
		return
	}
	t := c.detail().expr.Term
	if r.d == dialect.SQLite {
		of := t
		if column, ok := t.(computedColumn); ok {
			of = column.of
		}
		switch of.(type) {
		case QueryTerm, SQLTerm: // which may have a column's type
			r.str("+")
		}
	}
	r.term(t, false)
}
