package rowmap

import (
	"database/sql/driver"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// What was read of a table's column is written back, and is what the row is found by.
// So a read of such a column refuses a value that the field would be written back as
// another for, or that the database would not hold for equal to the field's: '007'
// in an int, 0.1234567890123456789 in a float64, a text of SQLite in bytes.
//
// What fields hold for nearly every column needs no look: a whole number in an int, a
// float in a float64, a text in a string. The setters ask only where they convert.
// A type that has a Value method writes what that says, and is not asked.

// strict says that the value is to be given back.
func (c *origin) strict() bool { return c != nil && c.of.strict && !c.valued }

// holding is how a column compares and keeps what it is given, as far as its type's
// name tells.
type holding uint8

const (
	unknown     holding = iota
	ofNumbers           // numbers, however they are given
	ofFloat32s          // of single precision
	ofTexts             // texts, to which a number is its digits
	ofLabels            // MySQL's ENUM and SET, whose numbers are not their labels
	ofAnything          // what it is given, and no text is equal to a number: SQLite without a type
	ofSomething         // dates, documents and the like
)

// held is the holding of the value's column.
func (c *origin) held() holding {
	if c.holding == unknown {
		c.holding = holdingOf(c.typeName(), c.dialect())
	}
	return c.holding
}

func holdingOf(typeName string, d *dialect.Dialect) holding {
	if d == dialect.SQLite {
		return affinityOf(typeName)
	}
	switch strings.TrimPrefix(typeName, "UNSIGNED ") {
	case "DECIMAL", "NUMERIC", "DOUBLE", "FLOAT8", "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "INT2", "INT4", "INT8", "OID", "BIT":
		return ofNumbers
	case "FLOAT", "FLOAT4":
		return ofFloat32s
	case "CHAR", "VARCHAR", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT", "BPCHAR", "NAME", "BINARY", "VARBINARY", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB":
		return ofTexts
	case "ENUM", "SET":
		if d == dialect.MySQL {
			return ofLabels
		}
	}
	return ofSomething
}

// affinityOf is what SQLite makes of what a column of a declared type is given, by
// its own rules. A column of bytes, whatever it is called, is one without affinity
// here: nobody means a number by it.
func affinityOf(declared string) holding {
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(declared, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("INT"):
		return ofNumbers
	case has("CHAR", "CLOB", "TEXT"):
		return ofTexts
	case declared == "", declared == "ANY", has("BLOB", "BINARY"):
		return ofAnything
	}
	return ofNumbers // or what cannot be one
}

// noWayBack says that a value of a table would be written back as another.
func (c *origin) noWayBack(why string, t reflect.Type) error {
	typ := strings.ToLower(c.typeName())
	if typ == "" {
		typ = "column without a type"
	}
	return fmt.Errorf("%w: %s in a %s, which a %s would not give back", ErrRange, why, typ, t)
}

// backText looks at a text of which a number or bool was read: it must be how that is
// written.
func backText[T any](c *origin, s, written string) error {
	if h := c.held(); s == written && (h == ofTexts || h == ofSomething) {
		return nil
	}
	return c.noWayBack("a text", reflect.TypeFor[T]())
}

// mattersAsText says whether a text of the column must be looked at, since it is not how
// a number comes.
func (c *origin) mattersAsText() bool {
	if !c.strict() {
		return false
	}
	// What SQLite keeps as text among numbers is no number.
	h := c.held()
	return c.of.blobs || h != ofNumbers && h != ofFloat32s
}

// backWhole looks at a float of which a whole number was read: from 2^53 on, or 2^24
// in a column of single precision, it may be another number that was rounded.
func backWhole[T any](c *origin, f float64) error {
	if !c.strict() {
		return nil
	}
	limit := float64(maxExact)
	if c.held() == ofFloat32s {
		limit = 1 << 24
	}
	if math.Abs(f) < limit {
		return nil
	}
	return c.noWayBack("a rounded number", reflect.TypeFor[T]())
}

// backLarge refuses whole numbers from 2^53 on in a float: MySQL compares them with
// floats as floats, so that others are equal to them, and SQLite keeps a real.
func backLarge[T float32 | float64](c *origin) error {
	if c.strict() && c.dialect() != dialect.Postgres {
		return c.noWayBack("a whole number from 2^53 on", reflect.TypeFor[T]())
	}
	return nil
}

// backFloat looks at a text of which a float was read. A decimal must have all of its
// digits in the float's shortest decimal, which is what the float stands for.
func backFloat[T float32 | float64](c *origin, s string, f float64) error {
	if !c.strict() {
		return nil
	}
	var t T
	bits := int(reflect.TypeOf(t).Size()) * 8
	switch c.held() {
	case ofNumbers, ofFloat32s:
		switch {
		case c.of.blobs: // as in mattersAsText
		case math.IsNaN(f), math.IsInf(f, 0):
			return nil
		case c.dialect() == dialect.MySQL && bits == 32:
			return backSingle(c, s, f)
		case shortDecimal(s, bits):
			return nil
		default:
			stored, ok := value.ParseDecimal(s)
			given, _ := value.ParseDecimal(strconv.FormatFloat(f, 'g', -1, bits))
			if ok && stored == given {
				return nil
			}
			return c.noWayBack("a decimal of more digits", reflect.TypeFor[T]())
		}
	case ofTexts, ofSomething:
		if s == floatText(f, bits, c.dialect()) {
			return nil
		}
	}
	return c.noWayBack("a text", reflect.TypeFor[T]())
}

// shortDecimal says whether every decimal of so many digits is the shortest one of a
// float.
func shortDecimal(s string, bits int) bool {
	most := 15
	if bits == 32 {
		most = 6
	}
	digits := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '1' && c <= '9', c == '0' && digits > 0:
			digits++
		case c == '0', c == '.', c == '-':
		default:
			return false
		}
	}
	return digits <= most
}

