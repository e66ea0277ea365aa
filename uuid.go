package dbfleet

import (
	"database/sql/driver"

	"github.com/dbfleet/dbfleet/internal/value"
)

// BinaryUUID is a UUID in a column of 16 bytes: bytea on PostgreSQL, BINARY(16) on
// MySQL, BLOB on SQLite. A [16]byte, and most libraries' UUID types, are written as
// text; of one of those a BinaryUUID is made, and back, by a conversion:
// dbfleet.BinaryUUID(id), uuid.UUID(record.ID). Conditions on its column take any of
// them, and the UUID's text. Use *BinaryUUID or sql.Null for a column that may be NULL.
type BinaryUUID [16]byte

// String is the UUID as its 36 characters in lower case.
func (u BinaryUUID) String() string { return value.FormatUUID(u) }

// Value implements driver.Valuer: the 16 bytes.
func (u BinaryUUID) Value() (driver.Value, error) { return u[:], nil }

// Scan implements sql.Scanner. It takes 16 bytes, or the UUID's text; NULL is ErrNull.
// On an error u is unchanged.
func (u *BinaryUUID) Scan(src any) error {
	if u == nil {
		return errorf("BinaryUUID.Scan: the BinaryUUID is nil")
	}
	switch v := src.(type) {
	case nil:
		return errorf("a UUID: %w", ErrNull)
	case [16]byte:
		*u = v
		return nil
	case []byte:
		if len(v) == len(u) {
			copy(u[:], v)
			return nil
		}
		return u.UnmarshalText(v)
	case string:
		return u.UnmarshalText([]byte(v))
	}
	return errorf("a UUID from a %T: %w", src, ErrType)
}

// MarshalText implements encoding.TextMarshaler, and with it makes a text of the UUID
// in JSON.
func (u BinaryUUID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It takes 32 hexadecimal digits with
// the four usual dashes or without.
func (u *BinaryUUID) UnmarshalText(text []byte) error {
	if u == nil {
		return errorf("BinaryUUID.UnmarshalText: the BinaryUUID is nil")
	}
	parsed, ok := value.ParseUUID(string(text))
	if !ok {
		return errorf("this text is no UUID: %w", ErrType)
	}
	*u = parsed
	return nil
}
