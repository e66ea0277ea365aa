package rowmap

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
)

var scalars sync.Map // reflect.Type → *Plan

// ShapeOf returns the plan of a T that rows are read into: a struct, which may be
// without a name, or a type that a column's field may have, for rows of one column
// whatever that is called. A struct with a Scan method is the latter.
func ShapeOf[T any]() (*Plan, error) { return shapeOf(reflect.TypeFor[T]()) }

func shapeOf(t reflect.Type) (*Plan, error) {
	if known, ok := scalars.Load(t); ok {
		return known.(*Plan), nil
	}
	c, err := codecOf(t)
	switch {
	case err == nil:
		actual, _ := scalars.LoadOrStore(t, newScalar(t, c))
		return actual.(*Plan), nil
	case t.Kind() == reflect.Struct:
		return planOf(t)
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct:
		return nil, fmt.Errorf("%w: rows are read into a %s, not a pointer to one", ErrType, nameOf(t.Elem()))
	}
	return nil, fmt.Errorf("%w; rows are read into a struct, or into what a column's field may be", err)
}

// newScalar is the plan of a type that is one value of a row.
func newScalar(t reflect.Type, c *codec) *Plan {
	return &Plan{
		remembered: -1,
		typ:        t, size: t.Size(), pointer: reflect.PointerTo(t), list: reflect.SliceOf(t), model: t.String(),
		fields: []field{{codec: c}}, scalar: true,
	}
}

// IsScalar says whether a row is one value, and no struct.
func (p *Plan) IsScalar() bool { return p.scalar }

// bindScalar is the binding of a result's only column.
func (p *Plan) bindScalar(columns []string) (*binding, error) {
	if len(columns) != 1 {
		return nil, fmt.Errorf("%w: a result of %d columns where a %s needs one", ErrColumn, len(columns), p.model)
	}
	f := p.fields[0]
	f.column = columns[0]
	return &binding{plan: p, columns: columns, places: []place{{field: &f, set: f.codec.set, setCell: f.codec.setCell}}}, nil
}

// Nullable says whether the field of a column can hold NULL; a column without a field
// can.
func (p *Plan) Nullable(column string) bool {
	i, ok := p.Column(column)
	if !ok {
		i, ok = p.byFold[strings.ToLower(column)]
	}
	if p.scalar {
		i, ok = 0, true
	}
	return !ok || p.fields[i].codec.nullable()
}

// nullable says whether NULL is a value of the type, as far as that can be told: a
// Scanner may take it.
func (c *codec) nullable() bool {
	switch {
	case c.kind == Custom, c.kind == Any, c.kind == Bytes, c.kind == Array, c.kind == Encrypted, c.kind == BlindIndex:
		return true
	case c.typ.Kind() == reflect.Pointer:
		return true
	}
	return c.typ.PkgPath() == "database/sql" && c.typ.Kind() == reflect.Struct
}
