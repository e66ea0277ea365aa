package dbfleet

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// A lookup waits until all nodes have been asked.
type lookup struct {
	since  time.Time
	over   chan struct{}
	writes []*node // that answered in the primary's role; set before over is closed

	// first says that it is the first of all, and next that the one after a primary is looked
	// for. They do not wait for those that take far longer than one who answers in the
	// primary's role, next neither for those that were known not to answer: until enough, which
	// is known from then on.
	first, next   bool
	began, enough time.Time
	looked        time.Time // when it was last asked whether it has enough
}

// lookup asks all nodes at once, and returns when they have answered or had their time. One
// that does not answer delays it by a quarter of a second if another answers in the primary's
// role, or if that was known of it. Those who call it at the same time share the questions.
func (m *monitor) lookup(ctx context.Context) (*lookup, error) {
	return m.looksUp(ctx, &lookup{since: time.Now().Add(-lookupFresh), next: true})
}

// firstLook is the lookup before the first use of the primary, which a program that starts
// while two claim to be it must not choose between. A node that cannot be reached delays
// it by a quarter of a second. Its error is the context's, or ErrClosed.
func (m *monitor) firstLook(ctx context.Context) error {
	_, err := m.looksUp(ctx, &lookup{first: true})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrClosed):
		return err
	}
	m.e.looked.Store(true) // also if nobody has answered in time
	return nil
}

// firstWait is how long a look waits at least for nodes that do not answer, when it has
// enough without them.
const firstWait = 250 * time.Millisecond

func (m *monitor) looksUp(ctx context.Context, l *lookup) (*lookup, error) {
	m.begin()
	l.began, l.over = time.Now(), make(chan struct{})
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
		if w := m.watched[n]; w == nil || w.unheard(l.since) && !(l.first && w.asking) {
			m.urge(n)
		}
	}
	m.waiting = append(m.waiting, l)
	m.release(time.Now())
}

// unheard says that the node has not been asked since then, or not at all.
func (w *watch) unheard(since time.Time) bool { return w.heard.IsZero() || w.heard.Before(since) }

// release ends the lookups that have what they waited for.
func (m *monitor) release(now time.Time) {
	m.waiting = slices.DeleteFunc(m.waiting, func(l *lookup) bool {
		l.writes = l.writes[:0]
		all, down := true, true
		for _, n := range m.e.nodes() {
			w := m.watched[n]
			if w == nil || w.unheard(l.since) {
				all, down = false, down && n.heard.isDown()
			} else if w.answers && w.last.Role == driver.RoleWritable {
				l.writes = append(l.writes, n)
			}
		}
		if !all && !l.hasEnough(now, down) {
			return false
		}
		close(l.over)
		return true
	})
}

// hasEnough says that who has not answered by now is not waited for. down says that all of
// these are known not to answer. A machine that stood still meanwhile has not heard who has.
func (l *lookup) hasEnough(now time.Time, down bool) bool {
	enough := len(l.writes) > 0 && (l.first || l.next) || down && l.next
	switch {
	case l.enough.IsZero() && !enough:
	case l.enough.IsZero():
		l.enough = now.Add(max(firstWait, 3*now.Sub(l.began))) // a busy machine is slow with all of them
	case now.Sub(l.looked) > 2*lookEvery && now.Add(firstWait).After(l.enough):
		l.enough = now.Add(firstWait)
	}
	l.looked = now
	return !l.enough.IsZero() && !now.Before(l.enough)
}

// urge has a node asked now, or again when its present question is over.
func (m *monitor) urge(n *node) {
	w := m.watch(n)
	if w == nil {
		return // it is closed
	}
	w.again = true
}
