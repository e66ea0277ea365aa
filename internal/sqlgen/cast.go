package sqlgen

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// cast writes the type of the placeholder at text[i], which has just been
// written for the one argument after the first before, where PostgreSQL could
// not infer it: as a whole item of a select list, before IS NULL, and in a
// function or CASE that is given nothing but placeholders.
func (r *renderer) cast(text string, i int, where string, before int) {
	if !r.d.Numbered || len(r.args) != before+1 {
		return
	}
	switch {
	case isNullTest(text[i+1:]):
		r.str(cmp.Or(castOf(r.args[before]), "::text"))
	case where == "select" && isItem(text, i), isChoice(text, i), isBranch(text, i):
		r.str(castOf(r.args[before]))
	}
}

// isItem says whether the placeholder at i is all of an item of a select list,
// but for its alias.
func isItem(text string, i int) bool {
	before := strings.TrimRight(text[:i], " \t\r\n")
	if before != "" && (!strings.HasSuffix(before, ",") || depthOf(before) != 0) {
		return false
	}
	after := strings.TrimLeft(text[i+1:], " \t\r\n")
	return after == "" || after[0] == ',' || len(after) > 3 && strings.EqualFold(after[:2], "AS") && !lex.InWord(after[2])
}

// depthOf is how many parentheses are open after PostgreSQL's text.
func depthOf(text string) int {
	depth := 0
	scanner := lex.New(text, dialect.Postgres)
	for t := scanner.Next(); t.Kind != lex.End; t = scanner.Next() {
		switch {
		case t.Kind != lex.Symbol:
		case t.Text == "(":
			depth++
		case t.Text == ")":
			depth--
		}
	}
	return depth
}

// castOf is the cast of an argument that PostgreSQL would take for text, since
// nothing around it tells its type.
func castOf(v any) string {
	switch v.(type) {
	case int64:
		return "::bigint"
	case uint64:
		return "::numeric"
	case float64:
		return "::double precision"
	case bool:
		return "::boolean"
	case []byte:
		return "::bytea"
	case time.Time:
		return "::timestamptz"
	}
	return ""
}

// isNullTest says whether text begins with IS NULL or IS NOT NULL.
func isNullTest(text string) bool {
	if len(text) > 64 {
		text = text[:64]
	}
	words := strings.Fields(text)
	if len(words) > 0 && strings.EqualFold(words[0], "IS") {
		words = words[1:]
		if len(words) > 1 && strings.EqualFold(words[0], "NOT") {
			words = words[1:]
		}
		return len(words) > 0 && isNull(strings.TrimRight(words[0], ");,"))
	}
	return false
}

func isNull(word string) bool { return strings.EqualFold(word, "NULL") }

// choices are the functions whose result has the type of their arguments.
var choices = []string{"COALESCE", "NULLIF", "GREATEST", "LEAST"}

// isChoice says whether the placeholder at text[i] stands in a call of one of
// the choices whose arguments are all placeholders or NULL.
func isChoice(text string, i int) bool {
	open := strings.LastIndexByte(text[:i], '(')
	length := strings.IndexByte(text[i:], ')')
	if open < 0 || length < 0 {
		return false
	}
	head := strings.TrimRight(text[:open], " \t\r\n")
	name := head[strings.LastIndexFunc(head, func(c rune) bool { return c > 0x7f || !lex.InWord(byte(c)) })+1:]
	if !slices.Contains(choices, strings.ToUpper(name)) {
		return false
	}
	for _, arg := range strings.Split(text[open+1:i+length], ",") {
		if arg = strings.TrimSpace(arg); arg != "?" && !isNull(arg) {
			return false
		}
	}
	return true
}

// isBranch says whether the placeholder at text[i] is a result of a CASE whose
// results are all placeholders or NULL.
func isBranch(text string, i int) bool {
	before := strings.Fields(text[:i])
	if len(before) == 0 || !isResult(before[len(before)-1]) {
		return false
	}
	words := strings.Fields(text)
	for at, word := range words[:len(words)-1] {
		if next := words[at+1]; isResult(word) && next != "?" && !isNull(next) {
			return false
		}
	}
	return true
}

func isResult(word string) bool {
	return strings.EqualFold(word, "THEN") || strings.EqualFold(word, "ELSE")
}
