package rowmap

import (
	"fmt"
	"reflect"
	"unsafe"
)

// Clear makes what dst points to its zero value.
func Clear(dst any) { reflect.ValueOf(dst).Elem().SetZero() }

// NewLike returns a new list of the type of list, which is a pointer to a slice.
func NewLike(list any) any { return reflect.New(reflect.TypeOf(list).Elem()).Interface() }

// AppendLike appends the elements of *more to those of *list, of the same type.
func AppendLike(list, more any) {
	to := reflect.ValueOf(list).Elem()
	to.Set(reflect.AppendSlice(to, reflect.ValueOf(more).Elem()))
}

// Clone returns a new *T of the plan's T that is what record, a *T, is.
func (p *Plan) Clone(record any) any {
	v := reflect.New(p.typ)
	v.Elem().Set(reflect.ValueOf(record).Elem())
	return v.Interface()
}

// Copy makes the record to what from is, both of them a *T of the plan's T.
func (p *Plan) Copy(to, from any) { reflect.ValueOf(to).Elem().Set(reflect.ValueOf(from).Elem()) }

// A State is what the columns of a record held at a time.
type State []any

// State tells what the columns hold.
func (r *ArgPlan) State(rec any) State {
	base := r.plan.mustRecord(rec)
	state := make(State, len(r.places))
	for i := range r.places {
		f := r.places[i].field
		p := f.at(base, false)
		if p == nil {
			continue
		}
		state[i] = f.codec.held(p)
	}
	return state
}

// Changed are the columns that differ between two states of one record, as places in
// the plan of their columns.
func (s State) Changed(now State) (places []int) {
	for i := range s {
		if !reflect.DeepEqual(s[i], now[i]) {
			places = append(places, i)
		}
	}
	return places
}

// Records are several records without their type.
type Records struct {
	N  int
	At func(i int) any // a pointer to record i
}

// One is a single record.
func One(record any) Records { return Records{N: 1, At: func(int) any { return record }} }

// Part is n of the records, from the first-th on.
func (r Records) Part(first, n int) Records {
	if first == 0 {
		return Records{N: n, At: r.At}
	}
	return Records{N: n, At: func(i int) any { return r.At(first + i) }}
}

// Records returns the records of *list, a *[]T of the plan's T. It panics if list
// is anything else.
func (p *Plan) Records(list any) Records {
	words, err := p.listAt(list)
	if err != nil {
		panic("rowmap: " + err.Error())
	}
	return p.recordsOf(*words)
}

func (p *Plan) recordsOf(words slice) Records {
	base, none := words.data, reflect.Zero(p.pointer).Interface()
	return Records{N: words.len, At: func(i int) any { return pointerLike(none, unsafe.Add(base, uintptr(i)*p.size)) }}
}

// NewList returns a new *[]T of the plan's T.
func (p *Plan) NewList() any { return reflect.New(p.list).Interface() }

// Cut leaves the first n records of *list, a *[]T of the plan's T.
func (p *Plan) Cut(list any, n int) {
	v := reflect.ValueOf(list).Elem()
	v.Set(v.Slice3(0, n, n))
}

// slice is a []T as the runtime has it. A test compares it with reflect's.
type slice struct {
	data     unsafe.Pointer
	len, cap int
}

// listAt returns the slice that list points to.
func (p *Plan) listAt(list any) (*slice, error) {
	v := reflect.ValueOf(list)
	if !v.IsValid() || v.Type() != reflect.PointerTo(p.list) || v.IsNil() {
		return nil, fmt.Errorf("%w: rows of %s are read into a *[]%s, not a %T", ErrType, p.model, p.model, list)
	}
	return (*slice)(v.UnsafePointer()), nil
}

// makeList makes a list of n zero records.
func (p *Plan) makeList(n int) slice {
	return slice{reflect.MakeSlice(p.list, n, n).UnsafePointer(), n, n}
}

// shown is a list as reflect has it.
func (p *Plan) shown(list slice) reflect.Value {
	return reflect.NewAt(p.list, unsafe.Pointer(&list)).Elem()
}

// recordCollector is a collector of records whose type only the plan knows.
type recordCollector struct {
	plan  *Plan
	full  []slice
	block slice
	next  int // the size of the next block; 0 if the number of rows is unknown
	count int
}

// add returns the address of a new zero record.
func (c *recordCollector) add() unsafe.Pointer {
	if c.block.len == c.block.cap {
		c.grow()
	}
	at := unsafe.Add(c.block.data, uintptr(c.block.len)*c.plan.size)
	c.block.len++
	c.count++
	return at
}

func (c *recordCollector) grow() {
	if c.block.cap > 0 {
		c.full = append(c.full, c.block)
	}
	size := blockSize(c.next, c.plan.size)
	c.block = c.plan.makeList(size)
	c.block.len = 0
	c.next = max(2*size, firstBlock)
}

// all returns the records in order.
func (c *recordCollector) all() slice {
	if len(c.full) == 0 && c.count > 0 && c.count*4 >= c.block.cap {
		return slice{c.block.data, c.count, c.count}
	}
	all := c.plan.makeList(c.count)
	to, at := c.plan.shown(all), 0
	for _, block := range append(c.full, c.block) {
		if block.len > 0 {
			at += reflect.Copy(to.Slice(at, c.count), c.plan.shown(block))
		}
	}
	return all
}
