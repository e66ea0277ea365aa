package rowmap

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Kind is what a field holds, pointers and sql.Null taken off.
type Kind uint8

// The kinds of column fields.
const (
	Bool Kind = iota + 1
	Int
	Uint
	Float
	String
	Bytes      // []byte and types made of it, json.RawMessage among them
	Time       // time.Time, types made of it, and structs that only embed it
	UUID       // [16]byte
	Array      // a PostgreSQL array
	Custom     // a sql.Scanner, or a text by MarshalText and UnmarshalText
	Any        // any: whatever the column holds
	Encrypted  // a struct that ends with a Seal
	BlindIndex // a Blind's column, which no field holds
)

// A setter stores a driver's value at p, which is the address of a value of
// the setter's type. It copies what it keeps. c may be nil.
type setter func(p unsafe.Pointer, v driver.Value, c *origin) error

// An arger turns the value at p into what the drivers take. A nil dialect asks
// for the value itself, not fitted to a database.
type arger func(p unsafe.Pointer, d *dialect.Dialect) (any, error)

// codec moves values of one Go type. It is immutable.
type codec struct {
	typ     reflect.Type
	kind    Kind
	set     setter
	setCell cellSetter
	arg     arger
	box     boxing // how boxes do what arg does
	elem    *codec // of arrays
	// slabbed says that set and setCell may take a value from the origin's slab.
	slabbed bool
	// valued says that the type's own Value method tells what is written.
	valued bool
}

var (
	scannerType     = reflect.TypeFor[sql.Scanner]()
	valuerType      = reflect.TypeFor[driver.Valuer]()
	timeType        = reflect.TypeFor[time.Time]()
	timePointerType = reflect.TypeFor[*time.Time]()
	stringType      = reflect.TypeFor[string]()
	int64Type       = reflect.TypeFor[int64]()
	rawJSONType     = reflect.TypeFor[json.RawMessage]()
)

// maxDepth bounds how many pointers, sql.Null and slices a column type may
// stack, and with it types that are made of themselves.
const maxDepth = 4

var codecs sync.Map // reflect.Type → *codec or error

// codecOf returns the codec of t, or an error that says why t is no column.
func codecOf(t reflect.Type) (*codec, error) {
	if c, ok := codecs.Load(t); ok {
		if err, bad := c.(error); bad {
			return nil, err
		}
		return c.(*codec), nil
	}
	c, err := newCodec(t, maxDepth)
	if err != nil {
		codecs.Store(t, err)
		return nil, err
	}
	actual, _ := codecs.LoadOrStore(t, c)
	return actual.(*codec), nil
}

func newCodec(t reflect.Type, depth int) (*codec, error) {
	if depth == 0 {
		return nil, fmt.Errorf("%w: no column can be a %s, it is nested too deeply", ErrType, t)
	}
	if t.Kind() == reflect.Pointer {
		elem, err := newCodec(t.Elem(), depth-1)
		if err == nil && elem.kind == Encrypted {
			err = fmt.Errorf("%w: an encrypted value holds NULL by itself, it is no pointer", ErrType)
		}
		if err != nil {
			return nil, err
		}
		return pointerCodec(t, elem), nil
	}
	if c := nullCodec(t, depth); c != nil {
		return c, nil
	}
	if c := sealedCodec(t); c != nil {
		return c, nil
	}
	if reflect.PointerTo(t).Implements(scannerType) {
		set := scannerSetter(t)
		return &codec{typ: t, kind: Custom, set: set, setCell: viaValue(set), arg: customArger(t)}, nil
	}
	c, err := plainCodec(t, depth)
	if err != nil && isMarshaled(t) {
		return marshaledCodec(t), nil
	}
	if err != nil {
		return nil, err
	}
	c.typ = t
	c.setCell = cellSetterOf(t.Kind(), c)
	if reflect.PointerTo(t).Implements(valuerType) {
		c.arg, c.valued = customArger(t), true
	} else {
		c.box = boxingOf(c.kind, t.Kind())
	}
	return c, nil
}

// plainCodec is the codec of a type by what it is made of.
func plainCodec(t reflect.Type, depth int) (*codec, error) {
	switch t.Kind() {
	case reflect.Bool:
		return &codec{kind: Bool, set: setBool, arg: argBool}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		set, arg := intAccess(t.Kind())
		return &codec{kind: Int, set: set, arg: arg}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		set, arg := uintAccess(t.Kind())
		return &codec{kind: Uint, set: set, arg: arg}, nil
	case reflect.Float64:
		return &codec{kind: Float, set: setFloat64, arg: argFloat64}, nil
	case reflect.Float32:
		return &codec{kind: Float, set: setFloat32, arg: argFloat32}, nil
	case reflect.String:
		return &codec{kind: String, set: setString, arg: argString}, nil
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return &codec{kind: Any, set: setAny, arg: argAny}, nil
		}
	case reflect.Struct:
		if isTimeLike(t) {
			return &codec{kind: Time, set: setTime, arg: argTime}, nil
		}
	case reflect.Array:
		if t.Len() == 16 && t.Elem().Kind() == reflect.Uint8 {
			return &codec{kind: UUID, set: setUUID, arg: argUUID}, nil
		}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			if t == rawJSONType {
				return &codec{kind: Bytes, set: setRawJSON, arg: argRawJSON}, nil
			}
			return &codec{kind: Bytes, set: setBytes, arg: argBytes}, nil
		}
		return arrayCodec(t, depth)
	}
	return nil, fmt.Errorf("%w: no column can be a %s", ErrType, t)
}

