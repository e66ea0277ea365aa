package dbfleet

import (
	"bytes"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// Date is a civil date without a time or a zone: the same day wherever it is
// read. Use it for DATE columns; a time.Time is an instant, whose day depends
// on the zone: written to a DATE column, PostgreSQL takes the day in the time's
// own zone, MySQL and SQLite the one in UTC. A time.Time that a condition or an
// update gives for a Date field is its day in its own zone, on all of them.
// The zero Date is written as NULL.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf returns the day of t in t's own location.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{Year: y, Month: m, Day: d}
}

// Time returns the first instant of the day in a location.
func (d Date) Time(loc *time.Location) time.Time {
	mustHave("Date.Time", "location", loc != nil)
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, loc)
}

// IsZero says whether d is no date.
func (d Date) IsZero() bool { return d == Date{} }

// String is the date as 2006-01-02.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// Value implements driver.Valuer. A day that does not exist is ErrRange.
func (d Date) Value() (driver.Value, error) {
	if d.IsZero() {
		return nil, nil
	}
	if DateOf(d.Time(time.UTC)) != d || d.Year < 1 || d.Year > 9999 {
		return nil, errorf("date %s: %w", d, ErrRange)
	}
	return d.String(), nil
}

// Scan implements sql.Scanner. NULL is the zero Date; a time is its day in its
// own location, and text may have a time of day after the date. On an error d
// is unchanged.
func (d *Date) Scan(src any) error {
	if d == nil {
		return errorf("Date.Scan: the Date is nil")
	}
	var text string
	switch v := src.(type) {
	case nil:
		*d = Date{}
		return nil
	case time.Time:
		*d = DateOf(v)
		return nil
	case string:
		text = v
	case []byte:
		text = string(v)
	default:
		return errorf("a date from a %T: %w", src, ErrType)
	}
	var t time.Time
	if err := rowmap.Convert(&t, text); err != nil {
		return errorf("not a date: %w", err)
	}
	// The day as it is written, whatever zone follows it.
	t, err := time.Parse(time.DateOnly, text[:len(time.DateOnly)])
	if err != nil {
		return errorf("not a date: %w", ErrRange)
	}
	*d = DateOf(t)
	return nil
}

// MarshalText implements encoding.TextMarshaler; the zero Date is empty. A day
// that does not exist is ErrRange.
func (d Date) MarshalText() ([]byte, error) {
	v, err := d.Value()
	if v == nil || err != nil {
		return nil, err
	}
	return []byte(d.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Date) UnmarshalText(text []byte) error {
	if d == nil {
		return errorf("Date.UnmarshalText: the Date is nil")
	}
	if len(text) == 0 {
		*d = Date{}
		return nil
	}
	return d.Scan(string(text))
}

// JSON is a column that holds a V as JSON: json or jsonb on PostgreSQL, JSON
// on MySQL, TEXT on SQLite. SQL's NULL and JSON's null are told apart: NULL is
// read as Valid false; a V that is nil is written as JSON null when Valid.
// Numbers inside an any are json.Number: no digit is lost.
//
// A whole document is equal to another by what it says in jsonb only. MySQL's JSON and
// PostgreSQL's text are compared by their text, which Go writes in a layout of its own: what
// others have stored is found by JSONPath, or as a json.RawMessage, which keeps the text.
// Members of a document that V has no field for are gone when the record is saved; a V that
// is a map keeps them.
//
// Conditions, orders and select lists look into a document by JSONPath, JSONType,
// JSONExists and JSONContains.
type JSON[V any] struct {
	V     V
	Valid bool // V holds a document, JSON null included
}

// JSONOf returns a valid JSON column.
func JSONOf[V any](v V) JSON[V] { return JSON[V]{V: v, Valid: true} }

// Value implements driver.Valuer.
func (j JSON[V]) Value() (driver.Value, error) {
	if !j.Valid {
		return nil, nil
	}
	b, err := json.Marshal(j.V)
	return string(b), err
}

// Scan implements sql.Scanner. Text that is no JSON, the empty one too, is an
// error.
func (j *JSON[V]) Scan(src any) error {
	if j == nil {
		return errorf("JSON.Scan: the JSON is nil")
	}
	var text []byte
	switch v := src.(type) {
	case nil:
		*j = JSON[V]{}
		return nil
	case string:
		text = []byte(v)
	case []byte:
		text = v
	default:
		return errorf("JSON from a %T: %w", src, ErrType)
	}
	fresh := JSON[V]{Valid: true}
	if err := unmarshalExact(text, &fresh.V); err != nil {
		return err
	}
	*j = fresh
	return nil
}

// MarshalJSON writes the document itself; NULL is null.
func (j JSON[V]) MarshalJSON() ([]byte, error) {
	if !j.Valid {
		return []byte("null"), nil
	}
	return json.Marshal(j.V)
}

// UnmarshalJSON reads the document itself.
func (j *JSON[V]) UnmarshalJSON(text []byte) error {
	if j == nil {
		return errorf("JSON.UnmarshalJSON: the JSON is nil")
	}
	fresh := JSON[V]{Valid: true}
	if err := unmarshalExact(text, &fresh.V); err != nil {
		return err
	}
	*j = fresh
	return nil
}

func unmarshalExact(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return errorf("not a JSON document: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errorf("more than one JSON document: %w", ErrType)
	}
	return nil
}
