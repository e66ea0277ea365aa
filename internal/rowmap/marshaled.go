package rowmap

import (
	"database/sql/driver"
	"encoding"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

var (
	textMarshalerType   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// isMarshaled says whether a column of text can hold a t although it is neither made of a
// column's type nor a Scanner, as a netip.Addr: it has MarshalText and UnmarshalText. The
// numbers of math/big are left out: as texts they compare wrongly with numbers.
func isMarshaled(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t.Kind() != reflect.Interface && t.PkgPath() != "math/big" && p.Implements(textMarshalerType) && p.Implements(textUnmarshalerType)
}

func marshaledCodec(t reflect.Type) *codec {
	set := marshaledSetter(t)
	return &codec{typ: t, kind: Custom, set: set, setCell: viaValue(set), arg: marshaledArger(t)}
}

// marshaledSetter gives UnmarshalText a text that it may keep. NULL is an error, as for a
// string. A panic in it is one, too.
func marshaledSetter(t reflect.Type) setter {
	return func(p unsafe.Pointer, v driver.Value, c *origin) (err error) {
		if v == nil {
			return typeMismatch(nil, t)
		}
		var text string
		if err := setString(unsafe.Pointer(&text), v, c); err != nil {
			return err
		}
		defer func() {
			if r := recover(); r != nil {
				err = panicked("UnmarshalText of "+t.String(), r)
			}
		}()
		if reflect.NewAt(t, p).Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)) != nil {
			return typeMismatch(text, t) // its own error may tell the text
		}
		return nil
	}
}

func marshaledArger(t reflect.Type) arger {
	return func(p unsafe.Pointer, _ *dialect.Dialect) (any, error) {
		return marshaled(reflect.NewAt(t, p).Interface().(encoding.TextMarshaler))
	}
}

func marshaled(m encoding.TextMarshaler) (text any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked(fmt.Sprintf("MarshalText of %T", m), r)
		}
	}()
	b, err := m.MarshalText()
	if err != nil {
		return nil, err
	}
	return string(b), nil
}
