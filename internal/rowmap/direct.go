package rowmap

import (
	"reflect"
	"time"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/value"
)

// A reader is a setter of cells. It serves by itself what needs no conversion
// but a text's, and leaves the rest, errors among it, to its setter: so a value
// means the same whichever way it comes.
type reader func(p unsafe.Pointer, x *cell.Cell, c *origin) error

// plainReader is the reader that leaves everything to set.
func plainReader(set setter) reader {
	return func(p unsafe.Pointer, x *cell.Cell, c *origin) error { return set(p, x.Value(), c) }
}

// directReader is the reader for the codec of a type that is neither pointer,
// sql.Null nor Scanner.
func directReader(k reflect.Kind, c *codec) reader {
	switch c.kind {
	case Bool:
		return readBool
	case Int:
		return intReader(k)
	case Uint:
		return uintReader(k)
	case Float:
		if k == reflect.Float64 {
			return readFloat64
		}
	case String:
		return readString
	case Bytes:
		return readBytes
	case Time:
		return readTime
	case UUID:
		return readUUID
	}
	return plainReader(c.set)
}

func readBool(p unsafe.Pointer, x *cell.Cell, c *origin) error {
	if x.Kind == cell.Bool || x.Kind == cell.Int && uint64(x.Int) <= 1 {
		*(*bool)(p) = x.Int == 1
		return nil
	}
	return setBool(p, x.Value(), c)
}

func intReader(k reflect.Kind) reader {
	switch k {
	case reflect.Int8:
		return readInt[int8]
	case reflect.Int16:
		return readInt[int16]
	case reflect.Int32:
		return readInt[int32]
	case reflect.Int64:
		return readInt[int64]
	}
	return readInt[int]
}

func readInt[T signed](p unsafe.Pointer, x *cell.Cell, c *origin) error {
	if x.Kind == cell.Int && int64(T(x.Int)) == x.Int {
		*(*T)(p) = T(x.Int)
		return nil
	}
	return setInt[T](p, x.Value(), c)
}

func uintReader(k reflect.Kind) reader {
	switch k {
	case reflect.Uint8:
		return readUint[uint8]
	case reflect.Uint16:
		return readUint[uint16]
	case reflect.Uint32:
		return readUint[uint32]
	case reflect.Uint64:
		return readUint[uint64]
	}
	return readUint[uint]
}

func readUint[T unsigned](p unsafe.Pointer, x *cell.Cell, c *origin) error {
	if x.Kind == cell.Int && x.Int >= 0 && uint64(T(x.Int)) == uint64(x.Int) {
		*(*T)(p) = T(x.Int)
		return nil
	}
	return setUint[T](p, x.Value(), c)
}

func readFloat64(p unsafe.Pointer, x *cell.Cell, c *origin) error {
	switch x.Kind {
	case cell.Float:
		*(*float64)(p) = x.Float
		return nil
	case cell.Text: // a decimal
		f, err := parseFloat[float64](stringOf(x.Bytes), 64)
		if err == nil {
			*(*float64)(p) = f
		}
		return err
	}
	return setFloat64(p, x.Value(), c)
}

func readString(p unsafe.Pointer, x *cell.Cell, c *origin) error {
	if x.Kind == cell.Text || x.Kind == cell.Bytes {
		*(*string)(p) = c.string(x.Bytes)
		return nil
	}
	return setString(p, x.Value(), c)
}

func readBytes(p unsafe.Pointer, x *cell.Cell, c *origin) error {
	if x.Kind == cell.Text || x.Kind == cell.Bytes {
		*(*[]byte)(p) = cloneBytes(x.Bytes)
		return nil
	}
	return setBytes(p, x.Value(), c)
}

func readTime(p unsafe.Pointer, x *cell.Cell, c *origin) error {
	switch x.Kind {
	case cell.Time:
		// The zero time, which is the first second, may be MySQL's zero date.
		if s := x.Time.Unix(); s > value.FirstSecond && s <= value.LastSecond {
			*(*time.Time)(p) = x.Time.UTC()
			return nil
		}
	case cell.Text:
		t, err := parseTime(stringOf(x.Bytes))
		if err == nil {
			*(*time.Time)(p) = t
		}
		return err
	}
	return setTime(p, x.Value(), c)
}

func readUUID(p unsafe.Pointer, x *cell.Cell, c *origin) error {
	if x.Kind == cell.Text {
		if u, ok := value.ParseUUID(stringOf(x.Bytes)); ok {
			*(*[16]byte)(p) = u
			return nil
		}
	}
	return setUUID(p, x.Value(), c)
}
