package rowmap

import "reflect"

// Dealt returns a new *[]T whose records are those of *list, a *[]T of the plan's
// T, at these places. Of a record that comes more than once each copy has what its
// pointers point to for itself, and its slices and maps; but for what lies in
// fields that are not exported.
func (p *Plan) Dealt(list any, places []int32) any {
	from := reflect.ValueOf(list).Elem()
	to := reflect.MakeSlice(p.list, len(places), len(places))
	var used []bool
	if len(places) > 1 && len(p.shared) > 0 {
		used = make([]bool, from.Len())
	}
	for i, at := range places {
		record := to.Index(i)
		record.Set(from.Index(int(at)))
		if used == nil {
			continue
		}
		if used[at] {
			for _, f := range p.shared {
				own(record.Field(f))
			}
		}
		used[at] = true
	}
	out := reflect.New(p.list)
	out.Elem().Set(to)
	return out.Interface()
}

// sharedFields are the fields of a struct that a copy of it has in common with it.
func sharedFields(t reflect.Type) (fields []int) {
	for i := range t.NumField() {
		if f := t.Field(i); (f.IsExported() || f.Anonymous) && mayShare(f.Type) {
			fields = append(fields, i)
		}
	}
	return fields
}

// mayShare says whether a value of the type leads to memory that its copy leads to
// as well.
func mayShare(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return true
	case reflect.Array:
		return mayShare(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); (f.IsExported() || f.Anonymous) && mayShare(f.Type) {
				return true
			}
		}
	}
	return false
}

// own replaces what v shares with the value that it was copied from.
func own(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || !v.CanSet() || !isOpen(v.Type().Elem()) {
			return
		}
		fresh := reflect.New(v.Type().Elem())
		fresh.Elem().Set(v.Elem())
		own(fresh.Elem())
		v.Set(fresh)
	case reflect.Slice:
		if v.IsNil() || !v.CanSet() {
			return
		}
		fresh := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(fresh, v)
		v.Set(fresh)
		ownElements(v)
	case reflect.Array:
		ownElements(v)
	case reflect.Map:
		if v.IsNil() || !v.CanSet() {
			return
		}
		fresh := reflect.MakeMapWithSize(v.Type(), v.Len())
		for at := v.MapRange(); at.Next(); {
			fresh.SetMapIndex(at.Key(), owned(at.Value()))
		}
		v.Set(fresh)
	case reflect.Interface:
		if !v.IsNil() && v.CanSet() && mayShare(v.Elem().Type()) {
			v.Set(owned(v.Elem()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			own(v.Field(i))
		}
	}
}

// owned is a copy of v that shares nothing with it.
func owned(v reflect.Value) reflect.Value {
	fresh := reflect.New(v.Type()).Elem()
	fresh.Set(v)
	own(fresh)
	return fresh
}

func ownElements(v reflect.Value) {
	if !mayShare(v.Type().Elem()) {
		return
	}
	for i := range v.Len() {
		own(v.Index(i))
	}
}

// isOpen says whether a value may be copied by its fields: a struct that has others
// than exported ones may forbid it. A time may be copied.
func isOpen(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || isTimeLike(t) {
		return true
	}
	for i := range t.NumField() {
		if f := t.Field(i); !f.IsExported() || !isOpen(f.Type) {
			return false
		}
	}
	return true
}
