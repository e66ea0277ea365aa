package rowmap

import (
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
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
	Cipher Cipher
	Table  string // that is bound, with the column
	Bound  []int  // the fields whose values are bound
}

// Seals returns a plan of the same type that seals and opens its sealed columns.
func (p *Plan) Seals(s Sealing) *Plan {
	sealing := newPlan(p.typ, p.fields)
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

// seal is the argument of a sealed field of the record at base.
func (p *Plan) seal(f *field, base unsafe.Pointer) (any, error) {
	t, at := f.codec.typ, f.at(base, false)
	switch {
	case at == nil:
		return nil, nil
	case !validAt(t, at):
		if sealAt(t, at).unread {
			return nil, fmt.Errorf("%w: the query of this record left out %s, which the write would erase; write only some columns with SaveColumns, or read all of them", ErrUnread, f.column)
		}
		return nil, nil
	case p.sealing == nil:
		return f.codec.arg(at, dialect.SQLite) // which fails
	}
	bound, _, err := p.boundTo(f, base)
	if err != nil {
		return nil, err
	}
	text, err := plaintext(t, at)
	if err != nil {
		return nil, err
	}
	sealed, err := p.sealing.Cipher.Seal(text, bound)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: it cannot be sealed: %w", ErrEncrypted, err)
	case len(sealed) == 0:
		return nil, fmt.Errorf("%w: the cipher has sealed it to nothing", ErrEncrypted)
	}
	return sealed, nil
}

// unseal stores what a result has for a sealed field of the record at base, whose other
// columns are there.
func (p *Plan) unseal(f *field, base unsafe.Pointer, v any) error {
	t, at := f.codec.typ, f.at(base, true)
	var sealed []byte
	switch x := v.(type) {
	case nil:
		reflect.NewAt(t, at).Elem().SetZero()
		return nil
	case []byte:
		sealed = x
	case string:
		sealed = []byte(x)
	default:
		return fmt.Errorf("%w: the column holds a %T", ErrSealed, v)
	}
	if p.sealing == nil {
		return f.codec.set(at, v, nil) // which fails
	}
	bound, row, err := p.boundTo(f, base)
	if err != nil {
		return err
	}
	text, err := p.sealing.Cipher.Open(sealed, bound)
	if err != nil {
		return fmt.Errorf("%w in the row of %s: %w", ErrSealed, row, err)
	}
	if err := opened(t, at, text); err != nil {
		return fmt.Errorf("%w in the row of %s: %w", ErrSealed, row, err)
	}
	return nil
}

// boundVersion begins what a sealed value is bound to.
const boundVersion = "dbfleet sealed 1"

// boundTo is what a sealed field of the record at base is bound to, and the same for
// messages: the table, the column, and the values of the bound fields, each behind its
// length, so that no two differ in nothing but where they are cut.
func (p *Plan) boundTo(f *field, base unsafe.Pointer) (bound []byte, row string, err error) {
	part := func(s string) {
		bound = binary.AppendUvarint(bound, uint64(len(s)))
		bound = append(bound, s...)
	}
	part(boundVersion)
	part(p.sealing.Table)
	part(f.column)
	for n, i := range p.sealing.Bound {
		b := &p.fields[i]
		text, ok, err := b.bindable(base)
		switch {
		case err != nil:
			return nil, "", fmt.Errorf("%w: it is bound to %s: %w", ErrEncrypted, b.column, err)
		case !ok:
			return nil, "", fmt.Errorf("%w: it is bound to %s, which has no value yet; set it before the record is written, or bind it to a column that the program sets (Encryption.BoundTo)", ErrEncrypted, b.column)
		}
		part(b.column)
		part(text)
		if n > 0 {
			row += ", "
		}
		row += b.column + " " + strconv.Quote(text)
	}
	return bound, row, nil
}

// bindable is a field's value as a text that is the same whichever way it was written and
// read: a UUID in its one form, a text without the blanks that a CHAR column adds. ok is
// false for a zero value.
func (f *field) bindable(base unsafe.Pointer) (text string, ok bool, err error) {
	at := f.at(base, false)
	if at == nil || reflect.NewAt(f.codec.typ, at).Elem().IsZero() {
		return "", false, nil
	}
	v, err := f.codec.arg(at, nil)
	if err != nil {
		return "", false, err
	}
	switch x := v.(type) {
	case nil:
		return "", false, nil
	case int64:
		return strconv.FormatInt(x, 10), true, nil
	case uint64:
		return strconv.FormatUint(x, 10), true, nil
	case []byte:
		return string(x), len(x) > 0, nil
	case string:
		x = strings.TrimRight(x, " ")
		if u, ok := value.ParseUUID(x); ok {
			x = value.FormatUUID(u)
		}
		return x, x != "", nil
	}
	return "", false, fmt.Errorf("%w: a %T cannot be bound", ErrType, v)
}

// Bindable says whether a sealed column may be bound to column i: to whole numbers, texts,
// bytes, UUIDs and types of their own. Of a time or a float the database may keep less.
func (p *Plan) Bindable(i int) bool {
	switch p.fields[i].codec.kind {
	case Int, Uint, String, Bytes, UUID, Custom:
		return true
	}
	return false
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

// sealedLast puts the places of sealed fields behind those of the fields that they are
// bound to. taken says by field whether the result has it.
func (b *binding) sealedLast(taken []bool) {
	for _, at := range b.places {
		if at.field.codec.kind == Encrypted {
			b.sealed++
		}
	}
	if b.sealed == 0 {
		return
	}
	isSealed := func(at place) int {
		if at.field.codec.kind == Encrypted {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(b.places, func(x, y place) int { return isSealed(x) - isSealed(y) })
	if b.plan.sealing == nil {
		return
	}
	for _, i := range b.plan.sealing.Bound {
		if !taken[i] {
			at := b.places[len(b.places)-1]
			b.unbound = b.plan.failure(at.field, fmt.Errorf("%w: it is bound to %s, which the result does not have; select it as well", ErrEncrypted, b.plan.fields[i].column))
		}
	}
}

// bindWhole is bind for rows that are read into new records, whose sealed columns are
// opened by what the result has.
func (p *Plan) bindWhole(src Source) (*binding, error) {
	b, err := p.bind(src)
	if err == nil && b.unbound != nil {
		return nil, b.unbound
	}
	return b, err
}
