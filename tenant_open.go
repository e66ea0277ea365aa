package dbfleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// tenantGroup is a connection that is another database for each tenant. It is safe for
// concurrent use.
type tenantGroup struct {
	reg      *Registry
	name     string
	config   TenantsConfig
	template ConnectionConfig // without Tenants
	hooks    *hookList
	budget   *connectionBudget // nil for none
	asking   context.Context   // of TenantsConfig.Connect, ends when the group is being closed
	refuse   context.CancelFunc
	life     context.Context // ends with the group
	end      context.CancelFunc
	running  sync.WaitGroup // of goroutines
	sums     tenantSums

	mu       sync.RWMutex // protects following fields
	open     map[string]*tenantOpen
	leaving  map[*entry]bool // closed as idle, and not closed yet
	closed   bool
	sweeping bool // a goroutine looks for idle ones
}

// tenantOpen is the database of one tenant, open or about to be.
type tenantOpen struct {
	name  string
	ready chan struct{} // closed when the following two are known
	e     *entry        // nil, without an error, if it is outdated
	err   error
	used  atomic.Int64 // when it was used last, in nanoseconds since the group began

	outdated bool // CloseTenant was called meanwhile; protected by the group's mu
}

// openTimeout bounds TenantsConfig.Connect.
const openTimeout = 10 * time.Second

// newTenantGroup is the group of a prepared configuration with Tenants.
func newTenantGroup(r *Registry, name string, template ConnectionConfig, hooks *hookList) *tenantGroup {
	c := *template.Tenants
	template.Tenants = nil
	g := &tenantGroup{reg: r, name: name, config: c, template: template, hooks: hooks, open: map[string]*tenantOpen{}, leaving: map[*entry]bool{}}
	g.asking, g.refuse = context.WithCancel(context.Background())
	g.life, g.end = context.WithCancel(context.Background())
	if c.MaxOpen > 0 {
		g.budget = driver.NewBudget(c.MaxOpen, g.makeRoom)
	}
	return g
}

var groupEpoch = time.Now()

func sinceEpoch() int64 { return int64(time.Since(groupEpoch)) }

// use returns the database of a tenant, entered.
func (g *tenantGroup) use(ctx context.Context, tenant string) (*entry, error) {
	for {
		t, err := g.of(ctx, tenant)
		if err != nil {
			return nil, err
		}
		select {
		case <-t.ready:
		default:
			select {
			case <-t.ready:
			case <-ctx.Done():
				return nil, errorf("connection %q: waiting for the database of tenant %q to be known: %w", g.name, tenant, ctx.Err())
			}
		}
		if t.err != nil {
			return nil, t.err
		}
		if t.e != nil && t.e.enter() == nil {
			t.used.Store(sinceEpoch())
			return t.e, nil
		} // it was closed between the two calls, and is not in the list any more
	}
}

// of is the database of a tenant, which is opened if it is not.
func (g *tenantGroup) of(ctx context.Context, tenant string) (*tenantOpen, error) {
	g.mu.RLock()
	t := g.open[tenant]
	g.mu.RUnlock()
	if t != nil {
		return t, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.open[tenant]; t != nil {
		return t, nil
	}
	if g.closed {
		return nil, errorf("connection %q: %w", g.name, ErrClosed)
	}
	if len(g.open) >= g.config.MaxTenants {
		g.closeOldestLocked(len(g.open) - g.config.MaxTenants + 1)
	}
	t = &tenantOpen{name: tenant, ready: make(chan struct{})}
	t.used.Store(sinceEpoch())
	g.open[tenant] = t
	asking := OutsideTx(context.WithoutCancel(ctx))
	g.running.Go(func() { g.opening(asking, t) })
	if !g.sweeping && g.config.IdleClose > 0 {
		g.sweeping = true
		g.running.Go(g.sweep)
	}
	return t, nil
}

// opening asks where the database of a tenant is, and makes ready to use it.
func (g *tenantGroup) opening(ctx context.Context, t *tenantOpen) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	defer context.AfterFunc(g.asking, cancel)()
	e, err := g.connect(ctx, t.name)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		t.err = errorf("connection %q: %w", g.name, ErrClosed)
		if e != nil {
			g.leavesLocked(e)
		}
	case t.outdated: // whoever waits for it asks again; another one may be in its place
		if e != nil {
			g.leavesLocked(e)
		}
	case err != nil:
		t.err = errorf("connection %q: tenant %q: %w", g.name, t.name, err)
		delete(g.open, t.name)
	default:
		t.e = e
	}
	close(t.ready)
}

func (g *tenantGroup) connect(ctx context.Context, tenant string) (e *entry, err error) {
	returned := false
	defer func() {
		if !returned {
			err = fmt.Errorf("TenantsConfig.Connect has panicked, or ended its goroutine: %v", recover())
		}
	}()
	var c ConnectionConfig
	if g.config.Connect != nil {
		c, err = g.config.Connect(ctx, tenant)
	} else {
		c, err = g.ofTemplate(tenant)
	}
	returned = true
	if err != nil {
		return nil, err
	}
	name := g.name + "/" + tenant
	if c.Driver == "" && c.URL == "" {
		c.Driver = g.template.Driver
	}
	c.tenant, c.Tenants = tenant, nil
	if c, err = c.prepare(name); err != nil {
		return nil, err
	}
	switch {
	case c.Driver != g.template.Driver:
		return nil, &ConfigError{Connection: name, Key: "driver", Reason: fmt.Sprintf("is %s, and that of the group %s", c.Driver, g.template.Driver)}
	case c.Driver == SQLite && c.Database == ":memory:":
		return nil, &ConfigError{Connection: name, Key: "database", Reason: "is in memory, and would be gone when it is closed as idle"}
	}
	c.budget = g.budget
	if e, err = newEntry(g.reg, name, c, g.hooks); err == nil {
		e.of, e.tenant = g, tenant
	}
	return e, err
}

