package lex

import "github.com/dbfleet/dbfleet/internal/dialect"

// HasStar reports whether the outermost select list of a statement has an item * or
// table.*, which stands for columns that the text does not name. A product has none:
// before its * stands what is multiplied. Of a union the first list
// counts, which names the columns.
func HasStar(text string, d *dialect.Dialect) bool { return hasStar(text, d, Token{}) }

// ListHasStar is HasStar for a select list alone.
func ListHasStar(list string, d *dialect.Dialect) bool {
	return hasStar(list, d, Token{Kind: Symbol, Text: ","})
}

func hasStar(text string, d *dialect.Dialect, before Token) bool {
	s := New(text, d)
	depth := 0
	writes := false // a list may follow behind RETURNING
	for t := s.Next(); t.Kind != End; t = s.Next() {
		switch {
		case t.Kind == Word && depth == 0:
			if t.Is("FROM") && !writes {
				return false
			}
			writes = writes || t.Is("INSERT") || t.Is("UPDATE") || t.Is("DELETE")
		case t.Kind != Symbol:
		case t.Text == "(":
			depth++
		case t.Text == ")":
			depth--
		case t.Text == "*" && depth == 0 && beginsItem(before):
			return true
		}
		before = t
	}
	return false
}

// beginsItem says whether an item of a select list, or the last part of its name, may
// stand behind a token.
func beginsItem(t Token) bool {
	if t.Kind == Symbol {
		return t.Text == "," || t.Text == "."
	}
	return t.Is("SELECT") || t.Is("DISTINCT") || t.Is("ALL") || t.Is("RETURNING")
}
