package sqlgen

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Conflict is what an INSERT does with a row whose key exists.
type Conflict uint8

// The answers to an existing key.
const (
	Fail    Conflict = iota // the database's error
	Replace                 // the existing row is updated
	Ignore                  // the existing row stays as it is
)

// Insert describes INSERT INTO table (columns) VALUES rows.
type Insert struct {
	Table     string
	Columns   []string
	Rows      int
	Conflict  Conflict
	Keys      []string // the conflict's columns
	Sets      []string // the columns that an existing row takes from the new one
	Equal     []string // those of Sets by whose equality an existing row stays as it is; none updates it anyway
	Raise     string   // the column that grows by 1 where an existing row is updated
	Owner     string   // the column that says whose row it is: an existing row of another owner is not touched
	KeepID    string   // MySQL: the key column whose value LAST_INSERT_ID() gives, also for an existing row
	Tells     bool     // PostgreSQL and MySQL tell what became of each row, in the column behind Returning; see RowInserted
	Returning []string // where the dialect has it; "*" is all
}

// InsertText renders an INSERT whose arguments, row by row and column by
// column, the caller gives.
func InsertText(in *Insert, d *dialect.Dialect) (string, error) {
	if n := len(in.Columns) * in.Rows; d.MaxParams > 0 && n > d.MaxParams {
		return "", &StatementError{Table: in.Table, Part: "arguments", Reason: fmt.Sprintf("%d of them, %s takes %d", n, d.Name, d.MaxParams), Err: ErrTooManyArgs}
	}
	q := From(in.Table)
	text, _, err := render(&Env{Dialect: d}, &q, func(r *renderer) {
		r.insert(in, nil)
		for i, c := range in.Returning {
			r.str([2]string{" RETURNING ", ", "}[min(i, 1)])
			if c == "*" {
				r.str("*")
			} else {
				r.ident(c)
			}
		}
		r.outcomeReturning(in)
	})
	return text, err
}

// InsertRows renders an INSERT of rows into q's table, as many as in has. Their values
// are arguments that need no more work; an *Expr is SQL, a Subquery is rendered. It
// returns what q selects if q is Returning.
func InsertRows(q *Query, in *Insert, rows [][]any, env *Env) (string, []any, error) {
	return render(env, q, func(r *renderer) {
		r.locks = true
		r.takesNothing(r.q, "an INSERT")
		r.insert(in, rows)
		r.returning(r.q)
	})
}

// insert writes an INSERT. Without rows there is a placeholder for each value.
func (r *renderer) insert(in *Insert, rows [][]any) {
	r.str("INSERT INTO ")
	r.target = true
	r.tablePath(in.Table)
	r.target = false
	r.str(" ")
	switch {
	case len(in.Columns) > 0:
		r.insertColumns(in)
		if rows == nil {
			r.insertPlaceholders(in)
		} else {
			r.insertValues(in, rows)
		}
	case in.Rows != 1:
		r.fail(r.fault("insert", "several rows without columns", nil))
	default:
		r.str(r.d.DefaultValues)
	}
	r.conflict(in)
}

func (r *renderer) insertColumns(in *Insert) {
	for i, c := range in.Columns {
		r.str([2]string{"(", ", "}[min(i, 1)])
		r.ident(c)
	}
	r.str(") VALUES ")
}

// insertValues writes rows of values.
func (r *renderer) insertValues(in *Insert, rows [][]any) {
	for n, row := range rows {
		r.str([2]string{"(", ", ("}[min(n, 1)])
		for i, v := range row {
			if i > 0 {
				r.str(", ")
			}
			switch v := v.(type) {
			case *Expr, Subquery:
				r.assigned(in.Columns[i], v)
			default:
				r.ready(v)
			}
		}
		r.str(")")
	}
}

