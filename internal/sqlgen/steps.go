package sqlgen

// steps holds conditions and ORDER BY items in the order in which they were
// added. Copies share a list, and nobody sees what others add to theirs. Where
// the next step goes is in steps_claim.go.
type steps struct {
	n    int
	list *stepList
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
