package sqlgen

import (
	"slices"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// What an upsert did with a row, as Insert.Tells has it told.
const (
	RowInserted  = 1
	RowUpdated   = 2
	RowUnchanged = 3
)

// TellsOutcome asks PostgreSQL whether the rows of a relation, which is given quoted, tell
// which transaction has locked them: those of a plain table do, those of a view or of a
// table with partitions do not.
const TellsOutcome = "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'xmax' WHERE c.oid = to_regclass($1) AND c.relkind = 'r'"

// AskOutcome asks MySQL, on the connection of an upsert of one row, what it did. Its
// arguments are those of OutcomeAnswers.
const AskOutcome = "SELECT CASE @dbfleet_outcome WHEN ? THEN 2 WHEN ? THEN 3 ELSE 1 END"

// MaxOutcomeArgs is how many arguments OutcomeMarks and OutcomeAnswers are at most.
const MaxOutcomeArgs = 4

// OutcomeMarks are the arguments of an upsert of MySQL that tells what it did, behind
// those of its rows. The token is one that no other statement of the session has.
func (in *Insert) OutcomeMarks(token int64) []any {
	switch {
	case in.Conflict == Ignore:
		return []any{-token}
	case len(in.Equal) > 0:
		return []any{-token, token}
	}
	return []any{token}
}

// OutcomeAnswers are the arguments with which that is asked, behind OutcomeMarks where the
// upsert returns its rows.
func OutcomeAnswers(token int64) []any { return []any{token, -token} }

// outcomeReturning writes what tells the outcome behind the columns that an INSERT returns.
//
// A row of PostgreSQL that was inserted has been locked by nobody; an upsert locks the one
// that it updates. On MySQL the row that is updated leaves a token in a variable, which the
// row that is returned takes away.
func (r *renderer) outcomeReturning(in *Insert) {
	if !in.Tells || len(in.Returning) == 0 {
		return
	}
	switch r.d {
	case dialect.Postgres:
		r.str(", CASE WHEN xmax = 0 THEN 1 ELSE 2 END AS dbfleet_outcome")
	case dialect.MySQL:
		r.str(", CASE @dbfleet_outcome WHEN ? THEN 2 WHEN ? THEN 3 ELSE 1 END AS dbfleet_outcome, @dbfleet_outcome := NULL AS dbfleet_none")
	default:
		r.fail(r.fault("upsert", "SQLite does not tell what it did with a row", nil))
	}
}

// unlessEqual writes when an existing row is updated: only if it differs from the new one,
// in what is stored. A collation may hold other texts for equal.
func (r *renderer) unlessEqual(in *Insert) {
	if r.d == dialect.Postgres {
		r.str("ROW(")
		r.each(in.Equal, comma, func(c string) { r.existing(in, c) })
		r.str(")::record *<> ROW(")
		r.each(in.Equal, comma, r.excluded)
		r.str(")::record")
		return
	}
	r.each(in.Equal, or, func(c string) {
		r.existing(in, c)
		r.str(" COLLATE BINARY IS NOT ")
		r.excluded(c)
		r.str(" OR typeof(")
		r.existing(in, c)
		r.str(") <> typeof(")
		r.excluded(c)
		r.str(")")
	})
}

// What stands between the columns of each.
const (
	comma = iota
	and
	or
)

func (r *renderer) each(columns []string, between int, write func(column string)) {
	for i, c := range columns {
		if i > 0 {
			r.str([3]string{", ", " AND ", " OR "}[between])
		}
		write(c)
	}
}

// existing writes a column of the row that is there.
func (r *renderer) existing(in *Insert, column string) {
	r.path(in.Table)
	r.str(".")
	r.ident(column)
}

func (r *renderer) excluded(column string) {
	r.str("excluded.")
	r.ident(column)
}

// isEqual writes for MySQL whether the row that is there has what it would take.
func (r *renderer) isEqual(in *Insert) {
	r.each(in.Equal, and, func(c string) {
		r.ident(c)
		r.str(" <=> VALUES(")
		r.ident(c)
		r.str(") AND CAST(")
		r.ident(c)
		r.str(" AS BINARY) <=> CAST(VALUES(")
		r.ident(c)
		r.str(") AS BINARY)")
	})
}

// duplicateMark writes for MySQL the assignment of a column to itself that leaves a token
// in the session, before any other assignment: they see what those before them have set.
// With KeepID it tells the row's id as well.
func (r *renderer) duplicateMark(in *Insert) {
	kept := in.KeepID
	if kept == "" {
		kept = in.Columns[0]
		if at := slices.IndexFunc(in.Keys, func(k string) bool { return slices.Contains(in.Columns, k) }); at >= 0 {
			kept = in.Keys[at]
		}
	}
	r.ident(kept)
	r.str(" = IF((@dbfleet_outcome := ")
	if in.Conflict != Ignore && len(in.Equal) > 0 {
		r.str("IF(")
		r.isEqual(in)
		r.str(", ?, ?)")
	} else {
		r.str("?")
	}
	r.str(") IS NULL, ")
	r.ident(kept)
	r.str(", ")
	if in.KeepID != "" {
		r.str("LAST_INSERT_ID(")
	}
	r.ident(kept)
	if in.KeepID != "" {
		r.str(")")
	}
	r.str(")")
}

// duplicateSet writes an assignment of MySQL that an equal row is spared.
func (r *renderer) duplicateSet(in *Insert, column string, value func()) {
	r.ident(column)
	r.str(" = ")
	if len(in.Equal) == 0 || slices.Contains(in.Equal, column) {
		value()
		return
	}
	r.str("IF(")
	r.isEqual(in)
	r.str(", ")
	r.ident(column)
	r.str(", ")
	value()
	r.str(")")
}
