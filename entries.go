package dbfleet

import (
	"hash/maphash"
	"maps"
	"sync/atomic"
)

// entries are the connections of a registry by name. They are read without a
// lock. A change copies one of the parts only, so that many connections can be
// added one by one; whoever changes them holds the registry's mu.
type entries struct {
	parts [64]atomic.Pointer[map[string]*entry] // the maps are never changed once stored
}

var entrySeed = maphash.MakeSeed()

func (s *entries) part(name string) *atomic.Pointer[map[string]*entry] {
	return &s.parts[maphash.String(entrySeed, name)%uint64(len(s.parts))]
}

func (s *entries) find(name string) (*entry, bool) {
	m := s.part(name).Load()
	if m == nil {
		return nil, false
	}
	e, ok := (*m)[name]
	return e, ok
}

// put stores an entry under a name, or takes the name out if e is nil.
func (s *entries) put(name string, e *entry) {
	at := s.part(name)
	next := map[string]*entry{}
	if m := at.Load(); m != nil {
		next = maps.Clone(*m)
	}
	if e == nil {
		delete(next, name)
	} else {
		next[name] = e
	}
	at.Store(&next)
}

// all calls each for every entry.
func (s *entries) all(each func(name string, e *entry)) {
	for i := range s.parts {
		if m := s.parts[i].Load(); m != nil {
			for name, e := range *m {
				each(name, e)
			}
		}
	}
}

func (s *entries) clear() {
	for i := range s.parts {
		s.parts[i].Store(nil)
	}
}
