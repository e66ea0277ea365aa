//go:build !dbfleet_no_postgres

package postgres

import (
	"context"
	sqldriver "database/sql/driver"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// arrays are the types whose values appendBinary encodes itself, as an array
// of them is written in SQL.
var arrays = map[uint32]string{
	pgtype.BoolOID: "bool[]", pgtype.Int2OID: "int2[]", pgtype.Int4OID: "int4[]", pgtype.Int8OID: "int8[]",
	pgtype.Float4OID: "float4[]", pgtype.Float8OID: "float8[]", pgtype.TextOID: "text[]", pgtype.VarcharOID: "varchar[]",
	pgtype.BPCharOID: "bpchar[]", pgtype.JSONOID: "json[]", pgtype.JSONBOID: "jsonb[]", pgtype.UUIDOID: "uuid[]",
	pgtype.ByteaOID: "bytea[]", pgtype.TimestamptzOID: "timestamptz[]", pgtype.TimestampOID: "timestamp[]", pgtype.DateOID: "date[]",
}

// arrayOf is how the values of a column travel: as an array of that element
// type, from which a cast may make the column's.
func arrayOf(oid uint32) (array, cast string, element uint32) {
	if oid == pgtype.NumericOID { // decimals are texts in Go
		return "text[]", "::numeric", pgtype.TextOID
	}
	return arrays[oid], "", oid
}

// maxArray is how many bytes of an array's buffer are kept for the next one.
const maxArray = 256 << 10

// InsertRows sends INSERT … SELECT FROM unnest($1, …): one array for each
// column instead of a parameter for each value, and the same text for any number
// of rows. It serves columns of the types that arrayOf knows with values that need
// no conversion. The rows are numbered, so that they are inserted in their order.
func (s *conn) InsertRows(ctx context.Context, one string, args []sqldriver.NamedValue) (src session.RowSource, sent string, err error) {
	for try := 0; ; try++ {
		text, todays, err := s.unnested(ctx, one, args)
		if err != nil {
			return nil, one, err
		}
		if text == "" {
			return nil, "", nil
		}
		st, fresh, err := s.statement(ctx, text)
		if err == nil {
			rr := s.run(ctx, st, s.arrays, binaryFormats, st.formats)
			if rr.NextRow() {
				return s.rows(st, rr, true), text, nil
			}
			if _, err = rr.Close(); err == nil {
				return s.rows(st, rr, false), text, nil
			}
		}
		s.unlearn(one, err)
		again, err := s.again(text, fresh && todays, err)
		if !again || try > 0 || s.anew(ctx) != nil {
			return nil, text, err
		}
	}
}

// unnested returns the INSERT of many rows that is made of the one of a row, and
// encodes its arguments into s.arrays. It is "" where there is none. todays says that
// the types of the columns were asked for just now.
func (s *conn) unnested(ctx context.Context, one string, args []sqldriver.NamedValue) (text string, todays bool, err error) {
	if s.b.o.Pooler || !s.cache.Keeps(one) {
		return "", false, nil
	}
	st, todays, err := s.statement(ctx, one)
	if err != nil {
		return "", false, err
	}
	if n := len(st.sd.ParamOIDs); n == 0 || len(args)%n != 0 {
		return "", false, nil
	}
	if !todays && st.wary && s.doubtful(st.sd.ParamOIDs, args) {
		if st, err = s.today(ctx, one, st); err != nil {
			return "", false, err
		}
		todays = true
	}
	if st.arrays == nil {
		text := unnestText(one, st.sd.ParamOIDs)
		st.arrays = &text
	}
	if *st.arrays == "" || !s.encodeArrays(st.sd.ParamOIDs, args) {
		return "", false, nil
	}
	return *st.arrays, todays, nil
}

// doubtful reports whether a value of the rows is in doubt.
func (s *conn) doubtful(oids []uint32, args []sqldriver.NamedValue) bool {
	for i, oid := range oids {
		if !doubted(s.base(oid)) {
			continue
		}
		for at := i; at < len(args); at += len(oids) {
			if s.doubt(oid, args[at].Value) != sure {
				return true
			}
		}
	}
	return false
}

// unlearn forgets the INSERT of one row when the server refuses what was made of
// it. That one is only prepared, so the server never says that the types of its
// columns are others now.
func (s *conn) unlearn(one string, err error) {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		s.forget(one)
	}
}

var binaryFormats = []int16{pgtype.BinaryFormatCode}

// unnestText makes the statement of the INSERT of one row, "" if it cannot.
func unnestText(one string, oids []uint32) string {
	var values, columns, names, arrays strings.Builder
	for i, oid := range oids {
		array, cast, _ := arrayOf(oid)
		if array == "" {
			return ""
		}
		sep := ", "
		if i == 0 {
			sep = ""
		}
		n := strconv.Itoa(i + 1)
		values.WriteString(sep + "$" + n)
		names.WriteString(sep + "c" + n)
		columns.WriteString(sep + "c" + n + cast)
		arrays.WriteString(sep + "$" + n + "::" + array)
	}
	before, after, ok := strings.Cut(one, " VALUES ("+values.String()+")")
	if !ok || strings.Contains(after, " VALUES (") {
		return ""
	}
	return before + " SELECT " + columns.String() + " FROM unnest(" + arrays.String() + ") WITH ORDINALITY AS r(" + names.String() + ", n) ORDER BY n" + after
}

// encodeArrays writes the arguments as one array for each column. It reports
// false when one of them needs more than that.
func (s *conn) encodeArrays(oids []uint32, args []sqldriver.NamedValue) bool {
	if n := len(oids) - cap(s.arrays); n > 0 {
		s.arrays = append(s.arrays[:cap(s.arrays)], make([][]byte, n)...)
	}
	s.arrays = s.arrays[:len(oids)]
	m, be, rows := s.conn.TypeMap(), binary.BigEndian, len(args)/len(oids)
	for i, oid := range oids {
		_, _, oid = arrayOf(oid)
		buf := s.arrays[i][:0]
		if cap(buf) > maxArray {
			buf = nil
		}
		buf = be.AppendUint32(buf, 1) // dimensions
		buf = be.AppendUint32(buf, 0) // whether there are NULLs
		buf = be.AppendUint32(buf, oid)
		buf = be.AppendUint32(buf, uint32(rows))
		buf = be.AppendUint32(buf, 1) // the first index
		for at := i; at < len(args); at += len(oids) {
			v := args[at].Value
			if !natural(oid, v) {
				return false
			}
			if v == nil {
				be.PutUint32(buf[4:], 1)
			}
			var err error
			if buf, err = appendBinary(m, buf, oid, v); err != nil {
				return false
			}
		}
		s.arrays[i] = buf
	}
	return true
}
