package session

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// begin waits for a connection on a goroutine of its own, until it has its turn.
func begin(t *testing.T, b *Budget, done <-chan struct{}, doubted bool) <-chan int {
	t.Helper()
	_, before := b.Figures()
	got := make(chan int, 1)
	go func() { got <- b.Take(done, nil, nil, doubted) }()
	for {
		if _, waiting := b.Figures(); waiting > before || len(got) > 0 {
			return got
		}
	}
}

func TestBudget_DoubtedPoolsLeaveHalfOfItToOthers(t *testing.T) {
	t.Parallel()
	b := NewBudget(4, func() bool { return false })
	require.Zero(t, b.Take(nil, nil, nil, true))
	require.Zero(t, b.Take(nil, nil, nil, true))
	blocked := begin(t, b, nil, true)
	require.False(t, b.Wanted(), "who waits for other doubted ones has nobody close anything")
	require.Zero(t, b.Take(nil, nil, nil, false), "there is room for others, who do not wait behind it")
	require.Zero(t, b.Take(nil, nil, nil, false))

	next := begin(t, b, nil, false)
	require.True(t, b.Wanted())
	require.Empty(t, blocked)
	b.Give(true) // to who has waited longest and may
	require.Zero(t, <-blocked)
	b.Give(false)
	require.Zero(t, <-next)
	require.False(t, b.Wanted())

	// One that has answered is doubted no more.
	blocked = begin(t, b, nil, true)
	b.Sure()
	require.True(t, b.Wanted())
	b.Give(false)
	require.Zero(t, <-blocked)
	b.Give(true)
	b.Give(true)
	b.Give(false)
	b.Give(false)
	open, waiting := b.Figures()
	require.Zero(t, open+waiting+b.doubted+b.sure)
}

func TestBudget_OfOneServesADoubtedPoolToo(t *testing.T) {
	t.Parallel()
	b := NewBudget(1, func() bool { return false })
	require.Zero(t, b.Take(nil, nil, nil, true))
	done := make(chan struct{})
	left, stays := begin(t, b, done, true), begin(t, b, nil, false)
	close(done)
	require.Equal(t, 1, <-left)
	b.Give(true)
	require.Zero(t, <-stays)
	b.Give(false)
}

func TestBudget_IsNeverExceededAndNothingIsLost(t *testing.T) {
	t.Parallel()
	const size = 4
	var open, doubtful atomic.Int64
	b := NewBudget(size, func() bool { return false })
	var all sync.WaitGroup
	for g := range 32 {
		all.Go(func() {
			for i := range 200 {
				doubted := (g+i)%3 == 0
				done := make(chan struct{})
				if i%5 == 0 {
					close(done)
				}
				if b.Take(done, nil, nil, doubted) != 0 {
					continue
				}
				if open.Add(1) > size {
					t.Error("more than the budget")
				}
				if doubted && doubtful.Add(1) > size/2 {
					t.Error("more than half of it by doubted pools")
				}
				if doubted {
					doubtful.Add(-1)
				}
				if doubted && i%2 == 0 {
					b.Sure()
					doubted = false
				}
				open.Add(-1)
				b.Give(doubted)
			}
		})
	}
	all.Wait()
	opened, waiting := b.Figures()
	require.Zero(t, opened+waiting+b.doubted+b.sure+len(b.turns))
	require.False(t, b.Wanted())
}
