package position_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/position"
)

func TestParseWAL_ReadsWhatTheServerWrites(t *testing.T) {
	t.Parallel()
	p, err := position.ParseWAL(3, "16/B374D848")
	require.NoError(t, err)
	require.Equal(t, "3:16/B374D848", p.String())
	require.True(t, p.Equal(position.WAL(3, 0x16B374D848)))
	for _, nothing := range []string{"", "0/0"} {
		p, err = position.ParseWAL(3, nothing)
		require.NoError(t, err)
		require.True(t, p.IsZero())
	}
	for _, bad := range []string{"1", "/", "1/", "/1", "1/2/3", "-1/0", "+1/0", "1/100000000", "100000000/1", "1/x", " 1/2", "1/000000001"} {
		_, err = position.ParseWAL(1, bad)
		require.Error(t, err, bad)
	}
}

func TestParseMariaDB_ReadsWhatTheServerWrites(t *testing.T) {
	t.Parallel()
	require.Equal(t, "0-1-100,2-4294967295-18446744073709551615", mariaDB(t, "2-4294967295-18446744073709551615, 0-1-100").String())
	require.True(t, mariaDB(t, "").IsZero())
	for _, bad := range []string{"0", "0-1", "0-1-", "0-1-2-3", "-1-1-2", "0-1-2,", ",0-1-2", "0-1-2,,1-1-1", "0-1-2,0-1-3", "4294967296-1-1", "0-1-18446744073709551616", "a-b-c", ","} {
		_, err := position.ParseMariaDB(bad)
		require.Error(t, err, bad)
	}
}

func TestParseMySQL_ReadsWhatTheServerWrites(t *testing.T) {
	t.Parallel()
	require.True(t, mySQL(t, "").IsZero())
	for text, want := range map[string]string{
		uuid1 + ":1":                                     uuid1 + ":1",
		strings.ToUpper(uuid1) + ":1-1":                  uuid1 + ":1",
		uuid2 + ":1-2,\n" + uuid1 + ":7:1-5:6":           uuid1 + ":1-7," + uuid2 + ":1-2",
		uuid1 + ":4-9:1-5:7-8":                           uuid1 + ":1-9",
		uuid1 + ":1-5:app:1-3:9:Zoo:2":                   uuid1 + ":1-5:app:1-3:9:zoo:2",
		uuid1 + ":app:1," + uuid1 + ":1," + uuid1 + ":2": uuid1 + ":1-2:app:1",
		uuid1 + ":1-9223372036854775807":                 uuid1 + ":1-9223372036854775807",
	} {
		p := mySQL(t, text)
		require.Equal(t, want, p.String())
		require.True(t, p.Equal(mySQL(t, want)))
	}
	for _, bad := range []string{
		uuid1, uuid1 + ":", ":1", uuid1 + ":0", uuid1 + ":5-4", uuid1 + ":1-", uuid1 + ":-1", uuid1 + ":1:", uuid1 + ":9223372036854775808",
		uuid1 + ":a", uuid1 + ":a:b:1", uuid1 + ":1:a", uuid1 + ":1a:1", uuid1[1:] + ":1", "g" + uuid1[1:] + ":1", uuid1 + "0:1", uuid1 + ":" + strings.Repeat("a", 33) + ":1",
	} {
		_, err := position.ParseMySQL(bad)
		require.Error(t, err, bad)
	}
}

func TestParse_ShowsLittleOfWhatItRefuses(t *testing.T) {
	t.Parallel()
	_, err := position.ParseMySQL(strings.Repeat("x", 1<<20))
	require.ErrorContains(t, err, "is no GTID set")
	require.Less(t, len(err.Error()), 120)
}

func FuzzParseWAL(f *testing.F) {
	f.Add(uint32(1), "16/B374D848")
	f.Add(uint32(0), "0/18")
	f.Fuzz(func(t *testing.T, timeline uint32, text string) {
		if p, err := position.ParseWAL(timeline, text); err == nil && !p.IsZero() {
			lsn, ok := p.LSN()
			require.True(t, ok)
			again, err := position.ParseWAL(timeline, lsn)
			require.NoError(t, err)
			require.True(t, p.Equal(again))
			survives(t, p)
		}
	})
}

func FuzzParseMariaDB(f *testing.F) {
	f.Add("0-1-100,2-5-7")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := position.ParseMariaDB(text); err == nil {
			again, err := position.ParseMariaDB(p.String())
			require.NoError(t, err)
			require.True(t, p.Equal(again))
			survives(t, p)
		}
	})
}

func FuzzParseMySQL(f *testing.F) {
	f.Add(uuid1 + ":1-5:7,\n" + uuid2 + ":app:1-3:9")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := position.ParseMySQL(text); err == nil {
			again, err := position.ParseMySQL(p.String())
			require.NoError(t, err)
			require.True(t, p.Equal(again))
			survives(t, p)
		}
	})
}

// survives checks that a position is the same after it was written and read.
func survives(t testing.TB, p position.Position) {
	t.Helper()
	b := p.Append([]byte("before"))
	require.Equal(t, "before", string(b[:6]))
	again, rest, err := position.Decode(append(b[6:], "behind"...))
	require.NoError(t, err)
	require.Equal(t, "behind", string(rest))
	require.True(t, p.Equal(again), "%s became %s", p, again)
}
