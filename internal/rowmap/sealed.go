package rowmap

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

var (
	// ErrEncrypted is value.ErrEncrypted.
	ErrEncrypted = value.ErrEncrypted
	// ErrSealed says that what a column holds does not open: it was changed, is that of
	// another row or column, or its key is not known.
	ErrSealed = errors.New("dbfleet: an encrypted value does not open")
)

// Seal is the last field of a struct whose first is a value and whose second says that
// there is one: such a struct is a column whose values are sealed when they are written,
// and opened when they are read, by a plan that Seals made.
type Seal struct {
	unread bool // the column was left out by the query of the record
}

// A Cipher seals values. The root's Cipher documents it.
type Cipher interface {
	Seal(plaintext, bound []byte) (sealed []byte, err error)
	Open(sealed, bound []byte) (plaintext []byte, err error)
}

// A Sealing is how a plan's sealed columns are sealed.
type Sealing struct {
	Cipher  Cipher
	Ciphers map[string]Cipher // those of columns that have another
	Table   string            // that is bound, with the column
	Bound   []int             // the fields whose values are bound
	Blinds  []Blind
}

// of is the cipher of a column.
func (s *Sealing) of(column string) Cipher {
	if c, ok := s.Ciphers[column]; ok {
		return c
	}
	return s.Cipher
}

// Seals returns a plan of the same type that seals and opens its sealed columns. Those of
// blind indexes are its last columns.
func (p *Plan) Seals(s Sealing) *Plan {
	sealing := newPlan(p.typ, slices.Concat(p.fields, blindFields(s.Blinds)))
	sealing.sealing = &s
	return sealing
}

// Sealed are the columns that are sealed.
func (p *Plan) Sealed() (fields []int) {
	for i := range p.fields {
		if p.fields[i].codec.kind == Encrypted {
			fields = append(fields, i)
		}
	}
	return fields
}

// sealedCodec is the codec of a struct that ends with a Seal, nil for other types. It
// fails whatever it is asked to read or write: the plan does that, since it takes the
// whole record.
func sealedCodec(t reflect.Type) *codec {
	if t.Kind() != reflect.Struct || t.NumField() != 3 || t.Field(2).Type != reflect.TypeFor[Seal]() || t.Field(1).Type.Kind() != reflect.Bool {
		return nil
	}
	set := func(unsafe.Pointer, driver.Value, *origin) error {
		return fmt.Errorf("%w: its value is opened by the model that has its cipher, in rows of its own type, and by nobody else", ErrEncrypted)
	}
	return &codec{
		typ: t, kind: Encrypted, set: set, setCell: viaValue(set),
		arg: func(p unsafe.Pointer, d *dialect.Dialect) (any, error) {
			if d != nil {
				return nil, fmt.Errorf("%w: its value is sealed by the model that has its cipher, for one record, and written by nobody else", ErrEncrypted)
			}
			if !validAt(t, p) {
				return nil, nil
			}
			text, err := plaintext(t, p)
			return unsealed(text), err
		},
	}
}

// unsealed is a plaintext, to be compared with others. No driver takes it.
type unsealed string

func validAt(t reflect.Type, p unsafe.Pointer) bool {
	return *(*bool)(unsafe.Add(p, t.Field(1).Offset))
}

func sealAt(t reflect.Type, p unsafe.Pointer) *Seal {
	return (*Seal)(unsafe.Add(p, t.Field(2).Offset))
}

// The first byte of a plaintext says how the rest is to be taken.
const (
	plainBytes = 'b' // as it is: a text or bytes
	plainJSON  = 'j'
)

// plaintext is what the value at p is as bytes. Its errors do not show the value.
func plaintext(t reflect.Type, p unsafe.Pointer) ([]byte, error) {
	v := reflect.NewAt(t.Field(0).Type, p).Elem()
	switch {
	case v.Kind() == reflect.String:
		return append([]byte{plainBytes}, v.String()...), nil
	case isByteSlice(v.Type()):
		return append([]byte{plainBytes}, v.Bytes()...), nil
	}
	text, err := asJSON(v)
	if err != nil {
		return nil, err
	}
	return append([]byte{plainJSON}, text...), nil
}

// asJSON encodes a value. What encoding/json or a method of the value says of it may
// quote the value, so it is not told.
func asJSON(v reflect.Value) (text []byte, err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("%w: the method that makes JSON of a %s panicked", ErrType, v.Type())
		}
	}()
	if text, err = json.Marshal(v.Interface()); err != nil {
		err = fmt.Errorf("%w: no JSON can be made of this %s", ErrType, v.Type())
	}
	return text, err
}

// opened stores a plaintext as the value at p.
func opened(t reflect.Type, p unsafe.Pointer, text []byte) (err error) {
	of := t.Field(0).Type
	fresh := reflect.New(of)
	v := fresh.Elem()
	raw := v.Kind() == reflect.String || isByteSlice(of)
	switch {
	case len(text) == 0 || (text[0] == plainBytes) != raw:
		return fmt.Errorf("%w: a value of another type than %s was sealed", ErrType, of)
	case v.Kind() == reflect.String:
		v.SetString(string(text[1:]))
	case raw:
		v.SetBytes(append([]byte{}, text[1:]...))
	default:
		if err := fromJSON(text[1:], fresh); err != nil {
			return err
		}
	}
	reflect.NewAt(of, p).Elem().Set(v)
	*(*bool)(unsafe.Add(p, t.Field(1).Offset)) = true
	*sealAt(t, p) = Seal{}
	return nil
}

func fromJSON(text []byte, into reflect.Value) (err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("%w: the method that makes a %s of JSON panicked", ErrType, into.Type().Elem())
		}
	}()
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if d.Decode(into.Interface()) != nil {
		return fmt.Errorf("%w: what was sealed is no %s", ErrType, into.Type().Elem())
	}
	return nil
}

func isByteSlice(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

// assignSealed is assign for a sealed field: of one such value, of the value inside, or
// nil.
func (c *codec) assignSealed(dst reflect.Value, v any) error {
	rv, of := reflect.ValueOf(v), c.typ.Field(0).Type
	switch {
	case !rv.IsValid():
	case rv.Type() == of:
		dst.Elem().Field(0).Set(rv)
		dst.Elem().Field(1).SetBool(true)
	case rv.Kind() == of.Kind() && rv.Kind() == reflect.String:
		dst.Elem().Field(0).SetString(rv.String())
		dst.Elem().Field(1).SetBool(true)
	default:
		return fmt.Errorf("%w: a %T for an encrypted %s", ErrType, v, of)
	}
	return nil
}
