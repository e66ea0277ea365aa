package rowmap

import (
	"encoding/hex"
	"reflect"
	"time"

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
		return otherTime(v, arg, d)
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
		return otherTime(v, arg, d)
	case Custom, Any:
		switch {
		case isUUID(c.typ):
			return otherUUID(arg, d)
		case isOwn(bare(c.typ), "Date"):
			return otherTime(nil, arg, d)
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
	var elements []any
	if c.kind == Time && d == dialect.SQLite {
		elements = withNanos(list, d)
	}
	for k, a := range args {
		var v any
		if len(elements) == len(args) {
			v = elements[k]
		}
		if other := p.Other(i, v, a, d); other != nil {
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

// otherTime are the forms of the time v, whose text arg is.
func otherTime(v, arg any, d *dialect.Dialect) any {
	text, ok := arg.(string)
	if !ok || d != dialect.SQLite {
		return nil
	}
	forms, ok := value.TimeFormsOf(text)
	if !ok {
		return nil
	}
	if n := Nanos(v); n != 0 {
		forms = forms.WithNanos(n)
	}
	return forms
}

// Nanos are the nanoseconds of a time behind its microsecond, by which others than this
// library may have stored it; 0 for what is no time.
func Nanos(v any) int {
	switch x := v.(type) {
	case nil:
		return 0
	case time.Time:
		return x.Nanosecond() % 1000
	case string:
		if len(x) > value.MaxTimeText { // which nobody writes of fewer digits
			t, _ := value.ParseTime(x)
			return t.Nanosecond() % 1000
		}
		return 0
	}
	rv := reflect.ValueOf(v)
	for range maxDepth {
		switch t := rv.Type(); {
		case t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface:
			if rv.IsNil() {
				return 0
			}
			rv = rv.Elem()
		case !isTimeLike(t):
			if bare(t) == t {
				return 0
			}
			rv = rv.Field(0) // of a sql.Null
		case t.ConvertibleTo(timeType):
			return rv.Convert(timeType).Interface().(time.Time).Nanosecond() % 1000
		default:
			return rv.Field(0).Interface().(time.Time).Nanosecond() % 1000
		}
	}
	return 0
}

// withNanos are the elements of a list that are not NULL, if times of nanoseconds are
// among them, else nil.
func withNanos(list any, d *dialect.Dialect) []any {
	elements, err := listOf(list)
	if err != nil {
		return nil
	}
	found := false
	for k := range elements.Len() {
		found = found || Nanos(elements.Index(k).Interface()) != 0
	}
	if !found {
		return nil
	}
	all := make([]any, 0, elements.Len())
	for k := range elements.Len() {
		v := elements.Index(k).Interface()
		if a, err := Arg(v, d); err == nil && a != nil {
			all = append(all, v)
		}
	}
	return all
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
