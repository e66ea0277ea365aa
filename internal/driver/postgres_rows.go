//go:build !dbfleet_no_postgres

package driver

import (
	sqldriver "database/sql/driver"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// pgColumns is what is known about the rows of a statement.
type pgColumns struct {
	names   []string
	oids    []uint32
	formats []int16
}

// describePG asks for the binary form of what this file decodes and for the
// text of everything else, as database/sql's users expect.
func describePG(fields []pgconn.FieldDescription) pgColumns {
	c := pgColumns{
		names:   make([]string, len(fields)),
		oids:    make([]uint32, len(fields)),
		formats: make([]int16, len(fields)),
	}
	for i := range fields {
		c.names[i], c.oids[i] = fields[i].Name, fields[i].DataTypeOID
		switch fields[i].DataTypeOID {
		case pgtype.BoolOID, pgtype.ByteaOID, pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID,
			pgtype.OIDOID, pgtype.XIDOID, pgtype.CIDOID, pgtype.Float4OID, pgtype.Float8OID,
			pgtype.DateOID, pgtype.TimestampOID, pgtype.TimestamptzOID:
			c.formats[i] = pgtype.BinaryFormatCode
		}
	}
	return c
}

// pgRows are the rows of the statement that runs on a pgSession.
type pgRows struct {
	s     *pgSession
	rr    *pgconn.ResultReader
	cols  pgColumns
	first bool // the first row has been read already
	done  bool
}

func (s *pgSession) open(st *pgStatement, rr *pgconn.ResultReader, first bool) *pgRows {
	r := &pgRows{s: s, rr: rr, cols: st.pgColumns, first: first, done: !first}
	if len(r.cols.names) == 0 {
		// A FETCH or CALL is not described before it runs.
		fields := rr.FieldDescriptions()
		r.cols = describePG(fields)
		for i := range fields {
			r.cols.formats[i] = fields[i].Format
		}
	}
	return r
}

func (r *pgRows) Columns() []string { return r.cols.names }

func (r *pgRows) TypeName(i int) string { return pgTypeName(r.s.conn.TypeMap(), r.cols.oids[i]) }

// pgTypeName is the type's name in upper case, "" if the type is none of
// PostgreSQL's own.
func pgTypeName(m *pgtype.Map, oid uint32) string {
	if t, ok := m.TypeForOID(oid); ok {
		return strings.ToUpper(t.Name)
	}
	return ""
}

func (r *pgRows) Next(dest []sqldriver.Value) error {
	if r.done {
		return io.EOF
	}
	if r.first {
		r.first = false
	} else if !r.rr.NextRow() {
		return r.end()
	}
	values := r.rr.Values()
	if len(values) != len(dest) || len(values) != len(r.cols.oids) {
		return fmt.Errorf("the server sent %d columns, %d were announced", len(values), len(r.cols.oids))
	}
	for i, src := range values {
		if src == nil {
			dest[i] = nil
			continue
		}
		v, err := r.decode(i, src)
		if err != nil {
			return fmt.Errorf("column %q: %w", r.cols.names[i], err)
		}
		dest[i] = v
	}
	return nil
}

func (r *pgRows) end() error {
	r.done = true
	if _, err := r.rr.Close(); err != nil {
		return err
	}
	return io.EOF
}

func (r *pgRows) Close() error {
	if r.done {
		return nil
	}
	r.done = true
	_, err := r.rr.Close()
	return err
}

var pgEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// decode makes a value of what the server sent. []byte are the driver's own,
// valid until the next row.
func (r *pgRows) decode(i int, src []byte) (sqldriver.Value, error) {
	oid := r.cols.oids[i]
	if r.cols.formats[i] == pgtype.TextFormatCode {
		return r.decodeText(oid, src)
	}
	switch oid {
	case pgtype.Int8OID:
		if len(src) == 8 {
			return int64(binary.BigEndian.Uint64(src)), nil
		}
	case pgtype.Int4OID:
		if len(src) == 4 {
			return int64(int32(binary.BigEndian.Uint32(src))), nil
		}
	case pgtype.Int2OID:
		if len(src) == 2 {
			return int64(int16(binary.BigEndian.Uint16(src))), nil
		}
	case pgtype.OIDOID, pgtype.XIDOID, pgtype.CIDOID:
		if len(src) == 4 {
			return int64(binary.BigEndian.Uint32(src)), nil
		}
	case pgtype.BoolOID:
		if len(src) == 1 {
			return src[0] != 0, nil
		}
	case pgtype.Float8OID:
		if len(src) == 8 {
			return math.Float64frombits(binary.BigEndian.Uint64(src)), nil
		}
	case pgtype.Float4OID:
		if len(src) == 4 {
			return widen(math.Float32frombits(binary.BigEndian.Uint32(src))), nil
		}
	case pgtype.TimestamptzOID, pgtype.TimestampOID:
		if len(src) == 8 {
			return pgTime(int64(binary.BigEndian.Uint64(src))), nil
		}
	case pgtype.DateOID:
		if len(src) == 4 {
			return pgDate(int32(binary.BigEndian.Uint32(src))), nil
		}
	case pgtype.ByteaOID:
		return src, nil
	default:
		return string(src), nil
	}
	return nil, fmt.Errorf("%d bytes are no value of its type", len(src))
}

func (r *pgRows) decodeText(oid uint32, src []byte) (sqldriver.Value, error) {
	switch oid {
	case pgtype.JSONOID, pgtype.JSONBOID, pgtype.XMLOID:
		return src, nil
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID, pgtype.XIDOID, pgtype.CIDOID:
		return strconv.ParseInt(string(src), 10, 64)
	case pgtype.Float4OID, pgtype.Float8OID:
		return strconv.ParseFloat(string(src), 64)
	case pgtype.BoolOID:
		return len(src) > 0 && src[0] == 't', nil
	case pgtype.ByteaOID:
		var b []byte
		err := r.s.conn.TypeMap().Scan(oid, pgtype.TextFormatCode, src, &b)
		return b, err
	case pgtype.TimestampOID, pgtype.TimestamptzOID, pgtype.DateOID:
		if s := string(src); s == "infinity" || s == "-infinity" {
			return s, nil
		}
		var t time.Time
		err := r.s.conn.TypeMap().Scan(oid, pgtype.TextFormatCode, src, &t)
		return t.UTC(), err
	}
	return string(src), nil
}

// pgTime is the time so many microseconds after the year 2000. What is not a
// time is its name.
func pgTime(micros int64) sqldriver.Value {
	switch micros {
	case math.MaxInt64:
		return "infinity"
	case math.MinInt64:
		return "-infinity"
	}
	sec, rest := micros/1e6, micros%1e6
	return time.Unix(pgEpoch+sec, rest*1000).UTC()
}

func pgDate(days int32) sqldriver.Value {
	switch days {
	case math.MaxInt32:
		return "infinity"
	case math.MinInt32:
		return "-infinity"
	}
	return time.Unix(pgEpoch+int64(days)*86400, 0).UTC()
}
