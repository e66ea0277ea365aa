// Package replicaset decides which replica serves the next read. It knows no
// SQL and opens no connection: it is told how a node answered, and by what
// clock.
package replicaset

import (
	"sync/atomic"
	"time"
)

// A replica that did not answer is left out for minRest, which doubles with
// each further failure up to maxRest. When its rest is over the next read
// tries it again; one answer readmits it.
const (
	minRest = time.Second
	maxRest = time.Minute
)

// Set holds the replicas of one connection. Its members never change; it is
// safe for concurrent use and takes no lock.
type Set[N any] struct {
	members []member[N]
	turn    atomic.Uint64
	now     func() time.Time
}

type member[N any] struct {
	node     N
	failures atomic.Int32
	silences atomic.Int32 // in a row
	restsTil atomic.Int64 // unix nanoseconds; 0 while the node is fit
}

// New returns a set of nodes that reads time from now.
func New[N any](nodes []N, now func() time.Time) *Set[N] {
	s := &Set[N]{members: make([]member[N], len(nodes)), now: now}
	for i, n := range nodes {
		s.members[i].node = n
	}
	return s
}

// Len is the number of members, fit or not.
func (s *Set[N]) Len() int { return len(s.members) }

// Nodes returns all members in the order of the configuration.
func (s *Set[N]) Nodes() []N {
	out := make([]N, len(s.members))
	for i := range s.members {
		out[i] = s.members[i].node
	}
	return out
}

// Pick returns the next node that may serve a read, in turn, and its index
// for Failed and Answered. ok is false when no node may. tried is a bit set of
// indexes that this read has already asked; a set of more than 64 members
// picks among all of them. fit says which nodes the read may be served by.
func (s *Set[N]) Pick(tried uint64, fit func(node N) bool) (node N, index int, ok bool) {
	n := uint64(len(s.members))
	if n == 0 {
		return node, 0, false
	}
	start := s.turn.Add(1) - 1
	for i := range n {
		at := int((start + i) % n)
		if at < 64 && tried&(1<<at) != 0 {
			continue
		}
		m := &s.members[at]
		if !fit(m.node) {
			continue
		}
		til := m.restsTil.Load()
		if til == 0 {
			return m.node, at, true
		}
		now := s.now()
		if now.UnixNano() < til {
			continue
		}
		// Its rest is over: this read tries the node, the others leave it out
		// until it has answered.
		if m.restsTil.CompareAndSwap(til, now.Add(minRest).UnixNano()) {
			return m.node, at, true
		}
	}
	return node, 0, false
}

// Resting says whether a node did not answer and has not been readmitted since.
func (s *Set[N]) Resting(index int) bool { return s.members[index].restsTil.Load() != 0 }

// maxSilences is how many callers in a row may have given the node up before it
// counts as failed: one may have had too short a deadline.
const maxSilences = 3

// Silent says that a caller's deadline passed before the node answered.
func (s *Set[N]) Silent(index int) {
	if s.members[index].silences.Add(1) >= maxSilences {
		s.Failed(index)
	}
}

// Failed says that the node did not answer.
func (s *Set[N]) Failed(index int) {
	m := &s.members[index]
	rest := maxRest
	if f := m.failures.Add(1); f < 7 {
		rest = min(maxRest, minRest<<(f-1))
	}
	m.restsTil.Store(s.now().Add(rest).UnixNano())
}

// Answered says that the node answered, be it with an error of the statement.
func (s *Set[N]) Answered(index int) {
	m := &s.members[index]
	if m.silences.Load() != 0 {
		m.silences.Store(0)
	}
	if m.restsTil.Load() != 0 {
		m.failures.Store(0)
		m.restsTil.Store(0)
	}
}
