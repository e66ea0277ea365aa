package dbfleet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
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
	reg      *Registry
	name     string
	dialect  *dialect.Dialect
	leader   atomic.Pointer[node]   // the node in the role of the primary
	replicas *replicaset.Set[*node] // those that serve reads
	hooks    *hookList
	ages     ages
	outcomes outcomes

	// running counts what uses the entry; the bit draining says that nothing
	// more may start.
	running atomic.Int64
	idle    chan struct{} // closed when draining and nothing runs
	once    sync.Once     // closes idle
	cut     atomic.Bool   // the pools are closed, whatever still runs
	ending  sync.Once     // closes the pools
	err     error         // of that

	decides  atomic.Pointer[ledger] // of atomic commits, nil until it is known
	prepares atomic.Bool            // the database can prepare a transaction

	mu   sync.Mutex
	open map[*txState]struct{} // transactions that a cut rolls back; protected by mu
}

// watched notes a transaction that is to be rolled back when the entry is cut off.
func (e *entry) watched(st *txState) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.open == nil {
		e.open = map[*txState]struct{}{}
	}
	e.open[st] = struct{}{}
}

func (e *entry) unwatched(st *txState) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.open, st)
}

var errCutOff = fmt.Errorf("it is cut off: %w", ErrClosed)

// cutOff lets no transaction send anything more, and rolls back those that wait for
// their functions. One whose statement the server works on is rolled back after that.
func (e *entry) cutOff() {
	e.cut.Store(true)
	e.mu.Lock()
	open := slices.Collect(maps.Keys(e.open))
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
	primary, replicas, err := config.nodeOptions(name)
	if err != nil {
		return nil, err
	}
	if err := driver.Linked(primary.Dialect); err != nil {
		return nil, &ConfigError{Connection: name, Key: "driver", Reason: "cannot be used", Err: err}
	}
	e := &entry{reg: r, name: name, dialect: primary.Dialect, hooks: hooks, idle: make(chan struct{}), ages: ages{limit: config.LongTransaction}}
	leader := newNode(primary, config.Pool.acquireWait(), RolePrimary)
	leader.guard = newNode(config.guardOptions(primary), config.readPool().acquireWait(), RolePrimary)
	e.leader.Store(leader)
	nodes := make([]*node, len(replicas))
	for i, o := range replicas {
		nodes[i] = newNode(o, config.ReadPool.acquireWait(), RoleReplica)
	}
	e.replicas = replicaset.New(nodes, time.Now)
	return e, nil
}

// primary is the node in the role of the primary.
func (e *entry) primary() *node { return e.leader.Load() }

func (e *entry) nodes() []*node { return append([]*node{e.primary()}, e.replicas.Nodes()...) }

// enter notes that something uses the entry until leave. It fails with
// ErrClosed once the entry is being closed.
func (e *entry) enter() error {
	if e.running.Add(1)&draining != 0 {
		e.leave()
		return errorf("connection %q: %w", e.name, ErrClosed)
	}
	return nil
}

func (e *entry) leave() {
	if e.running.Add(-1) == draining {
		e.once.Do(func() { close(e.idle) })
	}
}

// use returns the present generation of a connection, entered.
func (r *Registry) use(name string) (*entry, error) {
	for {
		e, err := r.lookup(name)
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
	if e.running.Or(draining) == 0 {
		e.once.Do(func() { close(e.idle) })
	}
	var err error
	select {
	case <-e.idle:
		err = e.drainHandles(ctx)
	case <-ctx.Done():
		err = errorf("connection %q closed with work still running: %w", e.name, ctx.Err())
	}
	e.ending.Do(func() {
		e.cutOff()
		e.err = err
		for _, n := range e.nodes() {
			e.err = errors.Join(e.err, n.close())
		}
	})
	return e.err
}

// drainHandles waits for what uses the raw *sql.DB handles, which only the
// pools know of.
func (e *entry) drainHandles(ctx context.Context) error {
	var tick *time.Ticker
	for {
		busy := 0
		e.pools(func(_ string, p *driver.Pool) {
			p.EndLoans()
			busy += p.DB().Stats().InUse
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
func (e *entry) handle(n *node) *sql.DB {
	p, err := n.open()
	if err != nil {
		return e.reg.failing(e.name, err)
	}
	return p.Lend(n.wait, told)
}

func (e *entry) stats(out map[string]sql.DBStats) {
	e.pools(func(name string, p *driver.Pool) { out[name] = p.DB().Stats() })
}

// pools calls each for every pool that is open.
func (e *entry) pools(each func(name string, p *driver.Pool)) {
	for _, n := range e.nodes() {
		if p := n.pool.Load(); p != nil {
			each(n.name, p)
		}
		if n.guard == nil {
			continue
		}
		if p := n.guard.pool.Load(); p != nil {
			each(n.name+"/read-only", p)
		}
	}
}
