package dbtest

import (
	"database/sql"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// A PgBouncer pools the connections to a PostgreSQL server. It serves every database
// of the server to the users that the server has, with their passwords.
//
//	s := dbtest.StartPostgres(t)
//	bouncer := dbtest.StartPgBouncer(t, s, dbtest.PgBouncerConfig{Mode: "transaction"})
//	db := bouncer.Through(t, s.Database(t))
type PgBouncer struct {
	*Front
	server  *Server
	config  PgBouncerConfig
	console *sql.DB
}

// PgBouncerConfig is what stands in pgbouncer.ini.
type PgBouncerConfig struct {
	// Mode is the pool_mode: "transaction" (the default) gives a connection of the
	// server to a client for a transaction or a statement outside of one, "session"
	// for as long as the client is connected.
	Mode string
	// PoolSize is the default_pool_size, connections to the server for each pair of
	// database and user. Defaults to 4: clients meet each other's sessions.
	PoolSize int
	// Addr is where the server is, if not at its own address: that of a [Proxy].
	Addr string
	// Settings are further lines, such as "query_wait_timeout=1".
	Settings []string
}

// StartPgBouncer starts a PgBouncer for one test and ends it with the test. A test
// without an installed PgBouncer is skipped, see the package comment.
func StartPgBouncer(t testing.TB, server *Server, config PgBouncerConfig) *PgBouncer {
	t.Helper()
	needs(t, "pgbouncer")
	if config.Mode == "" {
		config.Mode = "transaction"
	}
	if config.PoolSize == 0 {
		config.PoolSize = 4
	}
	if config.Addr == "" {
		config.Addr = server.Addr()
	}
	f, err := newFront("pgbouncer")
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	b := &PgBouncer{Front: f, server: server, config: config}
	f.configure = b.files
	f.args = func() []string {
		program, _ := findPgBouncer()
		return []string{program, f.path("pgbouncer.ini")}
	}
	f.own(t)
	b.console = openPgBouncerConsole(b)
	t.Cleanup(func() { b.console.Close() })
	return b
}

func (b *PgBouncer) files() error {
	host, port, err := net.SplitHostPort(b.config.Addr)
	if err != nil {
		return err
	}
	settings := append([]string{
		"[databases]",
		fmt.Sprintf("* = host=%s port=%s auth_user=%s", host, port, adminName),
		"[pgbouncer]",
		"listen_addr = " + b.Host, fmt.Sprintf("listen_port = %d", b.Port), "unix_socket_dir =",
		"auth_type = scram-sha-256", "auth_file = " + b.path("userlist.txt"),
		"auth_query = SELECT usename, passwd FROM pg_shadow WHERE usename = $1",
		"admin_users = " + adminName,
		"pool_mode = " + b.config.Mode, fmt.Sprintf("default_pool_size = %d", b.config.PoolSize),
		"max_client_conn = 1000", "server_login_retry = 1", "autodb_idle_timeout = 3600",
		"client_tls_sslmode = allow",
		"client_tls_cert_file = " + b.server.path("server.pem"), "client_tls_key_file = " + b.server.path("server.key"),
	}, b.config.Settings...)
	if err := b.write("pgbouncer.ini", strings.Join(settings, "\n")+"\n"); err != nil {
		return err
	}
	return b.write("userlist.txt", fmt.Sprintf("\"%s\" \"%s\"\n", adminName, b.server.adminPassword))
}

// Through is db as it is reached through PgBouncer. When the test ends no client may
// be connected to it, and PgBouncer's own connections to it are closed.
func (b *PgBouncer) Through(t testing.TB, db Database) Database {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() || b.listens() != nil {
			return
		}
		var clients []string
		poll(leakTimeout, func() bool {
			var err error
			clients, err = b.clients(db)
			return err == nil && len(clients) == 0
		})
		if len(clients) > 0 {
			t.Errorf("dbtest: %d clients of PgBouncer on %s were not closed:\n%s", len(clients), db.Name, strings.Join(clients, "\n"))
		}
		// A database that nobody asked for is not known.
		_, _ = b.console.Exec("KILL " + db.Name)
	})
	return b.Front.Through(db)
}

// Console is PgBouncer's administration console, for statements such as "PAUSE",
// "RECONNECT" and "SHOW POOLS".
func (b *PgBouncer) Console() *sql.DB { return b.console }

// clients lists the clients that are connected for a database.
func (b *PgBouncer) clients(db Database) ([]string, error) {
	return b.show("SHOW CLIENTS", "database", db.Name)
}

// Servers is how many connections to the server PgBouncer has for a database,
// other than those that look up passwords.
func (b *PgBouncer) Servers(t testing.TB, db Database) int {
	t.Helper()
	found, err := b.show("SHOW SERVERS", "user", db.Username)
	if err != nil {
		t.Fatalf("dbtest: pgbouncer: %v", err)
	}
	return len(found)
}

// show returns the rows of a list, one text for each, whose column has that value.
func (b *PgBouncer) show(list, column, value string) ([]string, error) {
	ctx, cancel := contextWithin(10 * time.Second)
	defer cancel()
	rows, err := b.console.QueryContext(ctx, list)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var found []string
	for rows.Next() {
		values := make([]any, len(columns))
		texts := make([]sql.NullString, len(columns))
		for i := range values {
			values[i] = &texts[i]
		}
		if err := rows.Scan(values...); err != nil {
			return nil, err
		}
		var line []string
		matches := false
		for i, name := range columns {
			matches = matches || name == column && texts[i].String == value
			line = append(line, name+"="+texts[i].String)
		}
		if matches {
			found = append(found, strings.Join(line, " "))
		}
	}
	return found, rows.Err()
}
