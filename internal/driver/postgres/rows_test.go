//go:build !dbfleet_no_postgres

package postgres

import (
	"bytes"
	sqldriver "database/sql/driver"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is not described before it runs comes as text, and is read as the same
// values as from the binary format.
func TestRows_TextIsReadAsTheBinaryFormat(t *testing.T) {
	t.Parallel()
	s := connect(t, 8)
	for _, expr := range []string{
		"1::int2", "-2::int4", "9223372036854775807::int8", "4294967295::oid", "1.1::float4", "-0.1::float8", "'NaN'::float8", "'Infinity'::float8",
		"true", "false", "'\\x00ff'::bytea", "''::bytea", "'text'::text", "NULL::int4", "NULL::timestamptz",
		"'2024-02-29 12:00:00.123456+02'::timestamptz", "'2024-02-29 12:00:00.5'::timestamp", "'2024-02-29'::date",
		"'infinity'::timestamptz", "'-infinity'::timestamptz", "'infinity'::timestamp", "'-infinity'::timestamp", "'infinity'::date", "'-infinity'::date",
		"1.50::numeric", "'{1,2}'::int4[]", "'{\"a\": 1}'::jsonb", "'6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid", "interval '1 day'",
	} {
		binary := s.must(t, "SELECT "+expr)[0][0]
		rr := s.pc.ExecParams(t.Context(), "SELECT "+expr, nil, nil, nil, nil) // asks for texts
		require.True(t, rr.NextRow(), expr)
		r := &rows{s: s, rr: rr, cols: asSent(rr.FieldDescriptions()), first: true}
		row := make([]sqldriver.Value, 1)
		require.NoError(t, r.Next(row), expr)
		text := row[0]
		if b, ok := text.([]byte); ok { // it belongs to the driver
			text = bytes.Clone(b)
		}
		require.NoError(t, r.Close())
		if expr == "'NaN'::float8" {
			require.IsType(t, binary, text)
			continue // equal to nothing
		}
		require.Equal(t, binary, text, expr)
	}
}

// One text may give other columns each time: those of what is open under its name.
func TestRows_OfACursorAreThoseOfTheCursor(t *testing.T) {
	t.Parallel()
	s := connect(t, 8)
	for expr, want := range map[string]any{"1::int4": int64(1), "1.5::float4": 1.5, "2::int8": int64(2), "true": true} {
		for range 3 {
			s.must(t, "BEGIN")
			s.must(t, "DECLARE c CURSOR FOR SELECT "+expr)
			require.Equal(t, [][]any{{want}}, s.must(t, "FETCH c"), expr)
			s.must(t, "COMMIT")
			s.must(t, "PREPARE p AS SELECT "+expr)
			require.Equal(t, [][]any{{want}}, s.must(t, "execute p"), expr)
			s.must(t, "DEALLOCATE p")
		}
	}
}
