package replicaset

import "time"

// State is how a member is.
type State uint32

// The states. A member is unknown until it has answered once, and serves meanwhile.
const (
	StateUnknown State = iota
	StateHealthy
	// StateSuspect: something went wrong, which one question will clear up.
	StateSuspect
	// StateEjected: it did not answer the question either. It is asked again and again.
	StateEjected
	// StateSlowStart: it is back, and its share of the reads grows to the full one.
	StateSlowStart
)

var stateNames = [...]string{"unknown", "healthy", "suspect", "ejected", "slow start"}

// String is the state in words.
func (s State) String() string { return stateNames[s] }

// Change is a transition of a member.
type Change struct {
	Name     string
	From, To State
	Reason   string
}

// Flag is a condition beside the state.
type Flag uint32

// The flags. A member that is Draining or has a RoleMismatch is not picked; of one that is
// Lagging, Wants decides.
const (
	Lagging Flag = 1 << iota
	Draining
	RoleMismatch
)

// Set raises or lowers a flag, and says whether that changed it.
func (m *Member[N]) Set(f Flag, on bool) (changed bool) {
	if on {
		return m.flags.Or(uint32(f))&uint32(f) == 0
	}
	return m.flags.And(^uint32(f))&uint32(f) != 0
}

// Has says whether one of the flags is raised.
func (m *Member[N]) Has(f Flag) bool { return Flag(m.flags.Load())&f != 0 }

const (
	// slowStart is how long a member that is back takes to its full share.
	slowStart = time.Second
	// An ejected member is asked again after firstRest, which doubles up to lastRest: one
	// that returns serves again within a second.
	firstRest = 50 * time.Millisecond
	lastRest  = 400 * time.Millisecond
)

// Due is when the next probe of the member is to be sent.
func (m *Member[N]) Due() time.Time { return time.Unix(0, m.due.Load()) }

// Doubt says that reads are under way, none of which was answered for Bound: whether the
// member is well is to be asked now.
func (m *Member[N]) Doubt(now time.Time) bool {
	return m.inFlight.Load() > 0 && now.UnixNano()-m.heard.Load() > int64(m.Bound())
}

// Bound is how long reads may go unanswered before the member is doubted: a few times its
// usual latency, between Floor and Ceiling.
func (m *Member[N]) Bound() time.Duration {
	return min(max(4*time.Duration(m.latency.Load()), m.set.o.Floor), m.set.o.Ceiling)
}

// Probed says what came of a probe, and why. One that is answered makes a member healthy,
// or lets it come back slowly if it was ejected. One that is not makes it suspect, and
// ejects one that is suspect, or doubted, or has never answered.
func (m *Member[N]) Probed(ok bool, reason string) {
	now := m.set.o.Now()
	doubted := m.Doubt(now)
	from := m.State()
	if ok {
		m.heard.Store(now.UnixNano())
		m.rests.Store(0)
		m.due.Store(now.Add(m.set.jitter(m.set.o.Every)).UnixNano())
		switch from {
		case StateEjected:
			m.turns(from, StateSlowStart, "it answers again")
		case StateSlowStart:
			if now.UnixNano()-m.since.Load() >= int64(slowStart) {
				m.turns(from, StateHealthy, "it is back")
			}
		default:
			m.turns(from, StateHealthy, "it answers")
		}
		return
	}
	switch from {
	case StateHealthy, StateSlowStart:
		if !doubted {
			m.turns(from, StateSuspect, reason)
			m.due.Store(now.UnixNano())
			return
		}
	}
	rest := min(firstRest<<min(m.rests.Add(1)-1, 8), lastRest)
	m.due.Store(now.Add(m.set.jitter(rest)).UnixNano())
	m.turns(from, StateEjected, reason)
}

// turns makes the transition, unless another has made one meanwhile.
func (m *Member[N]) turns(from, to State, reason string) {
	if from == to || !m.state.CompareAndSwap(uint32(from), uint32(to)) {
		return
	}
	m.since.Store(m.set.o.Now().UnixNano())
	m.incident.Add(1)
	if to == StateEjected {
		m.ejections.Add(1)
	}
	if m.set.o.Changed != nil {
		m.set.o.Changed(Change{m.Name(), from, to, reason})
	}
}

// jitter is d, give or take a fifth, so that many programs do not ask at once.
func (s *Set[N]) jitter(d time.Duration) time.Duration {
	spread := uint64(d) / 5 * 2
	if spread == 0 {
		return d
	}
	return d - time.Duration(spread/2) + time.Duration(s.o.Rand()%spread)
}

// resort is what a read may hope of the member. Suspects are trusted when there are too
// many of them.
func (m *Member[N]) resort(trusting bool) Resort {
	switch m.State() {
	case StateEjected:
		return Ejected
	case StateSuspect:
		if !trusting {
			return Suspected
		}
	}
	return Well
}

// startsWith says whether a member that has just come back gets a read that it was picked
// for: ever more of them.
func (m *Member[N]) startsWith(chance uint64) bool {
	const least = slowStart / 10
	age := m.set.o.Now().UnixNano() - m.since.Load()
	return int64(chance%uint64(slowStart)) < max(age, int64(least))
}
