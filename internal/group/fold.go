package group

// folder makes of texts what they have in common with all texts that some
// collation may hold for equal to them.
type folder struct {
	text    []byte // the folded text
	numeric []byte // the same without zeros before a number
	zeros   bool   // the two differ
}

// fold folds a text of ASCII; ok is false for others, of which only the database
// knows what they are equal to.
//
// Upper case is lower, and only letters and digits stay: collations ignore case,
// blanks at the end, control characters and, if told so, punctuation. Those for
// numbers in texts hold 007 for 7, which is what numeric is for. Lithuanian, Latvian
// and Frisian ones hold i for y, and c for ch; Latin ones i for j and u for v;
// Swedish and Finnish ones v for w; Hungarian ones ccs for cscs, and so for eight
// more pairs; MariaDB's for the Macintosh m for n.
func (f *folder) fold(s string) (ok bool) {
	f.text, f.numeric, f.zeros = f.text[:0], f.numeric[:0], false
	number := false // the byte before is a digit of a number, zeros before it left out
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 0x7f || c == '~' || c == '`': // the last of ASCII are letters in some collations
			return false
		case '0' <= c && c <= '9':
			f.text = append(f.text, c)
			if c == '0' && !number && i+1 < len(s) && '0' <= s[i+1] && s[i+1] <= '9' {
				f.zeros = true
			} else {
				f.numeric, number = append(f.numeric, c), true
			}
			continue
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
			fallthrough
		case 'a' <= c && c <= 'z':
			f.text = appendLetter(f.text, c)
			f.numeric = appendLetter(f.numeric, c)
		}
		number = false
	}
	return true
}

// appendLetter appends a letter to a folded text, in which the letters do not
// repeat: ll becomes l, and of a pair of letters that a collation takes for one
// letter, lyly becomes ly.
func appendLetter(text []byte, c byte) []byte {
	switch c {
	case 'j', 'y':
		c = 'i'
	case 'v', 'w':
		c = 'u'
	case 'm':
		c = 'n'
	}
	n := len(text)
	if n > 0 && (text[n-1] == c || text[n-1] == 'c' && c == 'h') {
		return text
	}
	text = append(text, c)
	n++
	if n >= 4 && text[n-4] == text[n-2] && text[n-3] == c && isPair(text[n-2], c) {
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
