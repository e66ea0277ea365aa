package dbfleet

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"github.com/dbfleet/dbfleet/internal/config"
	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// Encryption says how a model's fields that are an Encrypted are sealed.
//
// What is sealed is bound to the table, the column and the row: a ciphertext that was
// copied to another row or column does not open (ErrSealed). It is not bound to the
// connection, so rows may move to another database, and replicas and backups open. Two
// things it does not tell: that a value was set to NULL, and that one was put back which
// the same row and column had before.
type Encryption struct {
	// Cipher seals and opens; NewAESCipher makes one. Required. It is called by many
	// goroutines at once.
	Cipher Cipher
	// BoundTo are the columns whose values tell the row: whole numbers, texts, bytes or
	// UUIDs that are set before the record is written, that tell rows apart, and that
	// nothing but the model changes. The database must keep them as they are written: a
	// text that a trigger changes or a column cuts off would not open again.
	//
	// A key that the database makes is not known when the row is inserted. A record without
	// its bound values is therefore refused (ErrEncrypted), before anything is sent: let the
	// program make the key, or bind to another column, such as a UUID beside the key.
	//
	// Defaults to the primary key.
	BoundTo []string
	// Ciphers are the ciphers of columns that have one of their own, by column. The others
	// have Cipher, which is not required if none is left.
	Ciphers map[string]Cipher
	// Indexes are the blind indexes by which rows are found by encrypted columns. None by
	// default: no row is found by one.
	Indexes []BlindIndex
	// Table is the table's name as it is bound. Set it to the old name when a table is
	// renamed, else nothing in it opens any more.
	//
	// Defaults to ModelConfig.Table.
	Table string
}

// Encrypted is a field whose value is sealed by the model's Cipher before it is written,
// and opened after it is read; EncryptedOf makes one. Its column is one of bytes that may be NULL: bytea on
// PostgreSQL, VARBINARY or BLOB on MySQL and MariaDB, BLOB on SQLite. NULL stays NULL, and
// is read as Valid false.
//
//	type Patient struct {
//		ID   string // a UUID that the program makes
//		Name string
//		SSN  dbfleet.Encrypted[string]
//	}
//
// A string or a []byte is sealed as it is, every other V as its JSON. Only records of the
// model's own type are written and read so. Everything else that would need the plaintext
// in the database is refused with ErrEncrypted before it is sent: a condition but IS NULL
// and, with a BlindIndex, equality; an order, a group, an aggregate, an expression; Update, Increment, Insert, Upsert and InsertFrom of
// rows, which may set it to NULL and nothing else, and which may not change what it is
// bound to; Pluck, other structs, and a select list without the columns that it is bound
// to. SQL of one's own is not looked at; what it writes there does not open.
//
// fmt, slog and encoding/json write "[redacted]" for a value, and it is in no error and no
// QueryEvent; V has it. What a cipher or a Go debugger shows is another matter, and so is a
// %p or %w of fmt.
type Encrypted[V any] struct {
	V     V
	Valid bool        // there is a V; false is NULL
	seal  rowmap.Seal //lint:ignore U1000 rowmap reaches it by its place
}

// EncryptedOf returns an Encrypted that is not NULL.
func EncryptedOf[V any](v V) Encrypted[V] { return Encrypted[V]{V: v, Valid: true} }

// Value is ErrEncrypted: only a record of the model is sealed.
func (e Encrypted[V]) Value() (driver.Value, error) {
	return nil, errorf("%w: only a record of its model is sealed; this would be the plaintext", ErrEncrypted)
}

// Format writes "[redacted]", or NULL, whatever the verb.
func (e Encrypted[V]) Format(f fmt.State, _ rune) { fmt.Fprint(f, e.String()) }

// String returns "[redacted]", or "NULL".
func (e Encrypted[V]) String() string {
	if !e.Valid {
		return "NULL"
	}
	return config.Redacted
}

// GoString is String.
func (e Encrypted[V]) GoString() string { return e.String() }

// LogValue makes slog print String.
func (e Encrypted[V]) LogValue() slog.Value { return slog.StringValue(e.String()) }

// MarshalJSON writes "[redacted]", or null: a record that is sent to somebody shows what V
// says only where the program says so.
func (e Encrypted[V]) MarshalJSON() ([]byte, error) {
	if !e.Valid {
		return []byte("null"), nil
	}
	return json.Marshal(config.Redacted)
}

// UnmarshalJSON reads a V, or null. "[redacted]" is an error.
func (e *Encrypted[V]) UnmarshalJSON(text []byte) error {
	if e == nil {
		return errorf("Encrypted.UnmarshalJSON: the Encrypted is nil")
	}
	if strings.TrimSpace(string(text)) == "null" {
		*e = Encrypted[V]{}
		return nil
	}
	if strings.Contains(string(text), config.Redacted) {
		return errRedacted
	}
	fresh := Encrypted[V]{Valid: true}
	if json.Unmarshal(text, &fresh.V) != nil {
		return errorf("%w: this JSON is no %T", ErrType, fresh.V) // which may not be shown
	}
	*e = fresh
	return nil
}
