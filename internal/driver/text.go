package driver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/dbfleet/dbfleet/internal/value"
)

// Text is the text of an error of this package without values of the program's
// data: some of the databases' messages quote them, as MySQL's "Duplicate entry
// 'x' for key". Such a message is told by its class, its code and the names it
// has. query and args are the statement's: an argument that a message quotes in
// spite of all is left out.
func Text(err error, query string, args []any) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	for _, db := range databases {
		if raw, shown, ok := db.Message(err); ok {
			return strings.ReplaceAll(text, raw, withoutArgs(shown, query, args)) + namesOf(err)
		}
	}
	if p := Classify(err); p.Class == Unknown || p.Class == InvalidValue {
		return withoutArgs(text, query, args)
	}
	return text
}

// namesOf are the names that the schema gave.
func namesOf(err error) string {
	var names *NamesError
	if !errors.As(err, &names) {
		return ""
	}
	s := fmt.Sprintf(", table %q", names.Table)
	if names.Column != "" {
		s += fmt.Sprintf(", column %q", names.Column)
	}
	return s
}

// withoutArgs replaces what a message quotes of the arguments, unless it stands
// in the statement's text too: then it is from there.
func withoutArgs(message, query string, args []any) string {
	const gone = "…"
	var texts []string
	for _, a := range args {
		if s := argText(a); s != "" {
			texts = append(texts, s)
		}
	}
	if len(texts) == 0 {
		return message
	}
	for _, s := range texts {
		if len(s) >= 3 && !strings.Contains(query, s) {
			message = strings.ReplaceAll(message, s, gone)
		}
	}
	// A part of an argument too: between quotes, or as what a message ends with.
	quotes := func(piece string) bool {
		return !strings.Contains(query, piece) &&
			slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, piece) })
	}
	for _, piece := range quotedPieces(message) {
		if quotes(piece) {
			message = strings.NewReplacer(`"`+piece+`"`, gone, `'`+piece+`'`, gone).Replace(message)
		}
	}
	i := strings.LastIndex(message, ": ") + 1
	words := strings.FieldsFunc(message[i:], func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' })
	for _, word := range words {
		if len(word) >= 3 && quotes(word) {
			message = message[:i] + strings.ReplaceAll(message[i:], word, gone)
		}
	}
	return message
}

func argText(a any) string {
	switch a := a.(type) {
	case nil, bool:
		return ""
	case string:
		return a
	case []byte:
		return string(a)
	case time.Time:
		return value.FormatTime(a)
	}
	return fmt.Sprint(a)
}

// quotedPieces are the parts of a message between quotes of one kind.
func quotedPieces(message string) []string {
	var pieces []string
	for rest := message; ; {
		i := strings.IndexAny(rest, `"'`)
		if i < 0 {
			return pieces
		}
		quote := rest[i]
		rest = rest[i+1:]
		j := strings.IndexByte(rest, quote)
		if j < 0 {
			return pieces
		}
		if j > 0 {
			pieces = append(pieces, rest[:j])
		}
		rest = rest[j+1:]
	}
}
