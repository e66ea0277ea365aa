package sqlgen

import (
	"fmt"
	"strings"

	"github.com/Masterminds/squirrel"
)

// Expr is SQL that the caller wrote, with ? for each argument; ?? is a
// question mark itself.
type Expr struct {
	SQL     string
	Args    []any
	Sqlizer squirrel.Sqlizer // instead of SQL and Args
}

// resolve returns the expression's SQL and arguments. A Sqlizer is asked, and
// what would go wrong in silence is refused: numbered placeholders, an empty
// Eq (which means "everything"), keys that are SQL instead of columns, rows of
// different lengths.
func (e *Expr) resolve() (string, []any, error) {
	if e.Sqlizer == nil {
		return e.SQL, e.Args, nil
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
	found := ""
	scan(sql, false, func(i int) int {
		if sql[i] == '$' && i+1 < len(sql) && sql[i+1] >= '0' && sql[i+1] <= '9' && (i == 0 || !wordByte(sql[i-1])) {
			j := i + 1
			for j < len(sql) && sql[j] >= '0' && sql[j] <= '9' {
				j++
			}
			found = sql[i:j]
			return len(sql)
		}
		return i + 1
	})
	return found
}

func wordByte(b byte) bool {
	return b == '_' || b == '$' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= 0x80
}
