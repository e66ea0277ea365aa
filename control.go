package dbfleet

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// controls are the statements that would change the transaction behind the
// library's back, in upper case with single spaces.
var controls = []string{"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "XA", "PREPARE TRANSACTION"}

// refuseControl refuses a text with a statement that begins or ends a
// transaction: on a pooled connection it would catch others' statements, in a
// transaction it would end it unseen.
func refuseControl(query string, d *dialect.Dialect) error {
	first := true
	for {
		// PostgreSQL nests comments, the others do not.
		text := skipBlank(query, d == dialect.Postgres)
		for _, c := range controls {
			if beginsWith(text, c) {
				return &StatementError{Part: c, Reason: "a transaction is begun and ended by Transaction"}
			}
		}
		// MySQL takes one statement at a time, and what CREATE defines may have
		// statements in it that run later.
		if first && (d == dialect.MySQL || beginsWith(text, "CREATE")) {
			return nil
		}
		first = false
		rest, ok := afterStatement(text, d)
		if !ok {
			return nil
		}
		query = rest
	}
}

// skipBlank cuts off the blanks and comments that text begins with. What MySQL
// executes although it looks like a comment (/*!50000 …) is none.
func skipBlank(text string, nested bool) string {
	for {
		text = strings.TrimLeft(text, " \t\r\n\f\v;(")
		switch {
		case strings.HasPrefix(text, "--"), strings.HasPrefix(text, "#"):
			_, text, _ = strings.Cut(text, "\n")
		case strings.HasPrefix(text, "/*!"), strings.HasPrefix(text, "/*M!"):
			_, text, _ = strings.Cut(text, "!")
			text = strings.TrimLeft(text, "0123456789")
		case strings.HasPrefix(text, "/*"):
			text = text[commentEnd(text, nested):]
		default:
			return text
		}
	}
}

// commentEnd is where the comment that text begins with has ended.
func commentEnd(text string, nested bool) int {
	depth := 0
	for i := 0; i+1 < len(text); i++ {
		switch {
		case text[i] == '/' && text[i+1] == '*' && (nested || depth == 0):
			depth++
			i++
		case text[i] == '*' && text[i+1] == '/':
			i++
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// beginsWith says whether text begins with the words, in any case and with any
// blanks and comments between them.
func beginsWith(text, words string) bool {
	for word := range strings.SplitSeq(words, " ") {
		text = skipBlank(text, false)
		if len(text) < len(word) || !strings.EqualFold(text[:len(word)], word) || len(text) > len(word) && isWord(text[len(word)]) {
			return false
		}
		text = text[len(word):]
	}
	return true
}

func isWord(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// afterStatement is what follows the first semicolon that is in no quotes and
// no comment; ok is false if nothing does.
func afterStatement(text string, d *dialect.Dialect) (rest string, ok bool) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == ';':
			rest = strings.TrimLeft(text[i:], " \t\r\n;")
			return rest, rest != ""
		case c == '\'' && d == dialect.Postgres && i > 0 && text[i-1]|0x20 == 'e' && (i == 1 || !isWord(text[i-2])):
			i = quotedEnd(text, i, '\'', true)
		case c == '\'', c == '"', c == '`' && d == dialect.SQLite:
			i = quotedEnd(text, i, c, false)
		case c == '[' && d == dialect.SQLite:
			i = quotedEnd(text, i, ']', false)
		case c == '$' && d == dialect.Postgres && (i == 0 || !isWord(text[i-1])):
			i = dollarEnd(text, i)
		case strings.HasPrefix(text[i:], "--"):
			end := strings.IndexByte(text[i:], '\n')
			if end < 0 {
				return "", false
			}
			i += end
		case strings.HasPrefix(text[i:], "/*"):
			i += commentEnd(text[i:], d == dialect.Postgres) - 1
		}
	}
	return "", false
}

// quotedEnd is where the quote that was opened at i is closed. One that is
// doubled, opens a further quote at once.
func quotedEnd(text string, i int, quote byte, escapes bool) int {
	for i++; i < len(text) && text[i] != quote; i++ {
		if escapes && text[i] == '\\' {
			i++
		}
	}
	return i
}

// dollarEnd is where the text in dollar quotes ($tag$…$tag$) ends that is
// opened at i, or i if none is.
func dollarEnd(text string, i int) int {
	n := strings.IndexByte(text[i+1:], '$')
	if n < 0 {
		return i
	}
	tag := text[i : i+n+2]
	for j, c := range []byte(tag[1 : n+1]) {
		if !isWord(c) && c < 0x80 || j == 0 && c >= '0' && c <= '9' {
			return i
		}
	}
	end := strings.Index(text[i+len(tag):], tag)
	if end < 0 {
		return len(text)
	}
	return i + len(tag) + end + len(tag) - 1
}
