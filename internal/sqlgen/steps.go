package sqlgen

import "sync/atomic"

// steps holds conditions and ORDER BY items in the order in which they were
// added. Copies share a list: whoever adds to a copy that ends where the list's
// used part ends claims the next place, everybody else gets a list of its own.
// So a chain of Where costs one list, and branches never see each other.
type steps struct {
	n    int
	list *stepList
}

type stepList struct {
	used  int32 // places that are claimed, atomically
	first [6]Cond
	more  *[]Cond // in place of first, where that is too small
}

func (l *stepList) places() []Cond {
	if l.more != nil {
		return *l.more
	}
	return l.first[:]
}

// next claims the place of one more step. The caller fills it before anybody
// else can see it.
func (s *steps) next() *Cond {
	n := s.n
	s.n++
	if l := s.list; l != nil {
		if places := l.places(); n < len(places) && atomic.CompareAndSwapInt32(&l.used, int32(n), int32(n+1)) {
			return &places[n]
		}
	}
	return s.grow(n)
}

// grow gives s a list of its own with room for more than n steps.
func (s *steps) grow(n int) *Cond {
	l := &stepList{used: int32(n + 1)}
	if n >= len(l.first) {
		more := make([]Cond, 2*n)
		l.more = &more
	}
	places := l.places()
	if s.list != nil {
		copy(places, s.list.places()[:n])
	}
	s.list = l
	return &places[n]
}

// all are the steps. They are read only.
func (s *steps) all() []Cond {
	if s.list == nil {
		return nil
	}
	return s.list.places()[:s.n]
}

// conditions is how many of the steps are conditions.
func (s *steps) conditions() (n int) {
	list := s.all()
	for i := range list {
		if list[i].kind != order {
			n++
		}
	}
	return n
}

// ordered says whether one of the steps is an order.
func (s *steps) ordered() bool { return s.conditions() < s.n }

// unordered returns the steps without ORDER BY.
func (s *steps) unordered() steps {
	if !s.ordered() {
		return *s
	}
	return s.only(func(c *Cond) bool { return c.kind != order })
}

// onlyOrders returns the items of ORDER BY.
func (s *steps) onlyOrders() steps { return s.only(func(c *Cond) bool { return c.kind == order }) }

func (s *steps) only(keep func(*Cond) bool) (out steps) {
	list := s.all()
	for i := range list {
		if keep(&list[i]) {
			*out.next() = list[i]
		}
	}
	return out
}
