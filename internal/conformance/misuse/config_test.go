package misuse

import (
	"encoding/json"
	"time"

	"github.com/dbfleet/dbfleet"
)

func ofConfig(w *world) []mistake {
	open := func(name string, c dbfleet.ConnectionConfig) error {
		return of(dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{name: c}}))
	}
	file := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"}
	server := dbfleet.ConnectionConfig{Driver: dbfleet.Postgres, Host: "db1", Database: "events", Username: "app"}
	with := func(c dbfleet.ConnectionConfig, change func(c *dbfleet.ConnectionConfig)) dbfleet.ConnectionConfig {
		change(&c)
		return c
	}
	type cc = dbfleet.ConnectionConfig
	return []mistake{
		{"no driver", open("main", cc{Database: "app.db"}), `dbfleet: connection "main": driver is missing: name postgres, mysql or sqlite, or give a url`},
		{"an unknown driver", open("main", cc{Driver: "oracle", Host: "db1", Database: "x", Username: "a"}), `dbfleet: connection "main": driver is "oracle", which is not a driver: use postgres, mysql or sqlite`},
		{"no database", open("main", cc{Driver: dbfleet.SQLite}), `dbfleet: connection "main": database is missing`},
		{"no host", open("main", cc{Driver: dbfleet.Postgres, Database: "x", Username: "app"}), `dbfleet: connection "main": host is missing`},
		{"a connection without a name", open("", file), `dbfleet: connections has a connection whose name is empty or has control characters`},
		{"a host with a port", open("main", with(server, func(c *cc) { c.Host = "db1:5432" })), `dbfleet: connection "main": host is neither a host's name nor an IP address (a port belongs in port, other hosts in read_hosts)`},
		{"a host that is a URL", open("main", with(server, func(c *cc) { c.Host = "postgres://db1" })), `dbfleet: connection "main": host is a URL, of which only the host is wanted (a port belongs in port, other hosts in read_hosts)`},
		{"a socket as host", open("main", with(server, func(c *cc) { c.Host = "/var/run/postgresql" })), `dbfleet: connection "main": host is a path: a unix socket belongs in socket`},
		{"host and socket", open("main", with(server, func(c *cc) { c.Socket = "/tmp" })), `dbfleet: connection "main": socket is set beside host: only one of them says where the server is`},
		{"a port that is none", open("main", with(server, func(c *cc) { c.Port = 70000 })), `dbfleet: connection "main": port must be between 1 and 65535`},
		{"a read host twice", open("main", with(server, func(c *cc) { c.ReadHosts = []string{"r1", "r1:5432"} })), `dbfleet: connection "main": read_hosts number 2 (r1:5432) is the same as number 1 (r1)`},
		{"read hosts with a comma", open("main", with(server, func(c *cc) { c.ReadHosts = []string{"r1,r2"} })), `dbfleet: connection "main": read_hosts number 1 is neither a host's name nor an IP address`},
		{"a server's settings for SQLite", open("main", with(file, func(c *cc) { c.Host = "db1" })), `dbfleet: connection "main": host is set, but sqlite has no server`},
		{"SQLite's settings for a server", open("main", with(server, func(c *cc) { c.SQLite.JournalMode = "WAL" })), `dbfleet: connection "main": sqlite.journal_mode is set, but the driver is postgres`},
		{"a journal mode that is none", open("main", with(file, func(c *cc) { c.SQLite.JournalMode = "WALL" })), `dbfleet: connection "main": sqlite.journal_mode is not WAL, DELETE, TRUNCATE, PERSIST, MEMORY or OFF`},
		{"more idle connections than open ones", open("main", with(file, func(c *cc) { c.Pool.MaxOpen, c.Pool.MaxIdle = 2, 5 })), `dbfleet: connection "main": pool.max_idle is 5, more than max_open, which is 2`},
		{"a negative pool", open("main", with(file, func(c *cc) { c.Pool.MaxOpen = -5 })), `dbfleet: connection "main": pool.max_open is negative: only -1 has a meaning`},
		{"a negative time to wait", open("main", with(file, func(c *cc) { c.Pool.AcquireTimeout = -time.Minute })), `dbfleet: connection "main": pool.acquire_timeout is negative: only -1 has a meaning`},
		{"a negative connect timeout", open("main", with(server, func(c *cc) { c.ConnectTimeout = -1 })), `dbfleet: connection "main": connect_timeout must be positive`},
		{"a TLS mode that is none", open("main", with(server, func(c *cc) { c.TLS.Mode = "on" })), `dbfleet: connection "main": tls.mode is not disable, require, verify-ca or verify-full`},
		{"a CA for TLS that is switched off", open("main", with(server, func(c *cc) { c.TLS = dbfleet.TLSConfig{Mode: dbfleet.TLSDisable, CAFile: "/ca.pem"} })), "dbfleet: connection \"main\": tls.mode is disable (or ssl is false), but other TLS settings are given\ndbfleet: connection \"main\": tls.ca_file cannot be read: open /ca.pem: no such file or directory"},
		{"a session parameter that the library sets", open("main", with(server, func(c *cc) { c.Params = map[string]string{"DateStyle": "German"} })), `dbfleet: connection "main": params.DateStyle cannot be set: values would be read wrongly`},
		{"a printed password", open("main", with(server, func(c *cc) { c.Password = "[redacted]" })), `dbfleet: connection "main": password is the text that stands for a secret in a printed configuration`},
		{"a default that is no connection", of(dbfleet.Open(dbfleet.Config{Default: "mian", Connections: map[string]cc{"main": file, "other": file}})), `dbfleet: default names "mian", which is not a connection (known: "main", "other")`},
		{"a name that is taken", w.reg.Add("main", file), `dbfleet: connection "main": the name is taken`},
		{"Replace of an unknown name", w.reg.Replace(w.ctx, "mian", file), `dbfleet: unknown connection "mian"; known are "main", "other"`},
		{"Remove of an unknown name", w.reg.Remove(w.ctx, "mian"), `dbfleet: unknown connection "mian"; known are "main", "other"`},
		{"several faults at once", open("main", cc{Driver: dbfleet.MySQL, Port: -1, Pool: dbfleet.PoolConfig{MaxOpen: -2}, Username: "app", Host: "h"}), "dbfleet: connection \"main\": port must be between 1 and 65535\ndbfleet: connection \"main\": database is missing\ndbfleet: connection \"main\": pool.max_open is negative: only -1 has a meaning"},
	}
}

