//go:build !dbfleet_no_postgres

package postgres

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/dbfleet/dbfleet/internal/value"
)

// natural reports whether a value of that Go type is what appendBinary
// encodes itself for the type.
func natural(oid uint32, v any) bool {
	switch v.(type) {
	case nil:
		switch oid {
		case pgtype.BoolOID, pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.Float4OID, pgtype.Float8OID,
			pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.JSONOID, pgtype.JSONBOID, pgtype.UUIDOID,
			pgtype.ByteaOID, pgtype.TimestamptzOID, pgtype.TimestampOID, pgtype.DateOID:
			return true
		}
	case bool:
		return oid == pgtype.BoolOID
	case int64:
		return oid == pgtype.Int2OID || oid == pgtype.Int4OID || oid == pgtype.Int8OID
	case float64:
		return oid == pgtype.Float4OID || oid == pgtype.Float8OID
	case string:
		switch oid {
		case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.JSONOID, pgtype.JSONBOID, pgtype.UUIDOID:
			return true
		}
	case []byte:
		switch oid {
		case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.JSONOID, pgtype.JSONBOID, pgtype.ByteaOID:
			return true
		}
	case time.Time:
		return oid == pgtype.TimestamptzOID || oid == pgtype.TimestampOID || oid == pgtype.DateOID
	}
	return false
}

var errRange = errors.New("out of range")

// appendBinary appends the length of a value and the value in PostgreSQL's
// binary format. What it does not know itself it leaves to pgx.
func appendBinary(m *pgtype.Map, buf []byte, oid uint32, v any) ([]byte, error) {
	be := binary.BigEndian
	switch x := v.(type) {
	case nil:
		return be.AppendUint32(buf, math.MaxUint32), nil
	case bool:
		if oid == pgtype.BoolOID {
			b := byte(0)
			if x {
				b = 1
			}
			return append(buf, 0, 0, 0, 1, b), nil
		}
	case int64:
		switch oid {
		case pgtype.Int8OID:
			return be.AppendUint64(be.AppendUint32(buf, 8), uint64(x)), nil
		case pgtype.Int4OID:
			if x != int64(int32(x)) {
				return buf, errRange
			}
			return be.AppendUint32(be.AppendUint32(buf, 4), uint32(x)), nil
		case pgtype.Int2OID:
			if x != int64(int16(x)) {
				return buf, errRange
			}
			return be.AppendUint16(be.AppendUint32(buf, 2), uint16(x)), nil
		case pgtype.OIDOID:
			if x != int64(uint32(x)) {
				return buf, errRange
			}
			return be.AppendUint32(be.AppendUint32(buf, 4), uint32(x)), nil
		case pgtype.QCharOID:
			if x != int64(uint8(x)) {
				return buf, errRange
			}
			return append(buf, 0, 0, 0, 1, uint8(x)), nil
		}
	case float64:
		switch oid {
		case pgtype.Float8OID:
			return be.AppendUint64(be.AppendUint32(buf, 8), math.Float64bits(x)), nil
		case pgtype.Float4OID:
			f := float32(x)
			if math.IsInf(float64(f), 0) && !math.IsInf(x, 0) {
				return buf, errRange
			}
			return be.AppendUint32(be.AppendUint32(buf, 4), math.Float32bits(f)), nil
		}
	case string:
		switch oid {
		case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.JSONOID:
			return append(be.AppendUint32(buf, uint32(len(x))), x...), nil
		case pgtype.JSONBOID:
			return append(append(be.AppendUint32(buf, uint32(len(x)+1)), 1), x...), nil
		case pgtype.UUIDOID:
			if id, ok := value.ParseUUID(x); ok {
				return append(be.AppendUint32(buf, 16), id[:]...), nil
			}
		}
	case []byte:
		switch oid {
		case pgtype.ByteaOID, pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.JSONOID:
			return append(be.AppendUint32(buf, uint32(len(x))), x...), nil
		case pgtype.JSONBOID:
			return append(append(be.AppendUint32(buf, uint32(len(x)+1)), 1), x...), nil
		}
	case time.Time:
		switch oid {
		case pgtype.TimestamptzOID, pgtype.TimestampOID:
			return be.AppendUint64(be.AppendUint32(buf, 8), uint64(micros(x))), nil
		case pgtype.DateOID:
			y, mon, d := x.Date()
			days := (time.Date(y, mon, d, 0, 0, 0, 0, time.UTC).Unix() - epoch) / 86400
			return be.AppendUint32(be.AppendUint32(buf, 4), uint32(int32(days))), nil
		}
	}
	if text, ok := textOf(oid, v); ok {
		return append(be.AppendUint32(buf, uint32(len(text))), text...), nil
	}
	return appendByPGX(m, buf, oid, v)
}

// textOf is the text of a number or bool for a column of texts, as a parameter of its
// type is written.
func textOf(oid uint32, v any) (text string, ok bool) {
	switch oid {
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID:
	default:
		return "", false
	}
	switch x := v.(type) {
	case bool:
		return strconv.FormatBool(x), true
	case int64:
		return strconv.FormatInt(x, 10), true
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64), true
	}
	return "", false
}

// micros is a time as PostgreSQL counts it, cut to microseconds as pgx does.
func micros(t time.Time) int64 { return (t.Unix()-epoch)*1e6 + int64(t.Nanosecond())/1e3 }

// appendByPGX is appendBinary for the rest. A text is read as one of the type
// and then encoded, for a parameter could be sent as text too.
func appendByPGX(m *pgtype.Map, buf []byte, oid uint32, v any) ([]byte, error) {
	at := len(buf)
	buf = append(buf, 0, 0, 0, 0)
	out, err := m.Encode(oid, pgx.BinaryFormatCode, v, buf)
	if text, ok := v.(string); err != nil && ok {
		if t, known := m.TypeForOID(oid); known {
			var value any
			if value, err = t.Codec.DecodeValue(m, oid, pgx.TextFormatCode, []byte(text)); err == nil {
				out, err = m.Encode(oid, pgx.BinaryFormatCode, value, buf)
			}
		}
	}
	if err != nil {
		return buf[:at], err
	}
	if out == nil {
		return binary.BigEndian.AppendUint32(buf[:at], math.MaxUint32), nil
	}
	binary.BigEndian.PutUint32(out[at:], uint32(len(out)-at-4))
	return out, nil
}
