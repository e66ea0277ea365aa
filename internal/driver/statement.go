package driver

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// What a statement does to the session, told by its words: a function that does
// so is not seen.

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

// effect is what a text of one or more statements leaves behind.
type effect struct {
	// session says that it changes the session beyond its transaction, so that the
	// connection must not serve somebody else afterwards.
	session bool
	// begins says that it begins a transaction, of which this package then knows
	// nothing. The connection is given up after it: not every server tells.
	begins bool
}

func effectOf(query string, d *dialect.Dialect) effect {
	return effectOfAll(query, d, d != dialect.MySQL)
}

// effectOfAll is effectOf; many says that the database takes several statements in one
// text.
func effectOfAll(query string, d *dialect.Dialect, many bool) (e effect) {
	if harmless(query) {
		return effect{}
	}
	for s := lex.New(query, d); ; {
		ahead := s
		first, _, ok := s.Statement()
		if !ok {
			return e
		}
		e.session = e.session || changesSession(first, ahead)
		e.begins = e.begins || begins(first)
		if !many {
			return e
		}
	}
}

// harmless knows the statements of nearly every program by their beginning. None
// of them needs a second look, unless more statements follow.
func harmless(query string) bool {
	if query == "" {
		return true
	}
	switch query[0] {
	case 'I', 'i', 'W', 'w':
	case 'S', 's': // SELECT, not SET, START or SAVEPOINT
		if len(query) < 3 || query[1]|0x20 != 'e' || query[2]|0x20 == 't' {
			return false
		}
	case 'U', 'u': // UPDATE, not USE
		if len(query) < 2 || query[1]|0x20 == 's' {
			return false
		}
	case 'D', 'd': // DELETE, not DISCARD or DETACH
		if len(query) < 3 || query[1]|0x20 != 'e' || query[2]|0x20 != 'l' {
			return false
		}
	default:
		return false
	}
	return strings.IndexByte(query, ';') < 0
}

func begins(word string) bool {
	switch strings.ToUpper(word) {
	case "BEGIN", "START", "SAVEPOINT":
		return true
	}
	return false
}

// changesSession looks at the statement that begins with a word and that s has
// not read yet.
func changesSession(word string, s lex.Scanner) bool {
	next := func() lex.Token {
		t := s.Next()
		for t.Kind == lex.Symbol && (t.Text == ";" || t.Text == "(") {
			t = s.Next()
		}
		return t
	}
	switch strings.ToUpper(word) {
	case "SET":
		next()
		t := next()
		return !t.Is("LOCAL") && !t.Is("TRANSACTION") && !t.Is("CONSTRAINTS") && !t.Is("STATEMENT")
	case "USE", "RESET", "DISCARD", "DEALLOCATE", "LISTEN", "ATTACH", "DETACH", "HANDLER":
		return true
	case "LOCK": // LOCK TABLES outlives the transaction on MySQL
		next()
		t := next()
		return t.Is("TABLES")
	case "PRAGMA":
		next()
		return pragmaSets(s)
	case "CREATE":
		next()
		t := next()
		return t.Is("TEMP") || t.Is("TEMPORARY")
	}
	return false
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
