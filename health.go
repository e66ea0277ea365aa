package dbfleet

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// HealthStatus says how well a connection, or all of them, can serve.
type HealthStatus string

// The statuses.
const (
	// Healthy: every node answers.
	Healthy HealthStatus = "healthy"
	// Degraded: some node cannot do its job. Of a connection: its primary answers, but
	// takes no writes, or a replica does not answer, or is too far behind.
	Degraded HealthStatus = "degraded"
	// Unhealthy: the primary does not answer; of a registry: no connection's does.
	Unhealthy HealthStatus = "unhealthy"
)

// Health is what every node answered. It tells no host, user or database.
type Health struct {
	Status      HealthStatus                `json:"status"`
	Connections map[string]ConnectionHealth `json:"connections"`
	CheckedAt   time.Time                   `json:"checked_at"`
	// InDoubt are the atomic commits that are not over; see Registry.InDoubt. Only the
	// databases are asked which this process has used for one, and they have a second.
	InDoubt []InDoubt `json:"in_doubt,omitempty"`
}

// ConnectionHealth is the health of one connection.
type ConnectionHealth struct {
	Status HealthStatus `json:"status"`
	Driver Driver       `json:"driver"`
	Nodes  []NodeHealth `json:"nodes"`
	// Notice says that a faster way of the driver is not taken, because the version
	// that is linked is not one that dbfleet was tested with; "" otherwise.
	Notice string `json:"notice,omitempty"`
	// NotDurable are the settings of the primary's server, as name=value, with which it
	// may lose in a crash what it has acknowledged, and an atomic commit with that be no
	// longer all or none: fsync=off, innodb_flush_log_at_trx_commit=2. Only a database that
	// this process has used for one is asked, and it has a second. The status is the same.
	NotDurable []string `json:"not_durable,omitempty"`
	// OldestTransaction is the transaction that has been open for longest; nil for none,
	// and without ConnectionConfig.LongTransaction.
	OldestTransaction *OpenTransaction `json:"oldest_transaction,omitempty"`
}

// NodeHealth is the health of one node: the primary first, then the replicas
// in the order of the configuration.
type NodeHealth struct {
	Name string `json:"name"`
	Role Role   `json:"role"`
	// Up says that the node answers. A primary that answers and takes no writes is up,
	// with ProblemReadOnly; a node whose pool is full is up, with ProblemPool.
	Up bool `json:"up"`
	// Lag is how far a replica is behind at most, as NodeState.Lag tells it; 0 if that is
	// not known, with ProblemLagging where Reads.MaxLag asks for it.
	Lag time.Duration `json:"lag_ns,omitempty"`
	// Latency is how long the answer took.
	Latency time.Duration `json:"latency_ns"`
	// Problem is why the node cannot do its job, or could not give a connection; "" if
	// all is well.
	Problem HealthProblem `json:"problem,omitempty"`
	// Err is the error itself, for the program's own eyes.
	Err error `json:"-"`
	// Pool are the pool's figures.
	Pool PoolHealth `json:"pool"`
}

// PoolHealth are a pool's figures; see sql.DBStats.
type PoolHealth struct {
	MaxOpen      int           `json:"max_open"`
	Open         int           `json:"open"`
	InUse        int           `json:"in_use"`
	Idle         int           `json:"idle"`
	WaitCount    int64         `json:"wait_count"`
	WaitDuration time.Duration `json:"wait_duration_ns"`
}

// healthTimeout bounds a health check whose context has no deadline.
const healthTimeout = 5 * time.Second

// Health asks every node of every connection at once and tells what they
// answered until ctx ends, or 5 seconds if it has no deadline. A node that does
// not answer is reported, it is no error.
//
// It waits for no connection of a pool: where all are in use it asks on one more,
// which it closes again. Primaries are also asked whether they take writes, but for
// those that are meant not to: with default_transaction_read_only (PostgreSQL),
// transaction_read_only or tx_read_only (MySQL) or query_only (SQLite) among Params.
func (r *Registry) Health(ctx context.Context) Health {
	must("Registry.Health", r.usable())
	mustHave("Registry.Health", "context", ctx != nil)
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, healthTimeout)
		defer cancel()
	}
	h := Health{Status: Healthy, Connections: map[string]ConnectionHealth{}, CheckedAt: time.Now().UTC().Truncate(time.Microsecond)}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, name := range r.Names() {
		wg.Go(func() {
			e, err := r.use(name)
			if err != nil {
				return // removed meanwhile
			}
			defer e.leave()
			c := e.health(ctx)
			mu.Lock()
			defer mu.Unlock()
			h.Connections[name] = c
		})
	}
	wg.Go(func() { h.InDoubt = r.knownDoubts(ctx) })
	wg.Wait()
	down := 0
	for _, c := range h.Connections {
		if c.Status != Healthy {
			h.Status = Degraded
		}
		if c.Status == Unhealthy {
			down++
		}
	}
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if down > 0 && down == len(h.Connections) || closed {
		h.Status = Unhealthy
	}
	return h
}