func ofURLs(*world) []mistake {
	open := func(url string) error {
		return of(dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": {URL: dbfleet.Secret(url)}}}))
	}
	return []mistake{
		{"no scheme", open("db1/events"), `dbfleet: connection "main": url does not begin with sqlite:, postgres:// or mysql://, and is neither user:password@tcp(host:port)/database nor host=… user=… dbname=…`},
		{"an unknown scheme", open("oracle://db1/events"), `dbfleet: connection "main": url does not begin with sqlite:, postgres:// or mysql://, and is neither user:password@tcp(host:port)/database nor host=… user=… dbname=…`},
		{"no database", open("postgres://app@db1"), `dbfleet: connection "main": database is missing`},
		{"a port that is no number", open("postgres://app@db1:abc/events"), `dbfleet: connection "main": url is not scheme://user:password@host:port/database?name=value; in a user, password, database or value write special characters as in %40 for @`},
		{"another host in the field", of(dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": {URL: "postgres://app@db1/events", Host: "db2"}}})), `dbfleet: connection "main": host is also in the url, with another value`},
	}
}

func ofJSON(*world) []mistake {
	decode := func(text string) error {
		var c dbfleet.Config
		return json.Unmarshal([]byte(text), &c)
	}
	return []mistake{
		{"an unknown key", decode(`{"connections": {"main": {"driver": "sqlite", "databse": "app.db"}}}`), `dbfleet: connection "main": databse is not a key of a connection: did you mean database?`},
		{"a duration without a unit", decode(`{"connections": {"main": {"connect_timeout": "5"}}}`), `dbfleet: connection "main": connect_timeout is not a duration with its unit, such as "30s", "5m" or "1h30m"`},
		{"a number as text", decode(`{"connections": {"main": {"port": "x"}}}`), `dbfleet: connection "main": port is not a whole number`},
		{"a list for connections", decode(`{"connections": []}`), `dbfleet: connections is not an object`},
		{"an unknown key of the pool", decode(`{"connections": {"main": {"pool": {"max": 5}}}}`), `dbfleet: connection "main": pool.max is not a key of a connection`},
	}
}
