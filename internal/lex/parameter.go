package lex

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// A Parameter is a :name in a text, or a placeholder of the database's own, which has
// no Name.
type Parameter struct {
	Name    string
	At, End int // where it stands, with its colon
	// Member says that it is a member of a list behind IN.
	Member bool
	// List is where the whole comparison with a list stands that has no other member,
	// from IN or NOT IN to its bracket; nothing otherwise.
	List struct{ At, End int }
	// Not says that this is NOT IN.
	Not bool
}

// A Parameters reads the parameters of a text one by one. A colon begins a name where
// a letter follows it at once. It does not in a cast (::int), an assignment (:=), quotes
// and comments, nor behind the lower bound of a slice of PostgreSQL (a[1:n]).
type Parameters struct {
	s       Scanner
	last    [2]Token // the last token, and the one before it
	open    []bracket
	posing  bool // PostgreSQL, whose own placeholders are $1
	slicing bool
}

// bracket is one that is open.
type bracket struct {
	at     int
	list   bool // behind IN
	not    bool
	begins int  // where IN or NOT IN does
	slices bool // of a subscript
}

// NewParameters returns what reads the parameters of a text.
func NewParameters(text string, d *dialect.Dialect) *Parameters {
	return &Parameters{s: New(text, d), posing: d == dialect.Postgres, slicing: d == dialect.Postgres}
}

// Next returns the next parameter; ok is false behind the last.
func (p *Parameters) Next() (found Parameter, ok bool) {
	for t := p.s.Next(); t.Kind != End; t = p.s.Next() {
		switch {
		case t.Kind == Placeholder && (!p.posing || t.Text[0] == '$'):
			p.saw(t)
			return Parameter{At: t.At, End: t.At + len(t.Text)}, true
		case t.Text == "(" || t.Text == "[":
			p.opens(t)
		case t.Text == ")" || t.Text == "]":
			if n := len(p.open); n > 0 {
				p.open = p.open[:n-1]
			}
		case t.Text == ":":
			if name, ok := p.named(t); ok {
				found = p.parameter(t, name)
				p.saw(Token{Kind: Placeholder, Text: found.Name, At: t.At})
				return found, true
			}
		}
		p.saw(t)
	}
	return Parameter{}, false
}

func (p *Parameters) saw(t Token) { p.last[0], p.last[1] = t, p.last[0] }

func (p *Parameters) opens(t Token) {
	b := bracket{at: t.At, slices: t.Text == "[" && p.slicing && endsOperand(p.last[0]) && !p.last[0].Is("ARRAY")}
	if t.Text == "(" && p.last[0].Is("IN") {
		b.list, b.begins = true, p.last[0].At
		if p.last[1].Is("NOT") {
			b.not, b.begins = true, p.last[1].At
		}
	}
	p.open = append(p.open, b)
}

// named reads the name behind a colon. The second colon of a cast and the sign of an
// assignment are read, too.
func (p *Parameters) named(colon Token) (name Token, ok bool) {
	rest := p.s.Rest()
	switch {
	case strings.HasPrefix(rest, ":"), strings.HasPrefix(rest, "="):
		p.s.Next()
		return Token{}, false
	case rest == "" || !startsWord(rest[0]):
		return Token{}, false
	}
	if n := len(p.open); n > 0 && p.open[n-1].slices && endsOperand(p.last[0]) {
		return Token{}, false
	}
	at := 0
	for at < len(rest) && InWord(rest[at]) {
		at++
	}
	p.s.at += at
	return Token{Kind: Word, Text: rest[:at], At: colon.At + 1}, true
}

func (p *Parameters) parameter(colon, name Token) Parameter {
	found := Parameter{Name: name.Text, At: colon.At, End: name.At + len(name.Text)}
	n := len(p.open)
	if n == 0 || !p.open[n-1].list {
		return found
	}
	b := &p.open[n-1]
	ahead := p.s
	next := ahead.Next()
	first := p.last[0].Text == "(" && p.last[0].At == b.at
	found.Member = (first || p.last[0].Text == ",") && (next.Text == "," || next.Text == ")")
	if first && next.Text == ")" {
		found.List.At, found.List.End, found.Not = b.begins, next.At+1, b.not
	}
	return found
}

// endsOperand says whether a value, or a name for one, ends with a token.
func endsOperand(t Token) bool {
	switch t.Kind {
	case Word, Quoted, Placeholder:
		return true
	case Symbol:
		return t.Text == ")" || t.Text == "]" || t.Text[0] >= '0' && t.Text[0] <= '9'
	}
	return false
}
