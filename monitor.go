package dbfleet

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// monitor watches over the nodes of one connection that has replicas, or several hosts.
// It is one goroutine from the first use of the connection until its end, or until there
// is nothing left to watch; each question to a node runs in one of its own, which ends by
// its deadline. It is safe for concurrent use.
type monitor struct {
	e       *entry
	wake    chan struct{} // has room for one
	told    chan answer
	lookups chan *lookup
	quit    context.CancelFunc
	ctx     context.Context //nolint:containedctx // the life of the monitor
	running atomic.Bool
	within  atomic.Int64 // the smallest staleness that reads have asked for lately, ns; 0 for none

	mu   sync.Mutex    // protects following field
	over chan struct{} // closed when the goroutine has ended; nil before it starts

	measuring sync.Mutex // protects following fields
	ruler     replicaset.Ruler
	system    string // whose history the ruler measures, "" for not known

	// The following are used by the goroutine alone.
	watched map[*node]*watch
	asking  sync.WaitGroup
	busy    time.Time // when reads were last under way
	since   time.Time // of within
	waiting []*lookup
	// leaderless says that the primary does not answer, or not as the primary.
	leaderless bool
	names      names
	discovery  discovery
	pauses     pauses
}

// watch is what the monitor has of one node.
type watch struct {
	n      *node
	probe  *driver.Probe
	open   bool // the probe has its connection
	asking bool
	due    time.Time // by lag, and of a node that serves no reads
	again  bool      // it is to be asked at once
	last   driver.Report
	known  bool // it has answered once

	heard      time.Time // when the last question was sent that is over
	answers    bool      // it answered the last question
	wasStandby bool      // it once answered as a standby

	dialled time.Duration // how long a question with a new connection took, smoothed; 0 for unknown
	starved int           // questions in a row whose time was over when this machine looked
	cuts    int           // how often what waits was ended since it fell silent
	fresh   int           // answers in a row by which it was well within MaxLag
	judged  time.Time     // the last of those
}

// answer is what came of a question to a node.
type answer struct {
	w       *watch
	asked   time.Time // before the question was sent
	took    time.Duration
	wait    time.Duration // that it could have had
	dialled bool          // for a new connection
	report  driver.Report
	err     error
}

const (
	// lookEvery is how often the monitor looks whether reads wait for a silent node, loadEvery
	// how often where many are under way, and restEvery how often where there were none for
	// a while.
	lookEvery = 50 * time.Millisecond
	loadEvery = 10 * time.Millisecond
	restEvery = 250 * time.Millisecond
	restAfter = 2 * time.Second
	// stallEvery is how often a node is asked because reads pile up there.
	stallEvery = 100 * time.Millisecond
	// searchEvery is how often all nodes are asked while there is no primary.
	searchEvery = 200 * time.Millisecond
	// dialWait is how long a question may take for which a connection must be made, until
	// it is known how long that takes.
	dialWait = time.Second
	// maxStarved is how many questions in a row may be in vain because this machine was
	// too busy to look at the answer.
	maxStarved = 2
	// maxCuts is how many questions in a row that are not answered end what waits for the
	// node: reads that were on their way there when it was left out come a little late.
	maxCuts = 3
)

func newMonitor(e *entry) *monitor {
	m := &monitor{e: e, wake: make(chan struct{}, 1), told: make(chan answer), lookups: make(chan *lookup), watched: map[*node]*watch{}}
	m.ctx, m.quit = context.WithCancel(context.Background())
	m.names.lookUp = lookUpName
	return m
}

// needed says whether there is anything to watch.
func (m *monitor) needed() bool {
	return m.e.replicas.Len() > 0 || len(m.e.hosts) > 1 || m.e.config.Discover != nil
}

// begin starts the goroutine, if there is anything to watch and it does not run.
func (m *monitor) begin() {
	if m.running.Load() || !m.needed() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil || m.running.Swap(true) {
		return
	}
	before := m.over
	m.over = make(chan struct{})
	go m.run(before, m.over)
}

// stop ends the goroutine and what it has asked, and waits for that. It may be called
// before begin.
func (m *monitor) stop() {
	m.quit()
	m.mu.Lock()
	over := m.over
	m.mu.Unlock()
	if over != nil {
		<-over
	}
}

