package dbfleet

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// JSONPath is the value at a place in a JSON document: in a column of JSON (JSON[V],
// json.RawMessage, or a text that holds a document), or in an expression of one. A step is
// a string, which is the key of an object's member, or an int, which is the index of an
// array's element, from 0. Without steps it is the document itself.
//
//	city := dbfleet.JSONPath[string](dbfleet.Field(users, func(u *User) *dbfleet.JSON[Profile] { return &u.Profile }), "address", "city")
//	users.Filter(city.Eq("Bern"), dbfleet.JSONPath[int](profile, "scores", 0).Gt(10)).OrderWith(city.Asc())
//
// V is string, bool, or a number of Go, and so must be the value: it is NULL for what is of
// another type in JSON, for JSON's null, and where the path leads to nothing, so that
// IsNull holds for all of these. JSONType tells them apart, JSONExists a null from nothing.
// A number is compared as a number: 1 is 1.0. A text is compared and sorted by its code
// points on every database: letters' case, accents and blanks at the end are told, whatever
// the collation. In Like and its kin it is as Col says.
//
// Keys may hold any characters: dots, quotes, $, * and brackets mean themselves. They are
// never SQL, nor a part of a path. A key finds no element of an array, and an index no
// member of an object; a negative index is refused, since databases differ.
//
// With a float V, MySQL and SQLite compare doubles, and PostgreSQL all digits. With a whole
// V, MySQL knows 35 digits before the point and 30 behind it, SQLite a double where an int64
// does not hold the number. MariaDB keeps a document as it was written, and finds a key only
// if that is written as encoding/json or most others write it: not one of \u escapes for
// letters. What a document with two members of one key has differs by database; PostgreSQL
// cannot read one with a \u0000 in it, nor SQLite and PostgreSQL a text that is no JSON.
//
// No index on the document serves it; index a generated column instead.
func JSONPath[V any](document Term, steps ...any) Expression[V] {
	return Expression[V]{t: jsonValue("JSONPath", document, jsonKindOf[V](), fmt.Sprintf("%T", *new(V)), steps)}
}

// JSONType is the type of the value at a place in a JSON document: "string", "number",
// "boolean", "null", "array" or "object". It is NULL where the path leads to nothing; see
// JSONPath.
func JSONType(document Term, steps ...any) Expression[string] {
	return Expression[string]{t: jsonValue("JSONType", document, sqlgen.JSONTypeName, "", steps)}
}

// JSONExists holds where the path leads to a value, which may be JSON's null. See JSONPath.
func JSONExists(document Term, steps ...any) Cond {
	return JSONType(document, steps...).IsNotNull()
}

// JSONContains holds where there is an array at the place, and one of its elements is equal
// to v, as Eq of JSONPath has it: a string, a bool or a number. Elements of arrays within it
// do not count, and what is no array contains nothing: Not(JSONContains(…)) holds for it.
func JSONContains[V any](document Term, v V, steps ...any) Cond {
	kind := jsonKindOf[V]()
	t := jsonValue("JSONContains", document, kind, fmt.Sprintf("%T", v), steps)
	if value, ok := t.(sqlgen.JSONValue); ok {
		t = sqlgen.JSONHas{JSONPath: value.JSONPath, Kind: kind, Value: sqlgen.Literal{V: v}}
	}
	return Cond{sqlgen.CompareTerm(t, sqlgen.Eq, true)}
}

// jsonKindOf is what a V is in JSON, 0 if it is not known.
func jsonKindOf[V any]() sqlgen.JSONKind { return jsonKind(rowmap.KindOf[V]()) }

func jsonKind(k rowmap.Kind) sqlgen.JSONKind {
	switch k {
	case rowmap.String:
		return sqlgen.JSONText
	case rowmap.Bool:
		return sqlgen.JSONBool
	case rowmap.Int, rowmap.Uint:
		return sqlgen.JSONWhole
	case rowmap.Float:
		return sqlgen.JSONFloat
	}
	return 0
}

// jsonValue is the value at a place, or what is wrong with that.
func jsonValue(part string, document Term, kind sqlgen.JSONKind, goType string, steps []any) sqlgen.Term {
	if kind == 0 {
		return broken(part, "a "+goType+" is no string, bool or number")
	}
	value := sqlgen.JSONValue{JSONPath: sqlgen.JSONPath{Document: termOf(part, document)}, Kind: kind}
	for i, s := range steps {
		step, why := jsonStep(s)
		if why != "" {
			return broken(part, "step "+strconv.Itoa(i+1)+" "+why)
		}
		value.Steps = append(value.Steps, step)
	}
	return value
}

func jsonStep(s any) (step sqlgen.JSONStep, why string) {
	switch s := s.(type) {
	case string:
		if !utf8.ValidString(s) {
			return step, "is no text in UTF-8"
		}
		for _, c := range s {
			if c == 0 {
				return step, "has a zero byte, which not every database has in a key"
			}
		}
		return sqlgen.JSONStep{Key: s}, ""
	case int:
		if s < 0 {
			return step, "is negative; an index counts from 0"
		}
		if s > math.MaxInt32 {
			return step, "is an index above 2147483647"
		}
		return sqlgen.JSONStep{Index: s, Element: true}, ""
	}
	return step, fmt.Sprintf("is a %T; a key is a string, an index an int", s)
}
