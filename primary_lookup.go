package dbfleet

import (
	"context"
	"slices"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// A lookup waits until all nodes have been asked.
type lookup struct {
	since  time.Time
	over   chan struct{}
	writes []*node // that answered in the primary's role; set before over is closed
}

// lookup asks all nodes at once, and returns when they have answered or had their time.
// Those who call it at the same time share the questions.
func (m *monitor) lookup(ctx context.Context) (*lookup, error) {
	m.begin()
	l := &lookup{since: time.Now().Add(-lookupFresh), over: make(chan struct{})}
	ctx, cancel := context.WithTimeout(ctx, lookupWait)
	defer cancel()
	select {
	case m.lookups <- l:
	case <-m.ctx.Done():
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-l.over:
		return l, nil
	case <-m.ctx.Done():
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// lookupFresh is how old an answer may be that a lookup takes.
const lookupFresh = 100 * time.Millisecond

// wants has all nodes asked that l waits for.
func (m *monitor) wants(l *lookup) {
	for _, n := range m.e.nodes() {
		if w := m.watched[n]; w == nil || w.heard.Before(l.since) {
			m.urge(n)
		}
	}
	m.waiting = append(m.waiting, l)
	m.release()
}

// release ends the lookups that have what they waited for.
func (m *monitor) release() {
	m.waiting = slices.DeleteFunc(m.waiting, func(l *lookup) bool {
		l.writes = l.writes[:0]
		for _, n := range m.e.nodes() {
			w := m.watched[n]
			if w == nil || w.heard.Before(l.since) {
				return false
			}
			if w.answers && w.last.Role == driver.RoleWritable {
				l.writes = append(l.writes, n)
			}
		}
		close(l.over)
		return true
	})
}

// urge has a node asked now, or again when its present question is over.
func (m *monitor) urge(n *node) {
	w := m.watch(n)
	if w == nil {
		return // it is closed
	}
	w.again = true
}
