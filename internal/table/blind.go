package table

import (
	"cmp"
	"maps"
	"slices"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Blind indexes. The column of one is written whenever that of its encrypted value is, and
// never by itself; see resealed, resealedSets and AddBlinds.

// A BlindIndex says how rows are found by an encrypted column. The root's documents it.
type BlindIndex struct {
	Column, Of        string
	Keys              [][]byte
	Normalize         func(string) string
	Unique, WriteOnly bool
}

// blind is a blind index of the table.
type blind struct {
	field, of         int
	unique, writeOnly bool
	several           bool // keys
}

// configureBlinds are the blind indexes of the encrypted columns, as the plan takes them.
func (t *Table) configureBlinds(list []BlindIndex, sealed []int, fault func(key, reason string, err error)) (blinds []rowmap.Blind) {
	for n, b := range list {
		name := "Encryption.Indexes: " + quote(cmp.Or(b.Column, b.Of))
		of, known := t.Plan.Column(b.Of)
		_, field := t.Plan.Column(b.Column)
		switch {
		case b.Column == "" || b.Of == "":
			fault("Encryption.Indexes", "a blind index needs a Column and the encrypted column that it is Of", nil)
			continue
		case !known:
			fault("Encryption.Indexes", "", &sqlgen.UnknownColumnError{Table: t.Name, Column: b.Of, Known: t.Plan.Columns()})
			continue
		case !slices.Contains(sealed, of):
			fault("Encryption.Indexes", name+" is of column "+quote(b.Of)+", which is not encrypted", nil)
			continue
		case field:
			fault("Encryption.Indexes", name+" is a field of the model; the library fills the column, and no field holds it", nil)
			continue
		case slices.ContainsFunc(list[:n], func(o BlindIndex) bool { return o.Column == b.Column }):
			fault("Encryption.Indexes", name+" is there twice", nil)
			continue
		}
		ok, text := t.Plan.Indexable(of)
		switch {
		case !ok:
			fault("Encryption.Indexes", name+" is of column "+quote(b.Of)+", a "+t.Plan.Field(of).Type+"; only texts, bytes and whole numbers have one form each", nil)
		case !text && b.Normalize != nil:
			fault("Encryption.Indexes", name+" has a Normalize, which is for texts and bytes", nil)
		}
		switch {
		case len(b.Keys) == 0:
			fault("Encryption.Indexes", name+" has no key", nil)
		case b.Unique && len(b.Keys) > 1:
			fault("Encryption.Indexes", name+" is Unique and has several keys: a value has another digest by each, so that the database takes it twice; rotate by a second index", nil)
		}
		for k, key := range b.Keys {
			switch {
			case len(key) != 32:
				fault("Encryption.Indexes", name+" has a key that is not of 32 bytes", nil)
			case slices.Max(key) == 0:
				fault("Encryption.Indexes", name+" has a key that is zero", nil)
			case slices.ContainsFunc(b.Keys[:k], func(o []byte) bool { return slices.Equal(o, key) }):
				fault("Encryption.Indexes", name+" has a key twice", nil)
			}
		}
		blinds = append(blinds, rowmap.Blind{Column: b.Column, Of: of, Keys: b.Keys, Normalize: b.Normalize, Unique: b.Unique, WriteOnly: b.WriteOnly})
	}
	return blinds
}

// takeBlinds notes the columns of the plan's blind indexes, which are its last.
func (t *Table) takeBlinds() {
	t.Plan.Blinds(func(field int, b *rowmap.Blind) {
		t.blinds = append(t.blinds, blind{field: field, of: b.Of, unique: b.Unique, writeOnly: b.WriteOnly, several: len(b.Keys) > 1})
		t.generated, t.optional = append(t.generated, false), append(t.optional, false)
	})
}

// isBlind says whether a field is a blind index.
func (t *Table) isBlind(i int) bool {
	return slices.ContainsFunc(t.blinds, func(b blind) bool { return b.field == i })
}

// CheckRelated refuses a column that no other is compared with: an encrypted one, or a
// blind index.
func (t *Table) CheckRelated(column string) error {
	i, ok := t.Field(column)
	switch {
	case t.Encrypted(column):
		return t.Fail("column %q is encrypted: no record is related by it; its blind index, if it has one, is bound to this column alone", column)
	case ok && t.isBlind(i):
		return t.Fail("column %q is a blind index, which is bound to this table: no record is related by it", column)
	}
	return nil
}

// CheckFound refuses a blind index where the encrypted column is to be named.
func (t *Table) CheckFound(column string) error { return t.checkBlind(column) }

// checkBlind refuses to write a blind index by itself.
func (t *Table) checkBlind(column string) error {
	for _, b := range t.blinds {
		if t.Column(b.field) == column {
			return t.encrypted("column %q is the blind index of %q; name that, along with which it is written and searched", column, t.Column(b.of))
		}
	}
	return nil
}

// withBlinds are fields and the blind indexes of those that are encrypted.
func (t *Table) withBlinds(fields []int) []int {
	for _, b := range t.blinds {
		if slices.Contains(fields, b.of) && !slices.Contains(fields, b.field) {
			fields = append(slices.Clip(fields), b.field)
		}
	}
	return fields
}

// BlindColumns are the columns of the blind indexes of these columns.
func (t *Table) BlindColumns(columns []string) (more []string) {
	for _, b := range t.blinds {
		if slices.Contains(columns, t.Column(b.of)) && !slices.Contains(columns, t.Column(b.field)) {
			more = append(more, t.Column(b.field))
		}
	}
	return more
}

// BlindRow is the row with the blind indexes of its encrypted columns, which are NULL in
// rows that are no records.
func (t *Table) BlindRow(row map[string]any) map[string]any {
	more := t.BlindColumns(slices.Collect(maps.Keys(row)))
	if len(more) == 0 {
		return row
	}
	row = maps.Clone(row)
	for _, column := range more {
		row[column] = nil
	}
	return row
}

// blindKey is the blind index that stands for an encrypted column in the key of an upsert.
func (t *Table) blindKey(i int) (field int, err error) {
	column, found := t.Column(i), false
	for _, b := range t.blinds {
		switch {
		case b.field == i:
			return 0, t.encrypted("column %q is the blind index of %q; name that in Conflict.Key", column, t.Column(b.of))
		case b.of == i && b.unique && !b.writeOnly:
			return b.field, nil
		case b.of == i:
			found = true
		}
	}
	switch {
	case found:
		return 0, t.encrypted("column %q in Conflict.Key: none of its blind indexes is Unique and searched, so nothing tells that a value is there once", column)
	case slices.Contains(t.sealed, i):
		return 0, t.encrypted("column %q in Conflict.Key: it has no blind index, and each ciphertext is another", column)
	}
	return i, nil
}

// Blind implements sqlgen.Table.
func (t *Table) Blind(column string, v any, list bool) (index string, macs any, err error) {
	i, ok := t.Field(column)
	if !ok {
		return "", nil, nil
	}
	unsearched := ""
	for _, b := range t.blinds {
		switch {
		case b.of != i:
		case b.writeOnly:
			unsearched = t.Column(b.field)
		default:
			values, err := t.Plan.MACs(b.field, v, list)
			if err == nil && !list && len(values) == 1 {
				return t.Column(b.field), values[0], nil
			}
			return t.Column(b.field), values, err
		}
	}
	if unsearched != "" {
		return "", nil, t.encrypted("column %q: its blind index %q is WriteOnly, not all rows may have it yet", column, unsearched)
	}
	return "", nil, nil
}

// Blinded implements sqlgen.Table.
func (t *Table) Blinded(column string) bool {
	i, ok := t.Field(column)
	return ok && slices.ContainsFunc(t.blinds, func(b blind) bool { return b.of == i })
}

// blindPairs are encrypted columns and their blind indexes: a row has both, or none of the
// two.
func (t *Table) blindPairs() (pairs [][2]string) {
	for _, b := range t.blinds {
		pairs = append(pairs, [2]string{t.Column(b.of), t.Column(b.field)})
	}
	return pairs
}

// SearchedBlinds are the blind indexes by which rows are found.
func (t *Table) SearchedBlinds(each func(column string, unique bool)) {
	for _, b := range t.blinds {
		if !b.writeOnly {
			each(t.Column(b.field), b.unique)
		}
	}
}

// UniqueBlinds are the blind indexes that are to be unique keys.
func (t *Table) UniqueBlinds() (columns []string) {
	for _, b := range t.blinds {
		if b.unique {
			columns = append(columns, t.Column(b.field))
		}
	}
	return columns
}
