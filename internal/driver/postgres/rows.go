//go:build !dbfleet_no_postgres

package postgres

import (
	sqldriver "database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/value"
)

// columns is what is known about the rows of a statement.
type columns struct {
	fields  []pgconn.FieldDescription
	names   []string
	oids    []uint32
	formats []int16
	forms   []form
	types   []string // by TypeName, "?" before it was asked
}

// form is how a column's values are written by the server.
type form uint8

const (
	formText form = iota // text that stays text
	formBool
	formInt2
	formInt4
	formInt8
	formUint4
	formFloat4
	formFloat8
	formTimestamp // with and without a zone
	formDate
	formBytes
	formTextual // in the text format, what is not text
	formStrange // in a binary format that this file does not decode
)

// sizes are how many bytes a value has; 0 is any number.
var sizes = [...]int{
	formBool: 1, formInt2: 2, formInt4: 4, formInt8: 8, formUint4: 4, formFloat4: 4, formFloat8: 8, formTimestamp: 8, formDate: 4, formStrange: 0,
}

// forms are the binary forms that this file decodes.
var forms = map[uint32]form{
	pgtype.BoolOID: formBool, pgtype.ByteaOID: formBytes,
	pgtype.Int2OID: formInt2, pgtype.Int4OID: formInt4, pgtype.Int8OID: formInt8,
	pgtype.OIDOID: formUint4, pgtype.XIDOID: formUint4, pgtype.CIDOID: formUint4,
	pgtype.Float4OID: formFloat4, pgtype.Float8OID: formFloat8,
	pgtype.TimestampOID: formTimestamp, pgtype.TimestamptzOID: formTimestamp, pgtype.DateOID: formDate,
}

// describe asks for the binary form of what this file decodes and for the
// text of everything else, as database/sql's users expect.
func describe(fields []pgconn.FieldDescription) *columns {
	c := newColumns(fields)
	for i, oid := range c.oids {
		if form, ok := forms[oid]; ok {
			c.formats[i], c.forms[i] = pgtype.BinaryFormatCode, form
		}
	}
	return c
}

// asSent describes rows whose formats the server has chosen.
func asSent(fields []pgconn.FieldDescription) *columns {
	c := newColumns(slices.Clone(fields)) // pgx uses the list again
	for i, oid := range c.oids {
		form, known := forms[oid]
		switch c.formats[i] = fields[i].Format; {
		case c.formats[i] == pgtype.BinaryFormatCode && !known:
			c.forms[i] = formStrange
		case c.formats[i] == pgtype.BinaryFormatCode:
			c.forms[i] = form
		case known:
			c.forms[i] = formTextual
		}
	}
	return c
}

func newColumns(fields []pgconn.FieldDescription) *columns {
	c := &columns{
		fields:  fields,
		names:   make([]string, len(fields)),
		oids:    make([]uint32, len(fields)),
		formats: make([]int16, len(fields)),
		forms:   make([]form, len(fields)),
		types:   make([]string, len(fields)),
	}
	for i := range fields {
		c.names[i], c.oids[i], c.types[i] = fields[i].Name, fields[i].DataTypeOID, "?"
		switch c.oids[i] {
		case pgtype.JSONOID, pgtype.JSONBOID, pgtype.XMLOID:
			c.forms[i] = formBytes
		}
	}
	return c
}

// rows are the rows of the statement that runs on a conn.
type rows struct {
	s     *conn
	rr    *pgconn.ResultReader
	cols  *columns
	first bool // the first row has been read already
	done  bool
}

func (s *conn) rows(st *statement, rr *pgconn.ResultReader, first bool) *rows {
	r := &rows{s: s, rr: rr, cols: st.columns, first: first, done: !first}
	switch {
	case len(r.cols.names) == 0:
		// A FETCH or CALL is not described before it runs.
		r.cols = asSent(rr.FieldDescriptions())
	case st.sd.Name == "" && !r.cols.match(rr.FieldDescriptions()):
		// The schema has changed since the statement was described, and perhaps for
		// others too.
		s.clear()
		r.cols = asSent(rr.FieldDescriptions())
	}
	return r
}

// match reports whether the columns are those that the server tells of.
func (c *columns) match(fields []pgconn.FieldDescription) bool {
	if len(fields) != len(c.oids) {
		return false
	}
	for i := range fields {
		if fields[i].DataTypeOID != c.oids[i] || fields[i].Name != c.names[i] {
			return false
		}
	}
	return true
}

func (r *rows) Columns() []string { return r.cols.names }

