package dialect

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSortedBy_KnowsWhatATextMayWeigh(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value         any
		usually, ever bool
	}{
		{nil, true, true},
		{int64(1) << 62, true, true},
		{"", true, true},
		{strings.Repeat("a", 127), true, true},
		{strings.Repeat("a", 128), false, true},
		{strings.Repeat("ﷺ", 7), true, true},
		{strings.Repeat("ﷺ", 8), false, true},
		{strings.Repeat("ä", 31), true, true},
		{strings.Repeat("ä", 32), false, true},
		{strings.Repeat("\xff", 32), false, true},
		{strings.Repeat("a", 8191), false, true},
		{strings.Repeat("a", 8192), false, false},
		{make([]byte, 1023), true, true},
		{make([]byte, 1024), false, true},
		{make([]byte, 65_536), false, false},
	} {
		usually, ever := MySQL.SortedBy(c.value)
		require.Equal(t, [2]bool{c.usually, c.ever}, [2]bool{usually, ever}, "%.30q", c.value)
		for _, d := range []*Dialect{Postgres, SQLite} {
			usually, ever = d.SortedBy(c.value)
			require.True(t, usually && ever, "%s sorts by the whole of each", d.Name)
		}
	}
}
