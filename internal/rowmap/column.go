package rowmap

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/dialect"
)

// ReadColumn reads the only column of src and closes it. V is any type that a
// column field may have; the conversions are those of [ReadAll]. Without rows
// the slice is empty but not nil.
func ReadColumn[V any](src Source) (values []V, err error) {
	defer closeSource(src, &values, &err)
	r, err := newColumnRead[V](src, true)
	if err != nil {
		return nil, err
	}
	var c collector[V]
	for {
		ok, err := r.next(c.add)
		if err != nil {
			return nil, err
		}
		if !ok {
			return c.all(), nil
		}
	}
}

// ReadValue reads the first value of the only column of src into dst and
// closes src. found is false, and dst is unchanged, if there is no row.
func ReadValue[V any](src Source, dst *V) (found bool, err error) {
	defer closeSource(src, &found, &err)
	r, err := newColumnRead[V](src, false)
	if err != nil {
		return false, err
	}
	return r.next(func() *V {
		*dst = *new(V)
		return dst
	})
}

type columnRead[V any] struct {
	reading
	codec *codec
	cells Cells // src, if it is one
	dest  [1]driver.Value
	row   [1]cell.Cell
	from  origin
	name  string
}

func newColumnRead[V any](src Source, shared bool) (*columnRead[V], error) {
	c, err := codecOf(reflect.TypeFor[V]())
	if err != nil {
		return nil, err
	}
	columns := src.Columns()
	if len(columns) != 1 {
		return nil, fmt.Errorf("%w: a result of %d columns where one is needed", ErrColumn, len(columns))
	}
	r := &columnRead[V]{reading: reading{src: src, blobs: dialectOf(src) == dialect.SQLite, sharing: sharing{shared: shared}}, codec: c, name: columns[0]}
	r.from.of = &r.reading
	r.cells, _ = src.(Cells)
	return r, nil
}

// next reads the next value to where at says.
func (r *columnRead[V]) next(at func() *V) (ok bool, err error) {
	if r.cells != nil {
		err = r.cells.NextCells(r.row[:])
	} else {
		err = r.src.Next(r.dest[:])
	}
	if err != nil {
		return false, atEnd(err)
	}
	if r.cells != nil {
		err = r.codec.setCell(unsafe.Pointer(at()), &r.row[0], &r.from)
	} else {
		err = r.codec.set(unsafe.Pointer(at()), r.dest[0], &r.from)
	}
	if err != nil {
		return false, &ColumnError{Column: r.name, Err: err}
	}
	return true, nil
}
