package rowmap

import (
	"crypto/hmac"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Blind indexes. A plan that seals has a column more for each: no field of the struct
// holds it, for it is made of a sealed field's plaintext whenever that is written, and
// compared with the plaintext whenever that is opened.

// A Blind is a column of keyed digests of a sealed field's values, by which rows are
// found. The root's BlindIndex documents it.
type Blind struct {
	Column            string
	Of                int      // the sealed field
	Keys              [][]byte // by the first values are written, by all of them found
	Normalize         func(string) string
	Unique, WriteOnly bool
}

// A MAC is what a blind index's column holds of a value. It is the only thing that such
// a column is compared with.
type MAC []byte

// MACSize is how many bytes a MAC has.
const MACSize = sha256.Size

// blindType takes no room in a record: it is the type of no field.
type blindType struct{}

var blindCodec = &codec{
	typ: reflect.TypeFor[blindType](), kind: BlindIndex, set: setBlind, setCell: viaValue(setBlind),
	arg: func(unsafe.Pointer, *dialect.Dialect) (any, error) { return nil, nil },
}

func setBlind(unsafe.Pointer, driver.Value, *origin) error { return nil }

// blindFields are the columns of the blind indexes.
func blindFields(list []Blind) (fields []field) {
	for i := range list {
		fields = append(fields, field{column: list[i].Column, codec: blindCodec, blind: &list[i]})
	}
	return fields
}

// Blinds are the plan's blind indexes, with their fields.
func (p *Plan) Blinds(each func(field int, b *Blind)) {
	for i := range p.fields {
		if b := p.fields[i].blind; b != nil {
			each(i, b)
		}
	}
}

// Indexable says whether a sealed field may have a blind index, and whether its values are
// texts: of other types than texts, bytes and whole numbers two forms may be one value.
func (p *Plan) Indexable(i int) (ok, text bool) {
	of := p.fields[i].codec.typ.Field(0).Type
	switch {
	case of.Kind() == reflect.String, isByteSlice(of):
		return true, true
	case reflect.Zero(of).CanInt(), reflect.Zero(of).CanUint():
		return true, false
	}
	return false, false
}

// mac is the digest of a text by a key: bound to the table, the column and the index.
func (p *Plan) mac(b *Blind, key []byte, text string) MAC {
	h := hmac.New(sha256.New, key)
	for _, part := range [...]string{"dbfleet blind 1", p.sealing.Table, p.fields[b.Of].column, b.Column, text} {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}

// text is what of a value goes into a digest.
func (b *Blind) text(v reflect.Value) (text string, err error) {
	switch {
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10), nil
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10), nil
	case v.Kind() == reflect.String:
		text = v.String()
	default:
		text = string(v.Bytes())
	}
	if b.Normalize == nil {
		return text, nil
	}
	defer func() {
		if recover() != nil { // with something that may quote the value
			err = errors.New("BlindIndex.Normalize panicked")
		}
	}()
	return b.Normalize(text), nil
}

// macAt is the digest of what the record at base holds, nil of NULL.
func (p *Plan) macAt(b *Blind, base unsafe.Pointer) (MAC, error) {
	text, ok, err := p.blindText(b, base)
	if !ok || err != nil {
		return nil, err
	}
	return p.mac(b, b.Keys[0], text), nil
}

func (p *Plan) blindText(b *Blind, base unsafe.Pointer) (text string, ok bool, err error) {
	f := &p.fields[b.Of]
	at := f.at(base, false)
	if at == nil || !validAt(f.codec.typ, at) {
		return "", false, nil
	}
	text, err = b.text(reflect.NewAt(f.codec.typ.Field(0).Type, at).Elem())
	return text, err == nil, err
}

// blindArg is the argument of a blind index of the record at base. What was not read is
// told by the sealed field itself.
func (p *Plan) blindArg(f *field, base unsafe.Pointer) (any, error) {
	mac, err := p.macAt(f.blind, base)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrEncrypted, err)
	case mac == nil:
		return nil, nil
	}
	return []byte(mac), nil
}

