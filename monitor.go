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
	e       *entry
	start   sync.Once
	wake    chan struct{} // has room for one
	told    chan answer
	lookups chan *lookup
	quit    context.CancelFunc
	ctx     context.Context //nolint:containedctx // the life of the goroutine
	over    chan struct{}   // closed when the goroutine has ended; nil before it starts

	// The following are used by the goroutine alone.
	watched map[*node]*watch
	asking  sync.WaitGroup
	ruler   replicaset.Ruler
	busy    time.Time // when reads were last under way
	waiting []*lookup
	// leaderless says that the primary does not answer, or not as the primary.
	leaderless bool
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

	heard      time.Time // when the last question was sent that is over
	answers    bool      // it answered the last question
	wasStandby bool      // it once answered as a standby
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
	// searchEvery is how often all nodes are asked while there is no primary.
	searchEvery = 200 * time.Millisecond
	// dialWait is how long a question may take for which a connection must be made.
	dialWait = time.Second
)

// newMonitor returns nil where there is nothing to watch.
func newMonitor(e *entry) *monitor {
	if e.replicas.Len() == 0 && len(e.hosts) < 2 {
		return nil
	}
	m := &monitor{e: e, wake: make(chan struct{}, 1), told: make(chan answer), lookups: make(chan *lookup), watched: map[*node]*watch{}}
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
		case l := <-m.lookups:
			m.wants(l)
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
		w := m.watch(n)
		if w == nil {
			continue
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

// watch returns what the monitor has of a node, nil if that is closed.
func (m *monitor) watch(n *node) *watch {
	if w := m.watched[n]; w != nil {
		return w
	}
	p, err := n.inRole().open()
	if err != nil {
		return nil
	}
	w := &watch{n: n, probe: p.NewProbe()}
	m.watched[n] = w
	return w
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
	if m.leaderless && now.Sub(w.heard) >= searchEvery {
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
