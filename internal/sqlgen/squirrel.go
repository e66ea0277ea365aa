package sqlgen

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"

	"github.com/Masterminds/squirrel"
	"github.com/lann/builder"
)

// plainSqlizer makes a squirrel statement use ? for its placeholders and
// refuses squirrel's known traps, however deep inside they are.
func plainSqlizer(s squirrel.Sqlizer) (squirrel.Sqlizer, error) {
	s, err := pointee(s)
	if err != nil {
		return nil, err
	}
	switch b := s.(type) {
	case squirrel.SelectBuilder:
		s = b.PlaceholderFormat(squirrel.Question)
	case squirrel.InsertBuilder:
		if err := sameLengths(b); err != nil {
			return nil, err
		}
		s = b.PlaceholderFormat(squirrel.Question)
	case squirrel.UpdateBuilder:
		s = b.PlaceholderFormat(squirrel.Question)
	case squirrel.DeleteBuilder:
		s = b.PlaceholderFormat(squirrel.Question)
	}
	w := traps{seen: map[uintptr]bool{}}
	w.look(reflect.ValueOf(s))
	return s, w.err
}

// pointee returns what a Sqlizer that is a pointer to one of squirrel's values
// points to.
func pointee(s squirrel.Sqlizer) (squirrel.Sqlizer, error) {
	v := reflect.ValueOf(s)
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil, fmt.Errorf("squirrel: a nil %T", s)
		}
		v = v.Elem()
	}
	if !v.IsValid() {
		return nil, errors.New("squirrel: a nil Sqlizer")
	}
	if inner, ok := v.Interface().(squirrel.Sqlizer); ok {
		return inner, nil
	}
	return s, nil
}

// Verb tells what a whole statement of squirrel does: whether it writes, and
// whether it writes to all rows for want of a condition. Of other Sqlizers
// nothing is known.
func Verb(s squirrel.Sqlizer) (writes, unconditional bool) {
	s, err := pointee(s)
	if err != nil {
		return false, false
	}
	switch b := s.(type) {
	case squirrel.InsertBuilder:
		return true, false
	case squirrel.UpdateBuilder, squirrel.DeleteBuilder:
		parts, _ := builder.Get(b, "WhereParts")
		list, _ := parts.([]squirrel.Sqlizer)
		return true, len(list) == 0
	}
	return false, false
}

func sameLengths(b squirrel.InsertBuilder) error {
	cols, _ := builder.Get(b, "Columns")
	rows, _ := builder.Get(b, "Values")
	names, _ := cols.([]string)
	values, _ := rows.([][]any)
	for _, name := range names {
		if err := checkColumn(name); err != nil {
			return err
		}
	}
	for i, row := range values {
		want := len(names)
		if want == 0 {
			want = len(values[0])
		}
		if len(row) != want {
			return fmt.Errorf("squirrel: row %d of the insert has %d values, not %d", i, len(row), want)
		}
	}
	return nil
}

// traps looks for conditions that would not mean what they seem to: an empty
// one, which means "every row", and a key that is SQL instead of a column. The
// conditions of a statement are in fields that squirrel does not export.
type traps struct {
	seen  map[uintptr]bool
	depth int
	err   error
}

var (
	squirrelPackage = reflect.TypeFor[squirrel.Eq]().PkgPath()
	anyMap          = reflect.TypeFor[map[string]any]()
	andType         = reflect.TypeFor[squirrel.And]()
	orType          = reflect.TypeFor[squirrel.Or]()
)

var sqlizerType = reflect.TypeFor[squirrel.Sqlizer]()

var errNilPart = errors.New("squirrel: one of the parts is nil")

var errEmptyCondition = errors.New("squirrel: an empty condition would match every row, or none")

func (w *traps) look(v reflect.Value) {
	if w.err != nil || w.depth > 1000 {
		return
	}
	w.depth++
	defer func() { w.depth-- }()
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() && v.Type() == sqlizerType {
			w.err = errNilPart
		}
		w.look(v.Elem())
	case reflect.Pointer:
		if !v.IsNil() && !w.seen[v.Pointer()] {
			w.seen[v.Pointer()] = true
			w.look(v.Elem())
		}
	case reflect.Map:
		if v.Type().PkgPath() == squirrelPackage && v.Type().Key().Kind() == reflect.String {
			w.keys(v)
		}
	case reflect.Slice, reflect.Array:
		if t := v.Type(); (t == andType || t == orType) && v.Len() == 0 {
			w.err = errEmptyCondition
		}
		switch v.Type().Elem().Kind() {
		case reflect.Interface, reflect.Struct, reflect.Pointer:
			for i := range v.Len() {
				w.look(v.Index(i))
			}
		}
	case reflect.Struct:
		w.fields(v)
	}
}

// fields looks into the structs of squirrel, and into those that its builders
// are made of.
func (w *traps) fields(v reflect.Value) {
	switch v.Type().PkgPath() {
	case squirrelPackage, "github.com/lann/builder", "github.com/lann/ps":
	default:
		return
	}
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case v.Type().Name() == "setClause" && f.Kind() == reflect.String:
			w.err = errors.Join(w.err, checkColumn(f.String()))
		case f.Kind() == reflect.Interface && !f.IsNil() && f.Elem().Type() == anyMap && v.Type().Field(i).Name == "pred":
			w.keys(f.Elem()) // Where(map[string]any{…}) is an Eq
		default:
			w.look(f)
		}
	}
}

func (w *traps) keys(m reflect.Value) {
	if m.Len() == 0 {
		w.err = errEmptyCondition
	}
	for _, key := range m.MapKeys() {
		w.err = errors.Join(w.err, checkColumn(key.String()))
		w.look(m.MapIndex(key))
	}
}

var plainColumn = func() *regexp.Regexp {
	const part = `([\p{L}_][\p{L}\p{N}_$]*|"[^"\x00]+"|` + "`[^`\\x00]+`)"
	return regexp.MustCompile(`^` + part + `(\.` + part + `){0,3}$`)
}()

func checkColumn(name string) error {
	if !plainColumn.MatchString(name) {
		return fmt.Errorf("squirrel: %q is not a column's name; use squirrel.Expr for SQL", name)
	}
	return nil
}
