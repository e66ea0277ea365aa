package values

import (
	"encoding/hex"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet"
	forms "github.com/dbfleet/dbfleet/internal/value"
)

// oneForm are the ways to find a value in SQL that the caller wrote, which has one form
// of it.
var oneForm = map[string]bool{"raw": true, "squirrel": true}

// unchanged says whether what is stored is the value that it was: the same text, for a
// number of Go the same number (PostgreSQL's NUMERIC has it with the zeros that somebody
// wrote, SQLite as an integer or as a real), and for a time of SQLite another of the
// forms in which it is found.
func (c *trial[V]) unchanged(after, before string) bool {
	if after == before {
		return true
	}
	switch t := plain(reflect.TypeFor[V]()); {
	case t.Kind() >= reflect.Bool && t.Kind() <= reflect.Float64:
		a, ok := number(after)
		b, also := number(before)
		return ok && also && a.Cmp(b) == 0
	case t.Kind() == reflect.Interface, t == reflect.TypeFor[dbfleet.Date](), t.ConvertibleTo(reflect.TypeFor[time.Time]()):
		return firstForm(after) == firstForm(before)
	}
	return false
}

// plain is a type without a pointer or sql.Null around it.
func plain(t reflect.Type) reflect.Type {
	switch {
	case t.Kind() == reflect.Pointer:
		return t.Elem()
	case t.PkgPath() == "database/sql":
		return t.Field(0).Type
	}
	return t
}

// number is what storedText has of a number, and of nothing else.
func number(stored string) (*big.Rat, bool) {
	typ, digits, typed := strings.Cut(stored, ":")
	switch {
	case !typed:
		digits = stored
	case typ != "integer" && typ != "real":
		return nil, false
	}
	return new(big.Rat).SetString(digits)
}

// firstForm is a stored time in the first of its forms, and any other value as it is.
func firstForm(stored string) string {
	text, err := hex.DecodeString(strings.TrimPrefix(stored, "text:"))
	if err != nil {
		return stored
	}
	at, ok := forms.ParseTime(string(text))
	all, also := forms.TimeFormsOf(forms.FormatTime(at))
	if ok && also && (slices.Contains(all.AppendOthers(nil), any(string(text))) || string(all) == string(text)) {
		return "text:" + all.First()
	}
	return stored
}