// blindValue is the same for comparisons, nil where there is none.
func (p *Plan) blindValue(f *field, base unsafe.Pointer) any {
	if mac, err := p.macAt(f.blind, base); err == nil && mac != nil {
		return mac
	}
	return nil
}

// checkBlind refuses a row whose blind index is not that of the value beside it, which is
// opened already: no condition would find it, or one for another value would.
func (p *Plan) checkBlind(f *field, base unsafe.Pointer, v any) error {
	b := f.blind
	if b.WriteOnly {
		return nil
	}
	text, ok, err := p.blindText(b, base)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSealed, err)
	}
	var has []byte
	switch x := v.(type) {
	case []byte:
		has = x
	case string:
		has = []byte(x)
	}
	switch {
	case !ok && v == nil:
		return nil
	case ok && slices.ContainsFunc(b.Keys, func(key []byte) bool { return hmac.Equal(p.mac(b, key, text), has) }):
		return nil
	}
	_, row, err := p.boundTo(&p.fields[b.Of], base)
	if err != nil {
		row = "an unknown key"
	}
	why := "is that of another value, key or way to normalise"
	switch {
	case v == nil:
		why = "is NULL"
	case !ok:
		why = "is not NULL, as the value is"
	}
	return fmt.Errorf("%w in the row of %s: it %s, so that rows are not found by %s; save such records anew with BlindIndex.WriteOnly, which reads them",
		ErrSealed, row, why, p.fields[b.Of].column)
}

// MACs are the digests by which rows are found that have v in a sealed field, or with list
// one of the elements of v, by all keys of a blind index. A nil among them is NULL.
func (p *Plan) MACs(field int, v any, list bool) (macs []any, err error) {
	b, f := p.fields[field].blind, &p.fields[p.fields[field].blind.Of]
	values := []any{v}
	if list {
		elements, err := listOf(v)
		if err != nil {
			return nil, p.failure(f, err)
		}
		values = make([]any, elements.Len())
		for i := range values {
			values[i] = elements.Index(i).Interface()
		}
	}
	macs = make([]any, 0, len(values)*len(b.Keys))
	for _, v := range values {
		plain, ok, err := f.codec.plainOf(v)
		if err == nil && !ok {
			macs = append(macs, nil)
			continue
		}
		text := ""
		if err == nil {
			text, err = b.text(plain)
		}
		if err != nil {
			return nil, p.failure(f, err)
		}
		for _, key := range b.Keys {
			macs = append(macs, p.mac(b, key, text))
		}
	}
	return macs, nil
}

// plainOf is the value inside of a sealed field that v stands for: one of the field's type,
// of the type inside, or of one that holds the same; ok is false for NULL.
func (c *codec) plainOf(v any) (plain reflect.Value, ok bool, err error) {
	rv, of := reflect.ValueOf(v), c.typ.Field(0).Type
	for rv.Kind() == reflect.Pointer {
		if rv.IsNil() {
			return plain, false, nil
		}
		rv = rv.Elem()
	}
	switch {
	case !rv.IsValid():
		return plain, false, nil
	case rv.Type() == c.typ:
		return rv.Field(0), rv.Field(1).Bool(), nil
	case rv.Type() == of, of.Kind() == reflect.String && rv.Kind() == reflect.String:
		return rv, true, nil
	case isByteSlice(of) && isByteSlice(rv.Type()):
		return rv, !rv.IsNil(), nil
	}
	number := reflect.Zero(of)
	switch {
	case (number.CanInt() || number.CanUint()) && (rv.CanInt() || rv.CanUint()):
		return rv, true, nil // its digits are compared
	}
	return plain, false, fmt.Errorf("%w: a %T is compared with an encrypted %s", ErrType, v, of)
}
