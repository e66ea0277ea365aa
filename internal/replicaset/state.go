package replicaset

import (
	"cmp"
	"slices"
	"time"
)

// State is how a member is.
type State uint32

// The states.
const (
	// StateUnknown is a member's of which nothing was heard yet. It counts as well.
	StateUnknown State = iota
	// StateHealthy members answer.
	StateHealthy
	// StateSuspect members have not served a read, or not answered a probe. They are left
	// out while others are well, but for those that are kept in service.
	StateSuspect
	// StateEjected members do not answer probes. They are asked when nobody else is left.
	StateEjected
	// StateSlowStart members were ejected and answer again; their share grows.
	StateSlowStart
)

var stateNames = [...]string{"unknown", "healthy", "suspect", "ejected", "slow start"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "none"
}

// Change is a transition of a member's state.
type Change struct {
	Name     string
	From, To State
	Reason   string
}

// slowStart is how long the share of a member grows until it is full again. It begins
// with a tenth.
const (
	slowStart = time.Second
	fullShare = 1 << 10
)

// share is how much of its weight a member in slow start has, of fullShare.
func (m *Member[N]) share(now int64) uint64 {
	passed := min(max(now-m.since.Load(), 0), int64(slowStart))
	return max(fullShare/10, uint64(passed)*fullShare/uint64(slowStart))
}

// resort is how good it is to pick the member.
func (m *Member[N]) resort() Resort {
	if m.Has(Unseen) {
		return Ejected
	}
	switch m.State() {
	case StateSuspect:
		if !m.kept.Load() {
			return Suspected
		}
	case StateEjected:
		return Ejected
	}
	return Well
}

// turn is a transition. The caller holds set.mu, and calls deliver without it.
func (m *Member[N]) turn(to State, now int64, reason string) {
	from := m.State()
	if from == to {
		return
	}
	m.epoch.Add(1)
	m.since.Store(now)
	m.state.Store(uint32(to))
	if from == StateSlowStart {
		m.evenTurn()
	}
	m.trial.reason = reason
	m.set.settle()
	if m.set.o.Changed != nil && !m.gone {
		m.set.changes = append(m.set.changes, Change{m.Name(), from, to, reason})
	}
}

// settle decides which members stay in service although reads were lost at them: passive
// signs alone, which may be our side's fault, leave out at most half of the members,
// rounded up, and never all that are not known to be away. The caller holds mu.
func (s *Set[N]) settle() {
	members := s.list.Load().members
	var lost []*Member[N]
	away := 0
	for _, m := range members {
		switch state := m.State(); {
		case state == StateSuspect && m.trial.passive:
			lost = append(lost, m)
		case state == StateSuspect, state == StateEjected:
			m.kept.Store(false)
			away++
		}
	}
	slices.SortStableFunc(lost, func(a, b *Member[N]) int { return cmp.Compare(a.since.Load(), b.since.Load()) })
	out := min((len(members)+1)/2, len(members)-away-1)
	for i, m := range lost {
		m.kept.Store(i >= out)
	}
}

// deliver tells Changed what has happened since it was last called, one after the other
// and with no lock held.
func (s *Set[N]) deliver() {
	if s.o.Changed == nil {
		return
	}
	for {
		c, ok := s.nextChange()
		if !ok {
			return
		}
		s.tell(c)
	}
}

// nextChange takes a change that the caller must tell. There is none while another tells.
func (s *Set[N]) nextChange() (c Change, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.delivering || len(s.changes) == 0 {
		return c, false
	}
	c = s.changes[0]
	s.changes = slices.Delete(s.changes, 0, 1)
	s.delivering = true
	return c, true
}

func (s *Set[N]) tell(c Change) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.delivering = false
	}()
	s.o.Changed(c)
}
