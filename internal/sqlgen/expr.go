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

// scan calls f at each byte of sql that is outside string literals, quoted
// identifiers, comments and dollar quotes; f returns where to go on. mysql says
// to read them as MySQL does: with backslashes in literals, and # for comments.
// open tells of one of those that sql does not end.
func scan(sql string, mysql bool, f func(i int) int) (open bool) {
	i := 0
	for i < len(sql) {
		if j := skipQuoted(sql, i, mysql); j > i {
			i = j
			continue
		}
		i = f(i)
	}
	return i > len(sql)
}

// skipQuoted returns the end of the literal, quoted identifier or comment that
// begins at i, or i when none does. One without an end goes beyond sql.
func skipQuoted(sql string, i int, mysql bool) int {
	switch c := sql[i]; {
	case c == '\'' || c == '"' || c == '`':
		escapes := mysql && c != '`' || c == '\'' && i > 0 && sql[i-1]|0x20 == 'e' && (i == 1 || !wordByte(sql[i-2]))
		for j := i + 1; j < len(sql); j++ {
			if escapes && sql[j] == '\\' {
				j++
			} else if sql[j] == c {
				return j + 1
			}
		}
		return len(sql) + 1
	case c == '-' && strings.HasPrefix(sql[i:], "--"), c == '#' && mysql:
		if j := strings.IndexByte(sql[i:], '\n'); j >= 0 {
			return i + j + 1
		}
		return len(sql) + 1
	case c == '/' && strings.HasPrefix(sql[i:], "/*"):
		return skipComment(sql, i)
	case c == '$' && (i == 0 || !wordByte(sql[i-1])):
		j := i + 1
		for j < len(sql) && wordByte(sql[j]) && sql[j] != '$' {
			j++
		}
		if j < len(sql) && sql[j] == '$' && (j == i+1 || sql[i+1] < '0' || sql[i+1] > '9') {
			tag := sql[i : j+1]
			if k := strings.Index(sql[j+1:], tag); k >= 0 {
				return j + 1 + k + len(tag)
			}
			return len(sql) + 1
		}
	}
	return i
}

// skipComment returns the end of the comment that begins at i. PostgreSQL
// nests them; where others do not, SQL that only they understand fails by its
// number of placeholders.
func skipComment(sql string, i int) int {
	depth := 0
	for i < len(sql) {
		switch {
		case strings.HasPrefix(sql[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(sql[i:], "*/"):
			depth--
			i += 2
			if depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return len(sql) + 1
}
