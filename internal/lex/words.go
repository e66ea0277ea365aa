package lex

import "github.com/dbfleet/dbfleet/internal/dialect"

// HasWords says whether a text has these words in a row, outside of quotes and comments.
func HasWords(text string, d *dialect.Dialect, words ...string) bool {
	s := New(text, d)
	for t := s.Next(); t.Kind != End; t = s.Next() {
		ahead, found := s, true
		for i, word := range words {
			if i > 0 {
				t = ahead.Next()
			}
			if found = t.Is(word); !found {
				break
			}
		}
		if found {
			return true
		}
	}
	return false
}
