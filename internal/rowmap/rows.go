package rowmap

import (
	"database/sql/driver"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// ReadRows reads the rest of src into maps and closes it. A kind of column has
// the same Go type on all databases and in both protocols of MySQL:
//
//	whole numbers               int64, uint64 above it
//	floating point numbers      float64
//	DECIMAL, NUMERIC            string, with all digits
//	booleans                    bool on PostgreSQL, int64 elsewhere
//	text, UUID, JSON, enums,
//	arrays, and everything else string
//	binary data                 []byte
//	dates with or without time  time.Time in UTC
//	MySQL's BIT                 int64, uint64 above it
//	NULL                        nil
//
// SQLite has types per value: what a column's declared type does not settle,
// such as an expression, keeps the type of the value. Two columns of one name
// are an error.
func ReadRows(src Source, d *dialect.Dialect) (rows []map[string]any, err error) {
	defer closeSource(src, &rows, &err)
	r, err := newRowRead(src, d)
	if err != nil {
		return nil, err
	}
	rows = []map[string]any{}
	for {
		row, err := r.next()
		if err != nil {
			return nil, err
		}
		if row == nil {
			return rows, nil
		}
		rows = append(rows, row)
	}
}

// rowRead reads maps row by row.
type rowRead struct {
	src     Source
	d       *dialect.Dialect
	columns []string
	types   []string
	dest    []driver.Value
}

func newRowRead(src Source, d *dialect.Dialect) (*rowRead, error) {
	columns := slices.Clone(src.Columns())
	r := &rowRead{src: src, d: d, columns: columns, dest: make([]driver.Value, len(columns)), types: make([]string, len(columns))}
	seen := make(map[string]bool, len(columns))
	for i, name := range columns {
		if seen[name] {
			return nil, &ColumnError{Column: name,
				Err: fmt.Errorf("%w: the result has more than one column of this name; give one an alias", ErrColumn)}
		}
		seen[name] = true
		r.types[i] = src.TypeName(i)
	}
	return r, nil
}

// next returns the next row, nil after the last.
func (r *rowRead) next() (map[string]any, error) {
	if err := r.src.Next(r.dest); err != nil {
		return nil, atEnd(err)
	}
	row := make(map[string]any, len(r.columns))
	for i, v := range r.dest {
		x, err := plainValue(v, r.types[i], r.d)
		if err != nil {
			return nil, &ColumnError{Column: r.columns[i], Err: err}
		}
		row[r.columns[i]] = x
	}
	return row, nil
}

// plainValue gives a driver's value the one Go type that its kind of column
// has. d is nil if the database is not known.
func plainValue(v driver.Value, typeName string, d *dialect.Dialect) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return plainText(v, typeName, d)
	case []byte:
		switch {
		case d == dialect.SQLite || isBinary(typeName, d):
			return cloneBytes(v), nil
		case typeName == "BIT":
			return uintArg(bitsOf(v), nil)
		}
		return plainText(string(v), typeName, d)
	case time.Time:
		return v.UTC(), nil
	case uint64:
		return uintArg(v, nil)
	case float32:
		return value.Widen(v), nil
	case int64:
		if d == dialect.SQLite && isDecimalType(typeName) {
			return strconv.FormatInt(v, 10), nil
		}
	case float64:
		switch {
		case d == dialect.SQLite && isDecimalType(typeName):
			return strconv.FormatFloat(v, 'f', -1, 64), nil
		case d == dialect.Postgres && typeName == "FLOAT4":
			return value.Widen(float32(v)), nil
		}
	case [16]byte:
		return value.FormatUUID(v), nil
	}
	return v, nil
}

// plainText gives text the type of its column.
func plainText(s, typeName string, d *dialect.Dialect) (any, error) {
	switch {
	case d != dialect.Postgres && isTemporal(typeName):
		return parseTime(s)
	case d != dialect.SQLite && isWhole(typeName):
		n, err := strconv.ParseUint(s, 10, 64)
		if err == nil && n > math.MaxInt64 {
			return n, nil
		}
		i, err := parseInt64[int64](s, nil)
		if err != nil && d == nil {
			return s, nil // SQLite may keep text in such a column
		}
		return i, err
	case d == dialect.MySQL && (typeName == "FLOAT" || typeName == "DOUBLE"):
		return parseFloat[float64](s, 64, nil)
	}
	return s, nil
}

// isBinary says whether a column that arrives as bytes holds bytes. Where the
// type is unknown it is taken to, except on PostgreSQL, where bytea is the
// only such type.
func isBinary(typeName string, d *dialect.Dialect) bool {
	switch typeName {
	case "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "BINARY", "VARBINARY", "GEOMETRY", "VECTOR", "BYTEA":
		return true
	case "":
		return d != dialect.Postgres
	}
	return false
}

func isTemporal(typeName string) bool {
	return typeName == "DATETIME" || typeName == "TIMESTAMP" || typeName == "DATE"
}

// isWhole knows MySQL's names; PostgreSQL's whole numbers arrive as numbers.
func isWhole(typeName string) bool {
	switch strings.TrimPrefix(typeName, "UNSIGNED ") {
	case "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "YEAR":
		return true
	}
	return false
}

// isDecimalType knows the declared types of SQLite that hold exact numbers.
func isDecimalType(declared string) bool {
	return strings.HasPrefix(declared, "DECIMAL") || strings.HasPrefix(declared, "NUMERIC")
}
