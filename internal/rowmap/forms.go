package rowmap

import (
	"encoding/hex"
	"reflect"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// Other is the argument of v in another form than arg, which [Arg] made of it, in
// which a column may hold it too; nil if there is none. A UUID, which is sent as
// text, may stand as 16 bytes: SQLite gets them, MySQL their hexadecimal digits. A time
// of SQLite may stand in several, which are a [value.TimeForms].
func Other(v, arg any, d *dialect.Dialect) any {
	switch v.(type) {
	case string, []byte, nil:
		return nil
	}
	switch t := bare(reflect.TypeOf(v)); {
	case t.Kind() == reflect.Interface: // a pointer to an any
		if rv := reflect.Indirect(reflect.ValueOf(v)); rv.Kind() == reflect.Interface && !rv.IsNil() {
			return Other(rv.Elem().Interface(), arg, d)
		}
	case isTimeLike(t), isOwn(t, "Date"):
		return otherTime(arg, d)
	case isUUID(t):
		return otherUUID(arg, d)
	}
	return nil
}

// Other is the function [Other] for a value that the column of field i is compared
// with.
func (p *Plan) Other(i int, v, arg any, d *dialect.Dialect) any {
	switch c := p.fields[i].codec; c.kind {
	case UUID:
		return otherUUID(arg, d)
	case Time:
		return otherTime(arg, d)
	case Custom, Any:
		switch {
		case isUUID(c.typ):
			return otherUUID(arg, d)
		case isOwn(bare(c.typ), "Date"):
			return otherTime(arg, d)
		}
		return Other(v, arg, d)
	}
	return nil
}

// Others are the other forms of a list's elements, each in the place of its
// argument; nil if there are none.
func Others(list any, args []any, d *dialect.Dialect) (others []any) {
	elements, err := listOf(list)
	if err != nil {
		return nil
	}
	switch t := bare(elements.Type().Elem()); {
	case t.Kind() != reflect.Interface && !isTimeLike(t) && !isUUID(t) && !isOwn(t, "Date"):
		return nil
	}
	at := 0
	for k := range elements.Len() {
		v := elements.Index(k).Interface()
		if a, err := Arg(v, d); err != nil || a == nil {
			continue
		}
		if at == len(args) {
			return others
		}
		if other := Other(v, args[at], d); other != nil {
			if others == nil {
				others = make([]any, len(args))
			}
			others[at] = other
		}
		at++
	}
	return others
}

// Others is the function [Others] for values that the column of field i is compared
// with.
func (p *Plan) Others(i int, list any, args []any, d *dialect.Dialect) (others []any) {
	c := p.fields[i].codec
	switch c.kind {
	case Custom, Any:
		if !isUUID(c.typ) && !isOwn(bare(c.typ), "Date") {
			return Others(list, args, d)
		}
	case UUID, Time:
	default:
		return nil
	}
	for k, a := range args {
		if other := p.Other(i, nil, a, d); other != nil {
			if others == nil {
				others = make([]any, len(args))
			}
			others[k] = other
		}
	}
	return others
}

// Twofold says whether the values of field i may stand in two forms on a database;
// see [Other].
func (p *Plan) Twofold(i int, d *dialect.Dialect) bool {
	c := p.fields[i].codec
	if isOwn(bare(c.typ), "BinaryUUID") { // which is compared in the one form that it writes
		return false
	}
	switch d {
	case dialect.MySQL:
		return c.kind == UUID || isUUID(c.typ)
	case dialect.SQLite:
		return c.kind == UUID || isUUID(c.typ) || c.kind == Time || isOwn(bare(c.typ), "Date") || isTimeLike(bare(c.typ))
	}
	return false
}

func otherUUID(arg any, d *dialect.Dialect) any {
	text, ok := arg.(string)
	if !ok || len(text) != 36 {
		return nil
	}
	u, ok := value.ParseUUID(text)
	switch {
	case !ok:
		return nil
	case d == dialect.MySQL:
		return hex.EncodeToString(u[:])
	case d == dialect.SQLite:
		return u[:]
	}
	return nil
}

func otherTime(arg any, d *dialect.Dialect) any {
	text, ok := arg.(string)
	if !ok || d != dialect.SQLite {
		return nil
	}
	if forms, ok := value.TimeFormsOf(text); ok {
		return forms
	}
	return nil
}

// bare is a type without pointers and sql.Null around it.
func bare(t reflect.Type) reflect.Type {
	for range maxDepth {
		switch {
		case t.Kind() == reflect.Pointer:
			t = t.Elem()
		case t.PkgPath() == "database/sql" && t.Kind() == reflect.Struct && t.NumField() == 2:
			t = t.Field(0).Type
		default:
			return t
		}
	}
	return t
}
