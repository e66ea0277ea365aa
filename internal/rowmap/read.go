package rowmap

import (
	"reflect"
	"unsafe"
)

// Rows is how a plan reads rows, which are those of a table whose columns its records
// are written to, or not: a select list that was written by hand, or SQL. Of a
// table's rows a value that its field could not give back is refused, see back.go.
type Rows struct {
	plan    *Plan
	ofTable bool
	sources []string // see From
}

// Rows are rows of a table, or others.
func (p *Plan) Rows(ofTable bool) Rows { return Rows{plan: p, ofTable: ofTable} }

// From says by column of the result which column of the records' table it is, "" for
// anything else. Records that remember their rows count as not read what is called like
// another column than it is. nil says that each is the one of its name.
func (r Rows) From(sources []string) Rows {
	r.sources = sources
	return r
}

// ReadAll is [Rows.ReadAll] for rows that are no table's.
func (p *Plan) ReadAll(src Source, list any, hint int) (n int, err error) {
	return p.Rows(false).ReadAll(src, list, hint)
}

// ReadFirst is [Rows.ReadFirst] for rows that are no table's.
func (p *Plan) ReadFirst(src Source, rec any) (found bool, err error) {
	return p.Rows(false).ReadFirst(src, rec)
}

// ReadEach is [Rows.ReadEach] for rows that are no table's.
func (p *Plan) ReadEach(src Source, rec any, yield func() bool) (rows int64, err error) {
	return p.Rows(false).ReadEach(src, rec, yield)
}

// Reading takes its records as any: pointers to a T, or to a []T, of the plan's
// type. So nothing here is compiled anew for each T.

// ReadAll reads the rest of src into *list and closes it. list is a *[]T of the
// plan's T. Result columns bind to fields by name, never by position; a field that
// the result does not have keeps its zero value. hint is about how many rows will
// come; 0 is unknown.
//
// Without rows the slice is empty but not nil. On an error *list is unchanged. src
// is closed on every path, also if a Scan method ends the goroutine.
func (r Rows) ReadAll(src Source, list any, hint int) (n int, err error) {
	p := r.plan
	rows, err := r.collect(src, list, hint)
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
func (r Rows) collect(src Source, list any, hint int) (rows slice, err error) {
	p := r.plan
	defer closeSource(src, &rows, &err)
	if _, err := p.listAt(list); err != nil {
		return slice{}, err
	}
	b, err := p.bindWhole(src)
	if err != nil {
		return slice{}, err
	}
	s := b.open(src, hint != 1, hint, r.ofTable)
	s.others = b.others(r.sources)
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
func (r Rows) ReadFirst(src Source, rec any) (found bool, err error) {
	p := r.plan
	defer closeSource(src, &found, &err)
	base, err := p.record(rec)
	if err != nil {
		return false, err
	}
	b, err := p.bindWhole(src)
	if err != nil {
		return false, err
	}
	s := b.open(src, false, 1, r.ofTable)
	s.others = b.others(r.sources)
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
func (r Rows) ReadEach(src Source, rec any, yield func() bool) (rows int64, err error) {
	p := r.plan
	base, err := p.record(rec)
	if err != nil {
		return 0, err
	}
	b, err := p.bindWhole(src)
	if err != nil {
		return 0, err
	}
	s := b.open(src, false, 1, r.ofTable)
	s.others = b.others(r.sources)
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
