package rowmap

import (
	"database/sql/driver"
	"fmt"
	"time"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// setTime stores an instant in UTC.
func setTime(p unsafe.Pointer, v driver.Value, c *origin) error {
	t, err := toTime(v, c)
	if err != nil {
		return err
	}
	*(*time.Time)(p) = t
	return backTime(c, t)
}

// toTime takes a time, or a text with a date.
func toTime(v driver.Value, c *origin) (time.Time, error) {
	switch v := v.(type) {
	case time.Time:
		if err := checkYear(v); err != nil {
			return time.Time{}, err
		}
		return v.UTC(), nil
	case string:
		return readTime(v, c)
	case []byte:
		return readTime(stringOf(v), c)
	}
	return time.Time{}, mismatch[time.Time](v)
}

func argTime(p unsafe.Pointer, d *dialect.Dialect) (any, error) {
	return timeArg(*(*time.Time)(p), d)
}

// timeArg cuts a time to microseconds, the finest that all three databases
// keep. The zero time is NULL, so that a column that allows none refuses it
// instead of storing a date that MySQL would turn into 0000-00-00.
//
// MySQL gets the instant in UTC and SQLite a text in UTC; PostgreSQL gets the
// time with its location, since its column types differ in what they make of
// it.
func timeArg(t time.Time, d *dialect.Dialect) (any, error) {
	if t.IsZero() {
		return nil, nil
	}
	if err := checkYear(t); err != nil {
		return nil, err
	}
	switch d {
	case dialect.MySQL:
		return value.CutToMicro(t).UTC(), nil
	case dialect.SQLite:
		return value.FormatTime(t), nil
	}
	return value.CutToMicro(t), nil
}

func checkYear(t time.Time) error {
	if !value.InYears(t) {
		return fmt.Errorf("%w: the year of a time must be in 1..9999", ErrRange)
	}
	return nil
}

// parseTime reads a text with a time. Its error tells a date that does not exist,
// or that Go has no room for, from a text that is no date.
func parseTime(s string) (time.Time, error) {
	t, ok := value.ParseTime(s)
	switch {
	case ok:
		return t, nil
	case value.NamesDate(s):
		return time.Time{}, fmt.Errorf("%w: no such date or time", ErrRange)
	}
	return time.Time{}, mismatch[time.Time](s)
}
