package sqlgen

import "github.com/dbfleet/dbfleet/internal/dialect"

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
}

// Args is how many arguments a row has: those of Sets, of Keys and of Version.
func (u *EachUpdate) Args() int {
	n := len(u.Sets) + len(u.Keys)
	if u.Version != "" {
		n++
	}
	return n
}

// Sent is how many arguments a row has in the statement.
func (u *EachUpdate) Sent() int { return u.Args() + len(u.Sets)*len(u.Keys) }

// Text renders the update of these rows, each of them Args arguments that need no more work.
func (u *EachUpdate) Text(rows [][]any, d *dialect.Dialect) (string, []any, error) {
	q := From(u.Table)
	return render(&Env{Dialect: d}, &q, func(r *renderer) {
		r.str("UPDATE ")
		r.path(u.Table)
		for i, c := range u.Sets {
			r.str([2]string{" SET ", ", "}[min(i, 1)])
			r.ident(c)
			r.str(" = CASE")
			for _, row := range rows {
				r.str(" WHEN ")
				r.found(u, row, false)
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
			r.found(u, row, true)
		}
		r.str(")")
		if u.Mark != "" {
			r.str(" AND ")
			r.ident(u.Mark)
			r.str(" IS NULL")
		}
	})
}

// found writes the condition of one row, with its version if that is asked for.
func (r *renderer) found(u *EachUpdate, row []any, version bool) {
	names := u.Keys
	if version && u.Version != "" {
		names = append(names[:len(names):len(names)], u.Version)
	}
	for i, c := range names {
		if i > 0 {
			r.str(" AND ")
		}
		r.ident(c)
		r.str(" = ")
		r.ready(row[len(u.Sets)+i])
	}
}
