//go:build !dbfleet_no_sqlite

package sqlite

import (
	"errors"
	"strconv"
	"strings"

	"modernc.org/sqlite"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// classify sorts by SQLite's extended result codes. Table and columns are
// read from the message: there is no other place for them.
func classify(err error) (session.Problem, bool) {
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return session.Problem{}, false
	}
	p := session.Problem{Class: classOf(se.Code()), Code: strconv.Itoa(se.Code())}
	if se.Code() == 1 && (strings.Contains(se.Error(), overflow) || strings.Contains(se.Error(), malformed)) {
		p.Class = session.InvalidValue
	}
	_, detail, _ := strings.Cut(se.Error(), "constraint failed: ")
	// The driver writes "constraint failed: UNIQUE constraint failed: t.c (2067)".
	if _, rest, ok := strings.Cut(detail, "constraint failed: "); ok {
		detail = rest
	}
	if i := strings.LastIndex(detail, " ("); i >= 0 {
		detail = detail[:i]
	}
	switch p.Class {
	case session.Unique, session.NotNull:
		p.Table, p.Column = columnsOf(detail)
		if name, ok := strings.CutPrefix(detail, "index '"); ok {
			p.Constraint, p.Table, p.Column = strings.TrimSuffix(name, "'"), "", ""
		}
	case session.Check:
		p.Constraint = detail
	case session.InvalidValue: // "cannot store TEXT value in INTEGER column t.c (3091)", of a STRICT table
		if i := strings.LastIndex(se.Error(), " column "); se.Code() == 3091 && i >= 0 {
			name, _, _ := strings.Cut(se.Error()[i+len(" column "):], " (")
			p.Table, p.Column = columnsOf(name)
		}
	}
	return p, true
}

// overflow is what SQLite says, by the code of any mistake, of a sum beyond int64.
const overflow = "SQL logic error: integer overflow (1)"

// malformed is what it says of a text that is no JSON.
const malformed = "SQL logic error: malformed JSON (1)"

// columnsOf reads "t.a, t.b". Names with dots of their own could be read in several
// ways: then none is told.
func columnsOf(detail string) (table, columns string) {
	names := strings.Split(detail, ", ")
	for i, name := range names {
		t, column, ok := strings.Cut(name, ".")
		if !ok || strings.Contains(column, ".") || i > 0 && t != table {
			return "", ""
		}
		table, names[i] = t, column
	}
	return table, strings.Join(names, ", ")
}

func classOf(code int) session.Class {
	switch code {
	case 2067, 1555, 2579:
		return session.Unique
	case 787:
		return session.ForeignKey
	case 1299:
		return session.NotNull
	case 275:
		return session.Check
	case 3091: // SQLITE_CONSTRAINT_DATATYPE
		return session.InvalidValue
	case 517: // SQLITE_BUSY_SNAPSHOT: waiting does not help, beginning again does
		return session.Serialization
	}
	switch code & 0xff {
	case 5, 6:
		return session.LockTimeout
	case 8:
		return session.ReadOnly
	case 9:
		return session.Canceled
	case 7, 10, 13:
		return session.Full
	case 14, 11, 26:
		return session.Connection
	case 3, 23:
		return session.Auth
	case 18, 20, 25:
		return session.InvalidValue
	}
	return session.Unknown
}

// message is SQLite's message, and what of it may be shown: all but the
// words of a trigger's RAISE.
func message(err error) (raw, shown string, ok bool) {
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return "", "", false
	}
	raw = se.Error()
	if se.Code() == 1811 {
		p, _ := classify(se)
		return raw, session.Hidden(p.Code, p), true
	}
	return raw, raw, true
}
