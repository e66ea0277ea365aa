package lex

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Argument tells of a statement which table it is on, and which column argument n,
// counted from 1, is for: the one in whose place an INSERT has it, or the last that
// is named before it in its condition or item. "" is not known, as in raw parts, which
// quote no names, and n of 0 asks for the table only. It reads texts of this module, for
// messages.
func Argument(text string, n int, d *dialect.Dialect) (table, column string) {
	s := New(text, d)
	var columns []string
	listed, at, last, depth := false, 0, "", 0
	insert, between := false, false
	for t, before := s.Next(), (Token{}); t.Kind != End; before, t = t, s.Next() {
		switch {
		case t.Is("INSERT"):
			insert = true
		case t.Is("VALUES"), t.Is("SELECT") && insert:
			listed = true
		case insert && listed && depth == 0 && (t.Is("ON") || t.Is("FROM") || t.Is("WHERE")):
			insert, last = false, "" // behind the rows
		case t.Is("BETWEEN"):
			between = true
		case t.Is("AND") && between:
			between = false
		case endsItem(t), t.Text == "," && depth == 0:
			last = ""
		case t.Text == "(":
			depth++
		case t.Text == ")":
			depth--
		case t.Kind == Quoted && t.Text[0] != '\'':
			last = unquoted(t.Text)
			switch {
			case table == "" && (before.Is("INTO") || before.Is("UPDATE") || before.Is("FROM")):
				table = last
			case table != "" && before.Text == "." && len(columns) == 0 && !listed && depth == 0 && !strings.Contains(table, "."):
				table += "." + last
			case insert && !listed && depth == 1:
				columns = append(columns, last)
			}
		case t.Kind == Placeholder:
			if at++; at != n {
				continue
			}
			if column = last; insert && len(columns) > 0 {
				column = columns[(n-1)%len(columns)]
			}
		}
		if at >= n && n > 0 && table != "" && t.Kind != Quoted && t.Text != "." {
			break
		}
	}
	return table, column
}

// endsItem says whether a condition, or a part of the statement, ends before t.
func endsItem(t Token) bool {
	for _, word := range [...]string{"AND", "OR", "ON", "WHERE", "HAVING", "GROUP", "ORDER", "LIMIT", "OFFSET", "SELECT", "WHEN"} {
		if t.Is(word) {
			return true
		}
	}
	return false
}

func unquoted(name string) string {
	if len(name) < 2 {
		return name
	}
	q := name[len(name)-1:]
	return strings.ReplaceAll(name[1:len(name)-1], q+q, q)
}
