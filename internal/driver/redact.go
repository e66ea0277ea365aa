package driver

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// redact replaces the passwords, however they are written, in text.
func redact(text string, passwords []string) string {
	var forms []string
	for _, password := range passwords {
		if password == "" {
			continue
		}
		user := strings.TrimPrefix(url.UserPassword("", password).String(), ":")
		forms = append(forms, password, url.QueryEscape(password), url.PathEscape(password), user)
	}
	// A longer one first: what begins with a shorter one would keep its end.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	for _, form := range forms {
		text = hide(text, form)
	}
	return text
}

// shortSecret is the length below which a secret may well be a part of a word of
// the text.
const shortSecret = 6

// hide replaces a secret in text: a long one everywhere, a short one where it
// stands alone, as it would between quotes or in a URL. Within a word it tells
// nothing, and the words must stay readable.
func hide(text, secret string) string {
	if len(secret) >= shortSecret {
		return strings.ReplaceAll(text, secret, "xxxxx")
	}
	var b strings.Builder
	for at := 0; ; {
		next := strings.Index(text[at:], secret)
		if next < 0 {
			b.WriteString(text[at:])
			return b.String()
		}
		next += at
		end := next + len(secret)
		if endsWord(text[:next]) && !beginsWord(text[end:]) {
			b.WriteString(text[at:next] + "xxxxx")
			at = end
			continue
		}
		_, size := utf8.DecodeRuneInString(text[next:])
		b.WriteString(text[at : next+size])
		at = next + size
	}
}

// beginsWord reports whether a letter or digit comes first.
func beginsWord(text string) bool {
	r, _ := utf8.DecodeRuneInString(text)
	return isWord(r)
}

// endsWord reports whether what follows text is not a part of its last word. An
// escape (%3A, \n) is no part of a word either.
func endsWord(text string) bool {
	r, size := utf8.DecodeLastRuneInString(text)
	before := text[:len(text)-size]
	return !isWord(r) || strings.HasSuffix(before, `\`) || len(text) > 2 && text[len(text)-3] == '%'
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
