package rowmap

import (
	"database/sql"
	"database/sql/driver"
	"reflect"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// backTime refuses the first instant of the year 1, which is Go's zero time: it would
// be written back, and looked for, as NULL.
func backTime(c *origin, t time.Time) error {
	if t.IsZero() && c.strict() {
		return c.noWayBack("the zero time, which is written as NULL,", timeType)
	}
	return nil
}

// readTime reads a text with a time. One of a column of texts, which MySQL and
// PostgreSQL compare by their letters, must be as a time is written there.
func readTime(s string, c *origin) (time.Time, error) {
	t, err := parseTime(s)
	if err != nil || !c.strict() || c.of.blobs || c.held() != ofTexts && c.held() != ofSomething {
		return t, err
	}
	written := t.Format(time.RFC3339Nano)
	if c.dialect() == dialect.MySQL {
		switch c.typeName() {
		case "DATE", "DATETIME", "TIMESTAMP":
			return t, nil
		}
		if written = string(value.AppendTime(nil, t)); t.Equal(t.Truncate(24 * time.Hour)) {
			written = written[:len(time.DateOnly)]
		}
	}
	if s != written {
		return t, c.noWayBack("a text", timeType)
	}
	return t, nil
}

// backScanned looks at what a Scanner has made of a value, for what it would write for
// it: a time of day that is gone, or a text for bytes, which no database holds for
// equal to them.
func (c *origin) backScanned(s sql.Scanner, v driver.Value, t reflect.Type) error {
	switch v := v.(type) {
	case time.Time:
		if v.Equal(v.Truncate(24 * time.Hour)) {
			return nil // which is all that a day can be of
		}
		return c.backMoment(s, v, t)
	case string:
		if err := c.backNull(s, v, t); err != nil {
			return err
		}
		if err := c.backScannedUUID(s, v, t); err != nil {
			return err
		}
		if len(v) <= len(time.DateOnly) || v[0] < '0' || v[0] > '9' || v[4] != '-' {
			return nil
		}
		if at, ok := value.ParseTime(v); ok && !at.Equal(at.Truncate(24*time.Hour)) {
			return c.backMoment(s, at, t)
		}
	case []byte:
		if err := c.backNull(s, stringOf(v), t); err != nil {
			return err
		}
		if err := c.backScannedUUID(s, v, t); err != nil {
			return err
		}
		if c.isBlob() || c.typeName() == "BYTEA" || c.isBit() {
			return c.backNoText(s, "bytes", t)
		}
	case int64, float64:
		if c.isBlob() && c.held() == ofAnything {
			return c.backNoText(s, "a number", t)
		}
	}
	return nil
}

// backNull looks at JSON's null: of a type that holds none, such as a struct, a document
// is the zero value, which is another document.
func (c *origin) backNull(s sql.Scanner, text string, t reflect.Type) error {
	if len(text) != len("null") || text != "null" || !isOwn(t, "JSON[") {
		return nil
	}
	if x, err := valueOf(s.(driver.Valuer), nil); err == nil && x == "null" {
		return nil
	}
	return c.noWayBack("JSON's null", t)
}

func (c *origin) backMoment(s sql.Scanner, at time.Time, t reflect.Type) error {
	valuer, ok := s.(driver.Valuer)
	if !ok {
		return nil
	}
	x, err := valueOf(valuer, nil)
	if err != nil {
		return nil //nolint:nilerr // what it cannot write is no other value
	}
	written, ok := timeIn(x)
	if text, is := x.(string); is {
		written, ok = value.ParseTime(text)
	}
	if ok && !written.Equal(at) && written.Equal(at.Truncate(24*time.Hour)) {
		return c.noWayBack("a day with a time", t)
	}
	return nil
}

func (c *origin) backNoText(s sql.Scanner, what string, t reflect.Type) error {
	if valuer, ok := s.(driver.Valuer); ok {
		if x, err := valueOf(valuer, nil); err == nil {
			if _, text := x.(string); text {
				return c.noWayBack(what, t)
			}
		}
	}
	return nil
}
