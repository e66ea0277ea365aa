package position_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/position"
)

const (
	uuid1 = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
	uuid2 = "4350f323-7565-4e59-8763-4b1b83a0ce0e"
)

func TestReached_KnowsWhatIsIncluded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		p, target position.Position
		want      position.Answer
	}{
		"none in none":                 {position.Position{}, position.Position{}, position.Yes},
		"none in any":                  {position.WAL(1, 100), position.Position{}, position.Yes},
		"any in none":                  {position.Position{}, position.WAL(1, 100), position.Unknown},
		"the same place":               {position.WAL(1, 100), position.WAL(1, 100), position.Yes},
		"behind it":                    {position.WAL(1, 101), position.WAL(1, 100), position.Yes},
		"before it":                    {position.WAL(1, 99), position.WAL(1, 100), position.No},
		"another timeline":             {position.WAL(2, 200), position.WAL(1, 100), position.Unknown},
		"another timeline, before it":  {position.WAL(1, 50), position.WAL(2, 100), position.Unknown},
		"an unknown timeline":          {position.WAL(0, 200), position.WAL(1, 100), position.Unknown},
		"two unknown timelines":        {position.WAL(0, 200), position.WAL(0, 100), position.Unknown},
		"a page's header":              {position.WAL(1, 0x30000000), position.WAL(1, 0x30000018), position.Yes},
		"a segment's header":           {position.WAL(1, 0x31000000), position.WAL(1, 0x31000028), position.Yes},
		"before a page's header":       {position.WAL(1, 0x2FFFFFF8), position.WAL(1, 0x30000018), position.No},
		"the first record of a page":   {position.WAL(1, 0x30000000), position.WAL(1, 0x30000048), position.No},
		"mariadb, the same":            {mariaDB(t, "0-1-7"), mariaDB(t, "0-1-7"), position.Yes},
		"mariadb, behind it":           {mariaDB(t, "0-1-8"), mariaDB(t, "0-1-7"), position.Yes},
		"mariadb, before it":           {mariaDB(t, "0-1-6"), mariaDB(t, "0-1-7"), position.No},
		"mariadb, numbers not texts":   {mariaDB(t, "0-1-10"), mariaDB(t, "0-1-9"), position.Yes},
		"mariadb, more domains":        {mariaDB(t, "0-1-7,5-1-1"), mariaDB(t, "0-1-7"), position.Yes},
		"mariadb, a domain is missing": {mariaDB(t, "0-1-7"), mariaDB(t, "0-1-7,5-1-1"), position.No},
		"mariadb, another writer":      {mariaDB(t, "0-2-9"), mariaDB(t, "0-1-7"), position.Unknown},
		"mariadb, one late one other":  {mariaDB(t, "0-1-6,1-2-9"), mariaDB(t, "0-1-7,1-1-7"), position.Unknown},
		"mysql, the same":              {mySQL(t, uuid1+":1-5"), mySQL(t, uuid1+":1-5"), position.Yes},
		"mysql, one number of a run":   {mySQL(t, uuid1+":1-5"), mySQL(t, uuid1+":3"), position.Yes},
		"mysql, beyond":                {mySQL(t, uuid1+":1-5"), mySQL(t, uuid1+":6"), position.No},
		"mysql, in a gap":              {mySQL(t, uuid1+":1-5:7-9"), mySQL(t, uuid1+":6"), position.No},
		"mysql, across a gap":          {mySQL(t, uuid1+":1-5:7-9"), mySQL(t, uuid1+":5-7"), position.No},
		"mysql, both sides of a gap":   {mySQL(t, uuid1+":1-5:7-9"), mySQL(t, uuid1+":2:8-9"), position.Yes},
		"mysql, of several servers":    {mySQL(t, uuid1+":1-5,"+uuid2+":1"), mySQL(t, uuid2+":1"), position.Yes},
		"mysql, another server's":      {mySQL(t, uuid1+":1-5"), mySQL(t, uuid2+":1"), position.No},
		"mysql, a tag's":               {mySQL(t, uuid1+":1-5"), mySQL(t, uuid1+":app:1"), position.No},
		"mysql, with the tag":          {mySQL(t, uuid1+":1-5:app:1-2"), mySQL(t, uuid1+":app:2"), position.Yes},
		"wal and mariadb":              {position.WAL(1, 100), mariaDB(t, "0-1-7"), position.Unknown},
		"mariadb and mysql":            {mariaDB(t, "0-1-7"), mySQL(t, uuid1+":1"), position.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, tc.p.Reached(tc.target), "%s reached %s", tc.p, tc.target)
		})
	}
}

