package lex

import "github.com/dbfleet/dbfleet/internal/dialect"

// MemberAt tells how the placeholder that stands at a place of the text is a member of a
// list behind IN.
func MemberAt(text string, at int, d *dialect.Dialect) Parameter {
	p := NewParameters(text, d)
	for t := p.s.Next(); t.Kind != End; t = p.s.Next() {
		switch {
		case t.At == at:
			return p.parameter(t, t)
		case t.Text == "(" || t.Text == "[":
			p.opens(t)
		case t.Text == ")" || t.Text == "]":
			if n := len(p.open); n > 0 {
				p.open = p.open[:n-1]
			}
		}
		p.saw(t)
	}
	return Parameter{}
}
