package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEditDistance_CountsWhatATypoIsMadeOf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"host", "host", 0},
		{"host", "hst", 1},
		{"host", "hoost", 1},
		{"host", "hart", 2},
		{"hsot", "host", 1}, // neighbours swapped
		{"ohts", "host", 2},
		{"port", "password", 5},
	} {
		require.Equal(t, tc.want, editDistance(tc.a, tc.b), "%s %s", tc.a, tc.b)
		require.Equal(t, tc.want, editDistance(tc.b, tc.a), "%s %s", tc.b, tc.a)
	}
	long := "host" + strings.Repeat("x", 1<<20)
	require.Equal(t, len(long), editDistance(long, "host"), "too far apart to be counted")
	require.Equal(t, len(long), editDistance("host", long))
}

func TestDidYouMean_ProposesTheNearestOrNothing(t *testing.T) {
	t.Parallel()
	known := []string{"host", "port", "pool.max_open"}
	require.Equal(t, ": did you mean port?", didYouMean("prot", known))
	require.Equal(t, ": did you mean pool.max_open?", didYouMean("pool.mx_opne", known))
	require.Empty(t, didYouMean("hxxt", known))
	require.Empty(t, didYouMean("", known))
}

func TestKnownNames_AreSortedAndQuoted(t *testing.T) {
	t.Parallel()
	require.Equal(t, `known: "a\n", "b"`, KnownNames(map[string]int{"b": 1, "a\n": 2}))
	require.Equal(t, "there are none", KnownNames[int](nil))
}
