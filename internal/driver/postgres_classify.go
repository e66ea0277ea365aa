//go:build !dbfleet_no_postgres

package driver

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// classifyPostgres sorts by SQLSTATE: PostgreSQL's documentation, appendix A.
func classifyPostgres(err error) (Problem, bool) {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		if errors.Is(err, pgconn.ErrConnClosed) {
			return Problem{Class: Connection, Unanswered: true}, true
		}
		return Problem{}, false
	}
	return Problem{
		Class: sqlStateClass(pe.Code), Code: pe.Code,
		Constraint: pe.ConstraintName, Table: pe.TableName, Column: pe.ColumnName,
	}, true
}

func sqlStateClass(code string) Class {
	switch code {
	case "23505":
		return Unique
	case "23503", "23001":
		return ForeignKey
	case "23502":
		return NotNull
	case "23514", "23P01":
		return Check
	case "40P01":
		return Deadlock
	case "40001":
		return Serialization
	case "55P03":
		return LockTimeout
	case "25006":
		return ReadOnly
	case "53300":
		return TooManyConnections
	case "57014":
		return Timeout
	case "57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "40003":
		return Connection
	case "25P02", "25P01":
		return TxLost
	case "42501":
		return Auth
	case "3D000", "3F000", "42P01", "42703", "42883", "42704", "26000", "42P02":
		return UndefinedObject
	case "42P18", "42804", "42846":
		return InvalidValue
	}
	switch {
	case strings.HasPrefix(code, "22"):
		return InvalidValue
	case strings.HasPrefix(code, "08"):
		return Connection
	case strings.HasPrefix(code, "28"):
		return Auth
	case strings.HasPrefix(code, "40"):
		return Serialization
	case strings.HasPrefix(code, "53"), code == "54000":
		return Full
	case strings.HasPrefix(code, "42"):
		return Syntax
	}
	return Unknown
}

// postgresMessage is the server's message, and what of it may be shown: the
// server itself quotes values only in those of class 22. What RAISE says may be
// anything. Details, which show whole rows, are not in it.
func postgresMessage(err error) (raw, shown string, ok bool) {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return "", "", false
	}
	raw = pe.Error()
	if pe.Routine == "exec_stmt_raise" || strings.HasPrefix(pe.Code, "22") && pe.Code != "22001" && pe.Code != "22012" {
		p, _ := classifyPostgres(pe)
		return raw, hidden(pe.Code, p), true
	}
	return raw, raw, true
}
