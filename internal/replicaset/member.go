package replicaset

import (
	"sync/atomic"
	"time"
)

// Member is one replica. It is safe for concurrent use.
type Member[N comparable] struct {
	set  *Set[N]
	node N
	spec atomic.Pointer[Spec]

	state atomic.Uint32
	flags atomic.Uint32
	kept  atomic.Bool  // in service although it is under suspicion
	since atomic.Int64 // when it came into its state
	due   atomic.Int64 // when it is to be probed
	// trusted is until when reads that pile up say nothing; see trust.
	trusted atomic.Int64
	epoch   atomic.Uint32 // of what is known of it; each transition begins another
	trial   trial         // protected by set.mu
	gone    bool          // protected by set.mu

	// What follows changes with each read, what precedes hardly ever: the processors'
	// caches are to keep the two apart.
	_ [64]byte

	inFlight  atomic.Int64
	waiting   atomic.Int64 // since when reads have had no answer; 0 is not at all
	heard     atomic.Int64 // when a read was last answered
	latency   atomic.Int64 // smoothed, 0 if there is none yet
	deviation atomic.Int64 // of it
	passes    [lanes]atomic.Uint64
	_         [64]byte
}

// Flag is a condition beside the state.
type Flag uint32

// The flags. A member that is Draining or Foreign is never picked, one that is Unseen as
// the last resort; of one that is Lagging, Wants decides, for reads differ in what they bear.
const (
	Lagging  Flag = 1 << iota // too far behind
	Draining                  // to be taken out of service
	Foreign                   // what it shows is not the primary's data
	Unseen                    // whose data it shows is not known yet
)

// Node is what the member stands for.
func (m *Member[N]) Node() N { return m.node }

// Name is the member's name.
func (m *Member[N]) Name() string { return m.spec.Load().Name }

// State is how the member is now.
func (m *Member[N]) State() State { return State(m.state.Load()) }

// InFlight is how many reads are under way.
func (m *Member[N]) InFlight() int { return int(m.inFlight.Load()) }

// Set sets or clears flags, and says whether that changed one.
func (m *Member[N]) Set(f Flag, on bool) (changed bool) {
	if on {
		return Flag(m.flags.Or(uint32(f)))&f != f
	}
	return Flag(m.flags.And(^uint32(f)))&f != 0
}

// Has says whether one of flags is set.
func (m *Member[N]) Has(f Flag) bool { return Flag(m.flags.Load())&f != 0 }

// InTurn says that the member takes its turn of reads, as long as what they want fits: no
// flag is set, and it is well or kept in service.
func (m *Member[N]) InTurn() bool {
	return m.resort() == Well && !m.Has(Lagging|Draining|Foreign)
}

// Figures are what is known of a member.
type Figures struct {
	State     State
	Since     time.Time // when it came into its state
	Reason    string    // of that; "" at first
	Zone      string
	Weight    int
	InFlight  int
	Latency   time.Duration // smoothed, of reads that were answered; 0 if there was none
	Bound     time.Duration // see Member.Bound
	Ejections int           // so far

	Lagging, Draining, Foreign bool
}

// Figures are what is known now.
func (m *Member[N]) Figures() Figures {
	spec := m.spec.Load()
	f := Figures{
		Zone: spec.Zone, Weight: spec.Weight, InFlight: int(m.inFlight.Load()), Latency: time.Duration(m.latency.Load()), Bound: m.Bound(),
		Lagging: m.Has(Lagging), Draining: m.Has(Draining), Foreign: m.Has(Foreign),
	}
	m.set.mu.Lock()
	defer m.set.mu.Unlock()
	f.State, f.Since, f.Reason, f.Ejections = m.State(), m.set.epoch.Add(time.Duration(m.since.Load())), m.trial.reason, m.trial.ejections
	return f
}
