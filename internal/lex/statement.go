package lex

import "github.com/dbfleet/dbfleet/internal/dialect"

// Statement goes behind the next statement of the text and returns its first two
// words as they stand there, "" for what is no word. ok is false when there is no
// statement left. Semicolons and opening brackets before a statement are not part
// of it.
//
// A semicolon ends a statement unless it stands in a quote, in a comment, in
// brackets, or in the body of what CREATE defines.
func (s *Scanner) Statement() (first, second string, ok bool) {
	t := s.Next()
	for t.Kind == Symbol && (t.Text == ";" || t.Text == "(") {
		t = s.Next()
	}
	if t.Kind == End {
		return "", "", false
	}
	if t.Kind == Word {
		first = t.Text
		ahead := *s
		if u := ahead.Next(); u.Kind == Word {
			second = u.Text
		}
	}
	if t.Is("CREATE") && s.d == dialect.SQLite && s.isTrigger() {
		s.skipTrigger()
		return first, second, true
	}
	s.skipStatement(t)
	return first, second, true
}

// FirstWord returns the first word of the first statement, "" if it begins with
// none, and a scanner that stands behind it.
func FirstWord(text string, d *dialect.Dialect) (word string, s Scanner) {
	s = New(text, d)
	t := s.Next()
	for t.Kind == Symbol && (t.Text == ";" || t.Text == "(") {
		t = s.Next()
	}
	if t.Kind == Word {
		word = t.Text
	}
	return word, s
}

// skipStatement goes behind the semicolon that ends the statement whose first
// token is t.
func (s *Scanner) skipStatement(t Token) {
	depth, body := 0, 0
	create := t.Is("CREATE")
	for before := t; ; before = t {
		switch t = s.Next(); {
		case t.Kind == End:
			return
		case t.Kind == Word && create:
			// BEGIN ATOMIC … END is a body of PostgreSQL, which may have CASE … END.
			switch {
			case t.Is("ATOMIC") && before.Is("BEGIN"), body > 0 && t.Is("CASE"):
				body++
			case body > 0 && t.Is("END"):
				body--
			}
		case t.Kind != Symbol:
		case t.Text == "(":
			depth++
		case t.Text == ")":
			depth = max(0, depth-1)
		case t.Text == ";" && depth == 0 && body == 0:
			return
		}
	}
}

// isTrigger looks whether CREATE is followed by [TEMP] TRIGGER.
func (s Scanner) isTrigger() bool {
	t := s.Next()
	if t.Is("TEMP") || t.Is("TEMPORARY") {
		t = s.Next()
	}
	return t.Is("TRIGGER")
}

// skipTrigger goes behind a trigger of SQLite, whose body has statements of its
// own and ends with the END that follows a semicolon.
func (s *Scanner) skipTrigger() {
	for ended := false; ; {
		t := s.Next()
		switch {
		case t.Kind == End:
			return
		case ended && t.Is("END"):
			s.skipStatement(t)
			return
		}
		ended = t.Kind == Symbol && t.Text == ";"
	}
}
