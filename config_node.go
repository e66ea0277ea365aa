package dbfleet

import (
	"crypto/rand"
	"fmt"
	"math"

	"github.com/dbfleet/dbfleet/internal/config"
	"github.com/dbfleet/dbfleet/internal/driver"
)

// nodeOptions turns a prepared configuration into the options of its nodes: the
// primary is called by the connection's name, the replicas name/replica-1 and so
// on in the order of ReadHosts. It reads the TLS files, and reports all faults.
func (c ConnectionConfig) nodeOptions(name string) (primary driver.Options, replicas []driver.Options, err error) {
	f := config.NewFaults(name, c.envPrefix)
	d, ok := config.Dialect(string(c.Driver))
	if !ok {
		f.Add("driver", "%v", config.UnknownDriver(string(c.Driver)))
		return driver.Options{}, nil, configError(f.List())
	}
	certificates := config.LoadCertificates(c.settings(), f)
	password := string(c.Password)
	node := driver.Options{
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
	}
	if d.Name == string(SQLite) {
		node.SQLite = driver.SQLite{
			JournalMode:     c.SQLite.JournalMode,
			Synchronous:     c.SQLite.Synchronous,
			BusyTimeout:     max(c.SQLite.BusyTimeout, 0),
			NoForeignKeys:   c.SQLite.DisableForeignKeys,
			DeferredWrites:  c.SQLite.DeferredTransactions,
			DoubleQuotedStr: c.SQLite.DoubleQuotedStrings,
			Memory:          rand.Text(),
		}
	}

	primary = node
	primary.Name = name
	primary.Host, primary.Port, primary.Socket = c.Host, c.Port, c.Socket
	primary.TLS = certificates.ClientConfig(string(c.modeFor(c.Host)), c.Host, c.TLS.ServerName)
	c.Pool.apply(&primary, c.Pooler)

	for i, address := range c.ReadHosts {
		replica := node
		replica.Name = fmt.Sprintf("%s/replica-%d", name, i+1)
		replica.ReadOnly = true
		c.readPool().apply(&replica, c.Pooler)
		if d.Name == string(SQLite) {
			replica.Database = address
			replicas = append(replicas, replica)
			continue
		}
		host, port, err := config.SplitAddress(address, c.Port)
		if err != nil {
			f.Add("read_hosts", "number %d %v", i+1, err)
			continue
		}
		replica.Host, replica.Port = host, port
		replica.TLS = certificates.ClientConfig(string(c.modeFor(host)), host, c.TLS.ServerName)
		replicas = append(replicas, replica)
	}
	if err := configError(f.List()); err != nil {
		return driver.Options{}, nil, err
	}
	return primary, replicas, nil
}

// readPool bounds the connections that only read.
func (c ConnectionConfig) readPool() PoolConfig {
	if c.ReadPool != nil {
		return *c.ReadPool
	}
	return c.Pool
}

// maxGuardIdle is how many unused connections of a guard are kept.
const maxGuardIdle = 2

// guardOptions are those of the sessions on the primary that refuse writes: for what a
// handle for reads is given to run when there is no replica for it.
func (c ConnectionConfig) guardOptions(primary driver.Options) driver.Options {
	guard := primary
	guard.ReadOnly, guard.Guard = true, true
	c.readPool().apply(&guard, c.Pooler)
	guard.MaxIdle = min(guard.MaxIdle, maxGuardIdle)
	return guard
}

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
