package sqlgen

import (
	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// What a column holds is not always what Go's value is written as, and the column's
// type is not known here. Where a database would then compare by rules of its own,
// the comparison is written so that it is right for every type of column, and
// still by an index.

// otherForm is the argument that a comparison's column may hold the same value as,
// beside a; nil if there is none: the bytes of a UUID that is sent as text, and on
// SQLite the [value.TimeForms] of a time.
func (r *renderer) otherForm(c *Cond, i int, a any) any {
	if r.d.Numbered {
		return nil // PostgreSQL knows its columns' types
	}
	if text, ok := a.(string); !ok || len(text) < len("2006-01-02") {
		return nil
	}
	if i >= 0 {
		return r.table.Other(i, c.val, a, r.d)
	}
	return r.values.Other(c.val, a, r.d)
}

// careful writes a comparison whose column may be of a type that the argument is
// not of. ok is false for what needs no care, when nothing is written.
func (r *renderer) careful(c *Cond, i int, a any) (ok bool) {
	if r.d.Numbered {
		return false
	}
	if r.inTexts(c.op, i, []any{a}) {
		r.digits(c, a)
		return true
	}
	if other := r.otherForm(c, i, a); other != nil {
		return r.either(c, a, other)
	}
	if !r.misread(i, a) {
		return false
	}
	r.text(c, a)
	return true
}

// text writes a comparison with a text that is no number.
func (r *renderer) text(c *Cond, a any) {
	r.str("(")
	r.comparison(c)
	r.ready(a)
	r.noNumber(c, c.op == NotEq)
}

// either compares with two forms of a value.
func (r *renderer) either(c *Cond, a, other any) bool {
	if forms, ok := other.(value.TimeForms); ok {
		return r.inForms(c, forms)
	}
	switch {
	case (c.op == Eq || c.op == NotEq) && r.d == dialect.MySQL && c.ofWindow():
		r.str("((")
		r.comparison(c)
		r.ready(a)
		r.str([2]string{") | ", ") & "}[index(c.op == NotEq)])
		r.formOf(c, func() { r.form(other) })
		r.str(")")
		return true
	case c.op == Eq || c.op == NotEq:
		r.str("(")
		r.comparison(c)
		r.ready(a)
		if c.op == Eq {
			r.str(" OR ")
		} else {
			r.str(" AND ")
		}
		r.formOf(c, func() { r.form(other) })
		r.str(")")
		return true
	case c.op < Lt || c.op > GtEq:
	case r.d == dialect.MySQL: // a range of UUIDs is one of texts
		window := index(c.ofWindow())
		r.str([2]string{"(", "(("}[window])
		r.comparison(c)
		r.ready(a)
		r.str([2]string{" AND LENGTH(", ") & (LENGTH("}[window])
		r.left(c)
		r.str([2]string{") <> 16)", ") <> 16))"}[window])
		return true
	default: // all bytes are behind all texts
		r.str("(")
		r.comparison(c)
		r.ready(a)
		r.str(" AND ")
		r.left(c)
		r.str(" < x'')")
		return true
	}
	return false
}

// inForms compares with a time in all its forms, between which no other time is.
func (r *renderer) inForms(c *Cond, forms value.TimeForms) bool {
	switch c.op {
	case Eq, NotEq:
		r.left(c)
		r.str([2]string{" IN (", " NOT IN ("}[index(c.op == NotEq)])
		r.ready(forms.Cut())
		for _, form := range forms.AppendOthers(nil) {
			r.str(", ")
			r.ready(form)
		}
		r.str(")")
	case Lt, GtEq:
		r.comparison(c)
		r.ready(forms.First())
	case LtEq, Gt:
		r.comparison(c)
		r.ready(forms.Last())
	default:
		return false
	}
	return true
}

// formOf writes a comparison with other forms, which is right writes. Texts of MySQL are
// equal to bytes that their collation ignores: ” to sixteen zeros.
func (r *renderer) formOf(c *Cond, right func()) {
	if r.d != dialect.MySQL {
		r.comparison(c)
		right()
		return
	}
	differs := c.op == NotEq || c.op == NotIn
	if c.ofWindow() {
		r.str("((")
		r.comparison(c)
		right()
		r.str([2]string{") & (LENGTH(", ") | (LENGTH("}[index(differs)])
		r.left(c)
		r.str([2]string{") = 16))", ") <> 16))"}[index(differs)])
		return
	}
	r.str("(")
	r.comparison(c)
	right()
	r.str([2]string{" AND LENGTH(", " OR LENGTH("}[index(differs)])
	r.left(c)
	r.str([2]string{") = 16)", ") <> 16)"}[index(differs)])
}

// form writes the placeholder of an argument in its other form.
func (r *renderer) form(other any) {
	if r.d == dialect.MySQL { // bytes beside a column of ASCII would be an error
		r.str("UNHEX(")
		r.ready(other)
		r.str(")")
		return
	}
	r.ready(other)
}

// misread says whether MySQL could find a text that is no number equal to a number:
// it compares numbers with the digits that the text begins with, else with 0. A text
// for a field that is no string is not one that users write.
func (r *renderer) misread(i int, a any) bool {
	return Misread(a, r.d) && (i < 0 || r.table.Textual(i))
}

// Misread is that for a column whose field is a string.
func Misread(a any, d *dialect.Dialect) bool {
	text, ok := a.(string)
	return ok && d == dialect.MySQL && !value.IsDecimal(text)
}

// isNumeral writes MySQL's condition that the text before it is a number.
func (r *renderer) isNumeral() { r.str(` REGEXP '^-?[0-9]+([.][0-9]+)?(e[-+]?[0-9]+)?$'`) }

// typeIsNumber writes MySQL's condition that what write writes is neither text nor bytes or,
// unless is, that it is one. It is a constant of the statement. The coercibility of numbers,
// times and the like is 5, but on MariaDB 4 of aggregates, of subqueries and columns of views
// that are one, of some functions of windows and of stored functions: texts have 4 at most,
// but no binary character set then, and bytes have 2.
func (r *renderer) typeIsNumber(is bool, write func()) {
	r.str("COERCIBILITY(")
	write()
	r.str(") + (CHARSET(")
	write()
	r.str([2]string{") = 'binary') < 5", ") = 'binary') > 4"}[index(is)])
}

// noNumber closes a comparison with a text that is no number: it holds if the
// column is no number either, and otherwise says that the two differ. Only values of
// columns that are neither text nor bytes are looked at: the pattern has numbers, and no
// dates, times, UUIDs and addresses.
func (r *renderer) noNumber(c *Cond, differs bool) {
	r.str([2]string{" AND (", " OR "}[index(differs)])
	r.typeIsNumber(differs, func() { r.left(c) })
	r.str([2]string{" OR CONCAT(", " AND CONCAT("}[index(differs)])
	r.left(c)
	r.str([2]string{") NOT", ")"}[index(differs)])
	r.isNumeral()
	r.str(")")
	if !differs {
		r.str(")")
	}
}

// others are the other forms of a list's arguments, which begin at first.
func (r *renderer) others(c *Cond, i, first int) []any {
	if r.d.Numbered {
		return nil
	}
	if i >= 0 {
		return r.table.Others(i, c.val, r.args[first:], r.d)
	}
	return r.values.Others(c.val, r.args[first:], r.d)
}

// members writes column [NOT] IN (arguments) of a list's arguments from first on,
// whose other forms are others.
func (r *renderer) members(c *Cond, i, first int, others []any) {
	if r.inTexts(c.op, i, r.args[first:]) {
		r.digitsOfList(c, first)
		return
	}
	words := 0
	switch r.d {
	case dialect.MySQL:
		words = r.numbersFirst(i, first)
	case dialect.SQLite:
		others = r.withForms(others)
	}
	parts := others != nil || words > 0
	if parts {
		r.str("(")
	}
	end := len(r.args)
	if words > 0 {
		list := r.args[first:end]
		texts := append([]any(nil), list[len(list)-words:]...)
		r.args = r.args[:end-words]
		if len(r.args) > first {
			r.together(c, first)
			r.joinLists(c)
		}
		first = len(r.args)
		r.args = append(r.args, texts...)
		r.str("(")
		r.group(c, first)
		r.noNumber(c, c.op == NotIn)
	} else {
		r.together(c, first)
	}
	if others != nil {
		r.joinLists(c)
		r.formOf(c, func() {
			r.str("(")
			written := false
			for _, other := range others {
				if other != nil {
					if written {
						r.str(", ")
					}
					written = true
					r.form(other)
				}
			}
			r.str(")")
		})
	}
	if parts {
		r.str(")")
	}
}

// withForms appends the forms of times to the list's arguments, and returns what other
// forms are left.
func (r *renderer) withForms(others []any) (left []any) {
	for _, other := range others {
		switch other := other.(type) {
		case nil:
		case value.TimeForms:
			r.args = other.AppendOthers(r.args)
		default:
			left = append(left, other)
		}
	}
	return left
}

// joinLists writes what joins two lists of one comparison.
func (r *renderer) joinLists(c *Cond) {
	switch {
	case c.ofWindow() && r.d == dialect.MySQL:
		r.str([2]string{" | ", " & "}[index(c.op == NotIn)])
	case c.op == NotIn:
		r.str(" AND ")
	default:
		r.str(" OR ")
	}
}

func (r *renderer) openList(c *Cond) {
	r.comparison(c)
	r.str("(")
}

// together is group for elements of which none is misread.
func (r *renderer) together(c *Cond, first int) {
	if r.d == dialect.MySQL && needsEach(r.args[first:]) {
		r.inEach(c.col, c.op == NotIn, first)
		return
	}
	r.group(c, first)
}

// group writes one list of column [NOT] IN.
func (r *renderer) group(c *Cond, first int) {
	r.openList(c)
	if !r.long(first) {
		r.pad(first)
		r.placeholders(first+1, len(r.args))
	}
	r.str(")")
}

// numbersFirst puts a list's texts that are no numbers behind the others, and says
// how many they are; see misread.
func (r *renderer) numbersFirst(i, first int) (texts int) {
	list := r.args[first:]
	n := 0
	for k, a := range list {
		if !r.misread(i, a) {
			list[n], list[k] = list[k], list[n]
			n++
		}
	}
	return len(list) - n
}
