package dbfleet

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// nodeOptions turns a prepared configuration into the options of its nodes: the
// primary is called by the connection's name, the replicas name/replica-1 and so
// on in the order of ReadHosts. It reads the TLS files, and reports all faults.
func (c ConnectionConfig) nodeOptions(name string) (primary driver.Options, replicas []driver.Options, err error) {
	f := &faults{connection: name, envPrefix: c.envPrefix}
	d, ok := c.Driver.dialect()
	if !ok {
		f.add("driver", "%v", errUnknownDriver(string(c.Driver)))
		return driver.Options{}, nil, f.err()
	}
	tlsMaterial := c.TLS.load(f)
	password := c.Password
	node := driver.Options{
		Dialect:          d,
		Database:         c.Database,
		Username:         c.Username,
		Password:         func() string { return password },
		ConnectTimeout:   c.ConnectTimeout,
		StatementTimeout: max(c.StatementTimeout, 0),
		Params:           c.Params,
		Pooler:           c.Pooler,
	}
	if d.Name == string(SQLite) {
		node.SQLite = driver.SQLite{
			JournalMode:     c.SQLite.JournalMode,
			Synchronous:     c.SQLite.Synchronous,
			BusyTimeout:     max(c.SQLite.BusyTimeout, 0),
			NoForeignKeys:   c.SQLite.DisableForeignKeys,
			DeferredWrites:  c.SQLite.DeferredTransactions,
			DoubleQuotedStr: c.SQLite.DoubleQuotedStrings,
		}
	}

	primary = node
	primary.Name = name
	primary.Host, primary.Port, primary.Socket = c.Host, c.Port, c.Socket
	primary.TLS = tlsMaterial.clientConfig(c.modeFor(c.Host), c.Host, c.TLS.ServerName)
	c.Pool.apply(&primary, c.Pooler)

	for i, address := range c.ReadHosts {
		host, port, err := splitAddress(address, c.Port)
		if err != nil {
			f.add("read_hosts", "number %d %v", i+1, err)
			continue
		}
		replica := node
		replica.Name = fmt.Sprintf("%s/replica-%d", name, i+1)
		replica.Host, replica.Port, replica.ReadOnly = host, port, true
		replica.TLS = tlsMaterial.clientConfig(c.modeFor(host), host, c.TLS.ServerName)
		pool := c.Pool
		if c.ReadPool != nil {
			pool = *c.ReadPool
		}
		pool.apply(&replica, c.Pooler)
		replicas = append(replicas, replica)
	}
	if err := f.err(); err != nil {
		return driver.Options{}, nil, err
	}
	return primary, replicas, nil
}

// apply writes the pool's bounds in the driver's terms, where 0 is no bound.
func (p PoolConfig) apply(o *driver.Options, pooler bool) {
	o.MaxOpen = max(p.MaxOpen, 0)
	switch {
	case p.MaxIdle != unbounded:
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

// splitAddress splits "host", "host:port", "[v6]" or "[v6]:port". Its errors
// continue a sentence that names the address.
func splitAddress(address string, defaultPort int) (host string, port int, err error) {
	port = defaultPort
	if strings.HasSuffix(address, "]") || !strings.Contains(address, ":") {
		host = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
		if host != address && !strings.Contains(host, ":") {
			return "", 0, errBadHost
		}
	} else {
		var text string
		if host, text, err = net.SplitHostPort(address); err != nil {
			return "", 0, errBadAddress
		}
		if port, err = strconv.Atoi(text); err != nil || port < 1 || port > 65535 {
			return "", 0, errBadPort
		}
	}
	return host, port, checkHost(host)
}

// checkHost returns why host is neither a host's name nor an IP address.
func checkHost(host string) error {
	if _, err := netip.ParseAddr(host); err == nil && !strings.ContainsFunc(host, unicode.IsControl) {
		return nil
	}
	if host == "" || len(host) > 253 || host[0] == '-' {
		return errBadHost
	}
	for _, r := range host {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '-', r == '_':
		default:
			return errBadHost
		}
	}
	return nil
}
