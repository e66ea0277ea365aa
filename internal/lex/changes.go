package lex

import "github.com/dbfleet/dbfleet/internal/dialect"

// Changes says whether a statement is known to change rows, by itself or in a part of
// its WITH, and whether it is silent: it changes rows and returns none.
func Changes(text string, d *dialect.Dialect) (changes, silent bool) {
	s := New(text, d)
	depth, with, returns := 0, false, false
	before := Token{Kind: Symbol, Text: "("} // a statement may begin
	for t := s.Next(); t.Kind != End; t = s.Next() {
		switch {
		case t.Text == "(":
			depth++
		case t.Text == ")":
			depth--
		case t.Kind == Word && depth == 0 && t.Is("RETURNING"):
			returns = true
		case t.Kind == Word && (before.Text == "(" || with && depth == 0 && before.Text == ")"):
			with = with || depth == 0 && t.Is("WITH")
			if changesRows(t) && s.namesNext() {
				changes, silent = true, silent || depth == 0
			}
		}
		if before = t; t.Text == ";" { // another statement may begin
			before = Token{Kind: Symbol, Text: "("}
		}
	}
	return changes, silent && !returns
}

// namesNext says whether a word or a name follows, as behind the verb of a statement:
// a function and a column of that name have none behind them.
func (s Scanner) namesNext() bool {
	t := s.Next()
	return t.Kind == Word || t.Kind == Quoted && !isLiteral(t.Text)
}

func changesRows(t Token) bool {
	return t.Is("INSERT") || t.Is("UPDATE") || t.Is("DELETE") || t.Is("REPLACE") || t.Is("MERGE")
}
