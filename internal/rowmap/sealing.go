package rowmap

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// How a plan seals and opens: what is bound, and where in a row it comes.

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
	sealed, err := p.sealing.of(f.column).Seal(text, bound)
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
	text, err := p.sealing.of(f.column).Open(sealed, bound)
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

// sealedLast puts the places of sealed fields behind those of the fields that they are
// bound to, and behind them those of blind indexes, which are compared with what was
// opened. taken says by field whether the result has it.
func (b *binding) sealedLast(taken []bool) {
	rank := func(at place) int {
		switch at.field.codec.kind {
		case Encrypted:
			return 1
		case BlindIndex:
			return 2
		}
		return 0
	}
	b.places = slices.DeleteFunc(b.places, func(at place) bool { return at.field.blind != nil && !taken[at.field.blind.Of] })
	for _, at := range b.places {
		if rank(at) > 0 {
			b.sealed++
		}
	}
	if b.sealed == 0 {
		return
	}
	slices.SortStableFunc(b.places, func(x, y place) int { return rank(x) - rank(y) })
	if b.plan.sealing == nil {
		return
	}
	for _, i := range b.plan.sealing.Bound {
		if !taken[i] {
			at := b.places[len(b.places)-b.sealed]
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
