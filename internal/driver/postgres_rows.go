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

	"github.com/dbfleet/dbfleet/internal/cell"
)

// pgColumns is what is known about the rows of a statement.
type pgColumns struct {
	names   []string
	oids    []uint32
	formats []int16
	forms   []pgForm
	types   []string // by TypeName, "?" before it was asked
}

// pgForm is how a column's values are written by the server.
type pgForm uint8

const (
	pgText pgForm = iota // text that stays text
	pgBool
	pgInt2
	pgInt4
	pgInt8
	pgUint4
	pgFloat4
	pgFloat8
	pgTimestamp // with and without a zone
	pgDate
	pgBytes
	pgTextual // in the text format, what is not text
)

// pgSizes are how many bytes a value has; 0 is any number.
var pgSizes = [...]int{
	pgBool: 1, pgInt2: 2, pgInt4: 4, pgInt8: 8, pgUint4: 4, pgFloat4: 4, pgFloat8: 8, pgTimestamp: 8, pgDate: 4, pgTextual: 0,
}

// pgForms are the binary forms that this file decodes.
var pgForms = map[uint32]pgForm{
	pgtype.BoolOID: pgBool, pgtype.ByteaOID: pgBytes,
	pgtype.Int2OID: pgInt2, pgtype.Int4OID: pgInt4, pgtype.Int8OID: pgInt8,
	pgtype.OIDOID: pgUint4, pgtype.XIDOID: pgUint4, pgtype.CIDOID: pgUint4,
	pgtype.Float4OID: pgFloat4, pgtype.Float8OID: pgFloat8,
	pgtype.TimestampOID: pgTimestamp, pgtype.TimestamptzOID: pgTimestamp, pgtype.DateOID: pgDate,
}

// describePG asks for the binary form of what this file decodes and for the
// text of everything else, as database/sql's users expect.
func describePG(fields []pgconn.FieldDescription) *pgColumns {
	c := newPGColumns(fields)
	for i, oid := range c.oids {
		if form, ok := pgForms[oid]; ok {
			c.formats[i], c.forms[i] = pgtype.BinaryFormatCode, form
		}
	}
	return c
}

// asSentPG describes rows whose formats the server has chosen.
func asSentPG(fields []pgconn.FieldDescription) *pgColumns {
	c := newPGColumns(fields)
	for i, oid := range c.oids {
		form, known := pgForms[oid]
		switch c.formats[i] = fields[i].Format; {
		case c.formats[i] == pgtype.BinaryFormatCode:
			c.forms[i] = form
		case known:
			c.forms[i] = pgTextual
		}
	}
	return c
}

func newPGColumns(fields []pgconn.FieldDescription) *pgColumns {
	c := &pgColumns{
		names:   make([]string, len(fields)),
		oids:    make([]uint32, len(fields)),
		formats: make([]int16, len(fields)),
		forms:   make([]pgForm, len(fields)),
		types:   make([]string, len(fields)),
	}
	for i := range fields {
		c.names[i], c.oids[i], c.types[i] = fields[i].Name, fields[i].DataTypeOID, "?"
		switch c.oids[i] {
		case pgtype.JSONOID, pgtype.JSONBOID, pgtype.XMLOID:
			c.forms[i] = pgBytes
		}
	}
	return c
}

// pgRows are the rows of the statement that runs on a pgSession.
type pgRows struct {
	s     *pgSession
	rr    *pgconn.ResultReader
	cols  *pgColumns
	first bool // the first row has been read already
	done  bool
}

func (s *pgSession) open(st *pgStatement, rr *pgconn.ResultReader, first bool) *pgRows {
	r := &pgRows{s: s, rr: rr, cols: st.pgColumns, first: first, done: !first}
	if len(r.cols.names) == 0 {
		// A FETCH or CALL is not described before it runs.
		r.cols = asSentPG(rr.FieldDescriptions())
	}
	return r
}

func (r *pgRows) Columns() []string { return r.cols.names }

func (r *pgRows) TypeName(i int) string {
	if r.cols.types[i] == "?" {
		r.cols.types[i] = pgTypeName(r.s.conn.TypeMap(), r.cols.oids[i])
	}
	return r.cols.types[i]
}

// pgTypeName is the type's name in upper case, "" if the type is none of
// PostgreSQL's own.
func pgTypeName(m *pgtype.Map, oid uint32) string {
	if t, ok := m.TypeForOID(oid); ok {
		return strings.ToUpper(t.Name)
	}
	return ""
}

func (r *pgRows) Next(dest []sqldriver.Value) error {
	values, err := r.next(len(dest))
	if err != nil {
		return err
	}
	var c cell.Cell
	for i, src := range values {
		if err := r.decode(&c, i, src); err != nil {
			return err
		}
		dest[i] = c.Value()
	}
	return nil
}

