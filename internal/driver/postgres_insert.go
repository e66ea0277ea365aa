//go:build !dbfleet_no_postgres

package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
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

// insertKeyed wraps what insertRows sends, so that the one statement fails, and
// undoes itself, unless it has inserted as many rows as it was given: a trigger
// or rule may leave some out. The keys come as one array.
func (s *pgSession) insertKeyed(ctx context.Context, in *KeyedInsert, args []sqldriver.NamedValue) (Keyed, error) {
	if s.b.o.Pooler || !s.cache.keeps(in.One) {
		return Keyed{}, nil
	}
	st, _, err := s.statement(ctx, in.One)
	if err != nil {
		return Keyed{Undone: true}, err
	}
	oids := st.sd.ParamOIDs
	if len(oids)*in.Rows != len(args) || in.Rows == 0 {
		return Keyed{}, nil
	}
	if st.arrays == nil {
		text := unnestText(in.One, oids)
		st.arrays = &text
	}
	if *st.arrays == "" || !s.encodeArrays(oids, args) {
		return Keyed{}, nil
	}
	s.arrays = append(s.arrays, binary.BigEndian.AppendUint64(nil, uint64(in.Rows)))
	text := keyedText(*st.arrays, len(s.arrays))
	for try := 0; ; try++ {
		st, fresh, err := s.statement(ctx, text)
		var pe *pgconn.PgError
		switch {
		case errors.As(err, &pe): // of a table with rules, say: INSERT may do
			return Keyed{}, nil
		case err != nil:
			return Keyed{Undone: true}, err
		case len(st.oids) != 2 || !pgIntArrays[st.oids[0]]:
			return Keyed{}, nil
		}
		s.sendCloses()
		rr := s.pc.ExecStatement(ctx, st.sd, s.arrays, pgBinaryFormats, pgBinaryFormats)
		var keys []int64
		if rr.NextRow() {
			keys = pgInts(rr.Values()[0], in.Rows)
		}
		if _, err = rr.Close(); err == nil {
			if len(keys) != in.Rows {
				return Keyed{}, &ConnLostError{Err: errPGKeys}
			}
			return Keyed{Keys: keys, OK: true}, nil
		}
		if n, ok := differs(err); ok {
			return Keyed{Undone: true}, &RowsError{Rows: n, Given: int64(in.Rows)}
		}
		if !s.again(text, err) || fresh || try > 0 {
			return Keyed{}, err
		}
	}
}

var errPGKeys = errors.New("the server's answer is not an array of keys")

// rowsMark begins the text that a keyedText's statement fails with, for it is
// no number.
const rowsMark = "dbfleet: rows "

// keyedText makes a statement of one with RETURNING that inserts rows. It gives
// the keys as an array, and fails if they are not as many as its n-th parameter
// says.
func keyedText(insert string, n int) string {
	return "WITH dbfleet_made(key) AS (" + insert + ") SELECT array_agg(key), CASE WHEN count(*) <> $" + strconv.Itoa(n) +
		"::int8 THEN ('" + rowsMark + "' || count(*))::int8 END FROM dbfleet_made"
}

// differs reads the number of rows from the error of a keyedText's statement.
func differs(err error) (rows int64, ok bool) {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != "22P02" {
		return 0, false
	}
	_, text, ok := strings.Cut(pe.Message, rowsMark)
	if !ok {
		return 0, false
	}
	end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		text = text[:end]
	}
	rows, err = strconv.ParseInt(text, 10, 64)
	return rows, err == nil
}

// pgIntArrays are the types of arrays of whole numbers.
var pgIntArrays = map[uint32]bool{pgtype.Int2ArrayOID: true, pgtype.Int4ArrayOID: true, pgtype.Int8ArrayOID: true}

// pgInts reads a binary array of n whole numbers, nil if it is something else.
func pgInts(b []byte, n int) []int64 {
	const head = 20 // dimensions, NULLs, type, length, first index
	be := binary.BigEndian
	if len(b) < head || be.Uint32(b) != 1 || int(be.Uint32(b[12:])) != n {
		return nil
	}
	keys := make([]int64, 0, n)
	for b = b[head:]; len(b) >= 4; {
		size := int(int32(be.Uint32(b)))
		b = b[4:]
		if size < 0 || size > len(b) {
			return nil
		}
		switch size {
		case 2:
			keys = append(keys, int64(int16(be.Uint16(b))))
		case 4:
			keys = append(keys, int64(int32(be.Uint32(b))))
		case 8:
			keys = append(keys, int64(be.Uint64(b)))
		default:
			return nil
		}
		b = b[size:]
	}
	return keys
}
