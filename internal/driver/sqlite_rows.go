//go:build !dbfleet_no_sqlite

package driver

import (
	sqldriver "database/sql/driver"
	"reflect"
	"strings"
	"time"
	"unsafe"
)

// sqliteRows read the times of a SQLite query. SQLite has no type for them:
// what a column declared DATE, DATETIME or TIMESTAMP holds as text becomes a
// time if it is one, and stays a text otherwise.
//
// The driver does the same, at many times the cost, and does not know
// DATETIME(6). So it is told that those columns are of no declared type.
type sqliteRows struct {
	*plainRows
	types []string
	times bool
}

func newSQLiteRows(r *plainRows) *sqliteRows {
	s := &sqliteRows{plainRows: r, types: make([]string, len(r.Columns()))}
	for i := range s.types {
		s.types[i] = r.TypeName(i)
		s.times = s.times || isTimeType(s.types[i])
	}
	if s.times {
		hideTimeTypes(r.Rows)
	}
	return s
}

func isTimeType(name string) bool {
	return name == "DATETIME" || name == "TIMESTAMP" || name == "DATE"
}

// emptyBlob is a blob without bytes, which is not NULL.
var emptyBlob sqldriver.Value = []byte{}

func (s *sqliteRows) TypeName(i int) string { return s.types[i] }

func (s *sqliteRows) Next(dest []sqldriver.Value) error {
	if err := s.plainRows.Next(dest); err != nil {
		return err
	}
	for i, v := range dest {
		switch v := v.(type) {
		case []byte:
			if v == nil { // the driver's x''
				dest[i] = emptyBlob
			}
		case string:
			if s.times && isTimeType(s.types[i]) {
				if t, ok := parseSQLiteTime(v); ok {
					dest[i] = t
				}
			}
		}
	}
	return nil
}

// hideTimeTypes empties the driver's own list of declared types where they make
// it parse times. If the driver's rows do not have the field that they have in
// the version this was written for, it does nothing, and the driver parses.
func hideTimeTypes(rows sqldriver.Rows) {
	v := reflect.ValueOf(rows)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return
	}
	f, ok := v.Elem().Type().FieldByName("decltypes")
	if !ok || f.Type != reflect.TypeFor[[]string]() {
		return
	}
	types := *(*[]string)(unsafe.Add(v.UnsafePointer(), f.Offset))
	for i := range types {
		if isTimeType(types[i]) {
			types[i] = ""
		}
	}
}

// sqliteLayouts are the texts, besides the usual one, that are taken for times:
// what SQLite's own functions and the usual drivers write.
var sqliteLayouts = []string{
	"2006-01-02 15:04:05.999999999-07:00",
	"2006-01-02T15:04:05.999999999-07:00",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04",
	"2006-01-02T15:04",
	"2006-01-02 15:04Z07:00",
	"2006-01-02T15:04Z07:00",
	"2006-01-02 15:04:05.999999999 -0700 MST",
}

// parseSQLiteTime reads a time; one without a zone is UTC.
func parseSQLiteTime(s string) (time.Time, bool) {
	if t, ok := parsePlainTime(s); ok {
		return t, true
	}
	if len(s) < 10 || s[4] != '-' {
		return time.Time{}, false
	}
	s, _, _ = strings.Cut(s, " m=") // of time.Time.String
	for _, layout := range sqliteLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// parsePlainTime reads "2006-01-02" and "2006-01-02 15:04:05.999999999".
func parsePlainTime(s string) (time.Time, bool) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return time.Time{}, false
	}
	year, ok1 := digits(s[0:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:10])
	if !ok1 || !ok2 || !ok3 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return time.Time{}, false
	}
	var hour, minute, sec, nano int
	if len(s) > 10 {
		if len(s) < 19 || s[10] != ' ' || s[13] != ':' || s[16] != ':' {
			return time.Time{}, false
		}
		var ok4, ok5, ok6 bool
		hour, ok4 = digits(s[11:13])
		minute, ok5 = digits(s[14:16])
		sec, ok6 = digits(s[17:19])
		if !ok4 || !ok5 || !ok6 || hour > 23 || minute > 59 || sec > 59 {
			return time.Time{}, false
		}
		if rest := s[19:]; rest != "" {
			if rest[0] != '.' || len(rest) < 2 || len(rest) > 10 {
				return time.Time{}, false
			}
			n, ok := digits(rest[1:])
			if !ok {
				return time.Time{}, false
			}
			for i := len(rest); i < 10; i++ {
				n *= 10
			}
			nano = n
		}
	}
	return time.Date(year, time.Month(month), day, hour, minute, sec, nano, time.UTC), true
}

func digits(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}