// insertPlaceholders writes a row of placeholders for each row.
func (r *renderer) insertPlaceholders(in *Insert) {
	n := 0
	for row := 0; row < in.Rows; row++ {
		if row > 0 {
			r.str(", ")
		}
		r.buf = append(r.buf, '(')
		for i := range in.Columns {
			if i > 0 {
				r.str(", ")
			}
			if !r.d.Numbered {
				r.buf = append(r.buf, '?')
				continue
			}
			n++
			r.buf = append(r.buf, '$')
			r.buf = strconv.AppendInt(r.buf, int64(n), 10)
		}
		r.buf = append(r.buf, ')')
	}
}

// conflict writes what happens with rows whose key exists.
func (r *renderer) conflict(in *Insert) {
	if in.Conflict == Fail {
		return
	}
	if !r.d.UpsertConflict {
		r.duplicateKey(in)
		return
	}
	for i, k := range in.Keys {
		r.str([2]string{" ON CONFLICT (", ", "}[min(i, 1)])
		r.ident(k)
	}
	if len(in.Keys) == 0 {
		r.str(" ON CONFLICT")
	} else {
		r.str(")")
	}
	if in.Conflict == Ignore {
		r.str(" DO NOTHING")
		return
	}
	for i, c := range in.Sets {
		r.str([2]string{" DO UPDATE SET ", ", "}[min(i, 1)])
		r.ident(c)
		r.str(" = excluded.")
		r.ident(c)
	}
	if in.Raise != "" {
		r.str(", ")
		r.ident(in.Raise)
		r.str(" = ")
		r.path(in.Table)
		r.str(".")
		r.ident(in.Raise)
		r.str(" + 1")
	}
	if in.Owner != "" {
		r.str(" WHERE ")
		r.path(in.Table)
		r.str(".")
		r.ident(in.Owner)
		r.str(" = excluded.")
		r.ident(in.Owner)
	}
	if len(in.Equal) == 0 {
		return
	}
	if in.Owner == "" {
		r.str(" WHERE ")
		r.unlessEqual(in)
		return
	}
	r.str(" AND (")
	r.unlessEqual(in)
	r.str(")")
}

// duplicateKey writes MySQL's clause. INSERT IGNORE would hide other faults
// too, so an existing row is left alone by setting a column to itself. One assignment sees
// what those before it have set: the columns that are compared come last.
func (r *renderer) duplicateKey(in *Insert) {
	n := 0
	next := func() {
		r.str([2]string{" ON DUPLICATE KEY UPDATE ", ", "}[min(n, 1)])
		n++
	}
	if in.Owner != "" {
		next()
		r.ownRow(in.Owner)
	}
	switch {
	case in.Tells:
		next()
		r.duplicateMark(in)
	case in.Owner != "":
	case in.Conflict == Ignore && in.KeepID == "":
		next()
		keep := in.Columns[0] // a key may be generated, and not to be set
		r.ident(keep)
		r.str(" = ")
		r.ident(keep)
	}
	set := func(c string) {
		next()
		r.duplicateSet(in, c, func() {
			r.str("VALUES(")
			r.ident(c)
			r.str(")")
		})
	}
	for _, c := range in.Sets {
		if !slices.Contains(in.Equal, c) {
			set(c)
		}
	}
	if in.Raise != "" && len(in.Sets) > 0 {
		next()
		r.duplicateSet(in, in.Raise, func() {
			r.ident(in.Raise)
			r.str(" + 1")
		})
	}
	for _, c := range in.Sets {
		if slices.Contains(in.Equal, c) {
			set(c)
		}
	}
	if in.KeepID != "" && !in.Tells {
		next()
		r.ident(in.KeepID)
		r.str(" = LAST_INSERT_ID(")
		r.ident(in.KeepID)
		r.str(")")
	}
}

// ownRow writes the first assignment of MySQL's clause: it leaves the owner as it is, and
// fails the statement with OtherOwner where that is another one.
func (r *renderer) ownRow(column string) {
	r.ident(column)
	r.str(" = IF(")
	r.ident(column)
	r.str(" = VALUES(")
	r.ident(column)
	r.str("), ")
	r.ident(column)
	r.str(", (SELECT 1 UNION SELECT 2))")
}

// OtherOwner is MySQL's code for an upsert that meets the row of another owner: that a
// subquery for one value has two.
const OtherOwner = "1242"
