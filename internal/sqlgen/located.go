package sqlgen

import (
	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// What finds the row of one record in a statement whose text is kept, or that has many such
// rows: a column with an argument that needs no more work.

// Form is how a column is compared with the argument by which a row is found.
type Form uint8

// The forms of a comparison. All but FormPlain are for MySQL.
const (
	FormPlain  Form = iota
	FormDigits      // of a whole number, which a column of texts has in its digits
	FormText        // of a text that is no number
)

// LocatedForm is the form for an argument on MySQL. whole and textual say what the values
// of the column's field are; see Table.
func LocatedForm(a any, whole, textual bool) Form {
	switch s, text := a.(string); {
	case whole, isWhole(a):
		return FormDigits
	case textual && text && !value.IsDecimal(s):
		return FormText
	}
	return FormPlain
}

// Located is the condition that a row has in a column what an argument is.
func Located(column string, f Form, arg any) Cond {
	return Cond{kind: located, col: column, op: Eq, val: &detail{form: f, value: arg}}
}

// Marked is the condition of such a statement that a column is NULL, or is not.
func Marked(column string, null bool) Cond {
	return Cond{kind: located, col: column, op: [2]Op{IsNot, Is}[index(null)], val: &detail{}}
}

// maxLocated is how many arguments the condition has at most.
const maxLocated = 3

// SpreadLocated makes of the last n arguments, which are those of conditions in these forms,
// what the conditions have on MySQL.
func SpreadLocated(args []any, forms func(at int, arg any) Form, n int) []any {
	first := len(args) - n
	end := len(args)
	for at, a := range args[first:] {
		if forms(at, a) == FormDigits {
			end += maxLocated - 1
		}
	}
	for len(args) < end {
		args = append(args, nil)
	}
	for at := n - 1; at >= 0; at-- {
		a := args[first+at]
		last := end - 1
		args[last] = mysqlExact(a)
		if forms(at, a) == FormDigits {
			args[last-1], args[last-2] = a, a
			last -= maxLocated - 1
		}
		end = last
	}
	return args
}

// locating writes a condition that Located or Marked has made.
func (r *renderer) locating(c *Cond) {
	if c.op == Eq {
		r.located(c.col, c.detail().form, c.detail().value)
		return
	}
	r.ident(c.col)
	r.str([2]string{" IS NULL", " IS NOT NULL"}[index(c.op == IsNot)])
}

// located writes such a condition, of a column of the only table, whatever its name has in it.
func (r *renderer) located(column string, f Form, arg any) {
	r.alone = true
	defer func() { r.alone = false }()
	c := Cond{col: column, op: Eq}
	switch f {
	case FormDigits:
		r.digits(&c, arg)
	case FormText:
		r.text(&c, arg)
	default:
		if r.d == dialect.MySQL {
			arg = mysqlExact(arg)
		}
		r.comparison(&c)
		r.ready(arg)
	}
}
