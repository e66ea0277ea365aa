package sqlgen

import (
	"fmt"
	"strings"

	"github.com/Masterminds/squirrel"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// Expr is SQL that the caller wrote, with ? for each argument; ?? is a
// question mark itself.
type Expr struct {
	SQL     string
	Args    []any
	Sqlizer squirrel.Sqlizer // instead of SQL and Args
	Term    Term             // instead of all of them
	Err     error            // it is none, and why
}

// resolve returns the expression's SQL and arguments. A Sqlizer is asked, and
// what would go wrong in silence is refused: numbered placeholders, an empty
// Eq (which means "everything"), keys that are SQL instead of columns, rows of
// different lengths.
func (e *Expr) resolve() (string, []any, error) {
	if e.Term != nil {
		return "", nil, errTerm
	}
	if e.Sqlizer == nil {
		return e.SQL, e.Args, e.Err
	}
	s, err := plainSqlizer(e.Sqlizer)
	if err != nil {
		return "", nil, err
	}
	text, args, err := s.ToSql()
	if err != nil {
		return "", nil, fmt.Errorf("squirrel: %w", err)
	}
	if strings.TrimSpace(text) == "" {
		return "", nil, fmt.Errorf("squirrel: %T renders no SQL", e.Sqlizer)
	}
	if n := numbered(text); n != "" {
		return "", nil, fmt.Errorf("squirrel: numbered placeholder %s in a part of a statement; use the Question format", n)
	}
	return text, args, nil
}

// numbered returns the first $n placeholder outside quotes and comments.
func numbered(sql string) string {
	scanner := lex.New(sql, dialect.Postgres)
	for t := scanner.Next(); t.Kind != lex.End; t = scanner.Next() {
		if t.Kind == lex.Placeholder && t.Text[0] == '$' {
			return t.Text
		}
	}
	return ""
}

// exactly is the expression with texts of documents sorted by their bytes.
func (e *Expr) exactly() *Expr {
	if v, ok := e.Term.(JSONValue); ok {
		return &Expr{Term: exactly(v)}
	}
	return e
}
