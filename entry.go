package dbfleet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// entry is one generation of a connection: what Open, Add or Replace made of a
// ConnectionConfig. It is safe for concurrent use.
type entry struct {
	reg          *Registry
	name         string
	dialect      *dialect.Dialect
	config       ConnectionConfig                  // prepared
	hosts        []*node                           // those that may be the primary, at least one
	leader       atomic.Pointer[node]              // the one that is, as far as that is known
	found        atomic.Bool                       // it is known
	looked       atomic.Bool                       // all who might claim to be it have been asked once
	sighted      atomic.Bool                       // a read has waited for replicas to say whose data they have
	claim        atomic.Pointer[TwoPrimariesError] // nil unless several claim to be it
	replicas     *replicaset.Set[*node]            // those that serve reads
	monitor      *monitor
	tenants      *tenantGroup // nil unless it stands for the databases of tenants
	of           *tenantGroup // that it is one of, nil for none
	tenant       string       // whose it is then
	prepared     atomic.Int64 // statements of callers that are not closed, of a tenant's
	events       nodeEvents
	hooks        *hookList
	primaryReads turns             // of reads that no replica could serve
	unhelped     atomic.Int64      // until when the primary does not help replicas that have come back, in nanoseconds since 1970
	hedges       replicaset.Budget // of reads that a second node is asked
	reasons      reasons           // of routes
	ages         ages
	outcomes     outcomes

	// running counts what uses the entry; the bit draining says that nothing
	// more may start.
	running atomic.Int64
	idle    chan struct{} // closed when draining and nothing runs
	once    sync.Once     // closes idle
	cut     atomic.Bool   // the pools are closed, whatever still runs
	ending  sync.Once     // closes the pools
	err     error         // of that

	numbers  atomic.Int32           // whether all servers number rows: see numbersRows
	decides  atomic.Pointer[ledger] // of atomic commits, nil until it is known
	prepares atomic.Bool            // the database can prepare a transaction

	listing sync.Mutex     // serialises changes of replicas
	members membership     // protected by listing
	drains  sync.WaitGroup // of replicas that have left
	leaving atomic.Int64   // how many those are

	mu   sync.Mutex
	open *txState // the first of the transactions that a cut rolls back; protected by mu
}

// watched notes a transaction that is to be rolled back when the entry is cut off.
func (e *entry) watched(st *txState) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if st.next = e.open; st.next != nil {
		st.next.prev = st
	}
	e.open = st
}

// unwatched may be called only once for each call of watched.
func (e *entry) unwatched(st *txState) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if st.prev == nil {
		e.open = st.next
	} else {
		st.prev.next = st.next
	}
	if st.next != nil {
		st.next.prev = st.prev
	}
	st.prev, st.next = nil, nil
}

var errCutOff = fmt.Errorf("it is cut off: %w", ErrClosed)

// cutOff lets no transaction send anything more, and rolls back those that wait for
// their functions. One whose statement the server works on is rolled back after that.
func (e *entry) cutOff() {
	e.cut.Store(true)
	e.mu.Lock()
	var open []*txState
	for st := e.open; st != nil; st = st.next {
		open = append(open, st)
	}
	e.mu.Unlock()
	for _, st := range open {
		if st.condemn(errCutOff) && st.gate.TryLock() {
			st.endNow()
			st.gate.Unlock()
		}
	}
}

const draining = int64(1) << 62

func newEntry(r *Registry, name string, config ConnectionConfig, hooks *hookList) (*entry, error) {
	all, err := config.nodes(name)
	if err != nil {
		return nil, err
	}
	d := all.primary.writes.Dialect
	if err := driver.Linked(d); err != nil {
		return nil, &ConfigError{Connection: name, Key: "driver", Reason: "cannot be used", Err: err}
	}
	e := &entry{reg: r, name: name, dialect: d, config: config, hooks: hooks, idle: make(chan struct{}), ages: ages{limit: config.LongTransaction}}
	e.hosts = append(e.hosts, newNode(all.primary, RolePrimary))
	for _, s := range all.hosts {
		e.hosts = append(e.hosts, newNode(s, RoleReplica))
	}
	e.leader.Store(e.hosts[0])
	e.found.Store(len(e.hosts) == 1)
	nodes := make([]*node, len(all.replicas))
	for i, s := range all.replicas {
		nodes[i] = e.hostAt(s)
		if nodes[i] == nil {
			nodes[i] = newNode(s, RoleReplica)
		}
	}
	e.members.listed, e.members.nodes = config.allReplicas(), nodes
	for i, n := range nodes {
		n.of = e.members.listed[i]
	}
	e.primaryReads = newTurns(&e.config)
	e.startReplicas(nodes)
	e.looked.Store(!e.monitor.needed() || config.Driver == SQLite)
	return e, nil
}

// hostAt is the node of Hosts at the address of a replica, which then serves as both: its
// role says as which. nil is none. Without Hosts the primary is never a replica as well.
func (e *entry) hostAt(s nodeSettings) *node {
	if len(e.config.Hosts) == 0 {
		return nil
	}
	for _, n := range e.hosts {
		if n.address == addressOf(&s.writes) {
			n.zone, n.weight = s.zone, s.weight
			return n
		}
	}
	return nil
}

