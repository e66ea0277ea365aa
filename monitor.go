package dbfleet

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// monitor watches over the nodes of one connection that has replicas, or several hosts.
// It is one goroutine from the first use of the connection until its end; each question
// to a node runs in one of its own, which ends by its deadline. It is safe for concurrent
// use.
type monitor struct {
	e     *entry
	start sync.Once
	wake  chan struct{} // has room for one
	told  chan answer
	quit  context.CancelFunc
	ctx   context.Context //nolint:containedctx // the life of the goroutine
	over  chan struct{}   // closed when the goroutine has ended; nil before it starts

	// The following are used by the goroutine alone.
	watched map[*node]*watch
	asking  sync.WaitGroup
	ruler   replicaset.Ruler
	busy    time.Time // when reads were last under way
}

// watch is what the monitor has of one node.
type watch struct {
	n      *node
	probe  *driver.Probe
	asking bool
	due    time.Time // of a node that serves no reads
	again  bool      // it is to be asked at once
	last   driver.Report
	known  bool // it has answered once
}

// answer is what came of a question to a node.
type answer struct {
	w      *watch
	asked  time.Time // before the question was sent
	report driver.Report
	err    error
}

const (
	// lookEvery is how often the monitor looks whether reads wait for a silent node, and
	// restEvery how often where there were no reads for a while.
	lookEvery = 50 * time.Millisecond
	restEvery = 250 * time.Millisecond
	restAfter = 2 * time.Second
	// dialWait is how long a question may take for which a connection must be made.
	dialWait = time.Second
)

// newMonitor returns nil where there is nothing to watch.
func newMonitor(e *entry) *monitor {
	if e.replicas.Len() == 0 && len(e.hosts) < 2 {
		return nil
	}
	m := &monitor{e: e, wake: make(chan struct{}, 1), told: make(chan answer), watched: map[*node]*watch{}}
	m.ctx, m.quit = context.WithCancel(context.Background())
	return m
}

// begin starts the goroutine, once. It may be called on nil.
func (m *monitor) begin() {
	if m == nil {
		return
	}
	m.start.Do(func() {
		m.over = make(chan struct{})
		go m.run()
	})
}

// stop ends the goroutine and what it has asked, and waits for that. It may be called on
// nil, and before begin.
func (m *monitor) stop() {
	if m == nil {
		return
	}
	m.quit()
	m.start.Do(func() {})
	if m.over != nil {
		<-m.over
	}
}

// look wakes the monitor: something has happened that it should see at once.
func (m *monitor) look() {
	if m == nil {
		return
	}
	select {
	case m.wake <- struct{}{}:
	default: // it will look anyway
	}
}

func (m *monitor) run() {
	defer close(m.over)
	defer m.leave()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-m.wake:
		case <-timer.C:
		case a := <-m.told:
			a.w.asking = false
			m.learn(a)
		}
		timer.Reset(m.round(time.Now()))
	}
}

// leave waits for what was asked, and closes the monitor's connections.
func (m *monitor) leave() {
	go func() {
		m.asking.Wait()
		close(m.told)
	}()
	for range m.told { // what was asked ends with ctx
	}
	for _, w := range m.watched {
		_ = w.probe.Close()
	}
}

// round asks whoever is due, and returns when to look again.
func (m *monitor) round(now time.Time) time.Duration {
	nodes := m.e.nodes()
	m.forget(nodes)
	for _, n := range nodes {
		w := m.watched[n]
		if w == nil {
			p, err := n.inRole().open()
			if err != nil {
				continue // it is closed
			}
			w = &watch{n: n, probe: p.NewProbe()}
			m.watched[n] = w
		}
		wait, due := m.due(w, now)
		if due && !w.asking {
			m.ask(w, wait)
		}
	}
	for _, member := range m.e.replicas.Members() {
		if member.Figures().InFlight > 0 {
			m.busy = now
		}
	}
	if now.Sub(m.busy) > restAfter {
		return restEvery
	}
	return lookEvery
}

// due says whether a node is to be asked now, and how long its answer may take.
func (m *monitor) due(w *watch, now time.Time) (wait time.Duration, due bool) {
	wait = m.e.config.Reads.MaxWait
	if !w.probe.Open() {
		wait = max(wait, dialWait)
	}
	if w.again {
		return wait, true
	}
	member := m.e.replicas.Of(w.n)
	if member == nil || w.n.role() == RolePrimary {
		return wait, !now.Before(w.due)
	}
	if member.Doubt(now) {
		if w.probe.Open() {
			wait = member.Bound()
		}
		return wait, true
	}
	return wait, !now.Before(member.Due())
}

// ask asks a node in a goroutine, which gives the answer to the monitor's.
func (m *monitor) ask(w *watch, wait time.Duration) {
	w.asking, w.again = true, false
	m.asking.Go(func() {
		ctx, cancel := context.WithTimeout(m.ctx, wait)
		defer cancel()
		a := answer{w: w, asked: time.Now()}
		a.report, a.err = w.probe.Ask(ctx)
		select {
		case m.told <- a:
		case <-m.ctx.Done():
		}
	})
}

// forget drops what is no node of the connection any more.
func (m *monitor) forget(nodes []*node) {
	for n, w := range m.watched {
		if w.asking || slices.Contains(nodes, n) {
			continue
		}
		_ = w.probe.Close()
		delete(m.watched, n)
		_ = n.close()
	}
}

// A lookup waits until all nodes have been asked.
type lookup struct {
	since time.Time
	over  chan struct{}
}

// lookup asks all nodes at once, and returns when they have answered or had their time.
// Those who call it at the same time share the questions.
func (m *monitor) lookup(ctx context.Context) error {
	m.begin()
	l := &lookup{since: time.Now().Add(-lookupFresh), over: make(chan struct{})}
	ctx, cancel := context.WithTimeout(ctx, lookupWait)
	defer cancel()
	select {
	case m.lookups <- l:
	case <-m.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-l.over:
		return nil
	case <-m.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
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
		for _, n := range m.e.nodes() {
			if w := m.watched[n]; w == nil || w.heard.Before(l.since) {
				return false
			}
		}
		close(l.over)
		return true
	})
}
