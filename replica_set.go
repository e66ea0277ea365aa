package dbfleet

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/config"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// SetReplicas makes list the replicas of a connection, in the place of ReadHosts and
// Replicas of its configuration, until it is set again or the connection is replaced;
// those that ConnectionConfig.Discover names stay. An empty list leaves none. A replica
// that stays, with the same host, name, pool and parameters, keeps its connections, its
// state and its figures; weight and zone may change meanwhile. One without a name keeps
// that of the replica at its host. The primary is not touched: a replica that was promoted
// goes on as the primary, listed or not.
//
// New reads use the new list at once, a new replica of PostgreSQL as soon as it has told
// that its data is the primary's, for which SetReplicas waits up to five seconds. What runs
// on a replica that has left goes on, and its connections are closed when that is done,
// after 30 seconds at the latest: a read that is cut off then is asked elsewhere. SetReplicas
// waits for that until ctx ends; then it returns the context's error, the list holds, and
// the rest is done without it. In the function of a transaction on the connection it is
// ErrBusy.
//
// The error is a fault of the list (each a *ConfigError; nothing has changed then),
// *UnknownConnectionError, ErrClosed or the context's. It may be called at any time, by
// several goroutines.
func (r *Registry) SetReplicas(ctx context.Context, name string, list []ReplicaConfig) error {
	if err := cmp.Or(r.usable(), checkContext(ctx, name)); err != nil {
		return err
	}
	if err := r.waitsForItself(ctx, "SetReplicas", name); err != nil {
		return err
	}
	e, err := r.use(name)
	if err != nil {
		return err
	}
	over, err := e.setReplicas(func(m *membership) { m.listed = cloneReplicas(list) })
	e.leave()
	if err != nil {
		return err
	}
	if e.monitor.running.Load() && e.someUnseen() {
		e.sees(ctx, sightWait)
	}
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return errorf("connection %q: the new replicas are in use, but what runs on those that have left is not over: %w", name, ctx.Err())
	}
}

// membership is who the replicas of an entry are.
type membership struct {
	listed, discovered []ReplicaConfig
	nodes              []*node // of both, in order
	over               bool    // the entry ends
}

// setReplicas changes who the replicas are. What it returns is closed when those that have
// left are gone.
func (e *entry) setReplicas(change func(m *membership)) (over <-chan struct{}, err error) {
	e.listing.Lock()
	defer e.listing.Unlock()
	if e.members.over {
		return nil, errorf("connection %q: %w", e.name, ErrClosed)
	}
	next := e.members
	change(&next)
	list := next.named(e, append(slices.Clip(next.listed), next.discovered...))
	if next.nodes, err = e.nodesOf(list); err != nil {
		return nil, err
	}
	before := e.members.nodes
	e.members = next
	var left []<-chan struct{}
	removed := map[*node]*replicaset.Member[*node]{}
	for _, n := range before {
		// One that was promoted stays, as the primary: whoever lists the replicas leaves it out.
		if !slices.Contains(next.nodes, n) && !slices.Contains(e.hosts, n) && n != e.primary() {
			removed[n] = e.replicas.Of(n)
		}
	}
	e.replicas.Replace(next.nodes, e.spec)
	for _, n := range before {
		if member, gone := removed[n]; gone {
			n.left = true
			e.nodeChanged(n, ConditionRemoved, "it is not listed any more")
			left = append(left, e.drain(n, member))
		}
	}
	for _, n := range next.nodes {
		if !slices.Contains(before, n) {
			e.sighted.Store(false)
			e.nodeChanged(n, ConditionAdded, "it is listed")
		}
	}
	e.monitor.look()
	return all(left), nil
}

// all returns what is closed when each of list is.
func all(list []<-chan struct{}) <-chan struct{} {
	if len(list) == 1 {
		return list[0]
	}
	over := make(chan struct{})
	if len(list) == 0 {
		close(over)
		return over
	}
	go func() {
		for _, one := range list {
			<-one
		}
		close(over)
	}()
	return over
}

// named gives a name to each of a list that has none: that of the node which is there, or
// the first that is free. A replica that was promoted keeps its own. One of Hosts has that
// of its node in any case, which no replica may be given.
func (m *membership) named(e *entry, list []ReplicaConfig) []ReplicaConfig {
	list = slices.Clone(list)
	taken := map[string]bool{}
	for _, r := range list {
		taken[r.Name] = true
	}
	short := func(n *node) string { return strings.TrimPrefix(n.name, e.name+"/") }
	there, primary := m.nodes, e.primary()
	if strings.HasPrefix(primary.name, e.name+"/") && !slices.Contains(e.hosts, primary) && !slices.Contains(there, primary) {
		there = append(slices.Clip(there), primary)
	}
	for i, r := range list {
		if r.Name != "" {
			continue
		}
		at, _ := e.config.replicaAt(r.Host)
		for _, n := range there {
			if known, _ := e.config.replicaAt(n.of.Host); known == at && !taken[short(n)] && !slices.Contains(e.hosts, n) {
				list[i].Name = short(n)
				taken[list[i].Name] = true
				break
			}
		}
	}
	if slices.Contains(there, primary) {
		taken[short(primary)] = true
	}
	for i, n := 0, 1; i < len(list); i++ {
		for ; list[i].Name == ""; n++ {
			if name := fmt.Sprintf("replica-%d", n); !taken[name] {
				list[i].Name = name
			}
		}
	}
	return list
}

