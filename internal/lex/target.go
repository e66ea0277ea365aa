package lex

import "github.com/dbfleet/dbfleet/internal/dialect"

// Target is the one table whose rows a statement of MySQL inserts or updates, and its
// schema if that is named; "" where another may be meant too.
func Target(text string, d *dialect.Dialect) (schema, table string) {
	first, s := FirstWord(text, d)
	verb := Token{Kind: Word, Text: first}
	update := verb.Is("UPDATE")
	if !update && !verb.Is("INSERT") && !verb.Is("REPLACE") {
		return "", ""
	}
	t := s.Next()
	for t.Is("INTO") || t.Is("IGNORE") || t.Is("LOW_PRIORITY") || t.Is("HIGH_PRIORITY") || t.Is("DELAYED") {
		t = s.Next()
	}
	name, ok := nameOf(t)
	if !ok {
		return "", ""
	}
	table = name
	if t = s.Next(); t.Text == "." {
		schema = table
		if table, ok = nameOf(s.Next()); !ok {
			return "", ""
		}
		t = s.Next()
	}
	if !update {
		return schema, table
	}
	for ; !t.Is("SET"); t = s.Next() { // but for an alias, other tables
		if t.Text == "," || t.Is("JOIN") || t.Is("STRAIGHT_JOIN") || t.Kind == End {
			return "", ""
		}
	}
	return schema, table
}

// nameOf is the name that a token is.
func nameOf(t Token) (name string, ok bool) {
	switch {
	case t.Kind == Word:
		return t.Text, true
	case t.Kind == Quoted && !isLiteral(t.Text):
		return unquoted(t.Text), true
	}
	return "", false
}
