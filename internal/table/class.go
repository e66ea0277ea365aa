package table

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/schema"
)

// A class is what a column's type holds, as far as it says which fields never fit.
type class int

const (
	unclassed class = iota // texts and bytes, which hold much, and types that are not known
	wholes
	decimals
	floats
	bools // of PostgreSQL; MySQL's are whole numbers
	bitStrings
	instants // and days
	timesOfDay
	uuids
	documents
	arrays
	words // one of several, networks, spans: what has a form of its own
)

var classes = map[string]class{
	"numeric": decimals, "decimal": decimals,
	"float4": floats, "float8": floats, "float": floats, "double": floats,
	"bool": bools, "bit": bitStrings, "varbit": bitStrings,
	"date": instants, "timestamp": instants, "timestamptz": instants, "datetime": instants,
	"time": timesOfDay, "timetz": timesOfDay,
	"uuid": uuids, "json": documents, "jsonb": documents,
	"enum": words, "set": words, "money": words, "interval": words, "inet": words, "cidr": words,
	"macaddr": words, "macaddr8": words, "inet4": words, "inet6": words, "point": words,
}

func classOf(c *schema.Column) class {
	switch _, whole := sizes[c.Type]; {
	case c.Element != "":
		return arrays
	case whole:
		return wholes
	}
	return classes[c.Type]
}

// refused are the classes of which no value is read into a field of a kind, or none written:
// docs/types.md has them all.
var refused = map[rowmap.Kind][]class{
	rowmap.Bool:  {floats, instants, timesOfDay, uuids, arrays, words},
	rowmap.Int:   {bools, instants, timesOfDay, uuids, arrays, words},
	rowmap.Uint:  {bools, instants, timesOfDay, uuids, arrays, words},
	rowmap.Float: {bools, instants, timesOfDay, uuids, arrays, words},
	rowmap.Time:  {wholes, decimals, floats, bools, bitStrings, timesOfDay, uuids, arrays, words},
	rowmap.UUID:  {wholes, decimals, floats, bools, bitStrings, instants, timesOfDay, documents, arrays, words},
	rowmap.Array: {wholes, decimals, floats, bools, bitStrings, instants, timesOfDay, uuids, words},

	rowmap.Encrypted:  {wholes, decimals, floats, bools, bitStrings, instants, timesOfDay, uuids, documents, arrays, words},
	rowmap.BlindIndex: {wholes, decimals, floats, bools, bitStrings, instants, timesOfDay, uuids, documents, arrays, words},
}

// held is what a field of a kind has, for "it does not hold …".
var held = map[rowmap.Kind]string{
	rowmap.Bool: "bools", rowmap.Int: "whole numbers", rowmap.Uint: "whole numbers", rowmap.Float: "numbers", rowmap.Time: "times",
	rowmap.UUID: "UUIDs", rowmap.Array: "arrays", rowmap.Encrypted: "the bytes of a ciphertext", rowmap.BlindIndex: "the bytes of a blind index",
}

// uuidText is how long a UUID is as it is written, and as alone it is read.
const uuidText = 36

// tooShort says that the column has no room for any value of the field: the text of a UUID
// (16 bytes are a dbfleet.BinaryUUID's), a ciphertext of NewAESCipher, which is a nonce and
// a mark at least.
func tooShort(kind rowmap.Kind, c *schema.Column) bool {
	switch {
	case c.Length < 0:
		return false
	case kind == rowmap.UUID:
		return c.Length < uuidText
	}
	return kind == rowmap.Encrypted && strings.HasSuffix(c.Type, "binary") && c.Length < 28
}
