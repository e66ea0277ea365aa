package position_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/position"
)

func TestDecode_ReadsWhatAppendWrites(t *testing.T) {
	t.Parallel()
	for _, p := range []position.Position{
		{}, position.WAL(3, 0x16B374D848), position.WAL(0, 1), position.WAL(1<<32-1, 1<<64-1),
		mariaDB(t, "0-1-100,2-4294967295-18446744073709551615"),
		mySQL(t, uuid1+":1-5:7:app:1-3:9,"+uuid2+":9223372036854775807"),
	} {
		survives(t, p)
	}
}

func TestAppend_IsShort(t *testing.T) {
	t.Parallel()
	require.LessOrEqual(t, len(position.WAL(3, 0x16B374D848).Append(nil)), 8)
	require.LessOrEqual(t, len(mariaDB(t, "0-1-1000000").Append(nil)), 8)
	require.LessOrEqual(t, len(mySQL(t, uuid1+":1-1000000").Append(nil)), 24)
}

func TestDecode_RefusesWhatAppendDoesNotWrite(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"nothing":                 {},
		"an unknown kind":         {9},
		"an end too early":        {1, 3},
		"a long form":             {1, 0x83, 0, 5},
		"an lsn of zero":          {1, 3, 0},
		"a timeline too large":    {1, 0x80, 0x80, 0x80, 0x80, 0x10, 5},
		"a page's header":         {1, 3, 0x98, 0x80, 1},
		"no domain":               {2, 0},
		"more domains than bytes": {2, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1, 1},
		"domains out of order":    {2, 2, 5, 1, 1, 4, 1, 1},
		"a domain twice":          {2, 2, 5, 1, 1, 5, 1, 1},
		"no set":                  {3, 0},
		"a run that begins at 0":  append(append([]byte{3, 1}, make([]byte, 17)...), 1, 0, 0),
		"runs that meet":          append(append([]byte{3, 1}, make([]byte, 17)...), 2, 1, 0, 1, 0),
		"a tag in capitals":       append(append(append([]byte{3, 1}, make([]byte, 16)...), 1, 'A'), 1, 1, 0),
	} {
		_, _, err := position.Decode(b)
		require.Error(t, err, name)
	}
}

func FuzzDecode(f *testing.F) {
	for _, p := range []position.Position{{}, position.WAL(3, 0x16B374D848), mariaDB(f, "0-1-100,2-5-7"), mySQL(f, uuid1+":1-5:7:app:1-3:9,"+uuid2+":4")} {
		f.Add(p.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, rest, err := position.Decode(b)
		if err != nil {
			require.True(t, p.IsZero())
			return
		}
		require.Equal(t, b[:len(b)-len(rest)], p.Append(nil), "one position has one form")
		require.Equal(t, position.Yes, p.Reached(position.Position{}))
		merged, ok := p.Merge(p)
		require.True(t, ok)
		require.True(t, merged.Equal(p))
	})
}
