package rowmap

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"reflect"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// A UUID stands in a column as text or as 16 bytes, which no database holds for equal.
// A [16]byte is written as text, dbfleet.BinaryUUID as bytes, other types as their Value
// methods say. So a read of a table refuses the form that the field would not write.

func setUUIDCell(p unsafe.Pointer, x *cell.Cell, c *origin) error {
	if x.Kind == cell.Text {
		if u, ok := value.ParseUUID(stringOf(x.Bytes)); ok {
			*(*[16]byte)(p) = u
			return c.backUUID(stringOf(x.Bytes))
		}
	}
	return setUUID(p, x.Value(), c)
}

// setUUID takes 16 raw bytes, or 32 hexadecimal digits with the four usual
// dashes or without.
func setUUID(p unsafe.Pointer, v driver.Value, c *origin) error {
	var text string
	switch v := v.(type) {
	case []byte:
		if c.strict() && (len(v) == 16 || c.isBlob() || c.typeName() == "BYTEA") {
			return c.noUUID(reflect.TypeFor[[16]byte]())
		}
		if len(v) == 16 {
			*(*[16]byte)(p) = [16]byte(v)
			return nil
		}
		text = stringOf(v)
	case string:
		text = v
	case [16]byte:
		*(*[16]byte)(p) = v
		return nil
	default:
		return mismatch[[16]byte](v)
	}
	u, ok := value.ParseUUID(text)
	if !ok {
		return mismatch[[16]byte](v)
	}
	*(*[16]byte)(p) = u
	return c.backUUID(text)
}

func argUUID(p unsafe.Pointer, _ *dialect.Dialect) (any, error) {
	return value.FormatUUID(*(*[16]byte)(p)), nil
}

// backUUID looks at a text of which a UUID was read.
func (c *origin) backUUID(text string) error {
	if c.strict() && !isWrittenUUID(text) {
		return c.noWayBack("a UUID in another form than its 36 characters in lower case", reflect.TypeFor[[16]byte]())
	}
	return nil
}

// isWrittenUUID says whether the text of a UUID is as value.FormatUUID writes it.
func isWrittenUUID(text string) bool {
	for i := range len(text) {
		if text[i] >= 'A' && text[i] <= 'F' {
			return false
		}
	}
	return len(text) == 36
}

// noUUID is the error for a UUID as bytes that would be written as text.
func (c *origin) noUUID(t reflect.Type) error {
	return c.noWayBack("a UUID as bytes, for which dbfleet.BinaryUUID is,", t)
}

// backScannedUUID looks at what a Scanner has made of the text or the bytes of a UUID:
// it must write that.
func (c *origin) backScannedUUID(s sql.Scanner, v driver.Value, t reflect.Type) error {
	var stored []byte
	switch v := v.(type) {
	case string:
		stored = []byte(v)
	case []byte:
		stored = v
	}
	switch len(stored) {
	case 16, 32, 36:
	default:
		return nil
	}
	valuer, ok := s.(driver.Valuer)
	if !ok {
		return nil
	}
	x, err := valueOf(valuer, nil)
	if err != nil {
		return nil //nolint:nilerr // what it cannot write is no other value
	}
	switch x := x.(type) {
	case string:
		if _, ok := value.ParseUUID(x); !ok || x == string(stored) {
			return nil
		}
		if len(stored) == 16 {
			return c.noUUID(t)
		}
	case []byte:
		if len(x) != 16 || !isUUID(t) || bytes.Equal(x, stored) {
			return nil
		}
	default:
		return nil
	}
	return c.noWayBack("a UUID in another form than is written", t)
}

// fitUUID makes a value of a Scanner's own type, which is an array of 16 bytes, of a
// UUID of another type, so that it is compared in the form that the field writes.
func (c *codec) fitUUID(v any) any {
	own := bare(c.typ)
	if bare(reflect.TypeOf(v)) == own {
		return v
	}
	x, err := Arg(v, nil)
	if err != nil {
		return v
	}
	var u [16]byte
	switch x := x.(type) {
	case string:
		parsed, ok := value.ParseUUID(x)
		if !ok {
			return v
		}
		u = parsed
	case []byte:
		if len(x) != 16 {
			return v
		}
		u = [16]byte(x)
	default:
		return v
	}
	return reflect.ValueOf(u).Convert(own).Interface()
}

func isUUID(t reflect.Type) bool {
	t = bare(t)
	return t.Kind() == reflect.Array && t.Len() == 16 && t.Elem().Kind() == reflect.Uint8
}
