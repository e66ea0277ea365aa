package sqlgen

import (
	"encoding/json"
	"slices"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// carefulIn writes a comparison of a term with the arguments of the list v; see
// carefulTerm.
func (r *renderer) carefulIn(c *Cond, v any, args []any) (ok bool) {
	left := c.detail().expr.Term
	isText := func(a any) bool { _, text := a.(string); return text }
	switch {
	case r.d.Numbered:
		return false
	case isNumber(left):
		if !slices.ContainsFunc(args, isText) {
			return false
		}
		if r.isLong(len(args)) && r.longNumerals(c, args) {
			return true
		}
		r.openList(c)
		for i, a := range r.padding(args) {
			r.commas(i)
			if text, ok := a.(string); ok {
				r.numberText(text)
			} else {
				r.ready(a)
			}
		}
		r.str(")")
		return true
	case !ofColumns(left):
		return false
	}
	others := r.values.Others(v, args, r.d)
	if others == nil && !slices.ContainsFunc(args, isText) {
		return false
	}
	if r.d == dialect.MySQL {
		r.carefulParts(c, args, others)
		return true
	}
	var numbers []any
	for _, a := range args {
		if isDecimal(a) {
			numbers = append(numbers, a)
		}
	}
	list := slices.Clone(args)
	for _, other := range others {
		switch other := other.(type) {
		case nil:
		case value.TimeForms:
			list = other.AppendOthers(list)
		default:
			list = append(list, other)
		}
	}
	if r.longNumbers(c, list, numbers) {
		return true
	}
	r.openList(c)
	r.elements(list, false)
	for _, a := range r.padding(numbers) {
		r.str(", ")
		r.bareNumber(a)
	}
	r.str(")")
	return true
}

// longNumerals writes a comparison of a number with the elements of a long list. ok is false
// where one is no decimal: then nothing is written.
func (r *renderer) longNumerals(c *Cond, args []any) (ok bool) {
	list, texts := make([]value.Decimal, len(args)), make([]string, len(args))
	for i, a := range args {
		if list[i], ok = decimalOf(a); !ok {
			return false
		}
		texts[i] = list[i].String()
	}
	r.openList(c)
	if r.d == dialect.SQLite {
		text, _ := json.Marshal(texts) // which never fails
		r.str("SELECT +CAST(value AS NUMERIC) FROM json_each(")
		r.ready(string(text))
		r.str(")")
	} else {
		for i, d := range list {
			r.commas(i)
			r.buf = d.Append(r.buf)
		}
	}
	r.str(")")
	return true
}

// carefulParts is carefulIn on MySQL: numbers by numbers, other texts by no number, and
// UUIDs by their bytes, too.
func (r *renderer) carefulParts(c *Cond, args, others []any) {
	var numbers, texts []any
	for _, a := range args {
		if _, ok := decimalOf(a); ok {
			numbers = append(numbers, a)
		} else {
			texts = append(texts, a)
		}
	}
	scale, exact := commonScale(numbers)
	long := r.isLong(2*len(numbers) + len(texts))
	r.str("(")
	if len(numbers) > 0 {
		if exact {
			r.ifNumber(c)
			r.openList(c)
			if !long {
				numbers = r.padding(numbers)
			}
			for i, a := range numbers {
				r.commas(i)
				if d, _ := decimalOf(a); long {
					r.buf = d.Append(r.buf)
				} else {
					r.decimal(d.String(), scale)
				}
			}
			r.str(") ELSE ")
		}
		if !exact {
			r.str("(")
		}
		r.openList(c)
		r.elements(texted(numbers), long)
		r.str([2]string{"))", ") END"}[index(exact)])
		if len(texts) > 0 {
			r.joinLists(c)
		}
	}
	if len(texts) > 0 {
		r.noNumberTerm(c, func() {
			r.openList(c)
			r.elements(texts, long)
			r.str(")")
		})
	}
	if others != nil {
		r.joinLists(c)
		r.formOf(c, func() {
			n := 0
			for _, other := range others {
				if other != nil {
					r.str([2]string{"(", ", "}[min(n, 1)])
					n++
					r.form(other)
				}
			}
			r.str(")")
		})
	}
	r.str(")")
}

// texted are numbers as texts, which MySQL compares with texts as such.
func texted(numbers []any) []any {
	out := make([]any, len(numbers))
	for i, a := range numbers {
		if out[i] = a; !isDecimal(a) {
			out[i] = digitsOf(a)
		}
	}
	return out
}
