package stmtcache_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/driver/stmtcache"
)

// ask is what a session does: it returns whether the text had to be prepared.
func ask(c *stmtcache.Cache[int], text string) (prepared bool) {
	if c.Get(text) != nil {
		return false
	}
	if c.Admit(text) {
		c.Put(text, 0)
	}
	return true
}

func text(i int) string { return fmt.Sprintf("SELECT %d", i) }

func TestAdmit_KeepsMostOfAWorkingSetThatIsTooLarge(t *testing.T) {
	t.Parallel()
	const room, rounds = 128, 50
	for _, set := range []int{129, 150, 200, 256, 500} {
		for name, order := range map[string]func(i int) int{
			"in turn":   func(i int) int { return i % set },
			"at random": func(int) int { return rand.IntN(set) },
		} {
			c := stmtcache.New(room, func(int) {})
			prepared := 0
			for i := range set * rounds {
				if ask(c, text(order(i))) {
					prepared++
				}
				require.LessOrEqual(t, c.Len(), room)
			}
			// What there is no room for is prepared each time; a tenth more is for
			// what is exchanged.
			most := room + (set-room)*rounds*11/10 + set
			require.LessOrEqual(t, prepared, most, "%d texts %s, %d uses", set, name, set*rounds)
		}
	}
}

func TestAdmit_TextsThatComeOnceDriveNothingOut(t *testing.T) {
	t.Parallel()
	c := stmtcache.New(128, func(int) {})
	for i := range 100 {
		ask(c, text(i))
	}
	for i := range 20_000 {
		ask(c, text(1000+i))
		require.False(t, ask(c, text(i%100)), "after %d others", i)
	}
}

func TestAdmit_FollowsAProgramThatChanges(t *testing.T) {
	t.Parallel()
	c := stmtcache.New(128, func(int) {})
	for i := range 100_000 {
		ask(c, text(i%128))
	}
	prepared := 0
	for i := range 100_000 {
		if ask(c, text(1000+i%64)) {
			prepared++
		}
	}
	require.Less(t, prepared, 15_000)
	for i := range 64 {
		require.False(t, ask(c, text(1000+i)))
	}
}

func TestAdmit_TakesNothingWhereNothingIsKept(t *testing.T) {
	t.Parallel()
	require.False(t, stmtcache.New(0, func(int) {}).Admit("x"))
}
