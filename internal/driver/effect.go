package driver

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// effect is what a text of one or more statements leaves behind, told by its words.
// What a function or a procedure does by itself is not among them; the session tells
// some of it, see conn.strayed.
type effect uint8

const (
	// changesSession says that the session is not as it was, beyond its transaction,
	// so that the connection must not serve somebody else afterwards.
	changesSession effect = 1 << iota
	// begins says that a transaction is begun, of which this package then knows
	// nothing. The connection is given up after it: not every server tells.
	begins
	// movesNames says that a name may mean something else afterwards, so that what is
	// prepared may be in the wrong place.
	movesNames
	// commits says that MySQL commits the transaction before it runs the statement,
	// also one that then fails.
	commits
	// mayEnd says that the statement may end the transaction on MySQL, and may begin
	// another one.
	mayEnd
	// unsure says that other code runs, which may have changed the session.
	unsure
	// goesAlong says that a statement is a plain read; judged that it is known whether it is.
	goesAlong
	judged
)

// effects remembers the effects of the texts that a connection has sent. The zero
// value is ready for use.
type effects struct {
	last  string
	is    effect
	known map[string]effect
}

const (
	// maxEffects is how many texts are remembered, maxEffectText how long they are.
	maxEffects    = 256
	maxEffectText = 4 << 10
)

func (m *effects) of(query string, d *dialect.Dialect, many bool) effect {
	if query == m.last {
		return m.is
	}
	if len(query) > maxEffectText && harmless(query) && !mayCall(query) { // many rows, most often
		return 0
	}
	e, ok := m.known[query]
	if !ok {
		e = effectOfAll(query, d, many)
		if len(query) <= maxEffectText {
			if m.known == nil || len(m.known) >= maxEffects {
				m.known = make(map[string]effect)
			}
			m.known[query] = e
		}
	}
	m.last, m.is = query, e
	return e
}

// goesAlong says that a statement may go out together with BEGIN, and once more where the
// first answer is lost. Of a long one that is not asked; no text is none.
func (m *effects) goesAlong(query string, d *dialect.Dialect, many bool) bool {
	if query == "" {
		return false
	}
	e := m.of(query, d, many)
	if e&judged == 0 && len(query) <= maxEffectText {
		if e == 0 && isPlainRead(query, d) {
			e = goesAlong
		}
		e |= judged
		m.known[query], m.is = e, e
	}
	return e&goesAlong != 0
}

// mayCall says that a long text may do more than change rows.
func mayCall(query string) bool { return query[0]|0x20 == 's' || query[0]|0x20 == 'w' }

// harmless knows the statements of nearly every program by their beginning: they
// change and read rows. Several statements in one text are not among them.
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

func effectOf(query string, d *dialect.Dialect) effect {
	return effectOfAll(query, d, d != dialect.MySQL)
}

// effectOfAll is effectOf; many says that the database takes several statements in one
// text.
func effectOfAll(query string, d *dialect.Dialect, many bool) (e effect) {
	query = strings.TrimPrefix(query, dialect.SortedWhole) // which leaves nothing behind
	if d == dialect.MySQL && (strings.Contains(query, "/*!") || strings.Contains(query, "/*M!")) {
		// Which of it is read as a comment depends on the server's version.
		e = mayEnd | unsure | movesNames | effectOfAll(lex.WithoutExecuted(query), d, many)&^commits
	}
	for s, n := lex.New(query, d), 0; ; n++ {
		ahead := s
		first, second, ok := s.Statement()
		if !ok {
			return e
		}
		one := statementOf{d: d, s: ahead}.effect(strings.ToUpper(first), strings.ToUpper(second))
		if n > 0 && d == dialect.MySQL && framesTx(first) {
			one |= commits
		}
		if e |= one; !many {
			return e
		}
	}
}

// framesTx says whether a statement with this first word begins or ends a transaction.
func framesTx(word string) bool {
	switch strings.ToUpper(word) {
	case "BEGIN", "START", "COMMIT", "ROLLBACK", "XA", "SAVEPOINT", "RELEASE":
		return true
	}
	return false
}
