package rowmap

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/dbfleet/dbfleet/internal/value"
)

// The kinds of failure; test for them with errors.Is.
var (
	// ErrNull says that a NULL met a Go type that cannot hold it.
	ErrNull = errors.New("dbfleet: NULL for a type that cannot hold it")
	// ErrRange is value.ErrRange.
	ErrRange = value.ErrRange
	// ErrType says that a value of one type cannot become another, or that no
	// database takes a value of the type.
	ErrType = errors.New("dbfleet: unsupported type")
	// ErrColumn says that a result's columns do not fit what reads them: two of
	// one name, or one too many.
	ErrColumn = errors.New("result does not fit")
)

// ColumnError is a failure at one column of a result or one field of a struct.
// Its text holds no value of the database.
type ColumnError struct {
	// Model is the struct type, for example "shop.User"; empty outside structs.
	Model string
	// Table is the table, as far as it is known.
	Table string
	// Column is the column's name in the database.
	Column string
	// Field is the Go field, for example "Address.City"; empty outside structs.
	Field string
	Err   error
}

func (e *ColumnError) Error() string {
	why := strings.ReplaceAll(fmt.Sprint(e.Err), "dbfleet: ", "")
	switch {
	case e.Model == "" && e.Table != "":
		return fmt.Sprintf("dbfleet: table %q, column %q: %s", e.Table, e.Column, why)
	case e.Model == "":
		return fmt.Sprintf("dbfleet: column %q: %s", e.Column, why)
	case e.Field == "":
		return fmt.Sprintf("dbfleet: %s: column %q: %s", e.Model, e.Column, why)
	}
	return fmt.Sprintf("dbfleet: %s.%s (column %q): %s", e.Model, e.Field, e.Column, why)
}

func (e *ColumnError) Unwrap() error { return e.Err }

// mismatch is the error for a driver's value that cannot become a T.
func mismatch[T any](v driver.Value) error {
	return typeMismatch(v, reflect.TypeFor[T]())
}

func typeMismatch(v driver.Value, t reflect.Type) error {
	switch v.(type) {
	case nil:
		return fmt.Errorf("%w: %s", ErrNull, t)
	case string, []byte:
		return fmt.Errorf("%w: this text is no %s", ErrType, t)
	}
	return fmt.Errorf("%w: %T into %s", ErrType, v, t)
}

// noText is the error for a BLOB of SQLite that would have to be a text.
func noText[T any]() error {
	return fmt.Errorf("%w: a BLOB into %s; SQLite holds no text and no number for equal to it, use []byte", ErrType, reflect.TypeFor[T]())
}

// noBytes is the error for what is no BLOB of SQLite and would have to be bytes.
func noBytes() error {
	return fmt.Errorf("%w: what is no BLOB into bytes, which SQLite holds for equal to BLOBs only; use string", ErrType)
}

// outOfRange is the error for a driver's value that a T cannot hold exactly.
func outOfRange[T any](v driver.Value) error {
	return fmt.Errorf("%w: a %T that %s cannot hold exactly", ErrRange, v, reflect.TypeFor[T]())
}

// panicked turns what a recovered user method panicked with into an error.
func panicked(method string, reason any) error {
	if err, ok := reason.(error); ok {
		return fmt.Errorf("%s panicked: %w", method, err)
	}
	return fmt.Errorf("%s panicked: %v", method, reason)
}
