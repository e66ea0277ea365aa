package group

import "strings"

// folder makes of texts what they have in common with all texts that some
// collation may hold for equal to them.
type folder struct {
	text  []byte // the folded text
	zeros bool   // there are zeros before a number
}

// fold folds a text of ASCII; ok is false for others, of which only the database
// knows what they are equal to. numeric leaves zeros before a number out.
//
// Upper case is lower, and only letters and digits stay: collations ignore case,
// blanks at the end, control characters and, if told so, punctuation. Those for
// numbers in texts hold 007 for 7. Lithuanian, Latvian and Frisian ones hold i for
// y, and c for ch; Latin ones i for j and u for v; Swedish and Finnish ones v for w;
// Hungarian ones ccs for cscs, and so for eight more pairs; MariaDB's for the
// Macintosh m for n.
//
// MariaDB says of an INET6 that it is a CHAR, so what may be such an address is left
// to it too.
func (f *folder) fold(s string, numeric bool) (ok bool) {
	if strings.Count(s, ":") > 1 && strings.Trim(s, "0123456789abcdefABCDEF:.") == "" {
		return false
	}
	text := f.text[:0]
	number := false // the byte before is a digit of a number
	f.zeros = false
	for i := 0; i < len(s); i++ {
		c := folded[s[i]]
		switch {
		case c >= 'a':
			text, number = appendLetter(text, c), false
		case c >= '0':
			if c == '0' && !number && i+1 < len(s) && '0' <= s[i+1] && s[i+1] <= '9' {
				f.zeros = true
				if numeric {
					continue
				}
			} else {
				number = true
			}
			text = append(text, c)
		case c == ignored:
			number = false
		default:
			return false
		}
	}
	f.text = text
	return true
}

// What folded has for bytes that are neither letters nor digits.
const (
	unknown = iota // more than ASCII, and what some collations take for a letter
	ignored
)

// folded is what becomes of each byte.
var folded = func() (to [256]byte) {
	for c := range byte(0x7f) {
		switch {
		case 'A' <= c && c <= 'Z':
			to[c] = c + 'a' - 'A'
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z':
			to[c] = c
		default:
			to[c] = ignored
		}
	}
	to['~'], to['`'] = unknown, unknown // Y and E in Chinese collations
	for c, same := range map[byte]byte{'j': 'i', 'y': 'i', 'v': 'u', 'w': 'u', 'm': 'n'} {
		to[c], to[c-'a'+'A'] = same, same
	}
	return to
}()

// appendLetter appends a letter to a folded text, in which the letters do not
// repeat: ll becomes l, and of a pair of letters that a collation takes for one
// letter, lyly becomes ly.
func appendLetter(text []byte, c byte) []byte {
	n := len(text)
	if n > 0 && (text[n-1] == c || text[n-1] == 'c' && c == 'h') {
		return text
	}
	text = append(text, c)
	n++
	if c != 'i' && c != 's' && c != 'z' || n < 4 {
		return text
	}
	if text[n-4] == text[n-2] && text[n-3] == c && isPair(text[n-2], c) {
		return text[:n-2]
	}
	if n >= 6 && string(text[n-6:n-3]) == "dzs" && string(text[n-3:]) == "dzs" {
		return text[:n-3]
	}
	return text
}

// isPair says whether a collation takes the two letters for one.
func isPair(a, b byte) bool {
	switch a {
	case 'c', 'z':
		return b == 's'
	case 'd', 's':
		return b == 'z'
	case 'g', 'l', 'n', 't':
		return b == 'i' // y
	}
	return false
}
