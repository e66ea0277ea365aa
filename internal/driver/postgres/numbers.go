//go:build !dbfleet_no_postgres

package postgres

import (
	"database/sql/driver"
	"math"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// wholeNumber refuses a float for a placeholder of an integer type unless it is
// a whole number that a float holds exactly: pgx would cut the fraction off,
// and make some number of NaN. It refuses numbers and bools for XML, of which pgx would
// make elements with the names of Go's types.
func wholeNumber(ordinal int, oid uint32, value any) error {
	switch oid {
	case pgtype.XMLOID:
		switch value.(type) {
		case int64, uint64, float64, bool:
			return &session.NotSentError{Err: &session.ArgumentError{Ordinal: ordinal, Reason: "is no XML; give it as text"}}
		}
		return nil
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID, pgtype.Int2ArrayOID, pgtype.Int4ArrayOID, pgtype.Int8ArrayOID:
	default:
		return nil
	}
	ok := true
	switch v := value.(type) {
	case float64:
		ok = isWhole(v)
	case float32:
		ok = isWhole(float64(v))
	case []float64:
		for _, f := range v {
			ok = ok && isWhole(f)
		}
	case nil, int64, string, []byte, bool:
	default: // as database/sql gives the arguments of a prepared statement to the driver
		if plain, err := driver.DefaultParameterConverter.ConvertValue(value); err == nil {
			f, isFloat := plain.(float64)
			ok = !isFloat || isWhole(f)
		}
	}
	if !ok {
		return &session.NotSentError{Err: &session.ArgumentError{Ordinal: ordinal, Reason: "is no whole number, as the column is"}}
	}
	return nil
}

func isWhole(f float64) bool { return f == math.Trunc(f) && math.Abs(f) <= 1<<53 }
