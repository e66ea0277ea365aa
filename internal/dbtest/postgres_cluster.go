package dbtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// PostgresCluster starts a primary and its streaming standbys, which serve
// reads. They end with the test. Settings are lines of postgresql.conf, for all.
func PostgresCluster(t testing.TB, standbys int, settings ...string) *Cluster {
	t.Helper()
	return postgresCluster(t, StartPostgres(t, settings...), standbys, settings, fromTemplate(postgres{}))
}

// PostgresClusterOfItsOwn is PostgresCluster with a system identifier that no other has:
// those of PostgresCluster are copies, which share one.
func PostgresClusterOfItsOwn(t testing.TB, standbys int, settings ...string) *Cluster {
	t.Helper()
	needs(t, "postgres")
	e := postgres{}
	var path string
	copied := func(_ *workspace, dir string) (string, error) {
		m, err := copyTemplate(path, dir)
		return m.AdminPassword, err
	}
	s, err := newServer(e, settings, func(w *workspace, dir string) (string, error) {
		path = filepath.Join(filepath.Dir(dir), "own")
		if err := w.buildTemplate(e, path); err != nil {
			return "", err
		}
		return copied(w, dir)
	})
	return postgresCluster(t, own(t, s, err), standbys, settings, copied)
}

// postgresCluster has the standbys begin with what the primary began with, and receive
// from it all since.
func postgresCluster(t testing.TB, primary *Server, standbys int, settings []string, fill func(*workspace, string) (string, error)) *Cluster {
	t.Helper()
	links := newLinks(t, primary, standbys)
	replicas := each(t, standbys, func(i int) (*Server, error) {
		// One setting more than the primary has: what it is called there.
		own := append([]string{fmt.Sprintf("cluster_name=standby%d", i+1)}, settings...)
		s, err := newServer(postgres{}, own, func(w *workspace, dir string) (string, error) {
			password, err := fill(w, dir)
			return password, errors.Join(err, postgres{}.standby(primary, links[i], dir))
		})
		if err != nil {
			return s, err
		}
		return s, s.launchAnywhere()
	})
	return newCluster(primary, replicas, links, streaming{})
}

// standby has a data directory follow whom the link leads to once started.
func (e postgres) standby(primary *Server, link *Proxy, dir string) error {
	whom := "primary_conninfo = '" + e.conninfo(primary, link) + "'\n"
	var errs []error
	for name, text := range map[string]string{"standby.signal": "", "postgresql.auto.conf": whom} {
		path := filepath.Join(dir, name)
		errs = append(errs, os.WriteFile(path, []byte(text), 0o600), handOver(path))
	}
	return errors.Join(errs...)
}

// backup copies a running server through a link, so that the copy follows whom this
// leads to once started.
func (e postgres) backup(primary *Server, link *Proxy, dir string) error {
	program, err := e.program("pg_basebackup")
	if err != nil {
		return err
	}
	source := e.conninfo(primary, link)
	return runProcess([]string{
		program, "--dbname=" + source, "--pgdata=" + dir, "--write-recovery-conf",
		"--checkpoint=fast", "--wal-method=stream", "--no-sync", "--no-manifest",
	}, filepath.Dir(dir))
}

func (postgres) conninfo(primary *Server, link *Proxy) string {
	return fmt.Sprintf("host=%s port=%d user=%s password=%s sslmode=disable",
		link.Host, link.Port, adminName, primary.adminPassword)
}

// streaming is PostgreSQL's physical replication.
type streaming struct{}

func (streaming) position(primary *Server) (lsn string, err error) {
	return lsn, queryRow(primary.kept, []any{&lsn}, "SELECT pg_current_wal_lsn()::text")
}

func (streaming) reached(replica *Server, lsn string) (reached bool, err error) {
	err = queryRow(replica.kept, []any{&reached},
		"SELECT coalesce(pg_last_wal_replay_lsn() >= $1::text::pg_lsn, false)", lsn)
	return reached, err
}

func (streaming) hold(primary, replica *Server) error {
	if err := execAll(replica.kept, "SELECT pg_wal_replay_pause()"); err != nil {
		return err
	}
	// The standby looks at the request when the next record arrives, before it
	// applies it: this is one.
	var state string
	var err error
	paused := poll(replicationTimeout, func() bool {
		if err = execAll(primary.kept, "SELECT pg_logical_emit_message(true, 'dbtest', '')"); err != nil {
			return false
		}
		err = queryRow(replica.kept, []any{&state}, "SELECT pg_get_wal_replay_pause_state()")
		return err == nil && state == "paused"
	})
	if !paused {
		return fmt.Errorf("the standby is %q after %v: %w", state, replicationTimeout, err)
	}
	return nil
}

func (streaming) release(replica *Server) error {
	return execAll(replica.kept, "SELECT pg_wal_replay_resume()")
}

func (streaming) promote(replica *Server) error {
	var promoted bool
	seconds := int(replicationTimeout / time.Second)
	err := queryRow(replica.kept, []any{&promoted}, "SELECT pg_promote(true, $1)", seconds)
	if err == nil && !promoted {
		err = fmt.Errorf("the standby was not promoted within %v", replicationTimeout)
	}
	return err
}
