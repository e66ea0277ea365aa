package rowmap

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"unsafe"
)

// Reading without a type parameter: the caller gives pointers to a T or a []T of
// the plan's type as any, so that nothing here is compiled anew for each T.

// ReadAll reads the rest of src into *list and closes it. list is a *[]T of the
// plan's T. Result columns bind to fields by name, never by position; a field that
// the result does not have keeps its zero value. hint is about how many rows will
// come; 0 is unknown.
//
// Without rows the slice is empty but not nil. On an error *list is unchanged. src
// is closed on every path, also if a Scan method ends the goroutine.
func (p *Plan) ReadAll(src Source, list any, hint int) (n int, err error) {
	var c collected
	defer func() {
		if cerr := src.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			n = 0
		}
	}()
	to, err := p.listAt(list)
	if err != nil {
		return 0, err
	}
	b, err := p.bind(src)
	if err != nil {
		return 0, err
	}
	s := b.open(src, hint != 1, hint)
	c.plan, c.next = p, hint
	for {
		if err := s.next(); err != nil {
			b.done(s)
			if !errors.Is(err, io.EOF) {
				return 0, err
			}
			// A result that cannot be closed was not read to its end.
			if err := src.Close(); err != nil {
				return 0, err
			}
			*to = c.all()
			return c.count, nil
		}
		if err := b.store(s, c.add()); err != nil {
			b.done(s)
			return 0, err
		}
	}
}

// ReadFirst reads the first row of src into *rec and closes src. rec is a *T of
// the plan's T. found is false, and *rec is unchanged, if there is none. After an
// error *rec holds a part of the row.
func (p *Plan) ReadFirst(src Source, rec any) (found bool, err error) {
	defer closeSource(src, &found, &err)
	base, err := p.record(rec)
	if err != nil {
		return false, err
	}
	b, err := p.bind(src)
	if err != nil {
		return false, err
	}
	s := b.open(src, false, 1)
	if err := s.next(); err != nil {
		b.done(s)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return false, err
	}
	p.zero(base)
	err = b.store(s, base)
	b.done(s)
	return err == nil, err
}

// ReadEach reads the rows of src into *rec, one after the other, and calls yield
// after each until it returns false. rec is a *T of the plan's T. It returns how
// many rows it has read, and closes src.
func (p *Plan) ReadEach(src Source, rec any, yield func() bool) (n int64, err error) {
	var b *binding
	var s *state
	defer func() {
		if s != nil {
			b.done(s)
		}
		if cerr := src.Close(); err == nil {
			err = cerr
		}
	}()
	base, err := p.record(rec)
	if err != nil {
		return 0, err
	}
	if b, err = p.bind(src); err != nil {
		return 0, err
	}
	s = b.open(src, false, 1)
	for {
		if err := s.next(); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return n, err
		}
		p.zero(base)
		if err := b.store(s, base); err != nil {
			return n, err
		}
		n++
		if !yield() {
			return n, nil
		}
	}
}

// zero makes the record at base the zero value of its type.
func (p *Plan) zero(base unsafe.Pointer) { reflect.NewAt(p.typ, base).Elem().SetZero() }

// sliceWords is a slice as the runtime has it.
type sliceWords struct {
	data     unsafe.Pointer
	len, cap int
}

// listAt returns the slice that list points to.
func (p *Plan) listAt(list any) (*sliceWords, error) {
	v := (*iface)(unsafe.Pointer(&list)) // of a pointer, whose any holds it itself
	if v.typ != p.listWord || v.data == nil {
		return nil, fmt.Errorf("%w: rows of %s are read into a *[]%s, not a %T", ErrType, p.model, p.model, list)
	}
	return (*sliceWords)(v.data), nil
}

// collected are rows in blocks: they are written once and copied once, where
// append would copy them at each growth.
type collected struct {
	plan  *Plan
	full  []sliceWords
	block sliceWords
	next  int // the size of the next block; 0 if the number of rows is unknown
	count int
}

// add returns the address of a new zero record.
func (c *collected) add() unsafe.Pointer {
	if c.block.len == c.block.cap {
		c.grow()
	}
	at := unsafe.Add(c.block.data, uintptr(c.block.len)*c.plan.size)
	c.block.len++
	c.count++
	return at
}