// primary is the node in the role of the primary.
func (e *entry) primary() *node { return e.leader.Load() }

// nodes are all nodes: the primary first, other hosts, and the replicas in their order.
func (e *entry) nodes() []*node {
	list := []*node{e.primary()}
	add := func(n *node) {
		if !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	for _, n := range e.hosts {
		add(n)
	}
	for _, m := range e.replicas.Members() {
		add(m.Node())
	}
	return list
}

// enter notes that something uses the entry until leave. It fails with
// ErrClosed once the entry is being closed.
func (e *entry) enter() error {
	if e.running.Add(1)&draining != 0 {
		e.leave()
		return errorf("connection %q: %w", e.name, ErrClosed)
	}
	return nil
}

// ends says that the entry is being closed: what runs goes on, and nothing new begins.
func (e *entry) ends() bool { return e.running.Load()&draining != 0 }

func (e *entry) leave() {
	if e.running.Add(-1) == draining {
		e.once.Do(func() { close(e.idle) })
	}
}

// use returns the present generation of a connection, entered.
func (r *Registry) use(name string) (*entry, error) {
	for {
		e, err := r.lookup(name)
		if err == nil {
			err = e.oneForAll("the call")
		}
		if err != nil {
			return nil, err
		}
		if err = e.enter(); err == nil {
			return e, nil
		}
		// It was replaced between the two calls, or removed.
		if now, lookupErr := r.lookup(name); lookupErr != nil || now == e {
			return nil, errors.Join(lookupErr, err)
		}
	}
}

// close lets nothing new start, waits until what runs is done or ctx ends, and
// closes the pools. When several call it, the first to have waited closes them;
// all get the result of that.
func (e *entry) close(ctx context.Context) error {
	if e.tenants != nil {
		return e.tenants.close(ctx)
	}
	if e.running.Or(draining) == 0 {
		e.once.Do(func() { close(e.idle) })
	}
	var err error
	select {
	case <-e.idle:
		err = e.drainHandles(ctx)
	case <-ctx.Done():
		what := "work still running"
		if n := e.ages.telling.Load(); n > 0 {
			what = "a hook of OnLongTransaction that has not returned"
			if e.running.Load()&^draining > int64(n) {
				what = "work still running, and " + what
			}
		}
		err = errorf("connection %q closed with %s: %w", e.name, what, ctx.Err())
	}
	e.ending.Do(func() { e.err = errors.Join(err, e.end(ctx, err != nil)) })
	return e.err
}

// cutWait is how long the rollbacks of a cut may take before their connections end.
const cutWait = 250 * time.Millisecond

// end closes the pools. If it cuts off, what still runs ends now.
func (e *entry) end(ctx context.Context, cuts bool) error {
	e.listing.Lock()
	e.members.over = true
	e.listing.Unlock()
	e.monitor.stop() // also what waits for replicas that have left
	rolledBack := make(chan struct{})
	go func() {
		defer close(rolledBack)
		e.cutOff()
	}()
	if cuts {
		t := time.NewTimer(cutWait)
		select {
		case <-rolledBack:
		case <-t.C:
		}
		t.Stop()
		for _, n := range e.nodes() {
			n.abort(errCutOff)
		}
	}
	<-rolledBack
	err := e.closeNodes()
	e.drains.Wait()
	return errors.Join(err, e.events.close(ctx))
}

// closeNodes closes them all at once: one that is silent takes its time.
func (e *entry) closeNodes() error {
	nodes := e.nodes()
	errs := make(chan error, len(nodes))
	for _, n := range nodes {
		go func() { errs <- n.close() }()
	}
	var err error
	for range nodes {
		err = errors.Join(err, <-errs)
	}
	return err
}

// drainHandles waits for what uses the raw *sql.DB handles, which only the
// pools know of, and for replicas that have left.
func (e *entry) drainHandles(ctx context.Context) error {
	var tick *time.Ticker
	for {
		busy := e.leaving.Load()
		e.pools(func(_ string, p *driver.Pool) {
			p.EndLoans()
			busy += int64(p.DB().Stats().InUse)
		})
		if busy == 0 {
			return nil
		}
		if tick == nil {
			tick = time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errorf("connection %q closed with %d connections in use: %w", e.name, busy, ctx.Err())
		}
	}
}

// handle is a node's pool as a *sql.DB; every use of it fails where there is none.
func (e *entry) handle(s *sessions) *sql.DB {
	p, err := s.open()
	if err != nil {
		return e.reg.failing(e.name, err)
	}
	return p.Lend(s.wait, told)
}

func (e *entry) stats(out map[string]sql.DBStats) {
	e.pools(func(name string, p *driver.Pool) { out[name] = p.Stats() })
}

// pools calls each for every pool that is open.
func (e *entry) pools(each func(name string, p *driver.Pool)) {
	for _, n := range e.nodes() {
		n.pools(each)
	}
}
