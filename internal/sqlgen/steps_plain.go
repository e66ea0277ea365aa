//go:build dbfleet_plain

package sqlgen

// stepList is a list of steps that is never changed once it is shared; see
// steps_claim.go.
type stepList []Cond

func (l *stepList) places() []Cond { return *l }

// next gives s a list of its own with one more step, which the caller fills.
func (s *steps) next() *Cond {
	l := make(stepList, s.n+1)
	if s.list != nil {
		copy(l, *s.list)
	}
	s.n, s.list = s.n+1, &l
	return &l[s.n-1]
}