func (r *rows) TypeName(i int) string {
	if r.cols.types[i] == "?" {
		r.cols.types[i] = typeName(r.s.conn.TypeMap(), r.cols.oids[i])
	}
	return r.cols.types[i]
}

// typeName is the type's name in upper case, "" if the type is none of
// PostgreSQL's own.
func typeName(m *pgtype.Map, oid uint32) string {
	if t, ok := m.TypeForOID(oid); ok {
		return strings.ToUpper(t.Name)
	}
	return ""
}

func (r *rows) Next(dest []sqldriver.Value) error {
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

func (r *rows) NextCells(row []cell.Cell) error {
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
func (r *rows) next(columns int) ([][]byte, error) {
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

func (r *rows) end() error {
	r.done = true
	if _, err := r.rr.Close(); err != nil {
		return err
	}
	return io.EOF
}

func (r *rows) Close() error {
	if r.done {
		return nil
	}
	r.done = true
	_, err := r.rr.Close()
	return err
}

var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// decode fills c with what the server sent for column i; nil is NULL. Text and
// Bytes are the driver's own, valid until the next row.
func (r *rows) decode(c *cell.Cell, i int, src []byte) error {
	if src == nil {
		c.Kind = cell.Null
		return nil
	}
	form := r.cols.forms[i]
	if size := sizes[form]; size != 0 && len(src) != size {
		return r.columnError(i, fmt.Errorf("%d bytes are no value of its type", len(src)))
	}
	switch form {
	case formText:
		c.SetText(src)
	case formBytes:
		c.SetBytes(src)
	case formTextual:
		v, err := r.decodeText(r.cols.oids[i], src)
		if err != nil {
			return r.columnError(i, err)
		}
		c.Set(v)
	case formBool:
		c.SetBool(src[0] != 0)
	case formInt2:
		c.SetInt(int64(int16(binary.BigEndian.Uint16(src))))
	case formInt4:
		c.SetInt(int64(int32(binary.BigEndian.Uint32(src))))
	case formInt8:
		c.SetInt(int64(binary.BigEndian.Uint64(src)))
	case formUint4:
		c.SetInt(int64(binary.BigEndian.Uint32(src)))
	case formFloat4:
		c.SetFloat(value.Widen(math.Float32frombits(binary.BigEndian.Uint32(src))))
	case formFloat8:
		c.SetFloat(math.Float64frombits(binary.BigEndian.Uint64(src)))
	case formTimestamp:
		setTime(c, int64(binary.BigEndian.Uint64(src)))
	case formStrange:
		return r.columnError(i, errors.New("its type has changed since the statement was described"))
	case formDate:
		setDate(c, int32(binary.BigEndian.Uint32(src)))
	}
	return nil
}

func (r *rows) columnError(i int, err error) error {
	return fmt.Errorf("column %q: %w", r.cols.names[i], err)
}

// decodeText decodes the text format of the types that are decoded from the
// binary one elsewhere.
func (r *rows) decodeText(oid uint32, src []byte) (sqldriver.Value, error) {
	switch forms[oid] {
	case formInt2, formInt4, formInt8, formUint4:
		return strconv.ParseInt(string(src), 10, 64)
	case formFloat4, formFloat8:
		return strconv.ParseFloat(string(src), 64)
	case formBool:
		return len(src) > 0 && src[0] == 't', nil
	case formBytes:
		var b []byte
		err := r.s.conn.TypeMap().Scan(oid, pgtype.TextFormatCode, src, &b)
		return b, err
	case formTimestamp, formDate:
		if s := string(src); s == "infinity" || s == "-infinity" {
			return s, nil
		}
		var t time.Time
		err := r.s.conn.TypeMap().Scan(oid, pgtype.TextFormatCode, src, &t)
		return t.UTC(), err
	}
	return string(src), nil
}

// setTime sets the time so many microseconds after the year 2000. What is not
// a time is its name.
func setTime(c *cell.Cell, micros int64) {
	switch micros {
	case math.MaxInt64:
		c.SetText(infinity)
	case math.MinInt64:
		c.SetText(minusInfinity)
	default:
		sec, rest := micros/1e6, micros%1e6
		c.SetTime(time.Unix(epoch+sec, rest*1000).UTC())
	}
}

func setDate(c *cell.Cell, days int32) {
	switch days {
	case math.MaxInt32:
		c.SetText(infinity)
	case math.MinInt32:
		c.SetText(minusInfinity)
	default:
		c.SetTime(time.Unix(epoch+int64(days)*86400, 0).UTC())
	}
}

// The texts of times that are none. Nobody writes to them.
var infinity, minusInfinity = []byte("infinity"), []byte("-infinity")
