//go:build !dbfleet_no_postgres

package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// pgArrays are the types whose values appendPGBinary encodes itself, as an array
// of them is written in SQL.
var pgArrays = map[uint32]string{
	pgtype.BoolOID: "bool[]", pgtype.Int2OID: "int2[]", pgtype.Int4OID: "int4[]", pgtype.Int8OID: "int8[]",
	pgtype.Float4OID: "float4[]", pgtype.Float8OID: "float8[]", pgtype.TextOID: "text[]", pgtype.VarcharOID: "varchar[]",
	pgtype.BPCharOID: "bpchar[]", pgtype.JSONOID: "json[]", pgtype.JSONBOID: "jsonb[]", pgtype.UUIDOID: "uuid[]",
	pgtype.ByteaOID: "bytea[]", pgtype.TimestamptzOID: "timestamptz[]", pgtype.TimestampOID: "timestamp[]", pgtype.DateOID: "date[]",
}

// pgArray is how the values of a column travel: as an array of that element
// type, from which a cast may make the column's.
func pgArray(oid uint32) (array, cast string, element uint32) {
	if oid == pgtype.NumericOID { // decimals are texts in Go
		return "text[]", "::numeric", pgtype.TextOID
	}
	return pgArrays[oid], "", oid
}

// maxArray is how many bytes of an array's buffer are kept for the next one.
const maxArray = 256 << 10

// insertRows sends INSERT … SELECT FROM unnest($1, …): one array for each
// column instead of a parameter for each value, and the same text for any number
// of rows. It serves columns of the types that pgArray knows with values that need
// no conversion. The rows are numbered, so that they are inserted in their order.
func (s *pgSession) insertRows(ctx context.Context, one string, args []sqldriver.NamedValue) (rowSource, error) {
	if s.b.o.Pooler || !s.cache.keeps(one) {
		return nil, nil
	}
	st, _, err := s.statement(ctx, one)
	if err != nil {
		return nil, err
	}
	oids := st.sd.ParamOIDs
	if len(oids) == 0 || len(args)%len(oids) != 0 {
		return nil, nil
	}
	if st.arrays == nil {
		text := unnestText(one, oids)
		st.arrays = &text
	}
	text := *st.arrays
	if text == "" || !s.encodeArrays(oids, args) {
		return nil, nil
	}
	for try := 0; ; try++ {
		st, fresh, err := s.statement(ctx, text)
		if err != nil {
			return nil, err
		}
		s.sendCloses()
		rr := s.pc.ExecStatement(ctx, st.sd, s.arrays, pgBinaryFormats, st.formats)
		if rr.NextRow() {
			return s.open(st, rr, true), nil
		}
		if _, err = rr.Close(); err == nil {
			return s.open(st, rr, false), nil
		}
		if !s.again(text, err) || fresh || try > 0 {
			return nil, err
		}
	}
}

var pgBinaryFormats = []int16{pgtype.BinaryFormatCode}

// unnestText makes the statement of the INSERT of one row, "" if it cannot.
func unnestText(one string, oids []uint32) string {
	var values, columns, names, arrays strings.Builder
	for i, oid := range oids {
		array, cast, _ := pgArray(oid)
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
func (s *pgSession) encodeArrays(oids []uint32, args []sqldriver.NamedValue) bool {
	if n := len(oids) - cap(s.arrays); n > 0 {
		s.arrays = append(s.arrays[:cap(s.arrays)], make([][]byte, n)...)
	}
	s.arrays = s.arrays[:len(oids)]
	m, be, rows := s.conn.TypeMap(), binary.BigEndian, len(args)/len(oids)
	for i, oid := range oids {
		_, _, oid = pgArray(oid)
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
			if !pgNatural(oid, v) {
				return false
			}
			if v == nil {
				be.PutUint32(buf[4:], 1)
			}
			var err error
			if buf, err = appendPGBinary(m, buf, oid, v); err != nil {
				return false
			}
		}
		s.arrays[i] = buf
	}
	return true
}
