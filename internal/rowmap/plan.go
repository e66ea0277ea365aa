package rowmap

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Plan tells which field of a struct type holds which column. It is immutable
// and safe for concurrent use.
//
// A column's number, the i of the methods, is its place in Columns: the order
// of the fields in the struct, those of an embedded struct in its place.
type Plan struct {
	typ     reflect.Type
	size    uintptr      // of a T
	pointer reflect.Type // *T
	list    reflect.Type // []T
	model   string
	fields  []field
	columns []string
	byName  map[string]int // exact names
	byFold  map[string]int // lower-case names of one column
	folded  [2]int         // the first two columns that differ only in case, or 0, 0
	times   []timeField    // the fields that CutTimes looks at
	shared  []int          // the struct's fields that copies of it have in common
	scalar  bool           // a T is one value, which is the plan's only field

	changing   []changing // what a write may change in a record
	pointers   int        // how many of them are embedded pointers, behind the columns
	remembered int        // where a record remembers its row, -1 is nowhere
	sealing    *Sealing   // how sealed columns are sealed, nil when they cannot be

	layouts  changeLayouts
	scratch  sync.Pool // of *T
	bindings atomic.Pointer[[]*binding]
	bindMu   sync.Mutex // held to add to bindings
}

// Field describes one column's field.
type Field struct {
	Column string
	// Type is the Go type as it is written, for messages.
	Type string
	Kind Kind
}

var plans sync.Map // reflect.Type → *Plan or error

// Of returns the plan of T; see [Compile].
func Of[T any]() (*Plan, error) { return Compile(reflect.TypeFor[T]()) }

// Compile returns the plan of a struct type. The type must have a name. An
// exported field is the column that its tag db:"column" names, or without a
// tag that of [ColumnName]; db:"-" skips it. Embedded structs are flattened by
// Go's rules. A field without a tag whose type is a struct that is no column,
// a pointer to one or a slice of either is skipped as well.
//
// The error lists all faults of the type. Plans are kept, so that a second
// call is cheap.
func Compile(t reflect.Type) (*Plan, error) {
	if t == nil {
		return nil, fmt.Errorf("%w: a model must be a named struct type, not nil", ErrType)
	}
	if t.Kind() != reflect.Struct || t.Name() == "" {
		return nil, fmt.Errorf("%w: a model must be a named struct type, not %s", ErrType, t)
	}
	return planOf(t)
}

// planOf is Compile for a struct type that may have no name.
func planOf(t reflect.Type) (*Plan, error) {
	if known, ok := plans.Load(t); ok {
		if err, bad := known.(error); bad {
			return nil, err
		}
		return known.(*Plan), nil
	}
	p, err := compile(t)
	if err != nil {
		plans.Store(t, err)
		return nil, err
	}
	actual, _ := plans.LoadOrStore(t, p)
	return actual.(*Plan), nil
}

func compile(t reflect.Type) (*Plan, error) {
	fields, err := collect(t)
	if err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("%w: %s has no field that is a column", ErrType, t)
	}
	return newPlan(t, fields), nil
}

func newPlan(t reflect.Type, fields []field) *Plan {
	p := &Plan{
		typ: t, size: t.Size(), pointer: reflect.PointerTo(t), list: reflect.SliceOf(t), model: nameOf(t), fields: fields,
		columns: make([]string, len(fields)),
		byName:  make(map[string]int, len(fields)),
		byFold:  make(map[string]int, len(fields)),
		shared:  sharedFields(t), changing: changingOf(fields), remembered: -1,
	}
	p.pointers = len(p.changing) - len(fields)
	if t.Kind() == reflect.Struct {
		p.remembered = rememberedAt(t)
	}
	if p.remembered >= 0 {
		p.changing = append(p.changing, p.rememberedChange())
	}
	for i, f := range fields {
		p.columns[i] = f.column
		p.byName[f.column] = i
		fold := strings.ToLower(f.column)
		if other, ok := p.byFold[fold]; !ok {
			p.byFold[fold] = i
		} else if p.folded == [2]int{} {
			p.folded = [2]int{other, i}
		}
		if f.codec.kind == Time && holdsTime(f.codec.typ) {
			p.times = append(p.times, timeField{field: i, plain: isTimeLike(f.codec.typ)})
		}
	}
	return p
}

// nameOf is the name of a struct type for messages, which may have none.
func nameOf(t reflect.Type) string {
	if t.Name() == "" {
		return "struct"
	}
	return t.String()
}

// Model is the struct type's name with its package, for messages.
func (p *Plan) Model() string { return p.model }

// Columns are the names of the columns. The caller must not change the slice.
func (p *Plan) Columns() []string { return p.columns }

// Column returns the number of a column by its exact name.
func (p *Plan) Column(name string) (i int, ok bool) {
	if len(p.columns) > 16 {
		i, ok = p.byName[name]
		return i, ok
	}
	for i, c := range p.columns { // faster than to hash, for most structs
		if c == name {
			return i, true
		}
	}
	return 0, false
}

// Folded tells the first two fields whose columns differ only in case, "" when no
// two do.
func (p *Plan) Folded() string {
	a, b := &p.fields[p.folded[0]], &p.fields[p.folded[1]]
	if a == b {
		return ""
	}
	return fmt.Sprintf("the columns %q and %q of the fields %s and %s differ only in case", a.column, b.column, a.path, b.path)
}

// Field describes the field of column i.
func (p *Plan) Field(i int) Field {
	f := &p.fields[i]
	if f.blind != nil {
		return Field{Column: f.column, Type: "blind index", Kind: BlindIndex}
	}
	return Field{Column: f.column, Type: f.codec.typ.String(), Kind: f.codec.kind}
}

// failure names the column in an error.
func (p *Plan) failure(f *field, err error) error {
	if p.scalar {
		return &ColumnError{Column: f.column, Err: err}
	}
	var known *ColumnError
	if errors.As(err, &known) && known.Model == p.model {
		return err
	}
	return &ColumnError{Model: p.model, Column: f.column, Field: f.path, Err: err}
}

// record returns the address of the struct that rec points to.
func (p *Plan) record(rec any) (unsafe.Pointer, error) {
	if reflect.TypeOf(rec) != p.pointer {
		return nil, fmt.Errorf("%w: a record of %s must be a *%s, not %T", ErrType, p.model, p.model, rec)
	}
	base := reflect.ValueOf(rec).UnsafePointer()
	if base == nil {
		return nil, fmt.Errorf("%w: a record of %s is a nil pointer", ErrType, p.model)
	}
	return base, nil
}

// mustRecord is record for callers that cannot return an error.
func (p *Plan) mustRecord(rec any) unsafe.Pointer {
	base, err := p.record(rec)
	if err != nil {
		panic("rowmap: " + err.Error())
	}
	return base
}