// look wakes the monitor: something has happened that it should see at once.
func (m *monitor) look() {
	select {
	case m.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// run is the goroutine. before is closed when the one before it has ended.
func (m *monitor) run(before <-chan struct{}, over chan<- struct{}) {
	defer close(over)
	if before != nil {
		<-before
	}
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
		if !m.needed() {
			return
		}
		now := time.Now()
		m.release(now)
		next := m.round(now)
		m.pauses.due = now.Add(next)
		timer.Reset(next)
	}
}

// leave waits for what was asked, and closes the monitor's connections. Another goroutine
// may begin afterwards.
func (m *monitor) leave() {
	m.running.Store(false)
	over := make(chan struct{})
	go func() {
		m.asking.Wait()
		close(over)
	}()
	for waiting := true; waiting; {
		select {
		case a := <-m.told:
			a.w.asking = false
		case <-over:
			waiting = false
		}
	}
	for n, w := range m.watched {
		_ = w.probe.Close()
		delete(m.watched, n)
	}
}

// round asks whoever is due, and returns when to look again.
func (m *monitor) round(now time.Time) time.Duration {
	nodes := m.e.nodes()
	m.forget(nodes)
	next := now.Add(lookEvery)
	paused := m.pauses.recent(now)
	for _, n := range nodes {
		w := m.watch(n)
		if w == nil {
			continue
		}
		if !paused {
			m.confirm(n, now)
		}
		wait, at := m.due(w, now)
		switch {
		case w.asking:
		case !now.Before(at):
			m.ask(w, wait)
		case at.Before(next):
			next = at
		}
	}
	if now.Sub(m.since) > withinFor {
		m.since = now
		m.within.Store(0)
	}
	m.judge(now)
	m.discover(now)
	m.lookUpNames(now, nodes)
	for _, n := range nodes {
		member := m.gaugeOf(n)
		if member == nil {
			continue
		}
		if member.InFlight() > 0 {
			m.busy = now
		}
		if member.PiledUp() && next.Sub(now) > loadEvery {
			next = now.Add(loadEvery)
		}
	}
	if now.Sub(m.busy) > restAfter && next.Equal(now.Add(lookEvery)) && len(m.waiting) == 0 {
		return restEvery
	}
	return next.Sub(now)
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

// due says when a node is to be asked, and how long its answer may take.
func (m *monitor) due(w *watch, now time.Time) (wait time.Duration, at time.Time) {
	member := m.gaugeOf(w.n)
	wait = m.patience(w, member)
	switch {
	case w.again, m.leaderless && now.Sub(w.heard) >= searchEvery:
		return wait, now
	case member == nil:
		return wait, w.due
	case member.Doubt(now), member.Stalled(now) && now.Sub(w.heard) >= stallEvery:
		return wait, now
	}
	at = member.Due()
	if w.due.Before(at) && (w.answers || w.n.role() == RolePrimary) {
		at = w.due
	}
	return wait, at
}

// gaugeOf is what tells how reads on a node fare, nil for nothing.
func (m *monitor) gaugeOf(n *node) *replicaset.Member[*node] {
	if n.role() == RolePrimary {
		return n.pulse.Load()
	}
	return m.e.replicas.Of(n)
}

// patience is how long a node may take to answer: where reads wait for it not much longer
// than they usually do.
func (m *monitor) patience(w *watch, member *replicaset.Member[*node]) time.Duration {
	switch {
	case w.open && member != nil && member.InFlight() > 0:
		return member.Bound()
	case w.open:
		return m.e.config.Reads.MaxWait
	}
	return m.toDial(w)
}

// toDial is patience for an answer on a new connection.
func (m *monitor) toDial(w *watch) time.Duration {
	wait := max(4*w.dialled, m.e.config.Reads.MaxWait)
	if w.dialled == 0 {
		wait = max(dialWait, wait) << min(w.n.heard.inVain(), 4)
	}
	return min(wait, m.e.config.ConnectTimeout)
}

// ask asks a node in a goroutine, which gives the answer to the monitor's.
func (m *monitor) ask(w *watch, wait time.Duration) {
	if w.n.moved.Swap(false) {
		_ = w.probe.Close()
		w.open = false
	}
	w.asking, w.again = true, false
	a := answer{w: w, wait: wait, dialled: !w.open}
	again := m.toDial(w)
	m.asking.Go(func() {
		a.ask(m.ctx)
		if a.err != nil && a.took < a.wait { // that connection was cut, which alone says nothing of the node
			a.dialled, a.wait = true, again
			a.ask(m.ctx)
		}
		m.told <- a // the monitor's goroutine waits for all that were asked
	})
}

func (a *answer) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, a.wait)
	defer cancel()
	a.asked = time.Now()
	a.report, a.err = a.w.probe.Ask(ctx)
	a.took = time.Since(a.asked)
}

// forget drops what is no node of the connection any more.
func (m *monitor) forget(nodes []*node) {
	for n, w := range m.watched {
		if w.asking || slices.Contains(nodes, n) {
			continue
		}
		_ = w.probe.Close()
		delete(m.watched, n)
	}
}