// isTimeLike says whether a value of t lies in memory as a time.Time does:
// a type made of time.Time, or a struct whose only field is one, embedded.
func isTimeLike(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	return t.ConvertibleTo(timeType) ||
		t.NumField() == 1 && t.Field(0).Anonymous && t.Field(0).Type == timeType
}

// pointerCodec is the codec of *T: NULL is nil.
func pointerCodec(t reflect.Type, elem *codec) *codec {
	sliceOf := reflect.SliceOf(elem.typ)
	newElem := func(c *origin) unsafe.Pointer { return c.newValue(elem.typ, sliceOf) }
	if elem.slabbed {
		// One origin has one slab, and the inner pointer uses it.
		newElem = func(*origin) unsafe.Pointer { return reflect.New(elem.typ).UnsafePointer() }
	}
	set := func(p unsafe.Pointer, v driver.Value, c *origin) error {
		if v == nil {
			*(*unsafe.Pointer)(p) = nil
			return nil
		}
		e := newElem(c)
		if err := elem.set(e, v, c); err != nil {
			return err
		}
		*(*unsafe.Pointer)(p) = e
		return nil
	}
	setCell := func(p unsafe.Pointer, x *cell.Cell, c *origin) error {
		if x.Kind == cell.Null {
			*(*unsafe.Pointer)(p) = nil
			return nil
		}
		e := newElem(c)
		if err := elem.setCell(e, x, c); err != nil {
			return err
		}
		*(*unsafe.Pointer)(p) = e
		return nil
	}
	arg := func(p unsafe.Pointer, d *dialect.Dialect) (any, error) {
		e := *(*unsafe.Pointer)(p)
		if e == nil {
			return nil, nil
		}
		return elem.arg(e, d)
	}
	return &codec{
		typ: t, kind: elem.kind, set: set, setCell: setCell, arg: arg, box: elem.box.around(pointed, 0),
		elem: elem.elem, slabbed: true, valued: elem.valued,
	}
}

// nullCodec is the codec of sql.Null[T] and of sql.NullString and its
// siblings, or nil if t is none of them or of a T that only Scan can fill.
// They are filled here and not by their Scan methods, which convert with
// losses.
func nullCodec(t reflect.Type, depth int) *codec {
	if t.PkgPath() != "database/sql" || t.Kind() != reflect.Struct || t.NumField() != 2 {
		return nil
	}
	value, valid := t.Field(0), t.Field(1)
	if valid.Name != "Valid" || valid.Type.Kind() != reflect.Bool {
		return nil
	}
	elem, err := newCodec(value.Type, depth-1)
	if err != nil || elem.kind == Encrypted {
		return nil
	}
	set := func(p unsafe.Pointer, v driver.Value, c *origin) error {
		ok := (*bool)(unsafe.Add(p, valid.Offset))
		if v == nil {
			reflect.NewAt(t, p).Elem().SetZero()
			return nil
		}
		*ok = false
		if err := elem.set(p, v, c); err != nil {
			return err
		}
		*ok = true
		return nil
	}
	arg := func(p unsafe.Pointer, d *dialect.Dialect) (any, error) {
		if !*(*bool)(unsafe.Add(p, valid.Offset)) {
			return nil, nil
		}
		return elem.arg(p, d)
	}
	setCell := func(p unsafe.Pointer, x *cell.Cell, c *origin) error {
		if x.Kind == cell.Null {
			return set(p, nil, c)
		}
		ok := (*bool)(unsafe.Add(p, valid.Offset))
		*ok = false
		if err := elem.setCell(p, x, c); err != nil {
			return err
		}
		*ok = true
		return nil
	}
	return &codec{
		typ: t, kind: elem.kind, set: set, setCell: setCell, arg: arg, box: elem.box.around(nulled, valid.Offset),
		elem: elem.elem, slabbed: elem.slabbed, valued: elem.valued,
	}
}

// scannerSetter hands the value to Scan as database/sql would, but with bytes
// that Scan may keep. A panic in Scan is an error.
func scannerSetter(t reflect.Type) setter {
	return func(p unsafe.Pointer, v driver.Value, c *origin) (err error) {
		if x, ok := v.([]byte); ok {
			v = cloneBytes(x)
		}
		defer func() {
			if r := recover(); r != nil {
				err = panicked("Scan of "+t.String(), r)
			}
		}()
		scanner, ok := reflect.NewAt(t, p).Interface().(sql.Scanner)
		if !ok {
			return errors.New("no Scanner")
		}
		if err := scanner.Scan(v); err != nil {
			return err
		}
		if c != nil && c.of.strict {
			return c.backScanned(scanner, v, t)
		}
		return nil
	}
}

// customArger asks the value itself, if it is a driver.Valuer.
func customArger(t reflect.Type) arger {
	if !reflect.PointerTo(t).Implements(valuerType) {
		return func(unsafe.Pointer, *dialect.Dialect) (any, error) {
			return nil, fmt.Errorf("%w: %s can be read but not written, it has no Value method", ErrType, t)
		}
	}
	return func(p unsafe.Pointer, d *dialect.Dialect) (any, error) {
		return valueOf(reflect.NewAt(t, p).Interface().(driver.Valuer), d)
	}
}
