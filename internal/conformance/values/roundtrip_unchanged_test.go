package values

import (
	"encoding/hex"
	"math/big"
	"reflect"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet"
)

// oneForm are the ways to find a value in SQL that the caller wrote, which has one form
// of it.
var oneForm = map[string]bool{"raw": true, "squirrel": true}

// unchanged says whether what is stored is the value that it was: the same text, for a
// number of Go the same number (PostgreSQL's NUMERIC has it with the zeros that somebody
// wrote, SQLite as an integer or as a real), and for a time of SQLite the same midnight,
// with its hours or without.
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
		return midnight(after) == midnight(before)
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

func midnight(stored string) string {
	if text, err := hex.DecodeString(strings.TrimPrefix(stored, "text:")); err == nil && len(text) == len(time.DateOnly) {
		stored += hex.EncodeToString([]byte(" 00:00:00"))
	}
	return strings.ToUpper(stored)
}
