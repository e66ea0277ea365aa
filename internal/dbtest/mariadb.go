package dbtest

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// StartMariaDB starts a server for one test and ends it with the test.
// Settings are options of mariadbd without the dashes, such as
// "max-connections=10".
func StartMariaDB(t testing.TB, settings ...string) *Server {
	t.Helper()
	needs(t, "mysql")
	s, err := newServer(mariadb{}, settings, fromTemplate(mariadb{}))
	return own(t, s, err)
}

type mariadb struct{}

func (mariadb) dialect() string               { return "mysql" }
func (mariadb) adminDatabase() string         { return "" }
func (mariadb) stopSignal() syscall.Signal    { return syscall.SIGTERM }
func (mariadb) abandonSignal() syscall.Signal { return syscall.SIGKILL }
func (mariadb) crashed(*Server)               {}

func (mariadb) socket(s *Server) string { return s.path("mariadb.sock") }

// storageArgs must be the same for the template and for the servers.
func (mariadb) storageArgs() []string {
	return []string{"--innodb-log-file-size=8M", "--innodb-data-file-path=ibdata1:12M:autoextend"}
}

func (e mariadb) templateKey() (string, error) {
	programs, err := findMariaDB()
	if err != nil {
		return "", err
	}
	return templateKey("mariadb", programs.server, append(e.storageArgs(), e.accounts(""))...)
}

func (e mariadb) initialize(scratch, password string) error {
	programs, err := findMariaDB()
	if err != nil {
		return err
	}
	file := filepath.Join(scratch, "accounts.sql")
	if err := os.WriteFile(file, []byte(e.accounts(password)), 0o600); err != nil {
		return err
	}
	if err := handOver(file); err != nil {
		return err
	}
	args := append([]string{
		programs.install, "--no-defaults", "--datadir=" + filepath.Join(scratch, "data"),
		"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve", "--extra-file=" + file,
	}, e.storageArgs()...)
	return runProcess(args, scratch)
}

// accounts leaves one account, which has a password, and none for guests.
func (mariadb) accounts(password string) string {
	return fmt.Sprintf(`DELETE FROM mysql.global_priv WHERE User = '' OR User = 'root';
FLUSH PRIVILEGES;
CREATE USER %[1]s@'%%' IDENTIFIED BY '%[2]s';
GRANT ALL PRIVILEGES ON *.* TO %[1]s@'%%' WITH GRANT OPTION;
`, adminName, password)
}

func (mariadb) configure(s *Server) error {
	tmp := s.path("tmp")
	return errors.Join(os.Mkdir(tmp, 0o700), handOver(tmp))
}

func (e mariadb) command(s *Server) []string {
	programs, _ := findMariaDB()
	args := []string{
		programs.server, "--no-defaults", "--datadir=" + s.path("data"), "--tmpdir=" + s.path("tmp"),
		"--socket=" + s.Socket, "--pid-file=" + s.path("mariadb.pid"),
		"--bind-address=" + s.Host, "--port=" + strconv.Itoa(s.Port), "--server-id=" + strconv.Itoa(s.Port),
		"--ssl-ca=" + s.path("ca.pem"), "--ssl-cert=" + s.path("server.pem"), "--ssl-key=" + s.path("server.key"),
		// Nothing waits for the disk; at each commit the log goes to the kernel (2),
		// so that a killed server still has all that it had committed.
		"--innodb-flush-log-at-trx-commit=2", "--loose-innodb-doublewrite=0", "--loose-innodb-flush-method=nosync",
		"--loose-innodb-use-native-aio=0", "--sync-binlog=0", "--innodb-buffer-pool-size=64M",
		"--aria-pagecache-buffer-size=8M", "--key-buffer-size=1M",
		"--innodb-buffer-pool-dump-at-shutdown=0", "--innodb-buffer-pool-load-at-startup=0",
		"--max-connections=500", "--skip-name-resolve", "--local-infile=1", "--loose-performance-schema=0",
		"--default-time-zone=-03:30", "--sql-mode=", "--character-set-server=latin1",
	}
	args = append(args, e.storageArgs()...)
	for _, setting := range s.settings {
		args = append(args, "--"+setting)
	}
	return args
}

func (mariadb) create(s *Server, db *Database) error {
	return execAll(s.kept,
		fmt.Sprintf("CREATE DATABASE `%s` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", db.Name),
		fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY '%s'", db.Username, db.Password),
		fmt.Sprintf("GRANT ALL PRIVILEGES ON `%s`.* TO '%s'@'%%'", db.Name, db.Username))
}

func (e mariadb) drop(s *Server, db Database) error {
	// What is still connected could hold the tables for ever.
	sessions, err := e.sessions(s.kept, db)
	if err != nil {
		return err
	}
	for _, left := range sessions {
		if err := e.kill(s.kept, left); err != nil {
			return err
		}
	}
	return execAll(s.kept,
		"SET STATEMENT lock_wait_timeout=20 FOR DROP DATABASE IF EXISTS `"+db.Name+"`",
		"DROP USER IF EXISTS '"+db.Username+"'@'%'")
}

func (mariadb) sessions(admin *sql.DB, db Database) ([]session, error) {
	return querySessions(admin, `
		SELECT ID, USER, '', COMMAND, coalesce(left(INFO, 200), '')
		FROM information_schema.PROCESSLIST
		WHERE (DB = ? OR USER = ?) AND ID <> CONNECTION_ID()`, db.Name, db.Username)
}

func (mariadb) kill(admin *sql.DB, s session) error {
	_, err := admin.Exec("KILL CONNECTION " + strconv.FormatInt(s.id, 10))
	var gone *mysql.MySQLError
	if errors.As(err, &gone) && gone.Number == 1094 { // no such thread: it ended by itself
		return nil
	}
	return err
}

func (mariadb) demand(admin *sql.DB, d demand, db Database) error {
	what := map[demand]string{demandTLS: "SSL", demandCertificate: "X509"}[d]
	return execAll(admin, fmt.Sprintf("ALTER USER '%s'@'%%' REQUIRE %s", db.Username, what))
}