// oldestLocked are the tenants that are open, those first that were used longest ago.
func (g *tenantGroup) oldestLocked() []*tenantOpen {
	type at struct {
		t    *tenantOpen
		used int64
	}
	list := make([]at, 0, len(g.open))
	for _, t := range g.open {
		if t.e != nil {
			list = append(list, at{t, t.used.Load()})
		}
	}
	slices.SortFunc(list, func(a, b at) int { return int(min(max(a.used-b.used, -1), 1)) })
	out := make([]*tenantOpen, len(list))
	for i := range list {
		out[i] = list[i].t
	}
	return out
}

// makeRoom closes idle connections of a tenant that is being closed, or else of the one that
// was used longest ago.
func (g *tenantGroup) makeRoom() bool {
	g.mu.RLock()
	list := slices.Collect(maps.Keys(g.leaving)) // which nobody will use any more
	for _, t := range g.oldestLocked() {
		list = append(list, t.e)
	}
	g.mu.RUnlock()
	for _, e := range list {
		closed := false
		e.pools(func(_ string, p *driver.Pool) { closed = p.CloseIdle() || closed })
		if closed {
			return true
		}
	}
	return false
}

// closeOldestLocked closes some tenants that nobody uses.
func (g *tenantGroup) closeOldestLocked(n int) {
	for _, t := range g.oldestLocked() {
		if n == 0 {
			return
		}
		if g.closeIdleLocked(t) {
			n--
		}
	}
}

// closeIdleLocked closes the database of a tenant unless somebody uses it.
func (g *tenantGroup) closeIdleLocked(t *tenantOpen) bool {
	if t.e.isUsed() || !t.e.running.CompareAndSwap(0, draining) {
		return false
	}
	// Rows that were opened since are read to their end: close waits for them.
	t.e.once.Do(func() { close(t.e.idle) })
	delete(g.open, t.name)
	g.leavesLocked(t.e)
	return true
}

// leavesLocked closes an entry that has left, when what still uses it is done.
func (g *tenantGroup) leavesLocked(e *entry) {
	g.leaving[e] = true
	g.running.Go(func() {
		_ = g.closeLeaving(g.life, e)
	})
}

// isUsed says that the entry of a tenant is not to be closed.
func (e *entry) isUsed() bool {
	used := e.running.Load() != 0 || e.prepared.Load() != 0
	e.pools(func(_ string, p *driver.Pool) { used = used || p.DB().Stats().InUse > 0 })
	return used
}

// sweep closes the tenants that were not used for long, until none is open.
func (g *tenantGroup) sweep() {
	tick := time.NewTicker(min(max(g.config.IdleClose/4, time.Millisecond), 30*time.Second))
	defer tick.Stop()
	for {
		select {
		case <-g.life.Done():
			return
		case <-tick.C:
		}
		if g.swept() {
			return
		}
	}
}

func (g *tenantGroup) swept() (none bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := sinceEpoch()
	for _, t := range g.oldestLocked() {
		switch {
		case t.e.isUsed():
			t.used.Store(now)
		case now-t.used.Load() >= int64(g.config.IdleClose):
			g.closeIdleLocked(t)
		}
	}
	g.sweeping = len(g.open) > 0
	return !g.sweeping
}

// close closes the databases of all tenants, as entry.close does one.
func (g *tenantGroup) close(ctx context.Context) error {
	g.mu.Lock()
	g.closed = true
	list := make([]*entry, 0, len(g.open)+len(g.leaving))
	for _, t := range g.open {
		if t.e != nil {
			list = append(list, t.e)
		}
	}
	for e := range g.leaving {
		list = append(list, e)
	}
	g.mu.Unlock()
	g.refuse()
	errs := make(chan error, len(list))
	for _, e := range list {
		go func() { errs <- e.close(ctx) }()
	}
	var err error
	for range list {
		err = errors.Join(err, <-errs)
	}
	g.end()
	over := make(chan struct{})
	go func() {
		g.running.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-ctx.Done():
		select {
		case <-over:
		case <-time.After(cutWait):
			err = errors.Join(err, errorf("connection %q closed with TenantsConfig.Connect still running: %w", g.name, ctx.Err()))
		}
	}
	return err
}

func (g *tenantGroup) stats() TenantsStats {
	s := TenantsStats{MaxOpen: g.config.MaxOpen}
	g.mu.RLock()
	list := g.oldestLocked()
	s.Tenants = len(g.open)
	g.mu.RUnlock()
	for _, t := range list {
		t.e.pools(func(_ string, p *driver.Pool) {
			of := p.Stats()
			s.Open, s.InUse, s.Idle = s.Open+of.OpenConnections, s.InUse+of.InUse, s.Idle+of.Idle
		})
	}
	if g.budget != nil {
		s.Open, s.Waiting = g.budget.Figures()
		s.InUse = min(s.InUse, s.Open) // which was counted a moment before
	}
	return s
}
