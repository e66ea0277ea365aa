package rowmap

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"unsafe"
)

// field is a field of a struct that holds a column.
type field struct {
	column string
	path   string // with the embedded structs before it: "Address.City"
	index  []int  // the field's number in each struct on the way, as in reflect
	offset uintptr
	via    []hop // the embedded pointers on the way
	codec  *codec
	blind  *Blind // that the column is, which no field of the struct holds
}

// hop is an embedded pointer: at offset lies the address of a value of type to.
type hop struct {
	offset uintptr
	to     reflect.Type
}

// at returns the field's address in the struct at base. Where an embedded
// pointer on the way is nil, alloc says to allocate what it points to; without
// alloc the address is nil.
func (f *field) at(base unsafe.Pointer, alloc bool) unsafe.Pointer {
	if len(f.via) == 0 {
		return unsafe.Add(base, f.offset)
	}
	return f.within(base, alloc)
}

func (f *field) within(base unsafe.Pointer, alloc bool) unsafe.Pointer {
	for _, h := range f.via {
		p := (*unsafe.Pointer)(unsafe.Add(base, h.offset))
		if *p == nil {
			if !alloc {
				return nil
			}
			*p = reflect.New(h.to).UnsafePointer()
		}
		base = *p
	}
	return unsafe.Add(base, f.offset)
}

// embedded is a struct whose fields are promoted to the model's.
type embedded struct {
	typ    reflect.Type
	path   string
	index  []int
	offset uintptr
	via    []hop
	within []reflect.Type // the structs around it, to detect recursion
}

func (e embedded) at(sf reflect.StructField) []int {
	return append(slices.Clip(e.index), sf.Index...)
}

// collect returns the column fields of t. Embedded structs are flattened level
// by level, and as in Go a field hides deeper ones of the same name, whether
// or not it holds a column itself. All faults are reported.
func collect(t reflect.Type) ([]field, error) {
	var (
		fields []field
		faults []error
		hidden = map[string]bool{}
		level  = []embedded{{typ: t, within: []reflect.Type{t}}}
	)
	for len(level) > 0 {
		var next []embedded
		seen := map[string]bool{}
		for _, e := range level {
			for i := range e.typ.NumField() {
				sf := e.typ.Field(i)
				if hidden[sf.Name] {
					continue
				}
				seen[sf.Name] = true
				f, inner, err := classify(e, sf)
				switch {
				case err != nil:
					faults = append(faults, fmt.Errorf("%s.%s: %w", t, e.path+sf.Name, err))
				case inner != nil:
					next = append(next, *inner)
				case f != nil:
					fields = append(fields, *f)
				}
			}
		}
		for name := range seen {
			hidden[name] = true
		}
		level = next
	}
	slices.SortFunc(fields, func(f, g field) int { return slices.Compare(f.index, g.index) })
	faults = append(faults, clashes(t, fields)...)
	return fields, errors.Join(faults...)
}

// classify says what a struct field is: a column, an embedded struct to look
// into, or (all nil) nothing of ours.
func classify(e embedded, sf reflect.StructField) (*field, *embedded, error) {
	tag, tagged, err := tagOf(string(sf.Tag))
	if !sf.IsExported() && !sf.Anonymous {
		if tagged && tag != "-" {
			return nil, nil, fmt.Errorf("the field has the tag db:%q, but is not exported: nobody else can read or set it", tag)
		}
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if tag == "-" {
		return nil, nil, nil
	}
	c, err := codecOf(sf.Type)
	if sf.Anonymous && !(sf.IsExported() && err == nil) {
		return embed(e, sf, tagged)
	}
	if err != nil {
		if !tagged && isRelation(sf.Type) {
			return nil, nil, nil
		}
		if !tagged {
			err = fmt.Errorf(`%w; skip it with db:"-"`, err)
		}
		return nil, nil, err
	}
	if c.kind == Array && !tagged {
		return nil, nil, fmt.Errorf("%w: a %s needs a db tag: "+
			`db:"column" for a PostgreSQL array, db:"-" to skip it`, ErrType, sf.Type)
	}
	column := tag
	if !tagged {
		column = ColumnName(sf.Name)
	}
	return &field{
		column: column, path: e.path + sf.Name, index: e.at(sf),
		offset: e.offset + sf.Offset, via: e.via, codec: c,
	}, nil, nil
}

// embed steps into an embedded field that is no column.
func embed(e embedded, sf reflect.StructField, tagged bool) (*field, *embedded, error) {
	t := sf.Type
	inner := embedded{typ: t, path: e.path + sf.Name + ".", index: e.at(sf), offset: e.offset + sf.Offset, via: e.via}
	if t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct {
		t = t.Elem()
		inner.typ = t
		inner.via = append(slices.Clip(e.via), hop{offset: e.offset + sf.Offset, to: t})
		inner.offset = 0
	}
	if t.Kind() != reflect.Struct {
		if !sf.IsExported() {
			return nil, nil, nil
		}
		return nil, nil, fmt.Errorf(`%w: no column can be a %s; skip it with db:"-"`, ErrType, t)
	}
	if tagged {
		return nil, nil, fmt.Errorf("%w: an embedded struct without a Scan method cannot be a column", ErrType)
	}
	if slices.Contains(e.within, t) {
		return nil, nil, fmt.Errorf("%w: %s embeds itself", ErrType, t)
	}
	inner.within = append(slices.Clip(e.within), t)
	return nil, &inner, nil
}

// isRelation says whether a field without a tag, of a type that is no column,
// is left to the relations: a struct with exported fields, a pointer to one, or
// a list of either. A struct without them (big.Int, netip.Addr) was meant as a
// value.
func isRelation(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || reflect.PointerTo(t).Implements(valuerType) {
		return false
	}
	return slices.ContainsFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return f.IsExported() })
}

// clashes reports fields that share a column.
func clashes(t reflect.Type, fields []field) []error {
	var faults []error
	first := make(map[string]*field, len(fields))
	for i := range fields {
		f := &fields[i]
		if g, ok := first[f.column]; ok {
			faults = append(faults, fmt.Errorf("%s: the fields %s and %s both map to the column %q", t, g.path, f.path, f.column))
			continue
		}
		first[f.column] = f
	}
	return faults
}
