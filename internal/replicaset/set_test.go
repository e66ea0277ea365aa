package replicaset_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/replicaset"
)

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// every node may serve.
func every(string) bool { return true }

func TestPick_LeavesOutNodesThatDoNotFit(t *testing.T) {
	t.Parallel()
	s, _ := setup("a", "b", "c")
	for range 6 {
		node, _, ok := s.Pick(0, func(node string) bool { return node != "b" })
		require.True(t, ok)
		require.NotEqual(t, "b", node)
	}
	_, _, ok := s.Pick(0, func(string) bool { return false })
	require.False(t, ok)
}

func setup(nodes ...string) (*replicaset.Set[string], *clock) {
	c := &clock{now: time.Unix(1000, 0)}
	return replicaset.New(nodes, c.Now), c
}

func picks(s *replicaset.Set[string], n int) []string {
	var out []string
	for range n {
		node, _, ok := s.Pick(0, every)
		if !ok {
			node = "-"
		}
		out = append(out, node)
	}
	return out
}

func TestSet_ServesInTurn(t *testing.T) {
	t.Parallel()
	s, _ := setup("a", "b", "c")
	require.Equal(t, []string{"a", "b", "c", "a", "b", "c"}, picks(s, 6))
}

func TestSet_HasNoneToPickWhenEmpty(t *testing.T) {
	t.Parallel()
	s, _ := setup()
	require.Equal(t, []string{"-"}, picks(s, 1))
}

func TestSet_LeavesAFailedNodeOutUntilItsRestIsOver(t *testing.T) {
	t.Parallel()
	s, c := setup("a", "b")
	s.Failed(0)
	require.Equal(t, []string{"b", "b", "b"}, picks(s, 3))
	c.advance(time.Second)
	got := picks(s, 4)
	require.Contains(t, got, "a")
	require.Equal(t, 1, count(got, "a"), "one read tries it, the others do not")
	s.Answered(0)
	require.Equal(t, 2, count(picks(s, 4), "a"))
}

func TestSet_RestDoublesUpToAMinute(t *testing.T) {
	t.Parallel()
	s, c := setup("a")
	for i := range 12 {
		s.Failed(0)
		rest := min(time.Minute, time.Second<<i)
		c.advance(rest - time.Nanosecond)
		_, _, ok := s.Pick(0, every)
		require.False(t, ok, "failure %d", i+1)
		c.advance(time.Nanosecond)
		_, _, ok = s.Pick(0, every)
		require.True(t, ok, "failure %d", i+1)
	}
}

func TestSet_LeavesANodeOutThatThreeInARowGaveUp(t *testing.T) {
	t.Parallel()
	s, _ := setup("a", "b")
	s.Silent(0)
	s.Silent(0)
	s.Answered(0)
	s.Silent(0)
	s.Silent(0)
	require.Equal(t, 1, count(picks(s, 2), "a"), "an answer in between begins the count anew")
	s.Silent(0)
	require.Equal(t, []string{"b", "b"}, picks(s, 2))
}

func TestSet_SkipsWhatThisReadHasTried(t *testing.T) {
	t.Parallel()
	s, _ := setup("a", "b")
	_, first, _ := s.Pick(0, every)
	_, second, ok := s.Pick(1<<first, every)
	require.True(t, ok)
	require.NotEqual(t, first, second)
	_, _, ok = s.Pick(1<<first|1<<second, every)
	require.False(t, ok)
}

func TestSet_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	s, c := setup("a", "b", "c")
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 1000 {
				_, at, ok := s.Pick(0, every)
				if ok && (i+g)%7 == 0 {
					s.Failed(at)
				} else if ok {
					s.Answered(at)
				}
				c.advance(time.Millisecond)
			}
		})
	}
	wg.Wait()
}

func count(list []string, x string) (n int) {
	for _, s := range list {
		if s == x {
			n++
		}
	}
	return n
}
