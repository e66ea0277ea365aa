package position_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/position"
)

// The laws that sessions rest on, over random positions near to one another.
func TestMerge_KeepsItsLaws(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 7))
		a, b, c := random(t, r, seed), random(t, r, seed), random(t, r, seed)
		m, ok := a.Merge(b)
		n, also := b.Merge(a)
		require.Equal(t, ok, also, "%s %s", a, b)
		require.True(t, m.Equal(n), "%s %s", a, b)
		if ok {
			require.Equal(t, position.Yes, m.Reached(a), "%s %s", a, b)
			require.Equal(t, position.Yes, m.Reached(b), "%s %s", a, b)
			if c.Reached(a) == position.Yes && c.Reached(b) == position.Yes {
				require.Equal(t, position.Yes, c.Reached(m), "%s is not the least of %s and %s", m, a, b)
			}
			if !a.IsZero() {
				require.Equal(t, position.Yes == a.Reached(b), m.Equal(a), "%s %s", a, b)
			}
		}
		if a.Reached(b) == position.Yes && b.Reached(c) == position.Yes {
			require.Equal(t, position.Yes, a.Reached(c), "%s %s %s", a, b, c)
		}
		if a.Reached(b) == position.Yes && b.Reached(a) == position.Yes {
			require.True(t, a.Equal(b), "%s %s", a, b)
		}
		if mc, k := m.Merge(c); ok && k {
			bc, l := b.Merge(c)
			require.True(t, l)
			abc, l := a.Merge(bc)
			require.True(t, l)
			require.True(t, abc.Equal(mc), "%s %s %s", a, b, c)
		}
		survives(t, a)
	}
}

// random is a position of the kind that the seed says.
func random(t *testing.T, r *rand.Rand, seed uint64) position.Position {
	if r.IntN(20) == 0 {
		return position.Position{}
	}
	switch seed % 3 {
	case 0:
		return position.WAL(1+r.Uint32N(2), 8192*(2+r.Uint64N(2))+8*r.Uint64N(8))
	case 1:
		var list []string
		for domain := range 3 {
			if r.IntN(2) == 0 {
				list = append(list, fmt.Sprintf("%d-%d-%d", domain, 1+r.IntN(8)/7, r.IntN(4)))
			}
		}
		return mariaDB(t, strings.Join(list, ","))
	}
	var list []string
	for _, source := range []string{uuid1, uuid2, uuid1 + ":tag"} {
		for range r.IntN(4) {
			first := 1 + r.IntN(8)
			list = append(list, fmt.Sprintf("%s:%d-%d", source, first, first+r.IntN(3)))
		}
	}
	return mySQL(t, strings.Join(list, ","))
}
