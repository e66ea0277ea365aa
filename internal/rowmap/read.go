package rowmap

import (
	"reflect"
	"unsafe"
)

// Reading takes its records as any: pointers to a T, or to a []T, of the plan's
// type. So nothing here is compiled anew for each T.

// ReadAll reads the rest of src into *list and closes it. list is a *[]T of the
// plan's T. Result columns bind to fields by name, never by position; a field that
// the result does not have keeps its zero value. hint is about how many rows will
// come; 0 is unknown.
//
// Without rows the slice is empty but not nil. On an error *list is unchanged. src
// is closed on every path, also if a Scan method ends the goroutine.
func (p *Plan) ReadAll(src Source, list any, hint int) (n int, err error) {
	rows, err := p.collect(src, list, hint)
	if err != nil {
		return 0, err
	}
	to, err := p.listAt(list)
	if err != nil {
		return 0, err
	}
	*to = rows
	return rows.len, nil
}

// collect reads and closes src.
func (p *Plan) collect(src Source, list any, hint int) (rows slice, err error) {
	defer closeSource(src, &rows, &err)
	if _, err := p.listAt(list); err != nil {
		return slice{}, err
	}
	b, err := p.bindWhole(src)
	if err != nil {
		return slice{}, err
	}
	s := b.open(src, hint != 1, hint)
	c := recordCollector{plan: p, next: hint}
	for {
		if err := s.next(); err != nil {
			b.done(s)
			if err := atEnd(err); err != nil {
				return slice{}, err
			}
			return c.all(), nil
		}
		if err := b.store(s, c.add()); err != nil {
			b.done(s)
			return slice{}, err
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
	b, err := p.bindWhole(src)
	if err != nil {
		return false, err
	}
	s := b.open(src, false, 1)
	if err := s.next(); err != nil {
		b.done(s)
		return false, atEnd(err)
	}
	p.zero(base)
	err = b.store(s, base)
	b.done(s)
	return err == nil, err
}

// ReadEach reads src row by row into *rec, which is zeroed before each, and calls
// yield after each until it returns false. rec is a *T of the plan's T. rows is how
// many there were. What the fields hold is not used again, so a copy of *rec may be
// kept.
//
// The caller closes src, which a loop that ends early has not read to its end.
func (p *Plan) ReadEach(src Source, rec any, yield func() bool) (rows int64, err error) {
	base, err := p.record(rec)
	if err != nil {
		return 0, err
	}
	b, err := p.bindWhole(src)
	if err != nil {
		return 0, err
	}
	s := b.open(src, false, 1)
	defer b.done(s)
	for {
		if err := s.next(); err != nil {
			return rows, atEnd(err)
		}
		p.zero(base)
		if err := b.store(s, base); err != nil {
			return rows, err
		}
		rows++
		if !yield() {
			return rows, nil
		}
	}
}

// zero makes the record at base the zero value of its type.
func (p *Plan) zero(base unsafe.Pointer) { reflect.NewAt(p.typ, base).Elem().SetZero() }

// closeSource closes src at the end of a read. A result that could not be
// closed was not read to its end, so its error counts if there is no other.
func closeSource[R any](src Source, result *R, err *error) {
	cerr := src.Close()
	if *err == nil && cerr != nil {
		*result, *err = *new(R), cerr
	}
}
