package rowmap

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"unsafe"
)

// The growth of the blocks in which rows are collected: from firstBlock rows,
// doubling, to blocks of about blockBytes.
const (
	firstBlock = 16
	blockBytes = 1 << 18
)

// ReadAll reads the rest of src into structs and closes it. p must be the plan
// of T. Result columns bind to fields by name, never by position; a field that
// the result does not have keeps its zero value. sizeHint is about how many
// rows will come; 0 is unknown.
//
// Without rows the slice is empty but not nil. On an error there are no rows. src is closed on every path, also if a Scan
// method ends the goroutine.
func ReadAll[T any](p *Plan, src Source, sizeHint int) (rows []T, err error) {
	defer closeSource(src, &rows, &err)
	if err := checkPlan[T](p); err != nil {
		return nil, err
	}
	b, err := p.bind(src)
	if err != nil {
		return nil, err
	}
	s := b.open(src, sizeHint != 1, sizeHint)
	c := collector[T]{next: sizeHint}
	for {
		if err := s.next(); err != nil {
			b.done(s)
			if errors.Is(err, io.EOF) {
				return c.all(), nil
			}
			return nil, err
		}
		if err := b.store(s, unsafe.Pointer(c.add())); err != nil {
			b.done(s)
			return nil, err
		}
	}
}

// ReadOne reads the first row of src into dst and closes src. found is false,
// and dst is unchanged, if there is none. After an error dst holds a part of
// the row.
func ReadOne[T any](p *Plan, src Source, dst *T) (found bool, err error) {
	defer closeSource(src, &found, &err)
	if err := checkPlan[T](p); err != nil {
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
	*dst = *new(T)
	err = b.store(s, unsafe.Pointer(dst))
	b.done(s)
	return err == nil, err
}

// Reader reads structs one by one. It is not safe for concurrent use.
type Reader[T any] struct {
	src  Source
	b    *binding
	s    *state
	err  error
	done bool
}

// NewReader returns a Reader of src, which the caller closes. On an error src is
// closed already.
func NewReader[T any](p *Plan, src Source) (*Reader[T], error) {
	err := checkPlan[T](p)
	var b *binding
	if err == nil {
		b, err = p.bind(src)
	}
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	return &Reader[T]{src: src, b: b, s: b.open(src, false, 1)}, nil
}

// Next reads the next row into dst, which is zeroed first. ok is false after
// the last row and after an error.
func (r *Reader[T]) Next(dst *T) (ok bool, err error) {
	if r.done {
		return false, r.err
	}
	if err := r.s.next(); err != nil {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return false, r.finish(err)
	}
	*dst = *new(T)
	if err := r.b.store(r.s, unsafe.Pointer(dst)); err != nil {
		return false, r.finish(err)
	}
	return true, nil
}

func (r *Reader[T]) finish(err error) error {
	if !r.done {
		r.done, r.err = true, err
		r.b.done(r.s)
		r.s = nil
	}
	return err
}

func checkPlan[T any](p *Plan) error {
	if t := reflect.TypeFor[T](); p.typ != t {
		return fmt.Errorf("%w: the plan of %s cannot read a %s", ErrType, p.model, t)
	}
	return nil
}

// closeSource closes src at the end of a read. A result that could not be
// closed was not read to its end, so its error counts if there is no other.
func closeSource[R any](src Source, result *R, err *error) {
	cerr := src.Close()
	if *err == nil && cerr != nil {
		*result, *err = *new(R), cerr
	}
}

// collector grows in blocks: rows are written once and copied once, where
// append would copy them at each growth.
type collector[T any] struct {
	full  [][]T
	block []T
	next  int // the size of the next block; 0 if the number of rows is unknown
	count int
}

// add returns the address of a new zero T.
func (c *collector[T]) add() *T {
	if len(c.block) == cap(c.block) {
		c.grow()
	}
	c.block = c.block[:len(c.block)+1]
	c.count++
	return &c.block[len(c.block)-1]
}

func (c *collector[T]) grow() {
	if c.block != nil {
		c.full = append(c.full, c.block)
	}
	if c.next <= 0 {
		c.next = firstBlock
	}
	most := max(blockBytes/max(int(unsafe.Sizeof(*new(T))), 1), firstBlock)
	size := min(c.next, most)
	c.block = make([]T, 0, size)
	c.next = max(2*size, firstBlock)
}

// all returns the rows in order.
func (c *collector[T]) all() []T {
	if len(c.full) == 0 && c.count > 0 && c.count*4 >= cap(c.block) {
		return c.block[:c.count:c.count]
	}
	rows := make([]T, 0, c.count)
	for _, block := range c.full {
		rows = append(rows, block...)
	}
	return append(rows, c.block...)
}
