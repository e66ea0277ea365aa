package dbfleet

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// refuseControl refuses a text with a statement that begins or ends a
// transaction: on a pooled connection it would catch others' statements, in a
// transaction it would end it unseen.
//
// MySQL takes one statement at a time. A text that only MySQL reads as control, by
// a comment of its own, is refused for every database: one program gets one answer.
func refuseControl(query string, d *dialect.Dialect) error {
	if query == "" {
		return &StatementError{Reason: "the SQL is empty"}
	}
	if start := strings.TrimLeft(query, " \t\r\n;("); d != dialect.MySQL &&
		(strings.HasPrefix(start, "#") || strings.HasPrefix(start, "/*!") || strings.HasPrefix(start, "/*M!")) {
		if err := refuseControl(query, dialect.MySQL); err != nil {
			return err
		}
	}
	if d == dialect.MySQL && strings.Contains(query, "/*") && (strings.Contains(query, "/*!") || strings.Contains(query, "/*M!")) {
		// The server's version decides which of the two readings is right.
		if rest := lex.WithoutExecuted(query); rest != "" {
			if err := refuseControl(rest, d); err != nil {
				return err
			}
		}
	}
	for s := lex.New(query, d); ; {
		first, second, ok := s.Statement()
		if !ok {
			return nil
		}
		if control := controlOf(first, second); control != "" {
			return &StatementError{Part: control, Reason: "a transaction is begun and ended by Transaction"}
		}
		if d == dialect.MySQL {
			return nil
		}
	}
}

// controlOf names the statement with these first words if it would change the
// transaction behind the library's back, and is "" for every other.
func controlOf(first, second string) string {
	switch first = strings.ToUpper(first); first {
	case "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "XA":
		return first
	case "PREPARE":
		if strings.EqualFold(second, "TRANSACTION") {
			return "PREPARE TRANSACTION"
		}
	}
	return ""
}