func (e *entry) health(ctx context.Context) ConnectionHealth {
	e.monitor.begin() // so that the next one can tell how far replicas are behind
	nodes := e.nodes()
	c := ConnectionHealth{Status: Healthy, Driver: Driver(e.dialect.Name), Nodes: make([]NodeHealth, len(nodes)), Notice: driver.Fallback(e.dialect), OldestTransaction: e.ages.oldest()}
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() { c.Nodes[i] = n.health(ctx, e) })
	}
	wg.Go(func() { c.NotDurable = e.knownLosses(ctx) })
	wg.Wait()
	if claim := e.claim.Load(); claim != nil {
		for i := range c.Nodes {
			if n := &c.Nodes[i]; i == 0 || slices.Contains(claim.Nodes, n.Name) {
				n.Problem, n.Err = ProblemTwoPrimaries, claim
			}
		}
	}
	for i, n := range c.Nodes {
		if n.doesItsJob() {
			continue
		}
		if i == 0 && !n.Up {
			c.Status = Unhealthy
			break
		}
		c.Status = Degraded
	}
	return c
}

func (n *node) health(ctx context.Context, e *entry) NodeHealth {
	h := NodeHealth{Name: n.name, Role: n.role()}
	own := n.inRole()
	p := place{e: e, node: own, route: Route{Connection: e.name, Node: n.name, Role: h.Role}}
	x := checking{writes: h.Role == RolePrimary && !own.readsOnly()}
	start := time.Now()
	h.Err = p.ask(ctx, &x)
	h.Latency = time.Since(start)
	h.Up, h.Problem = judge(e.dialect, x.state, h.Err)
	if m := e.replicas.Of(n); m != nil && h.Role == RoleReplica {
		h.Lag, _ = n.staleness(time.Now())
		if err := n.isForeign(m); err != nil {
			h.Up, h.Problem, h.Err = n.heard.answers(), ProblemForeign, err
		} else if h.Up && h.Problem == "" && m.Has(replicaset.Lagging) {
			h.Problem = ProblemLagging
		}
	}
	if p := own.pool.Load(); p != nil {
		h.Pool = poolHealth(p.DB().Stats())
	}
	return h
}

// doesItsJob reports whether the node answers and, as a primary, takes writes, or as a
// replica is fresh enough.
func (h NodeHealth) doesItsJob() bool {
	switch h.Problem {
	case ProblemReadOnly, ProblemLagging, ProblemForeign, ProblemTwoPrimaries:
		return false
	}
	return h.Up
}

// readsOnly reports whether the configuration says that the sessions take no writes.
func (s *sessions) readsOnly() bool {
	for name, value := range s.opts.Params {
		switch strings.ToLower(name) {
		case "default_transaction_read_only", "transaction_read_only", "tx_read_only", "query_only":
			switch strings.ToLower(value) {
			case "on", "true", "yes", "1":
				return true
			}
		}
	}
	return false
}

// checking is the exchange of a check.
type checking struct {
	writes bool // asks whether the node takes them
	state  driver.State
}

func (x *checking) exchange(ctx context.Context, p *place, _ *statement) (driver.Result, error) {
	pool, err := p.node.open()
	if err == nil {
		x.state, err = pool.Check(ctx, x.writes)
	}
	return unknownRows, err
}

func poolHealth(s sql.DBStats) PoolHealth {
	return PoolHealth{
		MaxOpen: s.MaxOpenConnections, Open: s.OpenConnections, InUse: s.InUse, Idle: s.Idle,
		WaitCount: s.WaitCount, WaitDuration: s.WaitDuration,
	}
}
