package rowmap

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ColumnName returns the column that a field without a tag stands for: the
// field's name in snake case, by the rules that NewModel documents.
func ColumnName(field string) string {
	runes := []rune(field)
	var b strings.Builder
	for i, r := range runes {
		if startsWord(runes, i) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func startsWord(runes []rune, i int) bool {
	if i == 0 || !unicode.IsUpper(runes[i]) || runes[i-1] == '_' || isOAuth(runes[i-1:]) {
		return false
	}
	if !unicode.IsUpper(runes[i-1]) || isOAuth(runes[i:]) {
		return true
	}
	// Within a run of capitals the last one starts a word if a small letter
	// follows: HTTPServer. The s of IDs and the v of IPv4 are no such letters.
	if i+1 == len(runes) || !unicode.IsLower(runes[i+1]) {
		return false
	}
	plural := runes[i+1] == 's' && (i+2 == len(runes) || !unicode.IsLower(runes[i+2]))
	version := runes[i+1] == 'v' && i+2 < len(runes) && unicode.IsDigit(runes[i+2])
	return !plural && !version
}

// isOAuth says whether a name begins with the one word in common use that has a
// capital in it.
func isOAuth(runes []rune) bool {
	const word = "OAuth"
	return len(runes) >= len(word) && string(runes[:len(word)]) == word
}

// tagOf returns the db tag of a field. It reads the whole of the field's tags,
// since reflect stops in silence at the first that is malformed and would lose
// a db tag behind it.
func tagOf(all string) (name string, ok bool, err error) {
	rest := all
	for {
		rest = strings.TrimLeft(rest, " ")
		if rest == "" {
			return name, ok, nil
		}
		key, value, after, good := cutTag(rest)
		if !good {
			if strings.Contains(all, "db:") || strings.Contains(all, "db :") || strings.HasPrefix(rest, "db") {
				return "", false, fmt.Errorf("malformed struct tag `%s`", all)
			}
			return name, ok, nil
		}
		if key == "db" {
			if ok {
				return "", false, errors.New("two db tags")
			}
			if err := CheckTag(value); err != nil {
				return "", false, err
			}
			name, ok = value, true
		}
		rest = after
	}
}

// cutTag splits key:"value" off the front of a struct tag.
func cutTag(tag string) (key, value, after string, ok bool) {
	colon := strings.IndexFunc(tag, func(r rune) bool { return r <= ' ' || r == ':' || r == '"' || r == 0x7f })
	if colon <= 0 || !strings.HasPrefix(tag[colon:], `:"`) {
		return "", "", "", false
	}
	quoted, err := strconv.QuotedPrefix(tag[colon+1:])
	if err != nil {
		return "", "", "", false
	}
	value, err = strconv.Unquote(quoted)
	if err != nil {
		return "", "", "", false
	}
	return tag[:colon], value, tag[colon+1+len(quoted):], true
}

// CheckTag refuses what no column of any database is called, and what other
// libraries write behind a column's name.
func CheckTag(name string) error {
	switch {
	case name == "":
		return errors.New(`db:"" names no column; use db:"-" to skip the field`)
	case !utf8.ValidString(name):
		return errors.New("db tag is not valid UTF-8")
	case strings.IndexByte(name, 0) >= 0:
		return fmt.Errorf("db tag %q contains a NUL byte", name)
	}
	if _, options, ok := strings.Cut(name, ","); ok && isOptions(options) {
		return fmt.Errorf("db tag %q holds more than a column's name; options do not belong in it", name)
	}
	return nil
}

// isOptions says whether text is what other libraries write behind a comma, and
// nothing else.
func isOptions(text string) bool {
	for option := range strings.SplitSeq(text, ",") {
		option, _, _ = strings.Cut(strings.ToLower(option), ":")
		if !tagOptions[strings.Trim(option, " ")] {
			return false
		}
	}
	return true
}

var tagOptions = map[string]bool{
	"": true, "omitempty": true, "omitzero": true, "string": true, "inline": true, "pk": true, "primarykey": true, "primary_key": true, "auto": true,
	"autoincr": true, "autoincrement": true, "auto_increment": true, "unique": true, "index": true, "notnull": true, "not null": true,
	"nullzero": true, "null": true, "default": true, "readonly": true, "type": true, "size": true, "prefix": true, "soft_delete": true, "scanonly": true,
}
