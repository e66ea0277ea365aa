package rowmap

import (
	"database/sql/driver"
	"fmt"
	"time"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// errZeroDate is for MySQL's 0000-00-00, of which its driver makes the zero time.
var errZeroDate = fmt.Errorf("%w: the date 0000-00-00 does not exist", ErrRange)

// setTime stores an instant in UTC.
func setTime(p unsafe.Pointer, v driver.Value, c *origin) error {
	t, err := toTime(v, c)
	if err != nil {
		return err
	}
	*(*time.Time)(p) = t
	return nil
}

// toTime takes a time, or a text with a date.
func toTime(v driver.Value, c *origin) (time.Time, error) {
	switch v := v.(type) {
	case time.Time:
		if v.IsZero() && c.dialect() == dialect.MySQL {
			return time.Time{}, errZeroDate
		}
		if s := v.Unix(); s < firstSecond || s > lastSecond {
			return time.Time{}, checkYear(v)
		}
		return v.UTC(), nil
	case string:
		return parseTime(v)
	case []byte:
		return parseTime(stringOf(v))
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
	t = t.Truncate(time.Microsecond)
	switch d {
	case dialect.MySQL:
		return t.UTC(), nil
	case dialect.SQLite:
		return sqliteTime(t), nil
	}
	return t, nil
}

// The seconds of the years 1 to 9999, as time.Time.Unix counts them.
var (
	firstSecond = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	lastSecond  = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).Unix() - 1
)

func checkYear(t time.Time) error {
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return fmt.Errorf("%w: the year of a time must be in 1..9999", ErrRange)
	}
	return nil
}

// sqliteTime writes a time of the years 1 to 9999 as 2006-01-02 15:04:05.999999
// in UTC, without the zeros at the end of the fraction, so that the order of
// the texts is that of the instants.
func sqliteTime(t time.Time) string {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	text := [26]byte{4: '-', 7: '-', 10: ' ', 13: ':', 16: ':', 19: '.'}
	putDigits(text[0:4], year)
	putDigits(text[5:7], int(month))
	putDigits(text[8:10], day)
	putDigits(text[11:13], hour)
	putDigits(text[14:16], minute)
	putDigits(text[17:19], second)
	putDigits(text[20:26], t.Nanosecond()/1000)
	end := len(text)
	for text[end-1] == '0' && end > 20 {
		end--
	}
	if end == 20 {
		end-- // nothing is left of the fraction
	}
	return string(text[:end])
}

// putDigits fills b with the last digits of n.
func putDigits(b []byte, n int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}
