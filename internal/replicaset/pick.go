package replicaset

import "slices"

// Wants says which members one read may be served by.
type Wants[N comparable] interface{ Fits(m *Member[N]) bool }

// Resort says how good a pick is.
type Resort uint8

// The resorts, the best first.
const (
	Well      Resort = iota
	Suspected        // something went wrong there, and it was not asked since
	Ejected          // it did not answer when it was asked
)

// Tried holds the members that a read has asked. The zero value is empty. Up to eight
// allocate nothing. It is used by one goroutine at a time.
type Tried[N comparable] struct {
	few  [8]*Member[N]
	n    int
	more []*Member[N]
}

// Add notes that m was asked.
func (t *Tried[N]) Add(m *Member[N]) {
	if t.n < len(t.few) {
		t.few[t.n] = m
		t.n++
		return
	}
	t.more = append(t.more, m)
}

// Has says whether m was asked.
func (t *Tried[N]) Has(m *Member[N]) bool {
	return t.n > 0 && (slices.Contains(t.few[:t.n], m) || slices.Contains(t.more, m))
}

// Pick returns the next member for a read that has asked those of tried and may be served
// by those that w wants: one that is well, by policy; else one under suspicion; else,
// since whoever might answer is asked before nobody, one that was ejected. It notes
// nothing in tried. A read that was asked elsewhere before takes nobody's turn.
func (s *Set[N]) Pick(w Wants[N], tried *Tried[N]) (m *Member[N], resort Resort, ok bool) {
	return s.pick(w, tried, tried.n == 0)
}

// Peek is what Pick would return for a read that has asked nobody, but for what is drawn
// at random. It changes nothing.
func (s *Set[N]) Peek(w Wants[N]) (m *Member[N], resort Resort, ok bool) {
	return s.pick(w, new(Tried[N]), false)
}

func (s *Set[N]) pick(w Wants[N], tried *Tried[N], takesTurn bool) (*Member[N], Resort, bool) {
	var room [16]*Member[N]
	list := s.Members()
	trusting := tooManySuspects(list)
	for resort := Well; resort <= Ejected; resort++ {
		fit := room[:0]
		for _, m := range list {
			if m.resort(trusting) == resort && !m.Has(Draining|RoleMismatch) && !tried.Has(m) && w.Fits(m) {
				fit = append(fit, m)
			}
		}
		if len(fit) > 0 {
			return s.oneOf(s.near(fit), takesTurn), resort, true
		}
	}
	return nil, Well, false
}

// tooManySuspects says that more than half of the members are under suspicion: signs that
// reads give do not take that many out.
func tooManySuspects[N comparable](list []*Member[N]) bool {
	n := 0
	for _, m := range list {
		if m.State() == StateSuspect {
			n++
		}
	}
	return n > (len(list)+1)/2
}

// near keeps the members of the set's own zone, or all if there are none.
func (s *Set[N]) near(fit []*Member[N]) []*Member[N] {
	if s.o.Zone == "" {
		return fit
	}
	n := 0
	for i, m := range fit {
		if m.spec.Load().Zone == s.o.Zone {
			fit[n], fit[i] = fit[i], fit[n]
			n++
		}
	}
	if n == 0 {
		return fit
	}
	return fit[:n]
}

// oneOf picks by policy among members that are all fit. One that has just come back gets
// its growing share only.
func (s *Set[N]) oneOf(fit []*Member[N], takesTurn bool) *Member[N] {
	m := s.byPolicy(fit, takesTurn)
	if len(fit) == 1 || m.State() != StateSlowStart || m.startsWith(s.o.Rand()) {
		return m
	}
	i := slices.Index(fit, m)
	rest := append(fit[:i], fit[i+1:]...) // fit is the caller's no more
	return rest[s.o.Rand()%uint64(len(rest))]
}
