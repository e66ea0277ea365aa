//go:build !dbfleet_no_postgres

package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// classify sorts by SQLSTATE: PostgreSQL's documentation, appendix A.
func classify(err error) (session.Problem, bool) {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		if errors.Is(err, pgconn.ErrConnClosed) {
			return session.Problem{Class: session.Connection, Unanswered: true}, true
		}
		return session.Problem{}, false
	}
	p := session.Problem{
		Class: classOf(pe.Code), Code: pe.Code,
		Constraint: pe.ConstraintName, Table: pe.TableName, Column: pe.ColumnName,
	}
	if p.Column == "" {
		p.Column = keyColumns(pe)
	}
	var changed *session.SchemaChangedError
	if errors.As(err, &changed) {
		p.Class = session.Serialization
	}
	return p, true
}

// keyColumns are the columns of a violated key, which only the detail names, before
// the values: "Key (a, "B")=(1, x) already exists." An index of expressions has none.
// Of a row that others refer to it names the key that they refer to, which are not the
// columns of the constraint.
func keyColumns(pe *pgconn.PgError) string {
	if pe.Code != "23505" && pe.Code != "23503" {
		return ""
	}
	var names []string
	_, s, ok := strings.Cut(pe.Detail, "(")
	for ok {
		end := strings.IndexAny(s, `,)("`)
		if end < 0 {
			return ""
		}
		name := s[:end]
		if s[end] == '"' {
			if end != 0 {
				return ""
			}
			if name, end = quotedName(s); end < 0 {
				return ""
			}
		}
		names, s = append(names, name), s[end:]
		switch {
		case strings.HasPrefix(s, ", "):
			s = s[2:]
		case strings.HasPrefix(s, ")=("):
			if i := strings.LastIndexByte(s, ')'); pe.Code == "23503" && strings.Contains(s[i:], pe.TableName) {
				return ""
			}
			return strings.Join(names, ", ")
		default:
			return ""
		}
	}
	return ""
}

// quotedName is the name at the beginning of s and where it ends, -1 if it does not.
func quotedName(s string) (name string, end int) {
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			i++
			continue
		}
		return strings.ReplaceAll(s[1:i], `""`, `"`), i + 1
	}
	return "", -1
}

func classOf(code string) session.Class {
	switch code {
	case "23505":
		return session.Unique
	case "23503", "23001":
		return session.ForeignKey
	case "23502":
		return session.NotNull
	case "23514", "23P01":
		return session.Check
	case "40P01":
		return session.Deadlock
	case "40001":
		return session.Serialization
	case "55P03":
		return session.LockTimeout
	case "25006":
		return session.ReadOnly
	case "53300":
		return session.TooManyConnections
	case "57014":
		return session.Timeout
	case "57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "40003":
		return session.Connection
	case "25P02", "25P01":
		return session.TxLost
	case "42501":
		return session.Auth
	case "3D000", "3F000", "42P01", "42703", "42883", "42704", "26000", "42P02":
		return session.UndefinedObject
	case "42P18", "42804", "42846":
		return session.InvalidValue
	}
	switch {
	case strings.HasPrefix(code, "22"):
		return session.InvalidValue
	case strings.HasPrefix(code, "08"):
		return session.Connection
	case strings.HasPrefix(code, "28"):
		return session.Auth
	case strings.HasPrefix(code, "40"):
		return session.Serialization
	case strings.HasPrefix(code, "53"), code == "54000":
		return session.Full
	case strings.HasPrefix(code, "42"):
		return session.Syntax
	}
	return session.Unknown
}

// message is the server's message, and what of it may be shown: the
// server itself quotes values only in those of class 22. What RAISE says may be
// anything. Details, which show whole rows, are not in it.
func message(err error) (raw, shown string, ok bool) {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return "", "", false
	}
	raw = pe.Error()
	if pe.Routine == "exec_stmt_raise" || strings.HasPrefix(pe.Code, "22") && pe.Code != "22001" && pe.Code != "22012" {
		p, _ := classify(pe)
		return raw, session.Hidden(pe.Code, p), true
	}
	return raw, raw, true
}
