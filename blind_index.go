package dbfleet

import (
	"crypto/sha256"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/table"
)

// BlindIndex lets rows be found by an encrypted column. It is a column beside it, of bytes
// that may be NULL (bytea, VARBINARY(32), BLOB), which holds a keyed digest of the value:
// HMAC-SHA256, bound to table, column and index. No field of the struct is for it: the
// library writes it with whatever writes the encrypted column, and nobody else may. What finds rows
// is the encrypted column's name:
//
//	Encryption: dbfleet.Encryption{Cipher: cipher, Indexes: []dbfleet.BlindIndex{{
//		Column: "email_index", Of: "email", Keys: []dbfleet.Secret{key}, Unique: true,
//		Normalize: func(s string) string { return strings.ToLower(strings.TrimSpace(s)) },
//	}}}
//	…
//	ann, err := users.Where("email", "=", "Ann@example.org").First(ctx)
//
// =, <>, IN and NOT IN take values (an Encrypted, or what is in one), FirstOrCreate and
// UpdateOrCreate the column, and Conflict.Key too, of a Unique one. Every other comparison
// is ErrEncrypted, as are orders, groups, expressions and relations by the column, and
// conditions on it in a query of another model that joins the table.
//
// A row is never passed over in silence: a record whose index is not that of its value, or
// is missing, is ErrSealed when it is read, which also shows that an index was copied to
// another row. (A row that no condition finds is not read: fill a new index, by
// WriteOnly, before anything is searched by it.)
//
// What it tells those who read the table, without any key: which rows have equal values
// (normalised), how many each, and so, of few values or well-known frequencies, often which
// they are: an index of a yes or no, a country or a birthday is about as good as
// the plaintext. Who can write through the program finds a value by trying. Who has the key
// tries all values that there may be: it should be kept where the cipher's is, and be another.
type BlindIndex struct {
	// Column is the index's column. Required. Give it an index, or a unique one.
	Column string
	// Of is the encrypted column: of texts, bytes or whole numbers. Required. Of several
	// indexes of one column rows are found by the first that is not WriteOnly.
	Of string
	// Keys are secrets of 32 random bytes, as string(bytes). Values are written by the
	// first, and found by all. To rotate, add the new key behind the first in all running
	// programs, then make it the first, save all records anew, and leave the old one out.
	// Required; not that of NewAESCipher.
	Keys []Secret
	// Normalize is what values are made equal by, when they are written and when they are
	// looked for: lower case, no blanks, one form of Unicode. It is called by many goroutines
	// at once and must give the same for the same text, in all programs and for as long as
	// rows have the index; another Normalize is another index. Of texts and bytes only.
	//
	// Defaults to none: equal bytes are equal.
	Normalize func(string) string
	// Unique says that the column is a unique key of the table, so that Conflict.Key may name
	// Of. It has one key then: by two, the database would take a value twice. CreateTable
	// makes the unique key, Registry.Check tells where it is missing. To rotate, add a second
	// index with the new key, WriteOnly; see there.
	Unique bool
	// WriteOnly says that the index is written, and that nothing is searched by it nor
	// compared with it when it is read: conditions are ErrEncrypted if there is no other. So a new
	// index is filled: by programs that all have it WriteOnly, with each record saved once
	// (Chunk and SaveMany). Then searching programs may follow. In the other direction it is taken
	// away: first WriteOnly everywhere, then left out.
	WriteOnly bool
}

// ofTable is the setting as the table takes it.
func (e Encryption) ofTable() table.Encryption {
	t := table.Encryption{BoundTo: e.BoundTo, Table: e.Table}
	if !rowmap.IsNil(e.Cipher) {
		t.Cipher = e.Cipher
	}
	for column, c := range e.Ciphers {
		if t.Ciphers == nil {
			t.Ciphers = map[string]rowmap.Cipher{}
		}
		if t.Ciphers[column] = nil; !rowmap.IsNil(c) {
			t.Ciphers[column] = c
		}
	}
	for _, i := range e.Indexes {
		b := table.BlindIndex{Column: i.Column, Of: i.Of, Normalize: i.Normalize, Unique: i.Unique, WriteOnly: i.WriteOnly}
		for _, key := range i.Keys {
			b.Keys = append(b.Keys, []byte(string(key)))
		}
		t.Indexes = append(t.Indexes, b)
	}
	return t
}

// keyFaults tells of keys of blind indexes that are those of a cipher.
func (e Encryption) keyFaults() (faults []table.Fault) {
	ciphers := []Cipher{e.Cipher}
	for _, c := range e.Ciphers {
		ciphers = append(ciphers, c)
	}
	for _, i := range e.Indexes {
		for _, key := range i.Keys {
			for _, c := range ciphers {
				if own, ok := c.(*aesCipher); ok && own != nil && own.sums[sha256.Sum256([]byte(string(key)))] {
					faults = append(faults, table.Fault{Key: "Encryption.Indexes", Reason: quoted(i.Column) + " has a key of the cipher; it needs one of its own"})
				}
			}
		}
	}
	return faults
}
