package rowmap

import (
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Each reads src row by row and gives each row to yield, until yield returns
// false. rows is how many it gave. p must be the plan of T; columns bind as in
// [ReadAll].
//
// All rows come in the same T, which is zeroed before each: a loop allocates one
// T and what the fields of each row hold. What the fields hold is not used
// again, so a copy of *row may be kept.
//
// The caller closes src, which a loop that ends early has not read to its end.
func Each[T any](p *Plan, src Source, yield func(row *T) bool) (rows int64, err error) {
	if err := checkPlan[T](p); err != nil {
		return 0, err
	}
	b, err := p.bind(src)
	if err != nil {
		return 0, err
	}
	s := b.open(src, false, 1)
	defer b.done(s)
	row := new(T)
	for {
		if err := s.next(); err != nil {
			return rows, atEnd(err)
		}
		*row = *new(T)
		if err := b.store(s, unsafe.Pointer(row)); err != nil {
			return rows, err
		}
		rows++
		if !yield(row) {
			return rows, nil
		}
	}
}

// EachRow is [Each] for maps, which hold what [ReadRows] gives. Each row is a map
// of its own.
func EachRow(src Source, d *dialect.Dialect, yield func(row map[string]any) bool) (rows int64, err error) {
	r, err := newRowRead(src, d)
	if err != nil {
		return 0, err
	}
	for {
		row, err := r.next()
		if row == nil || err != nil {
			return rows, err
		}
		rows++
		if !yield(row) {
			return rows, nil
		}
	}
}