func (c *collected) grow() {
	if c.block.cap > 0 {
		c.full = append(c.full, c.block)
	}
	if c.next <= 0 {
		c.next = firstBlock
	}
	size := min(c.next, max(blockBytes/max(int(c.plan.size), 1), firstBlock))
	c.block = c.plan.newList(size)
	c.block.len = 0
	c.next = max(2*size, firstBlock)
}

// newList makes a list of n zero records.
func (p *Plan) newList(n int) sliceWords {
	return sliceWords{reflect.MakeSlice(p.list, n, n).UnsafePointer(), n, n}
}

// all returns the rows in order.
func (c *collected) all() sliceWords {
	if len(c.full) == 0 && c.count > 0 && c.count*4 >= c.block.cap {
		return sliceWords{c.block.data, c.count, c.count}
	}
	rows := c.plan.newList(c.count)
	at := 0
	for _, b := range append(c.full, c.block) {
		if b.len == 0 {
			continue
		}
		from := sliceWords{unsafe.Add(rows.data, uintptr(at)*c.plan.size), b.len, b.len}
		reflect.Copy(c.plan.listOf(from), c.plan.listOf(b))
		at += b.len
	}
	return rows
}

// listOf is a list as reflect shows it.
func (p *Plan) listOf(words sliceWords) reflect.Value {
	return reflect.NewAt(p.list, unsafe.Pointer(&words)).Elem()
}

// Clear makes what dst points to its zero value.
func Clear(dst any) { reflect.ValueOf(dst).Elem().SetZero() }

// NewList returns a new *[]T of the plan's T.
func (p *Plan) NewList() any { return reflect.New(p.list).Interface() }

// Elements returns how many records *list has, a *[]T of the plan's T, and a
// function that gives a pointer to each. It panics if list is anything else.
func (p *Plan) Elements(list any) (n int, at func(i int) any) {
	words, err := p.listAt(list)
	if err != nil {
		panic("rowmap: " + err.Error())
	}
	base := words.data
	return words.len, func(i int) any { return anyAt(p.word, unsafe.Add(base, uintptr(i)*p.size)) }
}

// A Snapshot is what records were, to restore them.
type Snapshot struct{ records, old reflect.Value }

// Snapshot copies the records of *list, a *[]T.
func (p *Plan) Snapshot(list any) Snapshot {
	records := reflect.ValueOf(list).Elem()
	old := reflect.MakeSlice(p.list, records.Len(), records.Len())
	reflect.Copy(old, records)
	return Snapshot{records, old}
}

// Restore makes the records what they were.
func (s Snapshot) Restore() { reflect.Copy(s.records, s.old) }

// ReadBack reads the rows of src into some fields of records, row i into record i,
// and closes it. The columns of the result are those of the fields. rows is how
// many rows there were; those beyond the records are not kept.
func (p *Plan) ReadBack(src Source, fields []int, records int, at func(i int) any) (rows int, err error) {
	defer func() {
		if cerr := src.Close(); err == nil {
			err = cerr
		}
	}()
	b, err := p.bind(src)
	if err != nil {
		return 0, err
	}
	s := b.open(src, true, records)
	defer b.done(s)
	for ; ; rows++ {
		if err := s.next(); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return rows, err
		}
		if rows >= records {
			continue
		}
		base, err := p.record(at(rows))
		if err != nil {
			return rows, err
		}
		for _, f := range fields {
			p.clearField(f, base)
		}
		if err := b.store(s, base); err != nil {
			return rows, err
		}
	}
}

func (p *Plan) clearField(i int, base unsafe.Pointer) {
	f := &p.fields[i]
	if at := f.at(base, false); at != nil {
		reflect.NewAt(f.codec.typ, at).Elem().SetZero()
	}
}

// CopyFields copies fields of one record to another. Both are a *T.
func (p *Plan) CopyFields(fields []int, dst, src any) {
	to, from := p.mustRecord(dst), p.mustRecord(src)
	for _, i := range fields {
		f := &p.fields[i]
		at := f.at(from, false)
		if at == nil {
			p.clearField(i, to)
			continue
		}
		reflect.NewAt(f.codec.typ, f.at(to, true)).Elem().Set(reflect.NewAt(f.codec.typ, at).Elem())
	}
}

// Append appends the records of *more to those of *list, both of them a *[]T.
func (p *Plan) Append(list, more any) {
	to := reflect.ValueOf(list).Elem()
	to.Set(reflect.AppendSlice(to, reflect.ValueOf(more).Elem()))
}
