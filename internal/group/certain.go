package group

import (
	"hash/maphash"
	"math"
	"strings"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// What this is. Whether two keys are equal is the database's affair: it may hold
// "A" for "a", "1.0" for "1.00", or a time for its day. Go puts records to parents
// by their keys only where the database cannot see it otherwise; everywhere else
// the database is asked which of the keys each row is equal to.
//
// When Go can tell. There is one key. Or the keys are whole numbers in a column for
// exact numbers, bools, UUIDs, or binary; instants in a column for instants; floats
// that differ in single precision; or texts in a column for texts, no two of which
// are the same after fold, which makes more texts the same than a collation does.
// And each record has one of the keys to the last byte.
//
// Why that is enough. A record that has a key to the last byte is equal to another
// one only if the two keys are equal.
//
// What it costs. A pass over the keys of a page that are texts, 0.1 µs each.
//
// Which tests tell when that changes. Those of TestFold_IsCoarserThan ask the servers
// for all collations that they have.

// Certain says whether the keys are surely different for the database, as far as
// the keys themselves tell, if they are so in each of their columns. A column of bytes
// must be asked for first; see Settled.
func (p *Part) Certain(kinds ...rowmap.Kind) bool {
	for i, kind := range kinds {
		if c := p.alone(i, len(kinds)); !c.known(kind) && kind != rowmap.Bytes && !c.differ() {
			return false
		}
	}
	return true
}

// Differ says whether a column of that kind surely holds two keys for different.
func Differ(kind rowmap.Kind, a, b any) bool {
	p := &Part{Values: []any{a, b}, keys: []any{a, b}}
	return p.Certain(kind)
}

// Settled says whether a record that has a key to the last byte has no other of the
// part. kinds are those of the related columns' fields, typeNames the columns' types in
// the result.
func (p *Part) Settled(kinds []rowmap.Kind, typeNames []string) bool {
	for i, kind := range kinds {
		if !p.alone(i, len(kinds)).settled(kind, typeNames[i]) {
			return false
		}
	}
	return true
}

// settled is Settled for the keys of one column.
func (p *Part) settled(kind rowmap.Kind, typeName string) bool {
	switch {
	case kind == rowmap.Int || kind == rowmap.Uint || p.Ints != nil:
		return !isText(typeName) && !isFloat(typeName)
	case p.known(kind):
		return true
	}
	switch typeOf(p.keys[0]) {
	case aString:
		if kind == rowmap.Bytes && !isBinary(typeName) && !p.differ() {
			return false
		}
		return isBinary(typeName) || isText(typeName)
	case anInstant:
		return strings.Contains(typeName, "TIMESTAMP") || strings.Contains(typeName, "DATETIME")
	}
	return true
}

// isFloat says whether a column's type holds numbers that are not exact.
func isFloat(typeName string) bool {
	return strings.Contains(typeName, "FLOAT") || strings.Contains(typeName, "DOUBLE") || strings.Contains(typeName, "REAL")
}

func isBinary(typeName string) bool {
	return strings.Contains(typeName, "BLOB") || strings.Contains(typeName, "BINARY") || typeName == "BYTEA"
}

// known says whether the keys are of a type whose equality Go knows.
func (p *Part) known(kind rowmap.Kind) bool {
	switch kind {
	case rowmap.Int, rowmap.Uint, rowmap.Bool, rowmap.UUID:
		return true
	}
	return p.Len() == 1 || p.Ints != nil
}

// isText says whether a column's type compares values as texts, or as UUIDs.
func isText(typeName string) bool {
	switch typeName {
	case "UUID", "ENUM", "SET", "NAME":
		return true
	}
	return (strings.Contains(typeName, "CHAR") || strings.Contains(typeName, "TEXT") || strings.Contains(typeName, "CLOB")) &&
		!strings.Contains(typeName, "INT") && !strings.HasPrefix(typeName, "_")
}

// differ says whether no two of the keys can be equal for a column that compares
// them as what they are.
func (p *Part) differ() bool {
	f := folder{text: make([]byte, 0, 64)}
	seen := make(map[uint64]int, len(p.keys)) // by hash: the key that has it
	taken := func(hash uint64, key int) bool {
		at, known := seen[hash]
		seen[hash] = key
		return known && at != key
	}
	first := typeOf(p.keys[0])
	for i, k := range p.keys {
		if typeOf(k) != first { // they would be compared as one of the types
			return false
		}
		switch k := k.(type) {
		case string:
			if !f.fold(k, false) || taken(maphash.Bytes(seed, f.text), i) {
				return false
			}
			if f.zeros && f.fold(k, true) && taken(maphash.Bytes(seed, f.text), i) {
				return false
			}
		case float64:
			if taken(uint64(math.Float32bits(float32(k)+0)), i) { // 0 is -0
				return false
			}
		}
	}
	return true
}

var seed = maphash.MakeSeed()

// The types that keys have.
const (
	aNumber = iota // int64 and uint64, of which all differ
	aString
	aFloat
	anInstant
	aBool
)

func typeOf(key any) int {
	switch key.(type) {
	case string:
		return aString
	case float64:
		return aFloat
	case rowmap.Instant:
		return anInstant
	case bool:
		return aBool
	}
	return aNumber
}
