package rowmap

import (
	"fmt"
	"reflect"
	"unsafe"
)

// ReadAll reads the rest of src into structs and closes it. p must be the plan
// of T. Result columns bind to fields by name, never by position; a field that
// the result does not have keeps its zero value. sizeHint is about how many
// rows will come; 0 is unknown.
//
// Without rows the slice is empty but not nil. On an error there are no rows.
// src is closed on every path, also if a Scan method ends the goroutine.
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
			if err := atEnd(err); err != nil {
				return nil, err
			}
			return c.all(), nil
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
		return false, atEnd(err)
	}
	*dst = *new(T)
	err = b.store(s, unsafe.Pointer(dst))
	b.done(s)
	return err == nil, err
}

// checkPlan refuses a plan that is not of T.
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
