package replicaset

import "time"

const (
	// An ejected member is probed after minBackoff, which doubles up to maxBackoff with
	// each probe that fails, so that one that returns is noticed within half a second.
	minBackoff = 50 * time.Millisecond
	maxBackoff = 400 * time.Millisecond
	// A member that was under suspicion of late must answer several probes in a row, about
	// runEvery apart, before it counts as well: for minRun the second time, and twice as
	// long each further time. Thus one that fails every now and then changes its state less
	// than twice a second, and one that is well again is back within one.
	runEvery      = 75 * time.Millisecond
	minRun        = 75 * time.Millisecond
	maxSuspectRun = 800 * time.Millisecond
	maxEjectedRun = 300 * time.Millisecond
	calm          = 10 * time.Second // without trouble has earlier incidents forgotten
)

// trial is what a member's case rests on.
type trial struct {
	passive   bool   // its suspicion comes of a read, not of a probe
	reason    string // of its state
	ejections int
	incidents int   // since it was calm
	trouble   int64 // when it last failed
	good, bad int   // probes in a row, bad since it was ejected
	goodSince int64 // the first of good
}

// Due is when the next probe is due: of a member that is well Every after the last one, at
// once under suspicion, else after what is said of minBackoff and runEvery; all but "at
// once" up to a fifth earlier or later, so that many programs do not probe together.
func (m *Member[N]) Due() time.Time { return m.set.epoch.Add(time.Duration(m.due.Load())) }

// Probed says what came of a probe: whether the node answered in time, and if not, why. One
// failure puts a member that is well under suspicion, and the next one ejects it; the first
// one ejects it where reads have shown the same (see Doubt, and Confirm for those that show it
// later), and where it has never answered.
func (m *Member[N]) Probed(ok bool, reason string) {
	defer m.set.deliver()
	m.set.mu.Lock()
	defer m.set.mu.Unlock()
	now := m.set.clock()
	if ok {
		m.trust(now)
		m.answeredAt(now, m.inFlight.Load())
		m.probedWell(now)
	} else {
		m.probedBadly(now, reason)
	}
}

func (m *Member[N]) probedWell(now int64) {
	t := &m.trial
	if t.good++; t.good == 1 {
		t.goodSince = now
	}
	next := m.set.jitter(m.set.o.Every)
	switch m.State() {
	case StateUnknown:
		m.turn(StateHealthy, now, "it answers")
	case StateSuspect:
		if rest := t.run(maxSuspectRun, now); rest > 0 {
			next = min(rest, m.set.jitter(runEvery))
		} else {
			m.turn(StateHealthy, now, "it answers")
		}
	case StateEjected:
		if rest := t.run(maxEjectedRun, now); rest > 0 {
			next = min(rest, m.set.jitter(runEvery))
		} else {
			m.turn(StateSlowStart, now, "it answers again")
			next = int64(slowStart)
		}
	case StateSlowStart:
		if rest := m.since.Load() + int64(slowStart) - now; rest > 0 {
			next = rest
		} else {
			m.turn(StateHealthy, now, "it has served for a while")
		}
	}
	m.due.Store(now + next)
}

// run is for how much longer the member must answer probes before it counts as well.
func (t *trial) run(longest time.Duration, now int64) int64 {
	if t.incidents < 2 {
		return 0
	}
	whole := min(minRun<<min(t.incidents-2, 10), longest)
	return t.goodSince + int64(whole) - now
}

func (m *Member[N]) probedBadly(now int64, reason string) {
	t := &m.trial
	t.good = 0
	wait := int64(0)
	switch m.State() {
	case StateSuspect:
		m.ejected(now, reason)
		wait = m.backoff()
	case StateEjected:
		t.bad++
		wait = m.backoff()
	default:
		m.incident(now)
		t.passive = false
		if m.State() != StateUnknown && !m.doubt(now) {
			m.turn(StateSuspect, now, reason)
			break
		}
		m.ejected(now, reason)
		wait = m.backoff()
	}
	t.trouble = now
	m.due.Store(now + wait)
}

// Confirm ejects a member that did not answer a probe, as soon as reads show the same (see
// Doubt), and says whether it did. For the next probe a connection must be made first, which
// may take long, and what waits for the member would wait for that as well. It is cheap
// enough to be asked every few milliseconds.
func (m *Member[N]) Confirm(now time.Time) bool {
	at := m.set.instant(now)
	if m.State() != StateSuspect || !m.doubt(at) {
		return false
	}
	defer m.set.deliver()
	m.set.mu.Lock()
	defer m.set.mu.Unlock()
	if t := &m.trial; m.State() != StateSuspect || t.passive || t.good > 0 {
		return false
	}
	m.ejected(at, m.trial.reason)
	m.due.Store(at + m.backoff())
	return true
}

func (m *Member[N]) backoff() int64 {
	return m.set.jitter(min(minBackoff<<min(m.trial.bad, 10), maxBackoff))
}

func (m *Member[N]) ejected(now int64, reason string) {
	m.trial.ejections++
	m.trial.bad = 0
	m.turn(StateEjected, now, reason)
}

// incident begins one. The caller holds set.mu.
func (m *Member[N]) incident(now int64) {
	t := &m.trial
	if now-t.trouble > int64(calm) {
		t.incidents = 0
	}
	t.incidents++
	t.trouble, t.good = now, 0
}

// lost says that a read of an epoch was not served, and why.
func (m *Member[N]) lost(epoch uint32, why string) {
	defer m.set.deliver()
	m.set.mu.Lock()
	defer m.set.mu.Unlock()
	if m.epoch.Load() != epoch {
		return
	}
	switch m.State() {
	case StateUnknown, StateHealthy, StateSlowStart:
		now := m.set.clock()
		m.incident(now)
		m.trial.passive = true
		m.turn(StateSuspect, now, "a read was not served: "+why)
		m.due.Store(now)
	}
}

// sign says that a read of an epoch was answered by a member that does not count as
// healthy. It makes a member known; what is under suspicion or ejected is left to a probe,
// which is asked soon.
func (m *Member[N]) sign(epoch uint32, now int64) {
	if m.epoch.Load() != epoch {
		return
	}
	switch m.State() {
	case StateUnknown:
		m.known(epoch, now)
	case StateSuspect, StateEjected:
		if due := m.due.Load(); due > now+int64(minBackoff) {
			m.due.CompareAndSwap(due, now+int64(minBackoff))
		}
	}
}

func (m *Member[N]) known(epoch uint32, now int64) {
	defer m.set.deliver()
	m.set.mu.Lock()
	defer m.set.mu.Unlock()
	if m.epoch.Load() == epoch && m.State() == StateUnknown {
		m.turn(StateHealthy, now, "it answers")
	}
}
