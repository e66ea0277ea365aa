package sqlgen

import (
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Values inside of JSON documents. A path is a chain of steps, of which each is an
// argument on PostgreSQL; the others take one argument for the whole path, in which keys
// are quoted as JSON quotes texts (see JSONPath.text). A value that is not of the wanted
// kind is NULL, so that databases do not make texts of numbers or numbers of texts, each in
// its own way.

// JSONKind is what a value in a document is wanted as.
type JSONKind uint8

// The kinds of values.
const (
	JSONText JSONKind = iota + 1
	JSONWhole
	JSONFloat
	JSONBool
	JSONTypeName // string, number, boolean, null, array, object
)

// JSONStep is a step of a path: a member of an object, or an element of an array.
type JSONStep struct {
	Key     string
	Index   int
	Element bool // Index counts, and not Key
}

// JSONPath is a place in a document.
type JSONPath struct {
	Document Term
	Steps    []JSONStep
}

// JSONValue is the value at a place, if it is of the kind, else NULL.
type JSONValue struct {
	JSONPath
	Kind JSONKind
	// exact has texts compared and sorted by their bytes, which is the order of the code
	// points, whatever the collation.
	exact bool
}

func (v JSONValue) reads(f func(string)) { v.Document.reads(f) }

// exactly is t, with its texts compared and sorted by their bytes if it is a JSONValue.
func exactly(t Term) Term {
	if v, ok := t.(JSONValue); ok {
		v.exact = true
		return v
	}
	return t
}

func (v JSONValue) write(r *renderer) {
	switch r.d {
	case dialect.Postgres:
		v.postgres(r)
	case dialect.MySQL:
		v.mysql(r)
	default:
		v.sqlite(r)
	}
}

// What the databases call the types of a kind, and PostgreSQL's type of its values.
var (
	postgresKinds = [...]string{JSONText: "'string'", JSONWhole: "'number'", JSONFloat: "'number'", JSONBool: "'boolean'"}
	postgresCasts = [...]string{JSONText: "::text", JSONWhole: "::numeric", JSONFloat: "::numeric", JSONBool: "::boolean"}
	mysqlKinds    = [...]string{JSONText: "'STRING'", JSONWhole: mysqlNumbers, JSONFloat: mysqlNumbers, JSONBool: "'BOOLEAN'"}
	sqliteKinds   = [...]string{JSONText: "'text'", JSONWhole: "'integer', 'real'", JSONFloat: "'integer', 'real'", JSONBool: "'true', 'false'"}
)

const mysqlNumbers = "'INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL'"

func (v JSONValue) postgres(r *renderer) {
	if v.exact {
		r.str("(")
	}
	r.str("CASE WHEN ")
	v.arrays(r)
	switch v.Kind {
	case JSONTypeName:
		r.str("TRUE THEN jsonb_typeof(")
		v.chain(r)
		r.str(") END")
	default:
		r.str("jsonb_typeof(")
		v.chain(r)
		r.str(") = ")
		r.str(postgresKinds[v.Kind])
		r.str(" THEN ")
		if v.Kind == JSONText {
			v.chain(r)
			r.str(" #>> '{}' END")
			break
		}
		r.str("(")
		v.chain(r)
		r.str(")")
		r.str(postgresCasts[v.Kind])
		r.str(" END")
	}
	if v.exact {
		r.str([2]string{")", ` COLLATE "C")`}[index(v.Kind == JSONText)])
	}
}

// arrays writes the condition that there is an array before each step to element 0, and
// AND: PostgreSQL and MySQL take that of another value for the value itself.
func (p JSONPath) arrays(r *renderer) {
	for i, s := range p.Steps {
		if !s.Element || s.Index > 0 {
			continue
		}
		before := JSONPath{p.Document, p.Steps[:i]}
		if r.d == dialect.Postgres {
			r.str("jsonb_typeof(")
			before.chain(r)
			r.str(") = 'array' AND ")
		} else {
			r.str("JSON_TYPE(")
			before.extract(r)
			r.str(") = 'ARRAY' AND ")
		}
	}
}

// chain writes PostgreSQL's jsonb at the path, NULL where there is none.
func (p JSONPath) chain(r *renderer) {
	r.str("(")
	r.term(p.Document, false)
	r.str(")::jsonb")
	for _, s := range p.Steps {
		r.str(" -> ")
		if s.Element {
			r.ready(int64(s.Index))
			r.str("::int")
		} else {
			r.ready(s.Key)
			r.str("::text")
		}
	}
}

func (v JSONValue) mysql(r *renderer) {
	r.str("CASE WHEN ")
	v.arrays(r)
	if v.Kind == JSONTypeName {
		r.str("TRUE THEN CASE JSON_TYPE(")
		v.extract(r)
		r.str(`) WHEN 'STRING' THEN 'string' WHEN 'BOOLEAN' THEN 'boolean' WHEN 'NULL' THEN 'null' WHEN 'ARRAY' THEN 'array' WHEN 'OBJECT' THEN 'object'`)
		r.str(` WHEN 'INTEGER' THEN 'number' WHEN 'UNSIGNED INTEGER' THEN 'number' WHEN 'DOUBLE' THEN 'number' WHEN 'DECIMAL' THEN 'number' END END`)
		return
	}
	r.str("JSON_TYPE(")
	v.extract(r)
	r.str(") IN (")
	r.str(mysqlKinds[v.Kind])
	r.str(") THEN ")
	if v.Kind == JSONWhole || v.Kind == JSONText && v.exact {
		r.str("CAST(")
	}
	r.str("JSON_UNQUOTE(")
	v.extract(r)
	r.str(")")
	switch {
	case v.Kind == JSONText && v.exact:
		r.str(" AS BINARY)")
	case v.Kind == JSONBool:
		r.str(" = 'true'")
	case v.Kind == JSONWhole:
		r.str(" AS DECIMAL(65,30))")
	case v.Kind == JSONFloat:
		r.str(" + 0e0")
	}
	r.str(" END")
}

// extract writes MySQL's value at the path. MariaDB keeps documents as texts, and finds a
// key only as it is written there: encoding/json writes <, > and & otherwise than others.
func (p JSONPath) extract(r *renderer) {
	for _, s := range p.Steps {
		if strings.HasPrefix(s.Key, "-") { // which it takes for no path, in silence
			r.fail(r.fault("JSON path", "MariaDB finds no key that begins with a hyphen, as "+strconv.Quote(s.Key)+" does; read the document instead", nil))
			return
		}
	}
	paths := []string{p.text(false), p.text(true)}
	if paths[0] == paths[1] {
		paths = paths[:1]
	} else {
		r.str("COALESCE(")
	}
	for i, path := range paths {
		r.commas(i)
		r.str("JSON_EXTRACT(")
		r.term(p.Document, false)
		r.str(", ")
		r.ready(path)
		r.str(")")
	}
	if len(paths) > 1 {
		r.str(")")
	}
}

func (v JSONValue) sqlite(r *renderer) {
	if v.Kind == JSONTypeName {
		r.str("CASE ")
		v.jsonType(r)
		r.str(` WHEN 'text' THEN 'string' WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number' WHEN 'true' THEN 'boolean' WHEN 'false' THEN 'boolean'`)
		r.str(` WHEN 'null' THEN 'null' WHEN 'array' THEN 'array' WHEN 'object' THEN 'object' END`)
		return
	}
	r.str("CASE WHEN ")
	v.jsonType(r)
	r.str(" IN (")
	r.str(sqliteKinds[v.Kind])
	r.str(") THEN json_extract(")
	r.term(v.Document, false)
	r.str(", ")
	r.ready(v.text(false))
	r.str(") END")
}

func (p JSONPath) jsonType(r *renderer) {
	r.str("json_type(")
	r.term(p.Document, false)
	r.str(", ")
	r.ready(p.text(false))
	r.str(")")
}

// text is the path as MySQL and SQLite take it: $."key"[0]. html writes keys as
// encoding/json does by default.
func (p JSONPath) text(html bool) string {
	text := []byte{'$'}
	for _, s := range p.Steps {
		if s.Element {
			text = append(text, '[')
			text = strconv.AppendInt(text, int64(s.Index), 10)
			text = append(text, ']')
			continue
		}
		text = append(text, '.')
		text = appendJSONText(text, s.Key, html)
	}
	return string(text)
}

// appendJSONText appends a text as JSON.
func appendJSONText(to []byte, s string, html bool) []byte {
	const hex = "0123456789abcdef"
	to = append(to, '"')
	for _, c := range s {
		short := map[rune]byte{'"': '"', '\\': '\\', '\n': 'n', '\r': 'r', '\t': 't', '\b': 'b', '\f': 'f'}[c]
		switch {
		case short != 0:
			to = append(to, '\\', short)
		case c < ' ', html && (c == '<' || c == '>' || c == '&' || c == '\u2028' || c == '\u2029'):
			to = append(to, '\\', 'u', hex[c>>12&15], hex[c>>8&15], hex[c>>4&15], hex[c&15])
		default:
			to = append(to, string(c)...)
		}
	}
	return append(to, '"')
}

// JSONHas says whether the array at a place has an element of the kind that is equal to a
// value. What is no array has none.
type JSONHas struct {
	JSONPath
	Kind  JSONKind
	Value Literal
}

func (h JSONHas) reads(f func(string)) { h.Document.reads(f) }

func (h JSONHas) write(r *renderer) {
	switch r.d {
	case dialect.Postgres:
		r.str("COALESCE(")
		h.arrays(r)
		r.str("jsonb_typeof(")
		h.chain(r)
		r.str(") = 'array' AND ")
		h.chain(r)
		r.str(" @> jsonb_build_array(")
		r.literal(h.Value, false)
		r.str(postgresCasts[h.Kind])
		r.str("), FALSE)")
	case dialect.MySQL:
		r.str("CASE WHEN ")
		h.arrays(r)
		r.str("JSON_TYPE(")
		h.extract(r)
		r.str(") = 'ARRAY' THEN EXISTS (SELECT 1 FROM JSON_TABLE(")
		h.extract(r)
		r.str(", '$[*]' COLUMNS (element JSON PATH '$')) AS dbfleet_elements WHERE ")
		JSONValue{JSONPath{Document: elementTerm{}}, h.Kind, true}.write(r)
		r.str(" = ")
		r.literal(h.Value, false)
		r.str(") ELSE 0 END")
	default:
		r.str("CASE WHEN ")
		h.jsonType(r)
		r.str(" = 'array' THEN EXISTS (SELECT 1 FROM (SELECT json_extract(")
		r.term(h.Document, false)
		r.str(", ")
		r.ready(h.text(false))
		r.str(") AS list) AS dbfleet_lists, json_each(dbfleet_lists.list) AS dbfleet_elements WHERE dbfleet_elements.type IN (")
		r.str(sqliteKinds[h.Kind])
		r.str(") AND dbfleet_elements.atom = ")
		r.literal(h.Value, false)
		r.str(") ELSE 0 END")
	}
}

// elementTerm is an element of MySQL's list in JSONHas.
type elementTerm struct{}

func (elementTerm) write(r *renderer) { r.str("dbfleet_elements.element") }

func (elementTerm) reads(func(string)) {}
