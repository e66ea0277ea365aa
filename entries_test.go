package dbfleet

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Connections that are added one by one do not copy all that are there each time.
func TestEntries_AddingOneCopiesAFewOnly(t *testing.T) {
	t.Parallel()
	const n = 20_000
	var s entries
	copied := 0
	var before [len(s.parts)]*map[string]*entry
	for i := range n {
		s.put(fmt.Sprintf("tenant_%d", i), &entry{})
		for at := range s.parts {
			if now := s.parts[at].Load(); now != before[at] {
				copied += len(*now)
				before[at] = now
			}
		}
	}
	whole := n * (n + 1) / 2 // with one map
	require.Less(t, copied, whole/20)
	for _, name := range []string{"tenant_0", "tenant_19999"} {
		_, ok := s.find(name)
		require.True(t, ok, name)
	}
	count := 0
	s.all(func(string, *entry) { count++ })
	require.Equal(t, n, count)
}