func (r *pgRows) NextCells(row []cell.Cell) error {
	values, err := r.next(len(row))
	if err != nil {
		return err
	}
	for i, src := range values {
		if err := r.decode(&row[i], i, src); err != nil {
			return err
		}
	}
	return nil
}

// next is the next row as the server has sent it, or io.EOF.
func (r *pgRows) next(columns int) ([][]byte, error) {
	if r.done {
		return nil, io.EOF
	}
	if r.first {
		r.first = false
	} else if !r.rr.NextRow() {
		return nil, r.end()
	}
	values := r.rr.Values()
	if len(values) != columns || len(values) != len(r.cols.oids) {
		return nil, fmt.Errorf("the server sent %d columns, %d were announced", len(values), len(r.cols.oids))
	}
	return values, nil
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

// decode fills c with what the server sent for column i; nil is NULL. Text and
// Bytes are the driver's own, valid until the next row.
func (r *pgRows) decode(c *cell.Cell, i int, src []byte) error {
	if src == nil {
		c.Kind = cell.Null
		return nil
	}
	form := r.cols.forms[i]
	if size := pgSizes[form]; size != 0 && len(src) != size {
		return r.columnError(i, fmt.Errorf("%d bytes are no value of its type", len(src)))
	}
	switch form {
	case pgText:
		c.SetText(src)
	case pgBytes:
		c.SetBytes(src)
	case pgTextual:
		v, err := r.decodeText(r.cols.oids[i], src)
		if err != nil {
			return r.columnError(i, err)
		}
		c.Set(v)
	case pgBool:
		c.SetBool(src[0] != 0)
	case pgInt2:
		c.SetInt(int64(int16(binary.BigEndian.Uint16(src))))
	case pgInt4:
		c.SetInt(int64(int32(binary.BigEndian.Uint32(src))))
	case pgInt8:
		c.SetInt(int64(binary.BigEndian.Uint64(src)))
	case pgUint4:
		c.SetInt(int64(binary.BigEndian.Uint32(src)))
	case pgFloat4:
		c.SetFloat(widen(math.Float32frombits(binary.BigEndian.Uint32(src))))
	case pgFloat8:
		c.SetFloat(math.Float64frombits(binary.BigEndian.Uint64(src)))
	case pgTimestamp:
		setPGTime(c, int64(binary.BigEndian.Uint64(src)))
	case pgDate:
		setPGDate(c, int32(binary.BigEndian.Uint32(src)))
	}
	return nil
}

func (r *pgRows) columnError(i int, err error) error {
	return fmt.Errorf("column %q: %w", r.cols.names[i], err)
}

// decodeText decodes the text format of the types that are decoded from the
// binary one elsewhere.
func (r *pgRows) decodeText(oid uint32, src []byte) (sqldriver.Value, error) {
	switch pgForms[oid] {
	case pgInt2, pgInt4, pgInt8, pgUint4:
		return strconv.ParseInt(string(src), 10, 64)
	case pgFloat4, pgFloat8:
		return strconv.ParseFloat(string(src), 64)
	case pgBool:
		return len(src) > 0 && src[0] == 't', nil
	case pgBytes:
		var b []byte
		err := r.s.conn.TypeMap().Scan(oid, pgtype.TextFormatCode, src, &b)
		return b, err
	case pgTimestamp, pgDate:
		if s := string(src); s == "infinity" || s == "-infinity" {
			return s, nil
		}
		var t time.Time
		err := r.s.conn.TypeMap().Scan(oid, pgtype.TextFormatCode, src, &t)
		return t.UTC(), err
	}
	return string(src), nil
}

// setPGTime sets the time so many microseconds after the year 2000. What is not
// a time is its name.
func setPGTime(c *cell.Cell, micros int64) {
	switch micros {
	case math.MaxInt64:
		c.SetText(pgInfinity)
	case math.MinInt64:
		c.SetText(pgMinusInfinity)
	default:
		sec, rest := micros/1e6, micros%1e6
		c.SetTime(time.Unix(pgEpoch+sec, rest*1000).UTC())
	}
}

func setPGDate(c *cell.Cell, days int32) {
	switch days {
	case math.MaxInt32:
		c.SetText(pgInfinity)
	case math.MinInt32:
		c.SetText(pgMinusInfinity)
	default:
		c.SetTime(time.Unix(pgEpoch+int64(days)*86400, 0).UTC())
	}
}

// The texts of times that are none. Nobody writes to them.
var pgInfinity, pgMinusInfinity = []byte("infinity"), []byte("-infinity")
