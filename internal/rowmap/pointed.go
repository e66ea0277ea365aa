package rowmap

import (
	"fmt"
	"reflect"
	"strings"
)

// Whole is a new *T whose embedded pointers are set, so that each of its fields has an
// address.
func (p *Plan) Whole() any {
	rec := reflect.New(p.typ)
	base := rec.UnsafePointer()
	for i := range p.fields {
		p.fields[i].at(base, true)
	}
	return rec.Interface()
}

// Pointed is the number of the column whose field in rec, which Whole made, at points to.
func (p *Plan) Pointed(rec, at any) (i int, err error) {
	to := reflect.ValueOf(at)
	if to.IsNil() {
		return 0, fmt.Errorf("%w: nil is no field of %s", ErrColumn, p.model)
	}
	base, address, typ := p.mustRecord(rec), to.UnsafePointer(), to.Type().Elem()
	for i := range p.fields {
		if f := &p.fields[i]; f.at(base, false) == address && f.codec.typ == typ {
			return i, nil
		}
	}
	if n := uintptr(address) - uintptr(base); uintptr(address) >= uintptr(base) && n < p.size {
		return 0, fmt.Errorf("%w: the field %s of %s is no column; it has %s", ErrColumn, nameAt(p.typ, n, typ), p.model, strings.Join(p.columns, ", "))
	}
	return 0, fmt.Errorf("%w: a %s that is no field of the %s", ErrColumn, typ, p.model)
}

// nameAt is the name of the field of that type at an offset of a struct.
func nameAt(t reflect.Type, offset uintptr, typ reflect.Type) string {
	for _, f := range reflect.VisibleFields(t) {
		if len(f.Index) == 1 && offset-f.Offset < max(f.Type.Size(), 1) && offset >= f.Offset && (f.Type == typ || f.Type.Kind() == reflect.Struct) {
			if f.Type != typ {
				return f.Name + "." + nameAt(f.Type, offset-f.Offset, typ)
			}
			return f.Name
		}
	}
	return "of type " + typ.String()
}
