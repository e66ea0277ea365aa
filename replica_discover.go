package dbfleet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// discovery is the monitor's asking for the replicas that there are.
type discovery struct {
	lost  atomic.Bool // a replica was ejected since
	asked atomic.Bool // the function has been called and has not come back
	next  time.Time
	least time.Time // not before
	told  atomic.Pointer[string]
}

// rediscover is how soon Discover is asked again when replicas are lost.
const rediscover = time.Second

// discover asks for the replicas if it is time to.
func (m *monitor) discover(now time.Time) {
	d := &m.discovery
	if m.e.config.Discover == nil || m.e.ends() || now.Before(d.least) || now.Before(d.next) && !d.lost.Load() || d.asked.Swap(true) {
		return
	}
	d.lost.Store(false)
	every := m.e.config.Reads.DiscoverEvery
	d.next, d.least = now.Add(every), now.Add(min(every, rediscover))
	m.asking.Go(func() {
		ctx, cancel := context.WithTimeout(m.ctx, m.e.config.ConnectTimeout)
		defer cancel()
		list, err := m.callDiscover(ctx)
		if m.e.ends() {
			return // its end waits for replicas that have left, and needs none that come
		}
		if err == nil {
			_, err = m.e.setReplicas(func(s *membership) { s.discovered = cloneReplicas(list) })
		}
		m.discovered(err)
	})
}

// callDiscover calls the program's function, and does not wait for it longer than ctx.
func (m *monitor) callDiscover(ctx context.Context) (list []ReplicaConfig, err error) {
	type result struct {
		list []ReplicaConfig
		err  error
	}
	back := make(chan result, 1)
	go func() {
		defer m.discovery.asked.Store(false)
		defer func() {
			if v := recover(); v != nil {
				back <- result{err: fmt.Errorf("it panicked: %v", v)}
			}
		}()
		list, err := m.e.config.Discover(ctx)
		back <- result{list, err}
	}()
	select {
	case r := <-back:
		return r.list, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("it has not come back: %w", ctx.Err())
	}
}

// discovered tells a failure, unless it is the same as before.
func (m *monitor) discovered(err error) {
	if m.ctx.Err() != nil {
		return
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	if old := m.discovery.told.Swap(&text); text == "" || old != nil && *old == text {
		return
	}
	m.e.tellNode(NodeEvent{Connection: m.e.name, Node: m.e.name, To: ConditionUndiscovered, Reason: text, Time: time.Now()})
}

// names are the addresses of the nodes' hosts.
type names struct {
	lookUp func(ctx context.Context, host string) ([]netip.Addr, error)
	next   time.Time
	begun  map[string]bool // hosts that are looked up again at next, and not before

	mu   sync.Mutex // protects following fields
	busy map[string]bool
	seen map[string]*addresses
}

// addresses are where a name has led to.
type addresses struct {
	known   []netip.Addr
	missing []netip.Addr // those of them that the last answer did not have
}

func lookUpName(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// lookUpNames looks up the names of the nodes' hosts if it is time to. That of a node that
// has come since is looked up at once: later it may lead elsewhere than its connections.
func (m *monitor) lookUpNames(now time.Time, nodes []*node) {
	c := &m.e.config
	if c.Dial != nil || c.Connector != nil || c.Driver == SQLite {
		return
	}
	if !now.Before(m.names.next) {
		m.names.next = now.Add(c.Reads.DiscoverEvery)
		m.names.begun = map[string]bool{}
	}
	var hosts map[string][]*node
	for _, n := range nodes {
		host := n.reads.opts.Host
		if host == "" || m.names.begun[host] {
			continue
		}
		if _, err := netip.ParseAddr(host); err == nil {
			m.names.begun[host] = true
			continue
		}
		if hosts == nil {
			hosts = map[string][]*node{}
		}
		hosts[host] = append(hosts[host], n)
	}
	for host, nodes := range hosts {
		m.names.begun[host] = true
		if m.names.begins(host) {
			m.asking.Go(func() { m.lookUpHost(host, nodes) })
		}
	}
}

// begins says that a host is not being looked up, and will be.
func (s *names) begins(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[host] {
		return false
	}
	if s.busy == nil {
		s.busy, s.seen = map[string]bool{}, map[string]*addresses{}
	}
	s.busy[host] = true
	return true
}

// lookUpHost looks up one name, and drops the idle connections of its nodes when an
// address is gone.
func (m *monitor) lookUpHost(host string, nodes []*node) {
	ctx, cancel := context.WithTimeout(m.ctx, m.e.config.ConnectTimeout)
	defer cancel()
	list, err := m.names.lookUp(ctx, host)
	gone := m.names.took(host, list, err)
	if len(gone) == 0 || m.ctx.Err() != nil {
		return
	}
	for _, n := range nodes {
		n.dropIdle()
		n.moved.Store(true)
		m.e.nodeChanged(n, ConditionMoved, fmt.Sprintf("%s does not lead to %v any more", host, gone))
	}
}

// took notes where a name leads to, and returns the addresses that are gone: all of
// them when none of them is left, or those that two answers in a row do not have (for an
// answer may have a part of them only).
func (s *names) took(host string, list []netip.Addr, err error) (gone []netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, host)
	if err != nil || len(list) == 0 {
		return nil
	}
	a := s.seen[host]
	if a == nil {
		s.seen[host] = &addresses{known: list}
		return nil
	}
	if !slices.ContainsFunc(list, func(x netip.Addr) bool { return slices.Contains(a.known, x) }) {
		gone, a.known, a.missing = a.known, list, nil
		return gone // it has moved as a whole
	}
	missing := slices.DeleteFunc(slices.Clone(a.known), func(x netip.Addr) bool { return slices.Contains(list, x) })
	gone = slices.DeleteFunc(slices.Clone(missing), func(x netip.Addr) bool { return !slices.Contains(a.missing, x) })
	a.missing = missing
	for _, x := range list {
		if !slices.Contains(a.known, x) {
			a.known = append(a.known, x)
		}
	}
	a.known = slices.DeleteFunc(a.known, func(x netip.Addr) bool { return slices.Contains(gone, x) })
	return gone
}
