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
func (s *conn) InsertRows(ctx context.Context, one string, args []sqldriver.NamedValue) (session.RowSource, error) {
	text, err := s.unnested(ctx, one, args)
	if text == "" || err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		st, fresh, err := s.statement(ctx, text)
		if err != nil {
			s.unlearn(one, err)
			return nil, err
		}
		rr := s.run(ctx, st, s.arrays, binaryFormats, st.formats)
		if rr.NextRow() {
			return s.rows(st, rr, true), nil
		}
		if _, err = rr.Close(); err == nil {
			return s.rows(st, rr, false), nil
		}
		s.unlearn(one, err)
		if !s.again(text, err) || fresh || try > 0 {
			return nil, err
		}
	}
}

// unnested returns the INSERT of many rows that is made of the one of a row, and
// encodes its arguments into s.arrays. It is "" where there is none.
func (s *conn) unnested(ctx context.Context, one string, args []sqldriver.NamedValue) (text string, err error) {
	if s.b.o.Pooler || !s.cache.Keeps(one) {
		return "", nil
	}
	st, _, err := s.statement(ctx, one)
	if err != nil {
		return "", err
	}
	oids := st.sd.ParamOIDs
	if len(oids) == 0 || len(args)%len(oids) != 0 {
		return "", nil
	}
	if st.arrays == nil {
		text := unnestText(one, oids)
		st.arrays = &text
	}
	if *st.arrays == "" || !s.encodeArrays(oids, args) {
		return "", nil
	}
	return *st.arrays, nil
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

// InsertKeyed wraps what InsertRows sends, so that the one statement fails, and
// undoes itself, unless it has inserted as many rows as it was given, with a key
// each: a trigger or rule may leave some out, or the key of a view. The keys come
// as one array.
func (s *conn) InsertKeyed(ctx context.Context, in *session.KeyedInsert, args []sqldriver.NamedValue) (session.Keyed, error) {
	if s.b.o.Pooler || in.Rows == 0 {
		return session.Keyed{}, nil
	}
	text, err := s.unnested(ctx, in.One, args)
	if err != nil {
		return session.Keyed{Undone: true}, err
	}
	if text == "" {
		return session.Keyed{}, nil
	}
	s.arrays = append(s.arrays, binary.BigEndian.AppendUint64(nil, uint64(in.Rows)))
	text = keyedText(text, len(s.arrays))
	for try := 0; ; try++ {
		st, fresh, err := s.statement(ctx, text)
		switch {
		case cannotWrap(err): // a table with rules, say: INSERT may do
			s.unlearn(in.One, err)
			return session.Keyed{Never: strings.HasPrefix(sqlState(err), "0A")}, nil
		case err != nil:
			return session.Keyed{Undone: true}, err
		case len(st.oids) != 2 || !intArrays[st.oids[0]]:
			return session.Keyed{Never: true}, nil
		}
		rr := s.run(ctx, st, s.arrays, binaryFormats, binaryFormats)
		var keys []int64
		if rr.NextRow() {
			keys = ints(rr.Values()[0], in.Rows)
		}
		if _, err = rr.Close(); err == nil {
			if len(keys) != in.Rows {
				return session.Keyed{}, errKeys
			}
			return session.Keyed{Keys: keys, OK: true}, nil
		}
		s.unlearn(in.One, err)
		switch n, what := guarded(err); what {
		case rowsMark:
			return session.Keyed{Undone: true}, &session.RowsError{Rows: n, Given: int64(in.Rows)}
		case keysMark:
			return session.Keyed{Never: true}, nil
		}
		switch retry := s.again(text, err); {
		case retry && !fresh && try == 0:
		case cannotWrap(err): // a column has another type now
			return session.Keyed{}, nil
		default:
			return session.Keyed{}, err
		}
	}
}

// cannotWrap says that err refuses a statement as such.
func cannotWrap(err error) bool {
	state := sqlState(err)
	return strings.HasPrefix(state, "42") || strings.HasPrefix(state, "0A")
}

// sqlState is the code of a server's error, "" of any other.
func sqlState(err error) string {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return ""
	}
	return pe.Code
}

var errKeys = errors.New("the server's answer is not an array of keys")

// What begins the texts that a keyedText's statement fails with, for they are no
// numbers.
const (
	rowsMark = "dbfleet: rows "
	keysMark = "dbfleet: keys "
)

// keyedText makes a statement of one with RETURNING that inserts rows. It gives
// the keys as an array, and fails if the rows, or the keys that are not NULL, are
// not as many as its n-th parameter says. The counts in the texts keep the server
// from computing them, and failing, beforehand.
func keyedText(insert string, n int) string {
	given := "$" + strconv.Itoa(n) + "::int8"
	return "WITH dbfleet_made(key) AS (" + insert + ") SELECT array_agg(key), CASE" +
		" WHEN count(*) <> " + given + " THEN ('" + rowsMark + "' || count(*))::int8" +
		" WHEN count(key) <> " + given + " THEN ('" + keysMark + "' || count(key))::int8 END FROM dbfleet_made"
}

// guarded tells which mark the error of a keyedText's statement has, and the
// number behind it; "" is another error.
func guarded(err error) (n int64, mark string) {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != "22P02" {
		return 0, ""
	}
	for _, mark := range []string{rowsMark, keysMark} {
		_, text, ok := strings.Cut(pe.Message, mark)
		if !ok {
			continue
		}
		if end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
			text = text[:end]
		}
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, mark
		}
	}
	return 0, ""
}

// intArrays are the types of arrays of whole numbers.
var intArrays = map[uint32]bool{pgtype.Int2ArrayOID: true, pgtype.Int4ArrayOID: true, pgtype.Int8ArrayOID: true}

// ints reads a binary array of n whole numbers, nil if it is something else.
func ints(b []byte, n int) []int64 {
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
