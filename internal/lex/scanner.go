// Package lex splits SQL texts into words, quotes, placeholders and symbols, as
// each database reads them. It knows where a statement ends, and no grammar
// beyond that: it serves those who must tell what a text that somebody else has
// written contains before it is sent.
package lex

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Kind is what a Token is.
type Kind uint8

// The kinds.
const (
	End         Kind = iota // there is nothing more
	Word                    // a keyword or a name without quotes
	Quoted                  // a literal or name in quotes of any kind, whole
	Placeholder             // ?, ?1, and on PostgreSQL $1
	Symbol                  // one character of anything else
)

// A Token is a part of a text. Text is as it stands there.
type Token struct {
	Kind Kind
	Text string
	At   int // where Text begins
}

// Is reports whether the token is that word, in any case.
func (t Token) Is(word string) bool { return t.Kind == Word && strings.EqualFold(t.Text, word) }

// A Scanner reads a text from its beginning to its end. Blanks and comments are
// left out; a byte order mark is a blank, as SQLite has it. It is a value that may
// be copied to look ahead, and it allocates nothing.
type Scanner struct {
	text  string
	at    int
	d     *dialect.Dialect
	open  bool // a quote or comment had no end
	line  bool // the text ends in a comment that a line's end would end
	inner bool // in a comment that MySQL executes
	skips bool // such a comment is one
}

// WithoutExecuted is a text of MySQL's without the comments that it executes, as a
// server reads it whose version is not one of those that they are for.
func WithoutExecuted(text string) string {
	var b strings.Builder
	s := Scanner{text: text, d: dialect.MySQL, skips: true}
	for t := s.Next(); t.Kind != End; t = s.Next() {
		b.WriteString(t.Text)
		b.WriteByte(' ')
	}
	return b.String()
}

// New returns a scanner that reads text as the dialect does. Without a dialect
// only what all have in common is understood.
func New(text string, d *dialect.Dialect) Scanner { return Scanner{text: text, d: d} }

// Open reports whether the text, read to its end, ends inside a quote or a comment,
// also one that MySQL executes.
func (s *Scanner) Open() bool { return s.open || s.inner }

// OpenLine reports whether the text, read to its end, ends in a comment that goes
// to the end of the line: what is written behind it would be part of it.
func (s *Scanner) OpenLine() bool { return s.line }

// Rest is what has not been read yet.
func (s *Scanner) Rest() string { return s.text[s.at:] }

// Next reads the next token.
func (s *Scanner) Next() Token {
	s.skipBlank()
	from := s.at
	if from >= len(s.text) {
		return Token{At: from}
	}
	switch c := s.text[from]; {
	case c == '\'', c == '"', c == '`' && s.d != dialect.Postgres:
		s.skipQuote(c, s.d == dialect.MySQL && c != '`')
		return s.token(Quoted, from)
	case c == '[' && s.d == dialect.SQLite:
		s.skipQuote(']', false)
		return s.token(Quoted, from)
	case c == '$' && s.d == dialect.Postgres:
		return s.dollar(from)
	case c == '?':
		s.at++
		s.skipDigits()
		return s.token(Placeholder, from)
	case startsWord(c):
		for s.at < len(s.text) && InWord(s.text[s.at]) {
			s.at++
		}
		if s.d == dialect.Postgres && s.at == from+1 && c|0x20 == 'e' && s.at < len(s.text) && s.text[s.at] == '\'' {
			s.skipQuote('\'', true)
			return s.token(Quoted, from)
		}
		return s.token(Word, from)
	}
	s.at++
	return s.token(Symbol, from)
}

func (s *Scanner) token(k Kind, from int) Token {
	return Token{Kind: k, Text: s.text[from:s.at], At: from}
}

// skipBlank goes to where the next token begins.
func (s *Scanner) skipBlank() {
	for s.at < len(s.text) {
		rest := s.text[s.at:]
		switch c := rest[0]; {
		case c == ' ', c >= '\t' && c <= '\r':
			s.at++
		case c == '-' && s.dashes(rest), c == '#' && s.d == dialect.MySQL:
			s.skipLine()
		case c == '/' && strings.HasPrefix(rest, "/*"):
			s.skipComment(rest)
		case c == '*' && s.inner && strings.HasPrefix(rest, "*/"):
			s.inner = false
			s.at += 2
		case c == 0xef && strings.HasPrefix(rest, "\ufeff"):
			s.at += len("\ufeff")
		default:
			return
		}
	}
}

// dashes reports whether rest begins with a comment of two dashes, which MySQL
// takes for one only if a blank follows.
func (s *Scanner) dashes(rest string) bool {
	return strings.HasPrefix(rest, "--") && (s.d != dialect.MySQL || len(rest) == 2 || rest[2] <= ' ')
}

// skipLine skips the rest of the line, which for PostgreSQL a carriage return ends,
// too.
func (s *Scanner) skipLine() {
	ends := "\n"
	if s.d == dialect.Postgres {
		ends = "\r\n"
	}
	end := strings.IndexAny(s.text[s.at:], ends)
	if end < 0 {
		s.at, s.line = len(s.text), true
		return
	}
	s.at += end + 1
}

// skipComment skips a comment, which PostgreSQL nests. What MySQL executes
// although it looks like a comment (/*!50000 …) is none.
func (s *Scanner) skipComment(rest string) {
	if s.d == dialect.MySQL && !s.skips {
		for _, executed := range [...]string{"/*!", "/*M!"} {
			if strings.HasPrefix(rest, executed) {
				s.inner = true
				s.at += len(executed)
				s.skipDigits()
				return
			}
		}
	}
	for depth := 0; s.at < len(s.text); {
		switch rest := s.text[s.at:]; {
		case strings.HasPrefix(rest, "/*") && (depth == 0 || s.d == dialect.Postgres):
			depth++
			s.at += 2
		case strings.HasPrefix(rest, "*/"):
			s.at += 2
			if depth--; depth == 0 {
				return
			}
		default:
			s.at++
		}
	}
	s.open = true
}

// skipQuote skips what is quoted up to the closing mark. One that is doubled is
// not the end. The scanner stands at the opening mark.
func (s *Scanner) skipQuote(closing byte, escapes bool) {
	for s.at++; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '\\' && escapes:
			s.at++
		case c == closing && closing != ']' && s.at+1 < len(s.text) && s.text[s.at+1] == closing:
			s.at++
		case c == closing:
			s.at++
			return
		}
	}
	s.at = len(s.text) // an escape may have gone beyond
	s.open = true
}

// dollar reads $1, or a text in dollar quotes ($tag$…$tag$).
func (s *Scanner) dollar(from int) Token {
	s.at++
	if s.skipDigits() {
		return s.token(Placeholder, from)
	}
	end := from + 1
	for end < len(s.text) && InWord(s.text[end]) && s.text[end] != '$' {
		end++
	}
	if end == len(s.text) || s.text[end] != '$' {
		return s.token(Symbol, from)
	}
	tag := s.text[from : end+1]
	n := strings.Index(s.text[end+1:], tag)
	if n < 0 {
		s.at, s.open = len(s.text), true
	} else {
		s.at = end + 1 + n + len(tag)
	}
	return s.token(Quoted, from)
}

func (s *Scanner) skipDigits() (any bool) {
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
		any = true
	}
	return any
}

// startsWord reports whether a word may begin with c. A digit begins none: then
// the E'…' in 1E'…' is seen, which PostgreSQL before 15 reads so.
func startsWord(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// InWord reports whether c may stand in a word without quotes.
func InWord(c byte) bool { return startsWord(c) || c == '$' || c >= '0' && c <= '9' }
