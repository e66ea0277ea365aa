//go:build !dbfleet_no_postgres

package postgres

import (
	"encoding/binary"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"
)

// What natural promises is what appendBinary encodes as pgx would.
func TestBinary_IsWhatPgxEncodes(t *testing.T) {
	t.Parallel()
	m := pgtype.NewMap()
	at := time.Date(2024, 2, 29, 23, 59, 58, 123456000, time.UTC)
	own := map[uint32][]any{
		pgtype.BoolOID: {nil, true, false}, pgtype.Int2OID: {nil, int64(-7)}, pgtype.Int4OID: {nil, int64(1 << 30)}, pgtype.Int8OID: {nil, int64(-1 << 62)},
		pgtype.Float4OID: {nil, 1.5}, pgtype.Float8OID: {nil, -1e300}, pgtype.TextOID: {nil, "ü", []byte("b")}, pgtype.VarcharOID: {nil, "", []byte("b")},
		pgtype.BPCharOID: {nil, "c", []byte("b")}, pgtype.JSONOID: {nil, `{"a":1}`, []byte(`[1]`)}, pgtype.JSONBOID: {nil, `{"a":1}`, []byte(`[1]`)},
		pgtype.UUIDOID: {nil, "01020304-0506-0708-090a-0b0c0d0e0f10"}, pgtype.ByteaOID: {nil, []byte{0, 255}},
		pgtype.TimestamptzOID: {nil, at}, pgtype.TimestampOID: {nil, at}, pgtype.DateOID: {nil, at},
	}
	every := []any{nil, true, int64(1), 1.5, "text", []byte("bytes"), at}
	for oid, values := range own {
		for _, v := range values {
			require.True(t, natural(oid, v), "%d %T", oid, v)
			got, err := appendBinary(m, nil, oid, v)
			require.NoError(t, err, "%d %T", oid, v)
			if v == nil {
				require.Equal(t, []byte{255, 255, 255, 255}, got)
				continue
			}
			require.EqualValues(t, len(got)-4, binary.BigEndian.Uint32(got))
			if s, text := v.(string); text {
				switch oid { // of which pgx makes something else
				case pgtype.JSONOID, pgtype.JSONBOID:
					v = []byte(s)
				case pgtype.UUIDOID:
					var id pgtype.UUID
					require.NoError(t, id.Scan(s))
					v = id
				}
			}
			want, err := m.Encode(oid, pgtype.BinaryFormatCode, v, nil)
			require.NoError(t, err, "%d %T", oid, v)
			require.Equal(t, string(want), string(got[4:]), "%d %T", oid, v)
		}
		for _, v := range every {
			takes := false
			for _, known := range values {
				takes = takes || reflect.TypeOf(known) == reflect.TypeOf(v)
			}
			require.Equal(t, takes, natural(oid, v), "%d %T", oid, v)
		}
	}
	for _, v := range every {
		require.False(t, natural(pgtype.NumericOID, v), "%T", v)
		require.False(t, natural(pgtype.Int4ArrayOID, v), "%T", v)
	}
}
