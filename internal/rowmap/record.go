package rowmap

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"time"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/value"
)

// timeField is a field that holds a time, plain or in pointers and sql.Nulls.
type timeField struct {
	field int
	plain bool
}

// CutTimes cuts what is finer than precision off the record's times and puts
// them into a location, which nil leaves as it is. What a pointer in the record
// points to is left alone; the record gets a pointer of its own to what differs.
// Types that have their own Value method are not touched. It panics if rec is not a *T.
func (p *Plan) CutTimes(rec any, precision time.Duration, loc *time.Location) {
	if len(p.times) == 0 {
		return
	}
	base := p.mustRecord(rec)
	for _, tf := range p.times {
		f := &p.fields[tf.field]
		at := f.at(base, false)
		switch {
		case at == nil:
		case tf.plain:
			cutTime((*time.Time)(at), precision, loc)
		case f.codec.typ == timePointerType:
			cutTimeAt((**time.Time)(at), precision, loc)
		default:
			cutTimeIn(reflect.NewAt(f.codec.typ, at).Elem(), precision, loc)
		}
	}
}

func cutTime(t *time.Time, precision time.Duration, loc *time.Location) {
	if t.IsZero() {
		return
	}
	if precision == time.Microsecond && loc == time.UTC { // after every write
		if u := value.CutToMicro(*t).UTC(); u != *t {
			*t = u
		}
		return
	}
	// Truncate also takes a reading of the monotonic clock off, and so does UTC.
	if loc != time.UTC || time.Second%precision != 0 || t.Nanosecond()%int(precision) != 0 {
		*t = t.Truncate(precision)
	}
	switch loc {
	case nil:
	case time.UTC:
		*t = t.UTC()
	default:
		*t = t.In(loc)
	}
}

// cutTimeAt gives the record a time of its own, unless the one that it points to
// is as it is to be.
func cutTimeAt(p **time.Time, precision time.Duration, loc *time.Location) {
	if *p == nil {
		return
	}
	t := **p
	cutTime(&t, precision, loc)
	if t != **p {
		*p = new(t)
	}
}

// cutTimeIn follows the pointers and sql.Nulls around a time.
func cutTimeIn(v reflect.Value, precision time.Duration, loc *time.Location) {
	switch {
	case isTimeLike(v.Type()):
		cutTime((*time.Time)(v.Addr().UnsafePointer()), precision, loc)
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			return
		}
		fresh := addressable(v.Elem())
		cutTimeIn(fresh.Elem(), precision, loc)
		v.Set(fresh)
	case v.Kind() == reflect.Struct && v.Field(1).Bool():
		cutTimeIn(v.Field(0), precision, loc)
	}
}

// holdsTime says whether t is a time without a Value method of its own, or a
// pointer to one or a sql.Null of one.
func holdsTime(t reflect.Type) bool {
	switch {
	case t.Kind() == reflect.Pointer:
		return holdsTime(t.Elem())
	case t.PkgPath() == "database/sql" && t.Kind() == reflect.Struct && t.NumField() == 2:
		return holdsTime(t.Field(0).Type)
	}
	return isTimeLike(t) && !reflect.PointerTo(t).Implements(valuerType)
}

// IsZero says whether the field of column i has its zero value. A time.Time is
// zero as its IsZero says. It panics if rec is not a *T.
func (p *Plan) IsZero(i int, rec any) bool {
	f := &p.fields[i]
	at := f.at(p.mustRecord(rec), false)
	if at == nil {
		return true
	}
	if box := &f.codec.box; box.via == direct {
		switch box.how {
		case boxInt:
			return intAt(at, box.size) == 0
		case boxUint:
			return uintAt(at, box.size) == 0
		case boxText:
			return *(*string)(at) == ""
		case boxBool:
			return !*(*bool)(at)
		case boxTime:
			return (*time.Time)(at).IsZero()
		}
	}
	if f.codec.kind == Time && isTimeLike(f.codec.typ) {
		return (*time.Time)(at).IsZero()
	}
	switch f.codec.kind {
	case Encrypted:
		return !validAt(f.codec.typ, at)
	case BlindIndex:
		return p.IsZero(f.blind.Of, rec)
	}
	return reflect.NewAt(f.codec.typ, at).Elem().IsZero()
}

// Value returns the field of column i as it is, of the field's own type; nil
// if it lies in an embedded pointer that is nil. It panics if rec is not a *T.
func (p *Plan) Value(i int, rec any) any {
	f := &p.fields[i]
	at := f.at(p.mustRecord(rec), false)
	if at == nil {
		return nil
	}
	if f.blind != nil {
		return p.blindValue(f, at)
	}
	switch x := reflect.NewAt(f.codec.typ, at).Interface().(type) {
	case *int64:
		return *x
	case *string:
		return *x
	}
	return reflect.NewAt(f.codec.typ, at).Elem().Interface()
}

