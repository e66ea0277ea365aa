package rowmap

import (
	"reflect"
	"time"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/value"
)

// A cellSetter stores a cell at p, as a setter does a driver's value. It serves
// by itself what needs no conversion but a text's, and leaves the rest to the
// type's setter, errors as well: so a value means the same whichever way it
// comes.
type cellSetter func(p unsafe.Pointer, x *cell.Cell, c *origin) error

// viaValue is the cellSetter that leaves everything to set.
func viaValue(set setter) cellSetter {
	return func(p unsafe.Pointer, x *cell.Cell, c *origin) error { return set(p, x.Value(), c) }
}

// cellSetterOf is the cellSetter for the codec of a type that is neither pointer,
// sql.Null nor Scanner.
func cellSetterOf(k reflect.Kind, c *codec) cellSetter {
	switch c.kind {
	case Bool:
		return setBoolCell
	case Int:
		return intCell(k)
	case Uint:
		return uintCell(k)
	case Float:
		if k == reflect.Float64 {
			return setFloat64Cell
		}
	case String:
		return setStringCell
	case Bytes:
		if c.typ == rawJSONType {
			return setRawJSONCell
		}
		return setBytesCell
	case Time:
		return setTimeCell
	case UUID:
		return setUUIDCell
	}
	return viaValue(c.set)
}

func setBoolCell(p unsafe.Pointer, x *cell.Cell, c *origin) error {
	if x.Kind == cell.Bool || x.Kind == cell.Int && uint64(x.Int) <= 1 {
		*(*bool)(p) = x.Int == 1
		return nil
	}
	return setBool(p, x.Value(), c)
}

func intCell(k reflect.Kind) cellSetter {
	switch k {
	case reflect.Int8:
		return setIntCell[int8]
	case reflect.Int16:
		return setIntCell[int16]
	case reflect.Int32:
		return setIntCell[int32]
	case reflect.Int64:
		return setIntCell[int64]
	}
	return setIntCell[int]
}

func setIntCell[T signed](p unsafe.Pointer, x *cell.Cell, c *origin) error {
	if x.Kind == cell.Int && int64(T(x.Int)) == x.Int {
		*(*T)(p) = T(x.Int)
		return nil
	}
	return setInt[T](p, x.Value(), c)
}

func uintCell(k reflect.Kind) cellSetter {
	switch k {
	case reflect.Uint8:
		return setUintCell[uint8]
	case reflect.Uint16:
		return setUintCell[uint16]
	case reflect.Uint32:
		return setUintCell[uint32]
	case reflect.Uint64:
		return setUintCell[uint64]
	}
	return setUintCell[uint]
}

func setUintCell[T unsigned](p unsafe.Pointer, x *cell.Cell, c *origin) error {
	if x.Kind == cell.Int && x.Int >= 0 && uint64(T(x.Int)) == uint64(x.Int) {
		*(*T)(p) = T(x.Int)
		return nil
	}
	return setUint[T](p, x.Value(), c)
}

func setFloat64Cell(p unsafe.Pointer, x *cell.Cell, c *origin) error {
	switch x.Kind {
	case cell.Float:
		*(*float64)(p) = x.Float
		return nil
	case cell.Text: // a decimal
		f, err := parseFloat[float64](stringOf(x.Bytes), 64, c)
		if err == nil {
			*(*float64)(p) = f
		}
		return err
	}
	return setFloat64(p, x.Value(), c)
}

func setStringCell(p unsafe.Pointer, x *cell.Cell, c *origin) error {
	if isText(x) && (x.Kind != cell.Bytes || !c.isBlob()) {
		*(*string)(p) = c.string(x.Bytes)
		return nil
	}
	return setString(p, x.Value(), c)
}

func setBytesCell(p unsafe.Pointer, x *cell.Cell, c *origin) error {
	if isText(x) && (x.Kind == cell.Bytes || !c.isBlob() || !c.strict()) {
		*(*[]byte)(p) = cloneBytes(x.Bytes)
		return nil
	}
	return setBytes(p, x.Value(), c)
}

func setRawJSONCell(p unsafe.Pointer, x *cell.Cell, c *origin) error {
	if isText(x) && (x.Kind != cell.Bytes || !c.isBlob() || !c.strict()) {
		*(*[]byte)(p) = cloneBytes(x.Bytes)
		return nil
	}
	return setRawJSON(p, x.Value(), c)
}

// isText says whether the cell's Bytes are what is stored: a time that the database
// has as text is that text to who does not ask for a time, so that it is found
// again and written back as it is.
func isText(x *cell.Cell) bool {
	return x.Kind == cell.Text || x.Kind == cell.Bytes || x.Kind == cell.Time && x.Bytes != nil
}

func setTimeCell(p unsafe.Pointer, x *cell.Cell, c *origin) error {
	switch x.Kind {
	case cell.Time:
		if s := x.Time.Unix(); s > value.FirstSecond && s <= value.LastSecond {
			*(*time.Time)(p) = x.Time.UTC()
			return nil
		}
	case cell.Text:
		t, err := readTime(stringOf(x.Bytes), c)
		if err == nil {
			*(*time.Time)(p) = t
		}
		return err
	}
	return setTime(p, x.Value(), c)
}
