package dbfleet

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"maps"
	"math"

	"github.com/dbfleet/dbfleet/internal/config"
	"github.com/dbfleet/dbfleet/internal/driver"
)

// nodesSettings are those of the nodes of one connection.
type nodesSettings struct {
	primary  nodeSettings
	hosts    []nodeSettings // others that may be the primary
	replicas []nodeSettings
}

// nodeMaker makes the settings of nodes. It has read the TLS files.
type nodeMaker struct {
	c            ConnectionConfig
	connection   string
	certificates config.Certificates
	common       driver.Options
	f            *config.Faults
}

// nodes turns a prepared configuration into the settings of its nodes: the primary is
// called by the connection's name, other hosts name/host-2 and so on, replicas
// name/replica-1 and so on where they have no name of their own. It reports all faults.
func (c ConnectionConfig) nodes(name string) (nodesSettings, error) {
	m, err := c.nodeMaker(name)
	if err != nil {
		return nodesSettings{}, err
	}
	var all nodesSettings
	for i, at := range c.primaryHosts(m.f) {
		if i == 0 {
			all.primary = m.primary(name, at.host, at.port, c.Socket)
			continue
		}
		all.hosts = append(all.hosts, m.primary(fmt.Sprintf("%s/host-%d", name, i+1), at.host, at.port, ""))
	}
	all.replicas = m.replicas(c.allReplicas())
	return all, configError(m.f.List())
}

// hostPort is where a server may be.
type hostPort struct {
	host string
	port int
}

// primaryHosts are the servers that may be the primary, at least one: Host, if it is
// given, and then Hosts.
func (c ConnectionConfig) primaryHosts(f *config.Faults) []hostPort {
	var list []hostPort
	if c.Host != "" || len(c.Hosts) == 0 {
		list = append(list, hostPort{c.Host, c.Port})
	}
	for i, address := range c.Hosts {
		host, port, err := config.SplitAddress(address, c.Port)
		if err != nil {
			f.Add("hosts", "number %d %v", i+1, err)
			continue
		}
		list = append(list, hostPort{host, port})
	}
	return list
}

// allReplicas are ReadHosts and Replicas as one list, each with its name.
func (c ConnectionConfig) allReplicas() []ReplicaConfig {
	list := make([]ReplicaConfig, 0, len(c.ReadHosts)+len(c.Replicas))
	for _, address := range c.ReadHosts {
		list = append(list, ReplicaConfig{Host: address})
	}
	return named(append(list, c.Replicas...))
}

// named gives a name to each that has none.
func named(list []ReplicaConfig) []ReplicaConfig {
	for i := range list {
		list[i].Name = cmp.Or(list[i].Name, fmt.Sprintf("replica-%d", i+1))
	}
	return list
}

func (c ConnectionConfig) nodeMaker(name string) (*nodeMaker, error) {
	f := config.NewFaults(name, c.envPrefix)
	d, ok := config.Dialect(string(c.Driver))
	if !ok {
		f.Add("driver", "%v", config.UnknownDriver(string(c.Driver)))
		return nil, configError(f.List())
	}
	password := string(c.Password)
	m := &nodeMaker{c: c, connection: name, certificates: config.LoadCertificates(c.settings(), f), f: f}
	m.common = driver.Options{
		Dialect:          d,
		Database:         c.Database,
		Username:         c.Username,
		Password:         func() string { return password },
		ConnectTimeout:   c.ConnectTimeout,
		StatementTimeout: max(c.StatementTimeout, 0),
		Params:           c.Params,
		Pooler:           c.Pooler,
		Seams:            c.seams(),
		ChannelBinding:   c.TLS.ChannelBinding,
		Budget:           c.budget,
	}
	if d.Name == string(SQLite) {
		m.common.SQLite = driver.SQLite{
			JournalMode:     c.SQLite.JournalMode,
			Synchronous:     c.SQLite.Synchronous,
			BusyTimeout:     max(c.SQLite.BusyTimeout, 0),
			NoForeignKeys:   c.SQLite.DisableForeignKeys,
			DeferredWrites:  c.SQLite.DeferredTransactions,
			DoubleQuotedStr: c.SQLite.DoubleQuotedStrings,
			Memory:          rand.Text(),
		}
	}
	return m, nil
}

// primary is a server that may be the primary.
func (m *nodeMaker) primary(name, host string, port int, socket string) nodeSettings {
	o := m.common
	o.Name, o.Host, o.Port, o.Socket = name, host, port, socket
	o.TLS = m.certificates.ClientConfig(string(m.c.modeFor(host)), host, m.c.TLS.ServerName)
	s := m.sides(o, m.c.readPool())
	s.reads.Guard = true
	return s
}

// replicas are the nodes of a list whose members have names. Faults are noted.
func (m *nodeMaker) replicas(list []ReplicaConfig) []nodeSettings {
	var all []nodeSettings
	for i, r := range list {
		o := m.common
		o.Name = m.connection + "/" + r.Name
		if len(r.Params) > 0 {
			o.Params = maps.Clone(o.Params)
			if o.Params == nil {
				o.Params = map[string]string{}
			}
			maps.Copy(o.Params, r.Params)
		}
		if o.Dialect.Name == string(SQLite) {
			o.Database = r.Host
		} else {
			host, port, err := config.SplitAddress(r.Host, m.c.Port)
			if err != nil {
				m.c.faultOfReplica(m.f, i, "%v", err)
				continue
			}
			o.Host, o.Port = host, port
			o.TLS = m.certificates.ClientConfig(string(m.c.modeFor(host)), host, m.c.TLS.ServerName)
		}
		pool := m.c.readPool()
		if r.Pool != nil {
			pool = r.Pool.withDefaults()
		}
		s := m.sides(o, pool)
		s.zone, s.weight = r.Zone, r.Weight
		all = append(all, s)
	}
	return all
}

// sides are the two kinds of sessions of a node.
func (m *nodeMaker) sides(o driver.Options, reads PoolConfig) nodeSettings {
	s := nodeSettings{writes: o, reads: o, writesWait: m.c.Pool.acquireWait(), readsWait: reads.acquireWait()}
	m.c.Pool.apply(&s.writes, m.c.Pooler)
	reads.apply(&s.reads, m.c.Pooler)
	s.reads.ReadOnly = true
	return s
}

// readPool bounds the connections that only read.
func (c ConnectionConfig) readPool() PoolConfig {
	if c.ReadPool != nil {
		return *c.ReadPool
	}
	return c.Pool
}

// maxGuardIdle is how many unused connections of a primary's sessions that refuse writes
// are kept.
const maxGuardIdle = 2

// apply writes the pool's bounds in the driver's terms, where 0 is no bound.
func (p PoolConfig) apply(o *driver.Options, pooler bool) {
	o.MaxOpen = max(p.MaxOpen, 0)
	switch {
	case p.MaxIdle != config.Unbounded:
		o.MaxIdle = p.MaxIdle
	case o.MaxOpen > 0:
		o.MaxIdle = o.MaxOpen
	default:
		o.MaxIdle = math.MaxInt32
	}
	o.MaxLifetime = max(p.MaxLifetime, 0)
	o.MaxIdleTime = max(p.MaxIdleTime, 0)
	o.StatementCache = max(p.StatementCache, 0)
	if pooler {
		o.StatementCache = 0
	}
}
