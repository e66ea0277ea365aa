package rowmap

import (
	"bytes"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Changes are what a write has changed in the columns of records, to be undone later.
// They keep the records that they are of, and of the columns that were changed what
// they held before and after, in one allocation for a record.
type Changes struct {
	layout  *changeLayout
	records unsafe.Pointer // the first of n that follow each other
	rows    unsafe.Pointer // n of layout's rows
	n       int
}

// Changes tells what the records are no more, nil when they are what they were. key are
// the columns of the primary key.
func (s Snapshot) Changes(key []int) *Changes {
	if s.own.len > 0 {
		return s.plan.changes(s.records, s.own.data, key)
	}
	return s.plan.changes(s.records, s.old.data, key)
}

func (p *Plan) changes(records slice, old unsafe.Pointer, key []int) *Changes {
	var changed columnSet
	for i := range records.len {
		at := uintptr(i) * p.size
		p.changed(&changed, unsafe.Add(records.data, at), unsafe.Add(old, at))
	}
	if changed == (columnSet{}) {
		return nil
	}
	for _, i := range key {
		changed.add(i)
	}
	l := p.changeLayout(&changed, key)
	c := l.make(records.len)
	*c = Changes{layout: l, records: records.data, rows: c.rows, n: records.len}
	for i := range records.len {
		at := uintptr(i) * p.size
		l.fill(unsafe.Add(c.rows, uintptr(i)*l.size), unsafe.Add(records.data, at), unsafe.Add(old, at))
	}
	return c
}

// make allocates changes of n records.
func (l *changeLayout) make(n int) *Changes {
	if n > 1 {
		return &Changes{rows: reflect.MakeSlice(l.list, n, n).UnsafePointer()}
	}
	one := reflect.New(l.one).UnsafePointer()
	c := (*Changes)(one)
	c.rows = unsafe.Add(one, l.row)
	return c
}

// Undo gives each column back what it held before the write, unless it holds another
// value by now than the write had left there. A record whose key is another by now is
// that of another row, and left as it is.
func (c *Changes) Undo() {
	for i := range c.n {
		c.layout.undo(unsafe.Add(c.records, uintptr(i)*c.layout.plan.size), unsafe.Add(c.rows, uintptr(i)*c.layout.size))
	}
}

// columnSet is a set of a plan's columns, and of the embedded pointers behind them.
// Those from the last bit on share it.
type columnSet [4]uint64

func (s *columnSet) add(i int) {
	i = min(i, len(s)*64-1)
	s[i/64] |= 1 << (i % 64)
}

func (s *columnSet) has(i int) bool {
	i = min(i, len(s)*64-1)
	return s[i/64]&(1<<(i%64)) != 0
}

// changed adds what differs between two records.
func (p *Plan) changed(set *columnSet, now, old unsafe.Pointer) {
	for i := range p.changing {
		f := &p.changing[i]
		to, from := f.at(now, false), f.at(old, false)
		if to == nil || from == nil || sameBits(to, from, f.size) {
			continue
		}
		switch {
		case f.pointer && led(to, from): // to a copy of its own
		case f.text && len(*(*string)(to)) > 0 && *(*string)(to) == *(*string)(from):
		default:
			set.add(i)
		}
	}
}

// led says that an embedded pointer led somewhere before a write and after it: what it
// was is known by a copy only.
func led(to, from unsafe.Pointer) bool {
	return *(*unsafe.Pointer)(to) != nil && *(*unsafe.Pointer)(from) != nil
}

// changing is a column's field, or an embedded pointer behind which there are some.
type changing struct {
	field
	typ     reflect.Type
	size    uintptr
	text    bool
	pointer bool
}

// changingOf are the columns of fields, and then the embedded pointers, the deepest
// first: one that was nil is nil again after all that lies behind it.
func changingOf(fields []field) []changing {
	var columns, pointers []changing
	for _, f := range fields {
		columns = append(columns, changing{field: f, typ: f.codec.typ, size: f.codec.typ.Size(), text: f.codec.typ.Kind() == reflect.String})
		for i, h := range f.via {
			same := func(c changing) bool { return c.offset == h.offset && slices.Equal(c.via, f.via[:i]) }
			if !slices.ContainsFunc(pointers, same) {
				typ := reflect.PointerTo(h.to)
				pointers = append(pointers, changing{field: field{offset: h.offset, via: f.via[:i]}, typ: typ, size: typ.Size(), pointer: true})
			}
		}
	}
	slices.SortStableFunc(pointers, func(a, b changing) int { return len(b.via) - len(a.via) })
	return append(columns, pointers...)
}

// changeLayout is how the changes of some columns are kept: a struct of each column's
// value before and after.
type changeLayout struct {
	plan    *Plan
	set     columnSet
	key     []int
	columns []keptColumn
	size    uintptr      // of a row
	list    reflect.Type // a slice of rows
	one     reflect.Type // Changes and one row
	row     uintptr      // where that row lies
}

type keptColumn struct {
	*changing
	key           bool
	before, after uintptr
}

// changeLayouts are the layouts of a plan. There are few, for writes change the same
// columns again and again; callbacks may change any.
type changeLayouts struct {
	known atomic.Pointer[[]*changeLayout]
	mu    sync.Mutex // held to add to known
}

// maxChangeLayouts bounds what is kept for a plan: Go never forgets a type.
const maxChangeLayouts = 16

// changeLayout is the layout for a set of columns, or one for more.
func (p *Plan) changeLayout(set *columnSet, key []int) *changeLayout {
	if l := p.layouts.find(set, key); l != nil {
		return l
	}
	p.layouts.mu.Lock()
	defer p.layouts.mu.Unlock()
	var known []*changeLayout
	if list := p.layouts.known.Load(); list != nil {
		known = *list
	}
	if len(known) >= maxChangeLayouts-1 {
		for i := range p.changing {
			set.add(i)
		}
	}
	if l := p.layouts.find(set, key); l != nil {
		return l
	}
	l := p.newChangeLayout(set, key)
	known = append(slices.Clip(known), l)
	p.layouts.known.Store(&known)
	return l
}

func (ls *changeLayouts) find(set *columnSet, key []int) *changeLayout {
	list := ls.known.Load()
	if list == nil {
		return nil
	}
	for _, l := range *list {
		if l.set == *set && slices.Equal(l.key, key) {
			return l
		}
	}
	return nil
}

func (p *Plan) newChangeLayout(set *columnSet, key []int) *changeLayout {
	l := &changeLayout{plan: p, set: *set, key: key}
	var fields []reflect.StructField
	for i := range p.changing {
		if !set.has(i) {
			continue
		}
		c := &p.changing[i]
		l.columns = append(l.columns, keptColumn{changing: c, key: slices.Contains(key, i)})
		n := strconv.Itoa(i)
		fields = append(fields, reflect.StructField{Name: "Before" + n, Type: c.typ}, reflect.StructField{Name: "After" + n, Type: c.typ})
	}
	row := reflect.StructOf(fields)
	for i := range l.columns {
		l.columns[i].before, l.columns[i].after = row.Field(2*i).Offset, row.Field(2*i+1).Offset
	}
	l.size, l.list = row.Size(), reflect.SliceOf(row)
	l.one = reflect.StructOf([]reflect.StructField{{Name: "Changes", Type: reflect.TypeFor[Changes]()}, {Name: "Row", Type: row}})
	l.row = l.one.Field(1).Offset
	return l
}

// fill keeps what a record was and is.
func (l *changeLayout) fill(row, now, old unsafe.Pointer) {
	for i := range l.columns {
		c := &l.columns[i]
		to, from := c.at(now, false), c.at(old, false)
		if to == nil {
			continue
		}
		if from == nil { // behind an embedded pointer that was nil
			c.copy(unsafe.Add(row, c.after), to)
			continue
		}
		if c.pointer && led(to, from) {
			from = to // it stays
		}
		c.copy(unsafe.Add(row, c.before), from)
		c.copy(unsafe.Add(row, c.after), to)
	}
}

func (l *changeLayout) undo(record, row unsafe.Pointer) {
	for i := range l.columns {
		if c := &l.columns[i]; c.key {
			if at := c.at(record, false); at == nil || !c.same(at, unsafe.Add(row, c.after)) {
				return
			}
		}
	}
	for i := range l.columns {
		c := &l.columns[i]
		at := c.at(record, false)
		if at != nil && c.same(at, unsafe.Add(row, c.after)) {
			c.copy(at, unsafe.Add(row, c.before))
		}
	}
}

// copy copies a value of the column's type.
func (c *changing) copy(to, from unsafe.Pointer) {
	switch c.typ {
	case int64Type:
		*(*int64)(to) = *(*int64)(from)
	case timeType:
		*(*time.Time)(to) = *(*time.Time)(from)
	default:
		reflect.NewAt(c.typ, to).Elem().Set(reflect.NewAt(c.typ, from).Elem())
	}
}

// same says whether two values of the column are one: a program that read the record
// again has set what it was.
func (c *changing) same(a, b unsafe.Pointer) bool {
	switch {
	case sameBits(a, b, c.size):
		return true
	case c.text:
		return *(*string)(a) == *(*string)(b)
	case c.typ == timeType:
		return (*time.Time)(a).Equal(*(*time.Time)(b))
	}
	return reflect.DeepEqual(reflect.NewAt(c.typ, a).Elem().Interface(), reflect.NewAt(c.typ, b).Elem().Interface())
}

func sameBits(a, b unsafe.Pointer, size uintptr) bool {
	return bytes.Equal(unsafe.Slice((*byte)(a), size), unsafe.Slice((*byte)(b), size))
}