func TestMerge_IsTheLeastThatIncludesBoth(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		a, b, want position.Position
		apart      bool
	}{
		"none":                    {a: position.Position{}, b: position.Position{}},
		"none and one":            {a: position.WAL(1, 100), b: position.Position{}, want: position.WAL(1, 100)},
		"forward only":            {a: position.WAL(1, 100), b: position.WAL(1, 99), want: position.WAL(1, 100)},
		"timelines":               {a: position.WAL(1, 100), b: position.WAL(2, 99), apart: true},
		"an unknown timeline":     {a: position.WAL(1, 100), b: position.WAL(0, 99), apart: true},
		"unknown timelines":       {a: position.WAL(0, 100), b: position.WAL(0, 99), apart: true},
		"the same unknown":        {a: position.WAL(0, 100), b: position.WAL(0, 100), want: position.WAL(0, 100)},
		"mariadb":                 {a: mariaDB(t, "0-1-7,2-1-9"), b: mariaDB(t, "1-5-2,2-1-8"), want: mariaDB(t, "0-1-7,1-5-2,2-1-9")},
		"mariadb, another writer": {a: mariaDB(t, "0-1-7"), b: mariaDB(t, "0-2-8"), apart: true},
		"mysql":                   {a: mySQL(t, uuid1+":1-3"), b: mySQL(t, uuid1+":4-5:9,"+uuid2+":1"), want: mySQL(t, uuid1+":1-5:9,"+uuid2+":1")},
		"kinds":                   {a: mySQL(t, uuid1+":1-3"), b: mariaDB(t, "0-1-7"), apart: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := tc.a.Merge(tc.b)
			require.Equal(t, !tc.apart, ok)
			require.True(t, tc.want.Equal(got), "%s", got)
		})
	}
}

func TestMerge_ChangesNeither(t *testing.T) {
	t.Parallel()
	a, b := mySQL(t, uuid1+":1-3:9"), mySQL(t, uuid1+":4:6,"+uuid2+":1-2")
	_, ok := a.Merge(b)
	require.True(t, ok)
	require.Equal(t, uuid1+":1-3:9", a.String())
	require.Equal(t, uuid1+":4:6,"+uuid2+":1-2", b.String())
	c, d := mariaDB(t, "0-1-7"), mariaDB(t, "0-1-9,1-1-1")
	_, ok = c.Merge(d)
	require.True(t, ok)
	require.Equal(t, "0-1-7", c.String())
	require.Equal(t, "0-1-9,1-1-1", d.String())
}

func TestPosition_NamesItsLine(t *testing.T) {
	t.Parallel()
	require.Equal(t, "3", position.WAL(3, 100).Line())
	require.Empty(t, position.WAL(0, 100).Line())
	require.Equal(t, "0-1,2-5", mariaDB(t, "2-5-7,0-1-100").Line())
	require.Empty(t, mySQL(t, uuid1+":1").Line())
	require.Empty(t, position.Position{}.Line())
	require.True(t, position.Position{}.IsZero())
	require.False(t, position.WAL(0, 100).IsZero())
}

func mariaDB(t testing.TB, text string) position.Position {
	t.Helper()
	p, err := position.ParseMariaDB(text)
	require.NoError(t, err)
	return p
}

func mySQL(t testing.TB, text string) position.Position {
	t.Helper()
	p, err := position.ParseMySQL(text)
	require.NoError(t, err)
	return p
}
