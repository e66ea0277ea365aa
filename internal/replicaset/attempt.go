package replicaset

import "time"

// Attempt is one read at a member. Exactly one of Answered, Failed and GaveUp ends it, on
// any goroutine. Those of its zero value do nothing.
type Attempt[N comparable] struct {
	m     *Member[N]
	start int64
	epoch uint32
}

// Begin notes that a read is sent to the member, whatever its state.
func (m *Member[N]) Begin() Attempt[N] {
	now := m.set.clock()
	m.inFlight.Add(1)
	if m.waiting.Load() == 0 {
		m.waiting.CompareAndSwap(0, now)
	}
	return Attempt[N]{m, now, m.epoch.Load()}
}

// Answered says that the node answered, be it with an error of the statement. The
// member's latency is learned from it.
func (a Attempt[N]) Answered() {
	m := a.m
	if m == nil {
		return
	}
	now := m.set.clock()
	m.answeredAt(now, m.inFlight.Add(-1))
	m.learn(now-a.start, now-m.heard.Load())
	m.heard.Store(now)
	if m.State() != StateHealthy {
		m.sign(a.epoch, now)
	}
}

// Failed says that the node cannot have served the read, and why: there was no connection
// to it, or it was lost. One incident counts once: an attempt that began before the member's
// last transition says nothing new.
func (a Attempt[N]) Failed(why string) {
	m := a.m
	if m == nil {
		return
	}
	m.inFlight.Add(-1)
	if m.epoch.Load() == a.epoch {
		m.lost(a.epoch, why)
	}
}

// GaveUp says that nothing was learned of the node: its caller had no more patience, or
// the pool was full.
func (a Attempt[N]) GaveUp() {
	if a.m != nil {
		a.m.inFlight.Add(-1)
	}
}

// answeredAt notes that the node has shown that it answers, with so many reads still in
// flight.
func (m *Member[N]) answeredAt(now, flying int64) {
	if m.waiting.Load() == 0 {
		return
	}
	if flying <= 0 {
		now = 0
	}
	m.waiting.Store(now)
}

// learn smooths the latency as TCP does its round trips (RFC 6298), but that what was
// learned long ago counts less: idle is the time since the last answer. Of two answers at
// the same time one may go uncounted. One that took very long says less of the node than of
// the statement, and counts as twice the ceiling.
func (m *Member[N]) learn(took, idle int64) {
	took = min(max(1, took), 2*int64(m.set.o.Ceiling))
	old, deviation := m.latency.Load(), m.deviation.Load()
	if old == 0 {
		m.latency.Store(took)
		m.deviation.Store(took / 2)
		return
	}
	off := took - old
	away := max(off, -off) - deviation
	if idle > int64(halfLife)/5 {
		part := 1 - fade(idle)
		m.latency.Store(max(1, old+int64(float64(off)*part)))
		m.deviation.Store(deviation + int64(float64(away)*part))
		return
	}
	m.latency.Store(old + off/8)
	m.deviation.Store(deviation + away/4)
}

// Bound is how long reads may all go unanswered before the member is doubted: four times
// its smoothed latency and their deviation, within Floor and Ceiling, and Ceiling while
// nothing is known.
func (m *Member[N]) Bound() time.Duration {
	latency := time.Duration(m.latency.Load())
	if latency == 0 {
		return m.set.o.Ceiling
	}
	return min(max(4*latency+time.Duration(m.deviation.Load()), m.set.o.Floor), m.set.o.Ceiling)
}

// Doubt says that reads were sent to a member that counts as well, and that none was
// answered for Bound: it is to be probed now. That a caller gave a read up makes no
// difference. It is cheap enough to be asked every few milliseconds.
func (m *Member[N]) Doubt(now time.Time) bool {
	switch m.State() {
	case StateSuspect, StateEjected: // which Due has probed
		return false
	}
	return m.doubt(m.set.instant(now))
}

func (m *Member[N]) doubt(now int64) bool {
	since := m.waiting.Load()
	if since == 0 {
		if m.inFlight.Load() > 0 {
			// It began while the answer to another was noted.
			m.waiting.CompareAndSwap(0, now)
		}
		return false
	}
	return now-since > int64(m.Bound())
}

// A member stalls when at least minPile reads are in flight and none was answered for as
// long as one usually takes, and for minStall.
const (
	minPile  = 4
	minStall = 10 * time.Millisecond
)

// Stalled says that several reads are in flight at the member and none was answered for
// longer than one usually takes: new ones go elsewhere while others answer, so that few
// wait if it is silent. It is no judgement, and over with the next answer, of a probe as
// well, which is best asked now; after that of a probe it is not said again for Ceiling.
func (m *Member[N]) Stalled(now time.Time) bool {
	return m.PiledUp() && m.stalled(m.set.instant(now))
}

// PiledUp says that enough reads are in flight for their silence to mean something: one
// or two may be slow by themselves.
func (m *Member[N]) PiledUp() bool { return m.inFlight.Load() >= minPile }

// stalled is Stalled of one at which reads have piled up. All that were in flight when a
// read was last answered have taken longer than usual by now.
func (m *Member[N]) stalled(now int64) bool {
	since, latency := m.waiting.Load(), m.latency.Load()
	if since == 0 || latency == 0 || now < m.trusted.Load() {
		return false
	}
	return now-since > max(latency+4*m.deviation.Load(), int64(minStall))
}

// trust has a member not count as stalled for a while that does and has answered a probe:
// what is in flight there is slow by itself, and others are not.
func (m *Member[N]) trust(now int64) {
	if m.PiledUp() && m.stalled(now) {
		m.trusted.Store(now + int64(m.set.o.Ceiling))
	}
}
