//go:build !dbfleet_no_sqlite

package driver

import (
	"errors"
	"strconv"
	"strings"

	"modernc.org/sqlite"
)

// classifySQLite sorts by SQLite's extended result codes. Table and columns are
// read from the message: there is no other place for them.
func classifySQLite(err error) (Problem, bool) {
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return Problem{}, false
	}
	p := Problem{Class: sqliteClass(se.Code()), Code: strconv.Itoa(se.Code())}
	_, detail, _ := strings.Cut(se.Error(), "constraint failed: ")
	// The driver writes "constraint failed: UNIQUE constraint failed: t.c (2067)".
	if _, rest, ok := strings.Cut(detail, "constraint failed: "); ok {
		detail = rest
	}
	if i := strings.LastIndex(detail, " ("); i >= 0 {
		detail = detail[:i]
	}
	switch p.Class {
	case Unique, NotNull:
		columns := strings.Split(detail, ", ")
		p.Table, _, _ = strings.Cut(columns[0], ".")
		for i := range columns {
			_, columns[i], _ = strings.Cut(columns[i], ".")
		}
		p.Column = strings.Join(columns, ", ")
		if name, ok := strings.CutPrefix(detail, "index '"); ok {
			p.Constraint, p.Table, p.Column = strings.TrimSuffix(name, "'"), "", ""
		}
	case Check:
		p.Constraint = detail
	}
	return p, true
}

func sqliteClass(code int) Class {
	switch code {
	case 2067, 1555, 2579:
		return Unique
	case 787:
		return ForeignKey
	case 1299:
		return NotNull
	case 275:
		return Check
	case 3091: // SQLITE_CONSTRAINT_DATATYPE
		return InvalidValue
	case 517: // SQLITE_BUSY_SNAPSHOT: waiting does not help, beginning again does
		return Serialization
	}
	switch code & 0xff {
	case 5, 6:
		return LockTimeout
	case 8:
		return ReadOnly
	case 9:
		return Canceled
	case 7, 10, 13:
		return Full
	case 14, 11, 26:
		return Connection
	case 3, 23:
		return Auth
	case 18, 20, 25:
		return InvalidValue
	}
	return Unknown
}

// sqliteMessage is SQLite's message, and what of it may be shown: all but the
// words of a trigger's RAISE.
func sqliteMessage(err error) (raw, shown string, ok bool) {
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return "", "", false
	}
	raw = se.Error()
	if se.Code() == 1811 {
		p, _ := classifySQLite(se)
		return raw, hidden(p.Code, p), true
	}
	return raw, raw, true
}
