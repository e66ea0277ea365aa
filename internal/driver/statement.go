package driver

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

func isRollbackTo(query string, d *dialect.Dialect) bool {
	word, s := lex.FirstWord(query, d)
	if !strings.EqualFold(word, "ROLLBACK") {
		return false
	}
	t := s.Next()
	if t.Is("WORK") || t.Is("TRANSACTION") {
		t = s.Next()
	}
	return t.Is("TO")
}

// pragmaSets reports whether what follows PRAGMA sets something. With an argument
// in brackets most pragmas do, the others only ask.
func pragmaSets(s lex.Scanner) bool {
	name := ""
	for {
		switch t := s.Next(); {
		case t.Kind == lex.Word, t.Kind == lex.Quoted:
			name = strings.ToLower(strings.Trim(t.Text, "\"'`[]"))
		case t.Text == ".":
		case t.Text == "=":
			return s.Next().Kind != lex.End
		case t.Text == "(":
			for _, asks := range [...]string{"info", "_list", "_check", "_checkpoint", "optimize"} {
				if strings.HasSuffix(name, asks) {
					return false
				}
			}
			return s.Next().Kind != lex.End
		default:
			return false
		}
	}
}

// firstWords are the first two words of a text, to name a statement by.
func firstWords(query string, d *dialect.Dialect) string {
	s := lex.New(query, d)
	first, second, _ := s.Statement()
	return strings.ToUpper(strings.TrimSpace(first + " " + second))
}