// nodesOf returns the nodes of a list whose members have names. Those that there are
// already stay.
func (e *entry) nodesOf(list []ReplicaConfig) ([]*node, error) {
	c := e.config
	c.ReadHosts, c.Replicas = nil, list
	f := config.NewFaults(e.name, c.envPrefix)
	c.validateReplicas(f)
	if err := configError(f.List()); err != nil {
		return nil, err
	}
	maker, err := c.nodeMaker(e.name)
	if err != nil {
		return nil, err
	}
	settings := maker.replicas(list)
	if err := configError(maker.f.List()); err != nil {
		return nil, err
	}
	nodes := make([]*node, len(list))
	for i, s := range settings {
		nodes[i] = e.nodeAt(s, list[i])
	}
	return nodes, nil
}

// nodeAt is the node of a replica: the one that there is, if it is the same, or that of
// Hosts, or a new one. Zone and weight are those of the list.
func (e *entry) nodeAt(s nodeSettings, r ReplicaConfig) *node {
	for _, n := range append(slices.Clip(e.members.nodes), e.primary()) {
		if n.name == s.writes.Name && n.isAt(s) && n.of.sameSessions(r) {
			n.zone, n.weight = s.zone, s.weight
			return n
		}
	}
	n := e.hostAt(s)
	if n == nil {
		n = newNode(s, RoleReplica)
	}
	n.of = r
	return n
}

// isAt says whether the node is where the settings say.
func (n *node) isAt(s nodeSettings) bool {
	return n.address == addressOf(&s.writes) && n.reads.opts.Database == s.reads.Database
}

// sameSessions says whether the sessions on two replicas at one host are alike.
func (r ReplicaConfig) sameSessions(other ReplicaConfig) bool {
	same := r.Pool == other.Pool || r.Pool != nil && other.Pool != nil && *r.Pool == *other.Pool
	return same && maps.Equal(r.Params, other.Params)
}

var errLeft = errorf("the replica is not one of the connection any more: %w", ErrClosed)

const (
	// drainQuiet is how long nothing may have run on a replica that has left before its
	// connections are closed: a read may have chosen it just before.
	drainQuiet = 250 * time.Millisecond
	drainTick  = 10 * time.Millisecond
	// drainAsk is how often a replica that has left is asked whether it answers, while
	// something runs there.
	drainAsk = 500 * time.Millisecond
)

// drain closes a node that has left, when nothing runs there any more. What it returns is
// closed then.
func (e *entry) drain(n *node, member *replicaset.Member[*node]) <-chan struct{} {
	over := make(chan struct{})
	if member != nil && member.State() == replicaset.StateEjected {
		n.interrupt(errLeft)
	}
	e.leaving.Add(1)
	e.drains.Go(func() {
		defer close(over)
		defer e.leaving.Add(-1)
		if !e.waitUnused(n, member) {
			n.abort(errLeft)
		}
		_ = n.close() // nobody is there to be told
	})
	return over
}

// waitUnused is false if it has given up.
func (e *entry) waitUnused(n *node, member *replicaset.Member[*node]) bool {
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	began := time.Now()
	asked, quiet := began, began
	for {
		select {
		case <-e.monitor.ctx.Done():
			return !n.inUse(member)
		case now := <-tick.C:
			switch busy := n.inUse(member); {
			case !busy && now.Sub(quiet) >= drainQuiet:
				return true
			case !busy:
				continue
			case now.Sub(began) >= drainTimeout:
				return false
			}
			quiet = now
			if now.Sub(asked) >= drainAsk {
				if !e.answers(n) {
					n.interrupt(errLeft)
				}
				asked = time.Now()
			}
		}
	}
}

// inUse says whether something runs on a node that has left, or has one of its
// connections.
func (n *node) inUse(member *replicaset.Member[*node]) bool {
	busy := member != nil && member.InFlight() > 0 || n.transactions.Load() > 0
	n.eachPool(func(p *driver.Pool) {
		p.EndLoans()
		busy = busy || p.DB().Stats().InUse > 0
	})
	return busy
}

// answers asks a node on a connection for this one question.
func (e *entry) answers(n *node) bool {
	p, err := n.reads.open()
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(e.monitor.ctx, max(dialWait, e.config.Reads.MaxWait))
	defer cancel()
	probe := p.NewProbe()
	defer func() { _ = probe.Close() }()
	_, err = probe.Ask(ctx)
	return err == nil
}
