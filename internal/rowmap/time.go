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
	switch d {
	case dialect.MySQL:
		return cutToMicro(t).UTC(), nil
	case dialect.SQLite:
		return sqliteTime(t), nil
	}
	return cutToMicro(t), nil
}

// cutToMicro is t.Truncate(time.Microsecond).
func cutToMicro(t time.Time) time.Time {
	if rest := t.Nanosecond() % 1000; rest != 0 {
		t = t.Add(-time.Duration(rest))
	}
	return t.Round(0) // without the monotonic clock
}

// The seconds of the years 1 to 9999, as time.Time.Unix counts them.
var (
	firstSecond = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	lastSecond  = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).Unix() - 1
)

func checkYear(t time.Time) error {
	if s := t.Unix(); s < firstSecond || s > lastSecond {
		return fmt.Errorf("%w: the year of a time must be in 1..9999", ErrRange)
	}
	return nil
}

// maxTimeText is the length of the longest text that sqliteTime writes.
const maxTimeText = len("2006-01-02 15:04:05.999999")

// sqliteTime writes a time of the years 1 to 9999 as 2006-01-02 15:04:05.999999
// in UTC, cut to microseconds and without the zeros at the end of the fraction,
// so that the order of the texts is that of the instants.
func sqliteTime(t time.Time) string {
	var text [maxTimeText]byte
	return string(appendSQLiteTime(text[:0], t))
}

// appendSQLiteTime appends what sqliteTime writes.
func appendSQLiteTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	text := [maxTimeText]byte{4: '-', 7: '-', 10: ' ', 13: ':', 16: ':', 19: '.'}
	putPair(text[0:], year/100)
	putPair(text[2:], year%100)
	putPair(text[5:], int(month))
	putPair(text[8:], day)
	putPair(text[11:], hour)
	putPair(text[14:], minute)
	putPair(text[17:], second)
	micros := t.Nanosecond() / 1000
	if micros == 0 {
		return append(b, text[:19]...)
	}
	putPair(text[20:], micros/10000)
	putPair(text[22:], micros/100%100)
	putPair(text[24:], micros%100)
	end := len(text)
	for text[end-1] == '0' {
		end--
	}
	return append(b, text[:end]...)
}

// putPair writes a number below 100 as two digits.
func putPair(b []byte, n int) {
	_ = b[1]
	b[0], b[1] = byte('0'+n/10), byte('0'+n%10)
}
