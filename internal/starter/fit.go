package starter

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/schema"
)

// A fit is the type of Go that keeps what a column holds.
type fit struct {
	typ    string
	null   bool   // it holds NULL as it is
	zeroed bool   // its zero value may be meant: a bool, a number
	note   string // what to know of it, for a comment
	warns  bool   // the note is a warning, too
}

// fits are the types by the names that databases give them; those of SQLite are what its
// tables declare.
var fits = [dialect.Count]map[string]string{
	{
		"int2": "int16", "int4": "int32", "int8": "int64", "oid": "int64", "float4": "float32", "float8": "float64", "numeric": "string",
		"text": "string", "varchar": "string", "bpchar": "string", "name": "string", "citext": "string", "char": "string",
		"bytea": "[]byte", "bool": "bool", "uuid": "[16]byte", "json": "json", "jsonb": "json", "date": "date", "timestamp": "time", "timestamptz": "time",
	},
	{
		"tinyint": "int8", "smallint": "int16", "mediumint": "int32", "int": "int32", "bigint": "int64", "float": "float32", "double": "float64", "decimal": "string",
		"year": "int16", "bit": "uint64", "char": "string", "varchar": "string", "tinytext": "string", "text": "string", "mediumtext": "string", "longtext": "string",
		"binary": "[]byte", "varbinary": "[]byte", "tinyblob": "[]byte", "blob": "[]byte", "mediumblob": "[]byte", "longblob": "[]byte",
		"json": "json", "date": "date", "datetime": "time", "timestamp": "time", "uuid": "[16]byte",
	},
	{
		"boolean": "bool", "bool": "bool", "date": "date", "datetime": "time", "timestamp": "time", "timestamp with time zone": "time", "timestamptz": "time",
		"json": "json", "jsonb": "json", "binary": "[]byte", "varbinary": "[]byte", "uuid": "string", "time": "string", "numeric": "string", "decimal": "string", "any": "any", "": "any",
	},
}

// wholes are the types of whole numbers of MySQL, which may be unsigned.
var wholes = map[string]bool{"tinyint": true, "smallint": true, "mediumint": true, "int": true, "bigint": true}

// fitOf is the type for a column, without its being NULL.
func fitOf(d *dialect.Dialect, c *schema.Column) fit {
	name, known := fits[d.Index][c.Type]
	switch {
	case c.Element != "":
		return arrayFit(c)
	case known:
	case d == dialect.SQLite:
		return affinityFit(c)
	case d == dialect.MySQL && (c.Type == "geometry" || strings.HasSuffix(c.Type, "point") || strings.HasSuffix(c.Type, "polygon") || strings.HasSuffix(c.Type, "linestring") || strings.HasSuffix(c.Type, "collection")):
		return fit{typ: "[]byte", null: true, note: c.Full + ", as its bytes"}
	case c.Type == "enum" || c.Type == "set":
		return fit{typ: "string", note: c.Type + ", as its text"}
	default:
		return fit{typ: "string", note: c.Full + ", as its text"}
	}
	if d == dialect.MySQL {
		switch {
		case c.Full == "tinyint(1)" || c.Full == "bit(1)":
			name = "bool"
		case wholes[c.Type] && strings.Contains(c.Full, "unsigned"):
			name = "u" + name
		}
	}
	f := plainFit(name)
	if name == "string" && (c.Type == "numeric" || c.Type == "decimal") {
		f.note = c.Full + ", exact: a decimal as text"
	}
	return f
}

func plainFit(name string) fit {
	switch name {
	case "json":
		return fit{typ: "dbfleet.JSON[any]", null: true}
	case "date":
		return fit{typ: "dbfleet.Date", null: true}
	case "time":
		return fit{typ: "time.Time"}
	case "[]byte", "any":
		return fit{typ: name, null: true}
	case "string", "[16]byte":
		return fit{typ: name}
	}
	return fit{typ: name, zeroed: true}
}

// arrayFit is the type for an array of PostgreSQL.
func arrayFit(c *schema.Column) fit {
	name, known := fits[dialect.Postgres.Index][c.Element]
	element := plainFit(name)
	switch {
	case name == "[]byte" || name == "json" || strings.HasSuffix(c.Element, "[]"):
		return fit{typ: "string", note: c.Full + ", as its text: no slice of Go is read from it", warns: true}
	case !known:
		element.typ = "string"
	}
	return fit{typ: "[]" + element.typ, null: true}
}

// affinityFit is the type for a column of SQLite that declares a type which only SQLite's
// rule of affinity understands.
func affinityFit(c *schema.Column) fit {
	contains := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(c.Type, p) {
				return true
			}
		}
		return false
	}
	switch {
	case contains("int"):
		return fit{typ: "int64", zeroed: true}
	case contains("char", "clob", "text"):
		return fit{typ: "string"}
	case contains("blob"):
		return fit{typ: "[]byte", null: true}
	case contains("real", "floa", "doub"): //nolint:misspell // as SQLite has it
		return fit{typ: "float64", zeroed: true}
	}
	return fit{typ: "any", null: true, note: "SQLite says nothing of the type " + c.Full, warns: true}
}

// zeroDefault says whether a column's default is the zero value of its type, so that a
// field that is zero is written as it is when the default applies.
func zeroDefault(text string) bool {
	text, _, _ = strings.Cut(text, "::")
	text = strings.Trim(strings.ToLower(text), "()' b")
	if text == "false" {
		return true
	}
	return text != "" && strings.Trim(text, "0.") == "" && strings.Contains(text, "0")
}