// Set stores v in the field of column i, converted as a value of the database
// is. v may be of the field's type, of any type that [Arg] takes, or for an
// array field a slice whose elements can be converted. On an error the field
// is unchanged.
func (p *Plan) Set(i int, rec any, v any) error {
	base, err := p.record(rec)
	if err != nil {
		return err
	}
	f := &p.fields[i]
	made, err := p.made(f, v)
	if err == nil {
		f.place(base, made)
	}
	return err
}

// made returns v as the field has it, a pointer.
func (p *Plan) made(f *field, v any) (reflect.Value, error) {
	fresh := reflect.New(f.codec.typ)
	if err := f.codec.assign(fresh, v); err != nil {
		return fresh, p.failure(f, err)
	}
	return fresh, nil
}

// place stores what made has returned.
func (f *field) place(base unsafe.Pointer, made reflect.Value) {
	reflect.NewAt(f.codec.typ, f.at(base, true)).Elem().Set(made.Elem())
}

// SetAll is Set for each of the columns, whose values are at their places. On an error
// none has been set.
func (p *Plan) SetAll(columns []int, rec any, values []any) error {
	base, err := p.record(rec)
	if err != nil {
		return err
	}
	made := make([]reflect.Value, len(columns))
	for k, i := range columns {
		if made[k], err = p.made(&p.fields[i], values[k]); err != nil {
			return err
		}
	}
	for k, i := range columns {
		p.fields[i].place(base, made[k])
	}
	return nil
}

// SetInt is Set(i, rec, n), for a generated key.
func (p *Plan) SetInt(i int, rec any, n int64) error {
	f := &p.fields[i]
	if f.codec.typ != int64Type {
		return p.Set(i, rec, n)
	}
	base, err := p.record(rec)
	if err == nil {
		*(*int64)(f.at(base, true)) = n
	}
	return err
}

// HoldsInt64 says whether the field of column i takes every int64.
func (p *Plan) HoldsInt64(i int) bool {
	t := p.fields[i].codec.typ
	return p.fields[i].codec.kind == Int && (t.Kind() == reflect.Int64 || t.Kind() == reflect.Int && t.Bits() == 64)
}

// SetTime is Set(i, rec, t).
func (p *Plan) SetTime(i int, rec any, t time.Time) error {
	f := &p.fields[i]
	if f.codec.typ != timeType {
		return p.Set(i, rec, t)
	}
	base, err := p.record(rec)
	if err == nil {
		*(*time.Time)(f.at(base, true)) = t
	}
	return err
}

// assign stores a Go value in what dst points to.
func (c *codec) assign(dst reflect.Value, v any) error {
	rv := reflect.ValueOf(v)
	if rv.IsValid() && rv.Type() == c.typ {
		dst.Elem().Set(rv)
		return nil
	}
	if c.kind == Encrypted {
		return c.assignSealed(dst, v)
	}
	if rv.IsValid() && c.typ.Kind() == reflect.Pointer && rv.Type() == c.typ.Elem() {
		dst.Elem().Set(addressable(rv))
		return nil
	}
	if c.kind == Array && rv.IsValid() && rv.Kind() == reflect.Slice && rv.Type().Elem().Kind() != reflect.Uint8 && c.typ.Kind() == reflect.Slice {
		return c.assignList(dst, rv)
	}
	var value driver.Value
	if t, ok := timeIn(v); ok {
		value = t // the zero time is kept, it is not on its way to a database
	} else {
		var err error
		if value, err = Arg(v, nil); err != nil {
			return err
		}
	}
	if f, ok := value.(float64); ok && (c.kind == String || c.kind == Bytes) {
		if err := wholeDigits(f); err != nil {
			return err
		}
	}
	return c.set(dst.UnsafePointer(), value, nil)
}

func (c *codec) assignList(dst, list reflect.Value) error {
	made := reflect.MakeSlice(c.typ, list.Len(), list.Len())
	for i := range list.Len() {
		if err := c.elem.assign(made.Index(i).Addr(), list.Index(i).Interface()); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	dst.Elem().Set(made)
	return nil
}

// timeIn returns the time in v, if it is one or points to one.
func timeIn(v any) (time.Time, bool) {
	switch x := v.(type) {
	case time.Time:
		return x, true
	case *time.Time:
		if x != nil {
			return *x, true
		}
	}
	return time.Time{}, false
}

// New returns a new record, a *T.
func (p *Plan) New() any { return reflect.New(p.typ).Interface() }
