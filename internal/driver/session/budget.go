package session

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Budget bounds the open connections of several pools together. Who waits for one comes in
// turn, and while somebody waits no pool keeps a connection that is given back. It is safe
// for concurrent use.
type Budget struct {
	size int
	// room has a pool close connections that nobody uses, and says whether one did. It is
	// called by who waits, now and then, with nothing locked.
	room func() bool

	mu    sync.Mutex // protects following fields
	open  int
	turns []chan struct{}

	waiting atomic.Int64 // as many as there are turns
}

// NewBudget makes a budget of so many connections.
func NewBudget(size int, room func() bool) *Budget { return &Budget{size: size, room: room} }

// Size is how many connections may be open.
func (b *Budget) Size() int { return b.size }

// Figures are how many connections are open, and how many callers wait for one.
func (b *Budget) Figures() (open, waiting int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open, len(b.turns)
}

// Wanted says that somebody waits.
func (b *Budget) Wanted() bool { return b != nil && b.waiting.Load() > 0 }

// askAgain is how often who waits has room made: a connection may have become idle just
// when nobody waited yet.
const askAgain = 10 * time.Millisecond

// Take takes a connection of the budget, for Give to give back. It waits until one of the
// channels gives something, of which it then tells which one: the first is 1.
func (b *Budget) Take(done <-chan struct{}, patience <-chan time.Time) (ended int) {
	b.mu.Lock()
	if b.open < b.size && len(b.turns) == 0 {
		b.open++
		b.mu.Unlock()
		return 0
	}
	turn := make(chan struct{}, 1)
	b.turns = append(b.turns, turn)
	b.waiting.Add(1)
	b.mu.Unlock()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		b.room()
		select {
		case <-turn:
			return 0
		case <-done:
			ended = 1
		case <-patience:
			ended = 2
		case <-again.C:
			continue
		}
		b.leave(turn)
		return ended
	}
}

// leave gives a turn up, or what it has just been given.
func (b *Budget) leave(turn chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at := slices.Index(b.turns, turn); at >= 0 {
		b.turns = slices.Delete(b.turns, at, at+1)
		b.waiting.Add(-1)
		return
	}
	b.giveLocked()
}

// Give gives back what Take took: to who has waited longest, if somebody does.
func (b *Budget) Give() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.giveLocked()
}

func (b *Budget) giveLocked() {
	if len(b.turns) == 0 {
		b.open--
		return
	}
	b.turns[0] <- struct{}{}
	b.turns = slices.Delete(b.turns, 0, 1)
	b.waiting.Add(-1)
}
