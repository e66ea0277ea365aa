package sqlgen

import (
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// A column of texts in a field of whole numbers: MySQL compares the two by the number
// that the text begins with, so that 1 is equal to '01' and '1abc', and 0 to 'a'. A
// read refuses the texts that are no number as it is written. What a statement
// changes by such a condition, or leaves out, nobody would see: there the column's
// text, if it is one, is compared with the number's. As in noNumber what COERCIBILITY
// tells is a constant of the statement, so columns of numbers are compared as ever.

// inTexts says whether a comparison with the table's field i is written so.
func (r *renderer) inTexts(op Op, i int) bool {
	if r.d != dialect.MySQL || i < 0 {
		return false
	}
	switch op {
	case NotEq, NotIn:
	case Eq, In:
		if !r.locks {
			return false
		}
	default:
		return false
	}
	return r.table.Whole(i)
}

// digits writes the comparison of c whose right side is written by number, and that of
// the column's text with texts.
func (r *renderer) digits(c *Cond, number func(), texts []any) bool {
	r.str("(")
	r.comparison(c)
	number()
	r.digitsBehind(c, texts)
	return true
}

// digitsOfList is digits for the list of the arguments from first on.
func (r *renderer) digitsOfList(c *Cond, first int, texts []any) {
	r.str("(")
	r.together(c, first)
	r.digitsBehind(c, texts)
}

// digitsBehind closes either. CONCAT makes a text of the column whatever its collation;
// a BIT, which it would take for bytes, has the digits of a number in HEX, which no
// text has that begins with that number.
func (r *renderer) digitsBehind(c *Cond, texts []any) {
	differs := c.op == NotEq || c.op == NotIn
	r.str([2]string{" AND (COERCIBILITY(", " OR COERCIBILITY("}[index(differs)])
	r.column(c.col)
	r.str([2]string{") > 4 OR CONCAT(", ") < 5 AND CONCAT("}[index(differs)])
	r.column(c.col)
	r.rightDigits(c, texts)
	r.str([2]string{" OR HEX(", " AND HEX("}[index(differs)])
	r.column(c.col)
	r.rightDigits(c, inHex(texts))
	r.str([2]string{"))", ")"}[index(differs)])
}

// rightDigits writes the right side of a comparison with texts.
func (r *renderer) rightDigits(c *Cond, texts []any) {
	r.str(") ")
	r.str(opNames[c.op])
	r.str(" ")
	if c.op == Eq || c.op == NotEq {
		r.ready(texts[0])
		return
	}
	r.str("(")
	first := len(r.args)
	r.args = append(r.args, texts...)
	if !r.long(first) {
		r.pad(first)
		r.placeholders(first+1, len(r.args))
	}
	r.str(")")
}

// digitsOf is a whole number as text.
func digitsOf(a any) []any {
	switch n := a.(type) {
	case int64:
		return []any{strconv.FormatInt(n, 10)}
	case uint64:
		return []any{strconv.FormatUint(n, 10)}
	}
	return []any{a}
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
