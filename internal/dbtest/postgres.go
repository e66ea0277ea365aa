package dbtest

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// Roles whose members must connect with TLS, or with a client's certificate.
const (
	tlsRole  = "dbtest_tls"
	certRole = "dbtest_clientcert"
)

// StartPostgres starts a server for one test and ends it with the test.
// Settings are lines of postgresql.conf such as "max_connections=10".
func StartPostgres(t testing.TB, settings ...string) *Server {
	t.Helper()
	needs(t, "postgres")
	s, err := newServer(postgres{}, settings, fromTemplate(postgres{}))
	return own(t, s, err)
}

type postgres struct{}

func (postgres) dialect() string               { return "postgres" }
func (postgres) adminDatabase() string         { return "postgres" }
func (postgres) stopSignal() syscall.Signal    { return syscall.SIGINT }  // "fast": clients are disconnected
func (postgres) abandonSignal() syscall.Signal { return syscall.SIGQUIT } // "immediate": no checkpoint

func (postgres) socket(s *Server) string { return s.dir }

func (postgres) program(name string) (string, error) {
	folder, err := findPostgres()
	return filepath.Join(folder, name), err
}

func (postgres) initArgs() []string {
	return []string{"--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--username=" + adminName}
}

func (e postgres) templateKey() (string, error) {
	program, err := e.program("postgres")
	if err != nil {
		return "", err
	}
	return templateKey("postgres", program, e.initArgs()...)
}

func (e postgres) initialize(scratch, password string) error {
	program, err := e.program("initdb")
	if err != nil {
		return err
	}
	file := filepath.Join(scratch, "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		return err
	}
	if err := handOver(file); err != nil {
		return err
	}
	args := append([]string{program, "--pgdata=" + filepath.Join(scratch, "data"), "--pwfile=" + file}, e.initArgs()...)
	return runProcess(args, scratch)
}

// postgresSettings: nothing waits for the disk, and a killed server still has all that it
// had committed, because the kernel has it. Its dynamic shared memory lies in its folder,
// which goes with the server.
var postgresSettings = []string{
	"fsync=off", "full_page_writes=off", "synchronous_commit=on",
	"max_connections=300", "max_prepared_transactions=64", "shared_buffers=32MB", "dynamic_shared_memory_type=mmap",
	"wal_level=logical", "max_wal_senders=16", "max_replication_slots=16", "hot_standby=on",
	"wal_keep_size=64MB", "wal_retrieve_retry_interval=100ms", "wal_receiver_timeout=10s",
	"autovacuum=off", "max_logical_replication_workers=0", "jit=off", "timezone='Asia/Kolkata'", "log_timezone=UTC",
}

func (e postgres) configure(s *Server) error {
	conf := strings.Join(append(append([]string(nil), postgresSettings...), s.settings...), "\n") + "\n"
	hba := strings.Join([]string{
		"# type database user address method",
		"hostnossl all +" + tlsRole + " all reject",
		"hostnossl all +" + certRole + " all reject",
		"hostssl all +" + certRole + " all scram-sha-256 clientcert=verify-ca",
		"local all all scram-sha-256",
		"host all all all scram-sha-256",
		"local replication all scram-sha-256",
		"host replication all all scram-sha-256",
	}, "\n") + "\n"
	for name, text := range map[string]string{"data/postgresql.conf": conf, "data/pg_hba.conf": hba} {
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			return err
		}
		if err := handOver(s.path(name)); err != nil {
			return err
		}
	}
	return nil
}

func (e postgres) command(s *Server) []string {
	program, _ := e.program("postgres")
	return []string{
		program, "-D", s.path("data"), "-p", strconv.Itoa(s.Port),
		"-c", "listen_addresses=" + s.Host, "-c", "unix_socket_directories=" + s.Socket,
		"-c", "ssl=on", "-c", "ssl_ca_file=" + s.path("ca.pem"),
		"-c", "ssl_cert_file=" + s.path("server.pem"), "-c", "ssl_key_file=" + s.path("server.key"),
	}
}

func (postgres) crashed(s *Server) {
	removeSharedMemory(s.path("data/postmaster.pid"))
	os.Remove(s.path("data/postmaster.pid"))
	os.Remove(filepath.Join(s.Socket, fmt.Sprintf(".s.PGSQL.%d.lock", s.Port)))
}

func (postgres) sessions(admin *sql.DB, db Database) ([]session, error) {
	return querySessions(admin, `
		SELECT pid, coalesce(usename, ''), application_name, coalesce(state, ''), left(query, 200)
		FROM pg_stat_activity
		WHERE datname = $1 AND backend_type = 'client backend' AND usename IS DISTINCT FROM $2
			AND NOT (application_name = $3 AND state = 'idle' AND query = $4)`, db.Name, adminName, keptName, forget)
}

func (postgres) kill(admin *sql.DB, s session) error {
	_, err := admin.Exec("SELECT pg_terminate_backend($1)", s.id)
	return err
}

// demand puts the user into a role of which pg_hba.conf, above, demands it.
func (postgres) demand(admin *sql.DB, d demand, db Database) error {
	role := map[demand]string{demandTLS: tlsRole, demandCertificate: certRole}[d]
	_, err := admin.Exec("CREATE ROLE " + role)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && (pgErr.Code == "42710" || pgErr.Code == "23505") {
		err = nil // another test made it, before or meanwhile
	}
	return errors.Join(err, execAll(admin, fmt.Sprintf(`GRANT %s TO "%s"`, role, db.Username)))
}
