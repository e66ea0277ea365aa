package lex

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// WithoutLiterals is a text with ? in the place of every text and number in it, and
// one blank in the place of blanks and comments. Names in quotes stay; whether "x" is
// one is the dialect's.
func WithoutLiterals(text string, d *dialect.Dialect) string {
	if !hasLiterals(text, d) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	s := New(text, d)
	end := 0
	for t := s.Next(); t.Kind != End; {
		if t.At > end && b.Len() > 0 {
			b.WriteByte(' ')
		}
		end = t.At + len(t.Text)
		next := s.Next()
		switch {
		case t.Kind == Quoted && isText(t.Text, d):
			b.WriteByte('?')
		case isDigit(t):
			b.WriteByte('?')
			for next.At == end && partOfNumber(next) { // 1.5e-7, 0xff
				signed := next.Kind == Word && next.Text[len(next.Text)-1]|0x20 == 'e'
				end = next.At + len(next.Text)
				if next = s.Next(); signed && next.At == end && (next.Text == "-" || next.Text == "+") {
					end++
					next = s.Next()
				}
			}
		default:
			b.WriteString(t.Text)
		}
		t = next
	}
	return b.String()
}

// hasLiterals says whether WithoutLiterals changes a text.
func hasLiterals(text string, d *dialect.Dialect) bool {
	s := New(text, d)
	end := 0
	for t := s.Next(); t.Kind != End; t = s.Next() {
		if t.At > end+1 || t.At == end+1 && (end == 0 || text[end] != ' ') {
			return true
		}
		if t.Kind == Quoted && isText(t.Text, d) || isDigit(t) {
			return true
		}
		end = t.At + len(t.Text)
	}
	return end < len(text)
}

// isText says whether a token in quotes is a value and not a name.
func isText(quoted string, d *dialect.Dialect) bool {
	switch quoted[0] {
	case '`', '[':
		return false
	case '"':
		return d == dialect.MySQL
	}
	return true
}

func isDigit(t Token) bool {
	return t.Kind == Symbol && t.Text[0] >= '0' && t.Text[0] <= '9'
}

func partOfNumber(t Token) bool {
	return isDigit(t) || t.Kind == Word || t.Kind == Symbol && t.Text == "."
}
