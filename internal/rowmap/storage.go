package rowmap

import (
	"reflect"
	"strings"
)

// Storage is what a column must keep for a field.
type Storage struct {
	Kind Kind
	Bits int  // of Int, Uint and Float
	Null bool // the field takes NULL
	// Text says that a Custom type is a text, Date, JSON and BinaryUUID that it is
	// dbfleet.Date, dbfleet.JSON or json.RawMessage, or dbfleet.BinaryUUID.
	Text, Date, JSON, BinaryUUID bool
	Elem                         *Storage // of Array
}

// Storage tells what column i must keep.
func (p *Plan) Storage(i int) Storage { return storageOf(p.fields[i].codec) }

func storageOf(c *codec) Storage {
	t := bare(c.typ)
	s := Storage{Kind: c.kind, Null: t != c.typ || c.kind == Any || c.kind == Array || c.kind == Bytes || c.kind == Encrypted || c.kind == BlindIndex}
	switch t.Kind() {
	case reflect.Int, reflect.Uint:
		s.Bits = 64
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		s.Bits = t.Bits()
	}
	switch {
	case c.kind == Bytes && t == rawJSONType:
		s.JSON = true
	case c.kind == Custom && isOwn(t, "Date"):
		s.Date, s.Null = true, true
	case c.kind == Custom && isOwn(t, "JSON["):
		s.JSON, s.Null = true, true
	case c.kind == Custom && isOwn(t, "BinaryUUID"):
		s.BinaryUUID = true
	case c.kind == Custom:
		s.Text = isMarshaled(t) && !reflect.PointerTo(t).Implements(scannerType)
	}
	if c.elem != nil {
		elem := storageOf(c.elem)
		s.Elem = &elem
	}
	return s
}

// isOwn says whether a type is of the package at the top of this module, and of that name.
func isOwn(t reflect.Type, name string) bool {
	top := strings.TrimSuffix(reflect.TypeFor[Plan]().PkgPath(), "/internal/rowmap")
	return t.PkgPath() == top && (t.Name() == name || strings.HasSuffix(name, "[") && strings.HasPrefix(t.Name(), name))
}
