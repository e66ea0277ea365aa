package sqlgen

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// A column of texts beside whole numbers: MySQL compares the two by the number
// that the text begins with, so that 1 is equal to '01' and '1abc', and 0 to 'a'. A
// read refuses the texts that are no number as it is written. What a statement
// changes by such a condition, or leaves out, nobody would see: there the column's
// text, if it is one, is compared with the number's. Whether it is one is a constant of the
// statement, so columns of numbers are compared as ever.

// inTexts says whether a comparison of the table's field i with these arguments is written
// so: a field of whole numbers, or another one whose value is sent as such.
func (r *renderer) inTexts(op Op, i int, args []any) bool {
	if r.d != dialect.MySQL || i < 0 {
		return false
	}
	switch op {
	case NotEq, NotIn, IsNot:
	case Eq, In, Is:
		if !r.locks && !r.byDigits {
			return false
		}
	default:
		return false
	}
	return r.table.Whole(i) || !slices.ContainsFunc(args, func(a any) bool { return !isWhole(a) })
}

// isWhole says whether an argument is sent as a whole number.
func isWhole(a any) bool {
	switch a.(type) {
	case int64, uint64, bool:
		return true
	}
	return false
}

// digits writes the comparison of c with a, and that of the column's text with a's. The
// argument comes three times: the server makes its texts, which costs nothing here.
func (r *renderer) digits(c *Cond, a any) {
	r.digitsBefore(c, func(hex bool) {
		r.str([2]string{"CONCAT(", "HEX("}[index(hex)])
		r.ready(a)
		r.str([2]string{")", " + 0)"}[index(hex)])
	})
	if c.op == Is {
		r.nullSafe(c, a)
	} else {
		r.comparison(c)
		r.ready(a)
	}
	r.str(")")
}

// digitsOfList is digits for the list of the arguments from first on.
func (r *renderer) digitsOfList(c *Cond, first int) {
	list := slices.Clone(r.args[first:])
	r.args = r.args[:first]
	texts := make([]any, len(list))
	for i, a := range list {
		texts[i] = digitsOf(a)
	}
	r.digitsBefore(c, func(hex bool) {
		first := len(r.args)
		if hex {
			r.args = append(r.args, inHex(texts)...)
		} else {
			r.args = append(r.args, texts...)
		}
		r.str("(")
		if !r.long(first) {
			r.pad(first)
			r.placeholders(first+1, len(r.args))
		}
		r.str(")")
	})
	first = len(r.args)
	r.args = append(r.args, list...)
	r.together(c, first)
	r.str(")")
}

// digitsBefore opens either; right writes what the column's text is compared with, or its HEX.
// It stands before the comparison with the number, which the server refuses in a write when
// it meets a text that is none. CONCAT makes a text of the column whatever its collation; a
// BIT, which it would take for bytes, has the digits of a number in HEX, which no text has
// that is that number.
func (r *renderer) digitsBefore(c *Cond, right func(hex bool)) {
	differs := c.op == NotEq || c.op == NotIn
	r.str("((")
	r.typeIsNumber(!differs, func() { r.column(c.col) })
	r.str([2]string{" OR ", " AND "}[index(differs)])
	for _, hex := range [...]bool{false, true} {
		if hex {
			r.str([2]string{" OR ", " AND "}[index(differs)])
		}
		r.str([2]string{"CONCAT(", "HEX("}[index(hex)])
		r.column(c.col)
		r.str(") ")
		if c.op == Is {
			r.str(r.d.NullSafeEqual)
		} else {
			r.str(opNames[c.op])
		}
		r.str(" ")
		right(hex)
	}
	r.str([2]string{") AND ", ") OR "}[index(differs)])
}

// digitsOf is a whole number as text.
func digitsOf(a any) any {
	switch n := a.(type) {
	case int64:
		return strconv.FormatInt(n, 10)
	case uint64:
		return strconv.FormatUint(n, 10)
	case bool:
		return strconv.Itoa(index(n))
	}
	return a
}

// inHex are the texts of whole numbers as HEX writes them.
func inHex(texts []any) []any {
	out := make([]any, len(texts))
	for i, t := range texts {
		out[i] = t
		text, _ := t.(string)
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			out[i] = strings.ToUpper(strconv.FormatUint(n, 16))
		}
	}
	return out
}
