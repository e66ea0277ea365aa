package rowmap

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"time"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Arg returns what the driver takes for column i of the record, a *T; see the
// function [Arg]. A field in an embedded pointer that is nil is NULL.
func (p *Plan) Arg(i int, rec any, d *dialect.Dialect) (any, error) {
	base, err := p.record(rec)
	if err != nil {
		return nil, err
	}
	return p.arg(&p.fields[i], base, d)
}

// AppendArgs appends what the driver takes for each of the columns to args.
func (p *Plan) AppendArgs(args []any, columns []int, rec any, d *dialect.Dialect) ([]any, error) {
	base, err := p.record(rec)
	if err != nil {
		return args, err
	}
	for _, i := range columns {
		arg, err := p.arg(&p.fields[i], base, d)
		if err != nil {
			return args, err
		}
		args = append(args, arg)
	}
	return args, nil
}

func (p *Plan) arg(f *field, base unsafe.Pointer, d *dialect.Dialect) (any, error) {
	at := f.at(base, false)
	if at == nil {
		return nil, nil
	}
	arg, err := f.codec.arg(at, d)
	if err != nil {
		return nil, p.failure(f, err)
	}
	return arg, nil
}

// IsZero says whether the field of column i has its zero value. A time.Time is
// zero as its IsZero says. It panics if rec is not a *T.
func (p *Plan) IsZero(i int, rec any) bool {
	f := &p.fields[i]
	at := f.at(p.mustRecord(rec), false)
	if at == nil {
		return true
	}
	if f.codec.kind == Time && isTimeLike(f.codec.typ) {
		return (*time.Time)(at).IsZero()
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
	fresh := reflect.New(f.codec.typ)
	if err := f.codec.assign(fresh, v); err != nil {
		return p.failure(f, err)
	}
	reflect.NewAt(f.codec.typ, f.at(base, true)).Elem().Set(fresh.Elem())
	return nil
}

// assign stores a Go value in what dst points to.
func (c *codec) assign(dst reflect.Value, v any) error {
	rv := reflect.ValueOf(v)
	if rv.IsValid() && rv.Type() == c.typ {
		dst.Elem().Set(rv)
		return nil
	}
	if rv.IsValid() && c.typ.Kind() == reflect.Pointer && rv.Type() == c.typ.Elem() {
		dst.Elem().Set(addressable(rv))
		return nil
	}
	if c.kind == Array && rv.IsValid() && rv.Kind() == reflect.Slice && rv.Type().Elem().Kind() != reflect.Uint8 && c.typ.Kind() == reflect.Slice {
		return c.assignList(dst, rv)
	}
	var value driver.Value = v
	if t, ok := timeIn(v); ok {
		value = t // the zero time is kept, it is not on its way to a database
	} else {
		var err error
		if value, err = Arg(v, nil); err != nil {
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
