package sqlgen

import (
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// OfText is a query of which Sources tells what it does of a statement in SQL: of a SELECT
// or of a write of one table. Of any other statement nothing is known.
func OfText(text string, d *dialect.Dialect) Query {
	s := lex.New(text, d)
	first := s.Next()
	list := &topLevel{s: &s}
	switch {
	case first.Is("SELECT"):
		from := list.until("FROM")
		if from.Kind == lex.End {
			return Query{}
		}
		return list.table(text[first.At+len(first.Text):from.At], d)
	case first.Is("INSERT") && list.next().Is("INTO"), first.Is("DELETE") && list.next().Is("FROM"), first.Is("UPDATE"):
	default:
		return Query{}
	}
	table, t := list.path(list.next(), d)
	for ; !t.Is("RETURNING"); t = list.next() {
		others := t.Is("FROM") || t.Is("USING") || t.Is("JOIN") || t.Text == "," && !list.set
		if t.Kind == lex.End || t.Is("AS") || others && !first.Is("INSERT") {
			return Query{}
		}
		list.set = list.set || t.Is("SET")
	}
	rest := strings.TrimRight(text[t.At+len(t.Text):], "; \t\r\n")
	return From(table).WithColumns(Column{Expr: &Expr{SQL: rest}})
}

// topLevel reads the words of a statement that stand in no brackets.
type topLevel struct {
	s   *lex.Scanner
	set bool // behind SET
}

func (l *topLevel) next() lex.Token {
	depth := 0
	for {
		t := l.s.Next()
		switch {
		case t.Kind == lex.Symbol && (t.Text == "(" || t.Text == "["):
			depth++
		case t.Kind == lex.Symbol && (t.Text == ")" || t.Text == "]"):
			depth--
			if depth == 0 {
				return t
			}
		case depth <= 0 || t.Kind == lex.End:
			return t
		}
	}
}

func (l *topLevel) until(word string) lex.Token {
	for {
		if t := l.next(); t.Kind == lex.End || t.Is(word) {
			return t
		}
	}
}

// path reads a name from its first token on, and returns the token behind it.
func (l *topLevel) path(t lex.Token, d *dialect.Dialect) (path string, behind lex.Token) {
	for {
		name, quoted := tokenName(t)
		if name == "" {
			return "", t
		}
		if !quoted && d == dialect.Postgres {
			name = strings.ToLower(name)
		}
		path += name
		if t = l.next(); t.Text != "." {
			return path, t
		}
		path += "."
		t = l.next()
	}
}

// table is the query that selects a list from the one table that comes next.
func (l *topLevel) table(list string, d *dialect.Dialect) Query {
	name, t := l.path(l.next(), d)
	if name == "" {
		return Query{}
	}
	q := From(name).WithColumns(Column{Expr: &Expr{SQL: list}})
	if t.Is("AS") {
		t = l.next()
	}
	if t.Kind != lex.End && !slices.ContainsFunc(endsFrom, t.Is) && !slices.ContainsFunc(moreTables, t.Is) && t.Text != ";" {
		var alias string
		if alias, t = l.path(t, d); alias == "" {
			return Query{}
		}
		q = q.WithAlias(alias)
	}
	for ; t.Kind != lex.End; t = l.next() {
		if slices.ContainsFunc(moreTables, t.Is) || (t.Is("FROM") || t.Text == ",") && !l.set {
			return Query{}
		}
		l.set = l.set || slices.ContainsFunc(endsFrom, t.Is)
	}
	return q
}

// endsFrom are the words that may follow the tables of a SELECT that joins none.
var endsFrom = []string{"WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "OFFSET", "FETCH", "FOR", "LOCK"}

// moreTables are the words by which a SELECT reads more than one table.
var moreTables = []string{"JOIN", "STRAIGHT_JOIN", "UNION", "INTERSECT", "EXCEPT"}
