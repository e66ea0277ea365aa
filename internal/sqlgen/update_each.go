package sqlgen

import (
	"slices"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// EachUpdate describes an UPDATE of several rows, each of which takes values of its own:
// UPDATE table SET column = CASE WHEN key = ? THEN ? … END WHERE key = ? OR …
//
// The columns that are set stand as ELSE, which tells the types of the values to
// databases that ask for them.
type EachUpdate struct {
	Table   string
	Keys    []string // find a row
	Sets    []string // take values
	Version string   // must be what is given and grows by 1, "" is none
	Mark    string   // must be NULL, "" is none
	// Form is how one of Keys is compared with an argument; nil is FormPlain.
	Form func(key int, arg any) Form
}

// Args is how many arguments a row has: those of Sets, of Keys and of Version.
func (u *EachUpdate) Args() int {
	n := len(u.Sets) + len(u.Keys)
	if u.Version != "" {
		n++
	}
	return n
}

// Sent is how many arguments a row has at most in a statement for some of these rows.
func (u *EachUpdate) Sent(rows [][]any) int {
	n := u.Args() - len(u.Keys) // each value, and the version
	numbers := u.numbers(rows)
	for k := range u.Keys {
		found, chosen := 1, 1
		for _, row := range rows {
			if a := row[len(u.Sets)+k]; u.form(k, a) == FormDigits {
				found = maxLocated
				if !numbers[k] || !floatsTell(a) {
					chosen = maxLocated
				}
			}
		}
		n += found + chosen*len(u.Sets)
	}
	return n
}

// numbers says of each key whether all rows are found by digits in it.
func (u *EachUpdate) numbers(rows [][]any) []bool {
	out := make([]bool, len(u.Keys))
	for k := range out {
		out[k] = !slices.ContainsFunc(rows, func(row []any) bool { return u.form(k, row[len(u.Sets)+k]) != FormDigits })
	}
	return out
}

func (u *EachUpdate) form(key int, arg any) Form {
	if u.Form == nil {
		return FormPlain
	}
	return u.Form(key, arg)
}

// Text renders the update of these rows, each of them Args arguments that need no more work.
func (u *EachUpdate) Text(rows [][]any, d *dialect.Dialect) (string, []any, error) {
	q, numbers := From(u.Table), u.numbers(rows)
	return render(&Env{Dialect: d}, &q, func(r *renderer) {
		r.str("UPDATE ")
		r.path(u.Table)
		for i, c := range u.Sets {
			r.str([2]string{" SET ", ", "}[min(i, 1)])
			r.ident(c)
			r.str(" = CASE")
			for _, row := range rows {
				r.str(" WHEN ")
				r.found(u, row, numbers)
				r.str(" THEN ")
				r.ready(row[i])
			}
			r.str(" ELSE ")
			r.ident(c)
			r.str(" END")
		}
		if u.Version != "" {
			r.str([2]string{" SET ", ", "}[min(len(u.Sets), 1)])
			r.ident(u.Version)
			r.str(" = ")
			r.ident(u.Version)
			r.str(" + 1")
		}
		for i, row := range rows {
			r.str([2]string{" WHERE (", " OR "}[min(i, 1)])
			r.found(u, row, nil)
		}
		r.str(")")
		if u.Mark != "" {
			r.str(" AND ")
			r.ident(u.Mark)
			r.str(" IS NULL")
		}
	})
}

// found writes the condition of one row, with its version. With numbers it is one of CASE, for
// rows that have been found already: by digits alone, as numbers says of a key, a number is
// the text's that begins with it, if floats tell it from its neighbours. Beside a key that was
// found as a text it is not.
func (r *renderer) found(u *EachUpdate, row []any, numbers []bool) {
	for i, c := range u.Keys {
		if i > 0 {
			r.str(" AND ")
		}
		a := row[len(u.Sets)+i]
		form := u.form(i, a)
		if form == FormDigits && numbers != nil && numbers[i] && floatsTell(a) {
			form = FormPlain
		}
		r.located(c, form, a)
	}
	if numbers == nil && u.Version != "" {
		r.str(" AND ")
		r.located(u.Version, FormPlain, row[len(u.Sets)+len(u.Keys)])
	}
}

// floatsTell says that the floats of two whole numbers differ, one of which is a.
func floatsTell(a any) bool {
	const most = 1 << 53
	switch n := a.(type) {
	case int64:
		return -most < n && n < most
	case uint64:
		return n < most
	}
	return true
}