// backSingle looks at a number that MySQL has as another float than a float32, which
// it gets as the double that it is.
func backSingle(c *origin, s string, f float64) error {
	if c.held() == ofFloat32s {
		return nil
	}
	stored, ok := value.ParseDecimal(s)
	if given, _ := value.ParseDecimal(strconv.FormatFloat(f, 'g', -1, 64)); ok && stored == given {
		return nil
	}
	return c.noWayBack("a number that is rounded", reflect.TypeFor[float32]())
}

// backSingleText looks at a number of single precision that was read as a text: MySQL
// compares that with a FLOAT as the double that it is.
func (c *origin) backSingleText(v driver.Value, t reflect.Type) error {
	if f, ok := v.(float64); ok && c.strict() && c.dialect() == dialect.MySQL && c.typeName() == "FLOAT" && float64(float32(f)) != f {
		return c.noWayBack("a number of single precision", t)
	}
	return nil
}

// floatText is the text that a database makes of a float for a column of texts, ""
// where it makes one that it does not find again.
func floatText(f float64, bits int, d *dialect.Dialect) string {
	a := math.Abs(f)
	if a != 0 && (a < 1e-4 || a >= 1e15) || math.IsNaN(f) {
		return ""
	}
	switch d {
	case dialect.SQLite:
		if f == math.Trunc(f) {
			return strconv.FormatFloat(f, 'f', 1, 64)
		}
		bits = 64
	case dialect.MySQL:
		bits = 64
	}
	return strconv.FormatFloat(f, 'f', -1, bits)
}

// backFloat32 looks at a float of which a float32 was read.
func backFloat32(c *origin, f float64) error {
	if !c.strict() || math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	single := float32(f)
	switch {
	case c.dialect() == dialect.MySQL:
		if c.held() == ofFloat32s || float64(single) == f {
			return nil
		}
	case value.Widen(single) == f:
		return nil
	}
	return c.noWayBack("a number that is rounded", reflect.TypeFor[float32]())
}

// backSize is backFloat32 for the float of a whole number, if it is one.
func backSize(c *origin, f float64, bits int) error {
	if bits == 32 {
		return backFloat32(c, f)
	}
	return nil
}

// backDigits looks at a number that was read as a text, or as a document: in a column of
// anything SQLite holds the two for different.
func (c *origin) backDigits(t reflect.Type) error {
	if c.strict() && c.of.blobs && c.held() == ofAnything {
		return c.noWayBack("a number", t)
	}
	return nil
}

// boolText is how a bool is written as text.
func boolText(b bool, d *dialect.Dialect) string {
	switch {
	case d == dialect.Postgres || d == nil:
		return strconv.FormatBool(b)
	case b:
		return "1"
	}
	return "0"
}
