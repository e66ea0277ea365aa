package starter

import (
	"strconv"
	"strings"
	"unicode"
)

// initialisms are words that Go writes in capitals.
var initialisms = func() map[string]string {
	words := map[string]string{"oauth": "OAuth", "ipv4": "IPv4", "ipv6": "IPv6"}
	for _, w := range strings.Fields("ACL API ASCII CPU CSS DNS EOF GUID HTML HTTP HTTPS ID IP JSON LHS QPS RAM RHS RPC SKU SLA SMTP SQL SSH TCP TLS TTL UDP UI UID UUID URI URL UTF8 VM XML XMPP XSRF XSS") {
		words[strings.ToLower(w)] = w
		words[strings.ToLower(w)+"s"] = w + "s"
	}
	delete(words, "https")
	words["https"] = "HTTPS"
	return words
}()

// GoName is the exported name of Go for a name of a database, whatever characters that
// has. One that begins with what has no capital form begins with an X.
func GoName(name string) string {
	var b strings.Builder
	for _, word := range words(name) {
		b.WriteString(capital(word))
	}
	text := b.String()
	if first := []rune(text + "_")[0]; !unicode.IsUpper(first) {
		text = "X" + text
	}
	return text
}

// capital is a word as it stands in a name of Go.
func capital(word string) string {
	lower := strings.ToLower(word)
	if known, ok := initialisms[lower]; ok {
		return known
	}
	runes := []rune(lower)
	return string(unicode.ToUpper(runes[0])) + string(runes[1:])
}

// words are the words of a name: what is between other characters than letters and
// digits, and what capitals begin within that.
func words(name string) (list []string) {
	for _, part := range strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		runes, start := []rune(part), 0
		for i := 1; i < len(runes); i++ {
			upper, before := unicode.IsUpper(runes[i]), unicode.IsUpper(runes[i-1])
			lowerNext := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if upper && (!before || lowerNext && !endsPlural(runes[i+1:])) {
				list = append(list, string(runes[start:i]))
				start = i
			}
		}
		list = append(list, string(runes[start:]))
	}
	return list
}

// endsPlural says whether what follows a run of capitals is the s of its plural: IDs.
func endsPlural(rest []rune) bool {
	return rest[0] == 's' && (len(rest) == 1 || !unicode.IsLower(rest[1]))
}

// names are the names that are taken in one place of Go code.
type names map[string]bool

// take takes the first of the candidates that is free, or the first one with a number.
func (n names) take(candidates ...string) string {
	for _, c := range candidates {
		if !n[c] {
			n[c] = true
			return c
		}
	}
	for i := 2; ; i++ {
		if c := candidates[0] + strconv.Itoa(i); !n[c] {
			n[c] = true
			return c
		}
	}
}
