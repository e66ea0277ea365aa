package session

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Budget bounds the open connections of several pools together. Who waits for one comes in
// turn, and while somebody waits no pool keeps a connection that is given back. Pools whose
// last dial has failed are doubted: together they hold at most half of the budget while they
// dial, so that databases which do not answer leave the rest to others. It is safe for
// concurrent use.
type Budget struct {
	size int
	// room has a pool close connections that nobody uses, and says whether one did. It is
	// called by who waits, now and then, with nothing locked.
	room func() bool

	mu      sync.Mutex // protects following fields
	open    int
	doubted int // of open, those that doubted pools dial
	turns   []*turn
	sure    int // of turns, those of pools that are not doubted

	waiting atomic.Int64 // how many turns would come with room for them
}

// turn is that of one who waits.
type turn struct {
	given   chan struct{} // has one value when the turn has come
	doubted bool
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

// Wanted says that somebody waits for room.
func (b *Budget) Wanted() bool { return b != nil && b.waiting.Load() > 0 }

// askAgain is how often who waits has room made: a connection may have become idle just
// when nobody waited yet.
const askAgain = 10 * time.Millisecond

// TryTake is Take where that need not wait.
func (b *Budget) TryTake(doubted bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tryLocked(doubted)
}

func (b *Budget) tryLocked(doubted bool) bool {
	if b.open >= b.size || !b.mayLocked(doubted) {
		return false
	}
	b.takeLocked(doubted)
	return true
}

// Take takes a connection of the budget, for Give to give back. It waits until one of the
// channels gives something, of which it then tells which one: the first is 1. doubted says
// that the pool is; of what it has taken Sure tells that it is there.
func (b *Budget) Take(done <-chan struct{}, patience <-chan time.Time, came <-chan struct{}, doubted bool) (ended int) {
	b.mu.Lock()
	if b.tryLocked(doubted) {
		b.mu.Unlock()
		return 0
	}
	t := &turn{make(chan struct{}, 1), doubted}
	b.turns = append(b.turns, t)
	if !doubted {
		b.sure++
	}
	b.nextLocked()
	b.mu.Unlock()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		if b.may(doubted) {
			b.room()
		}
		select {
		case <-t.given:
			return 0
		case <-done:
			ended = 1
		case <-patience:
			ended = 2
		case <-came:
			ended = 3
		case <-again.C:
			continue
		}
		b.leave(t)
		return ended
	}
}

// mayLocked says whether who waits would come with room.
func (b *Budget) mayLocked(doubted bool) bool { return !doubted || b.doubted < max(b.size/2, 1) }

func (b *Budget) may(doubted bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mayLocked(doubted)
}

func (b *Budget) takeLocked(doubted bool) {
	b.open++
	if doubted {
		b.doubted++
	}
}

// nextLocked gives what there is to those who have waited longest. It is called after each
// change, so that nobody waits whom it could serve.
func (b *Budget) nextLocked() {
	for b.open < b.size {
		at := slices.IndexFunc(b.turns, func(t *turn) bool { return b.mayLocked(t.doubted) })
		if at < 0 {
			break
		}
		b.takeLocked(b.turns[at].doubted)
		b.turns[at].given <- struct{}{}
		b.dropLocked(at)
	}
	waiting := b.sure
	if b.mayLocked(true) {
		waiting = len(b.turns)
	}
	b.waiting.Store(int64(waiting))
}

func (b *Budget) dropLocked(at int) {
	if !b.turns[at].doubted {
		b.sure--
	}
	b.turns = slices.Delete(b.turns, at, at+1)
}

// leave gives a turn up, or what it has just been given.
func (b *Budget) leave(t *turn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at := slices.Index(b.turns, t); at >= 0 {
		b.dropLocked(at)
		b.nextLocked()
		return
	}
	b.giveLocked(t.doubted)
}

// Give gives back what Take took: to who has waited longest, if somebody does. doubted is
// what Take was told, unless Sure was called since. A nil Budget has nothing to take.
func (b *Budget) Give(doubted bool) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.giveLocked(doubted)
}

func (b *Budget) giveLocked(doubted bool) {
	b.open--
	if doubted {
		b.doubted--
	}
	b.nextLocked()
}

// Sure says that a connection that a doubted pool took is there.
func (b *Budget) Sure() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.doubted--
	b.nextLocked()
}
