package dbtest

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// PostgresCluster starts a primary and its streaming standbys, which serve
// reads. They end with the test. Settings are lines of postgresql.conf, for all.
func PostgresCluster(t testing.TB, standbys int, settings ...string) *Cluster {
	t.Helper()
	return postgresCluster(t, StartPostgres(t, settings...), standbys, settings)
}

// PostgresClusterOfItsOwn is PostgresCluster with a system identifier that no other has:
// those of PostgresCluster are copies, which share one.
func PostgresClusterOfItsOwn(t testing.TB, standbys int, settings ...string) *Cluster {
	t.Helper()
	needs(t, "postgres")
	e := postgres{}
	s, err := newServer(e, settings, func(w *workspace, dir string) (string, error) {
		path := filepath.Join(filepath.Dir(dir), "own")
		if err := w.buildTemplate(e, path); err != nil {
			return "", err
		}
		m, err := copyTemplate(path, dir)
		return m.AdminPassword, err
	})
	return postgresCluster(t, own(t, s, err), standbys, settings)
}

func postgresCluster(t testing.TB, primary *Server, standbys int, settings []string) *Cluster {
	t.Helper()
	links := newLinks(t, primary, standbys)
	replicas := each(t, standbys, func(i int) (*Server, error) {
		// One setting more than the primary has: what it is called there.
		own := append([]string{fmt.Sprintf("cluster_name=standby%d", i+1)}, settings...)
		s, err := newServer(postgres{}, own, func(_ *workspace, dir string) (string, error) {
			return primary.adminPassword, postgres{}.backup(primary, links[i], dir)
		})
		if err != nil {
			return s, err
		}
		return s, s.launchAnywhere()
	})
	return newCluster(primary, replicas, links, streaming{})
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
	return lsn, queryRow(primary.admin, []any{&lsn}, "SELECT pg_current_wal_lsn()::text")
}

func (streaming) reached(replica *Server, lsn string) (reached bool, err error) {
	err = queryRow(replica.admin, []any{&reached},
		"SELECT coalesce(pg_last_wal_replay_lsn() >= $1::text::pg_lsn, false)", lsn)
	return reached, err
}

func (streaming) hold(primary, replica *Server) error {
	if err := execAll(replica.admin, "SELECT pg_wal_replay_pause()"); err != nil {
		return err
	}
	// The standby looks at the request when the next record arrives, before it
	// applies it: this is one.
	var state string
	var err error
	paused := poll(replicationTimeout, func() bool {
		if err = execAll(primary.admin, "SELECT pg_logical_emit_message(true, 'dbtest', '')"); err != nil {
			return false
		}
		err = queryRow(replica.admin, []any{&state}, "SELECT pg_get_wal_replay_pause_state()")
		return err == nil && state == "paused"
	})
	if !paused {
		return fmt.Errorf("the standby is %q after %v: %w", state, replicationTimeout, err)
	}
	return nil
}

func (streaming) release(replica *Server) error {
	return execAll(replica.admin, "SELECT pg_wal_replay_resume()")
}

func (streaming) promote(replica *Server) error {
	var promoted bool
	seconds := int(replicationTimeout / time.Second)
	err := queryRow(replica.admin, []any{&promoted}, "SELECT pg_promote(true, $1)", seconds)
	if err == nil && !promoted {
		err = fmt.Errorf("the standby was not promoted within %v", replicationTimeout)
	}
	return err
}
