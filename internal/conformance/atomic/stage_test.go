package atomic

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/twophase"
)

// A stage is the databases of one mix, in the order of the protocol: the anchor first.
// Atomics run on it in registries that die or are cut off; its own one is whole.
type stage struct {
	*dbfleet.Registry
	mix       []string
	names     []string
	databases map[string]dbtest.Database
}

// tables are what each database has: an atomic commit changes a row of touched, and
// leaves one of left.
var tables = []string{
	"CREATE TABLE touched (owner VARCHAR(100) PRIMARY KEY, n INTEGER NOT NULL)",
	"CREATE TABLE left_behind (owner VARCHAR(100) PRIMARY KEY)",
}

// late is what PostgreSQL says no to, at its COMMIT or PREPARE and not before.
const late = "CREATE TABLE late (owner VARCHAR(100) CONSTRAINT once UNIQUE DEFERRABLE INITIALLY DEFERRED)"

func newStage(t *testing.T, mix []string, create func(t *testing.T, dialect string) dbtest.Database) *stage {
	t.Helper()
	s := &stage{databases: map[string]dbtest.Database{}}
	s.mix = slices.Clone(mix)
	slices.SortStableFunc(s.mix, func(a, b string) int { // the anchor first
		return strings.Compare(b[:1], a[:1]) * btoi(a == "sqlite" || b == "sqlite")
	})
	connections := map[string]dbfleet.ConnectionConfig{}
	for i, dialect := range s.mix {
		name := string(rune('a' + i))
		db := create(t, dialect)
		s.names, s.databases[name] = append(s.names, name), db
		connections[name] = conformance.ConnectionTo(db)
		pool := db.SQL(t)
		for _, text := range tables {
			_, err := pool.ExecContext(t.Context(), text)
			require.NoError(t, err)
		}
		if dialect == "postgres" {
			_, err := pool.ExecContext(t.Context(), late)
			require.NoError(t, err)
		}
		require.NoError(t, pool.Close())
	}
	s.Registry = conformance.Open(t, connections)
	return s
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A path is what the participants of an atomic commit do.
type path string

const (
	writes  path = "writes"  // each of them
	reads   path = "reads"   // the last one only reads
	refuses path = "refuses" // the first PostgreSQL says no when it is asked to commit
)

// paths are those that a mix can go.
func (s *stage) paths() []path {
	list := []path{writes}
	if len(s.mix) > 2 {
		list = append(list, reads)
	}
	if slices.Contains(s.mix, "postgres") {
		list = append(list, refuses)
	}
	return list
}

// goAlong does one atomic commit in a registry whose connections have the stage's names.
func goAlong(ctx context.Context, r *dbfleet.Registry, names, mix []string, p path, owner string) error {
	return r.Atomic(ctx, names, func(ctx context.Context) error {
		for i, name := range names {
			if p == reads && i == len(names)-1 {
				var n int
				if err := r.DB(name).QueryRowContext(ctx, "SELECT COUNT(*) FROM left_behind").Scan(&n); err != nil {
					return err
				}
				continue
			}
			if _, err := r.DB(name).ExecContext(ctx, "UPDATE touched SET n = n + 1 WHERE owner = '"+owner+"'"); err != nil {
				return err
			}
			if _, err := r.DB(name).ExecContext(ctx, "INSERT INTO left_behind (owner) VALUES ('"+owner+"')"); err != nil {
				return err
			}
		}
		if p == refuses {
			_, err := r.DB(names[slices.Index(mix, "postgres")]).ExecContext(ctx, "INSERT INTO late (owner) VALUES ('"+owner+"'), ('"+owner+"')")
			return err
		}
		return nil
	})
}

// owner makes the rows that an atomic commit will touch.
func (s *stage) owner(t *testing.T, owner string) {
	t.Helper()
	for _, name := range s.names {
		_, err := s.DB(name).ExecContext(t.Context(), "INSERT INTO touched (owner, n) VALUES ('"+owner+"', 0)")
		require.NoError(t, err)
	}
}

// outcomeOf is what an atomic commit has left: "all", "none", or who has what.
func (s *stage) outcomeOf(t *testing.T, p path, owner string) string {
	t.Helper()
	var have []string
	for i, name := range s.names {
		if p == reads && i == len(s.names)-1 {
			continue
		}
		for _, q := range []string{
			"SELECT COUNT(*) FROM left_behind WHERE owner = '" + owner + "'",
			"SELECT n FROM touched WHERE owner = '" + owner + "'",
		} {
			var n int
			require.NoError(t, s.DB(name).QueryRowContext(t.Context(), q).Scan(&n))
			have = append(have, fmt.Sprint(name, n))
		}
	}
	switch all := strings.Join(have, " "); {
	case !strings.Contains(all, "1"):
		return "none"
	case !strings.Contains(all, "0"):
		return "all"
	default:
		return all
	}
}

// told is what the caller of an atomic commit was told: "all", "none", or "unknown".
func told(err error) string {
	switch {
	case err == nil, errors.Is(err, dbfleet.ErrCommitPending):
		return "all"
	case errors.Is(err, dbfleet.ErrOutcomeUnknown):
		return "unknown"
	case errors.Is(err, dbfleet.ErrCommitMixed):
		return "mixed: " + err.Error()
	}
	return "none"
}

// patience bounds what is waited for: that a server notices the end of its client, and
// this machine is busy.
const patience = 40 * time.Second

// recovered recovers until nothing is in doubt. There must be no incident.
func (s *stage) recovered(t *testing.T) {
	t.Helper()
	var last string
	ok := assert.Eventually(t, func() bool {
		found, err := s.Recover(t.Context())
		last = fmt.Sprintf("%+v %v", found, err)
		if err != nil || len(found.Alive)+len(found.Pending)+len(found.Undecidable)+len(found.Incidents) > 0 {
			return len(found.Incidents) > 0
		}
		doubts, err := s.InDoubt(t.Context())
		last += fmt.Sprintf(" %+v %v", doubts, err)
		return err == nil && len(doubts) == 0
	}, patience, 50*time.Millisecond)
	require.True(t, ok, last)
	found, err := s.Recover(t.Context())
	require.NoError(t, err)
	require.Zero(t, found)
	doubts, err := s.InDoubt(t.Context())
	require.NoError(t, err)
	require.Empty(t, doubts)
	require.Empty(t, s.prepared(t))
	s.free(t)
}

// prepared are the branches of the stage's ledgers that a stranger to the library sees.
func (s *stage) prepared(t *testing.T) (list []string) {
	t.Helper()
	ledgers := map[string]bool{}
	for _, name := range s.names {
		var id string
		err := s.DB(name).QueryRowContext(t.Context(), "SELECT detail FROM dbfleet_ledger WHERE id = 'identity'").Scan(&id)
		require.NoError(t, err)
		ledgers[id] = true
	}
	ours := func(global string) bool {
		for id := range ledgers {
			if strings.Contains(global, id) {
				return true
			}
		}
		return false
	}
	for _, name := range s.names {
		server := s.databases[name].Server
		if server == nil {
			continue
		}
		for _, gid := range preparedOn(t, server) {
			if ours(gid) {
				list = append(list, gid)
			}
		}
	}
	return list
}

// preparedOn are all prepared transactions of a server.
func preparedOn(t *testing.T, server *dbtest.Server) (list []string) {
	t.Helper()
	query, extra := "SELECT gid FROM pg_prepared_xacts", 0
	if server.Dialect == "mysql" {
		query, extra = "XA RECOVER", 3
	}
	rows, err := server.Admin().QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var gid string
		into := []any{new(sql.RawBytes), new(sql.RawBytes), new(sql.RawBytes)}[:extra]
		require.NoError(t, rows.Scan(append(into, &gid)...))
		list = append(list, gid)
	}
	require.NoError(t, rows.Err())
	return list
}

// free says that no lock is left on what atomic commits have touched.
func (s *stage) free(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, name := range s.names {
		for _, text := range []string{"UPDATE touched SET owner = owner, n = n + 1000000 WHERE n < 500000", "UPDATE touched SET n = n - 1000000 WHERE n >= 500000", "DELETE FROM left_behind WHERE owner = 'nobody'"} {
			_, err := s.DB(name).ExecContext(ctx, text)
			require.NoError(t, err, name)
		}
	}
}

// steps are those of one atomic commit, in order, as twophase.Step writes them.
func (s *stage) steps(t *testing.T, p path) []string {
	t.Helper()
	return s.stepsOf(t, p, "dry run "+string(p))
}

// stepsOf is steps of another run, which needs rows of its own.
func (s *stage) stepsOf(t *testing.T, p path, owner string) (list []string) {
	t.Helper()
	var seen = make(chan string, 1000)
	ctx := twophase.With(t.Context(), twophase.Options{Step: func(x twophase.Step) { seen <- x.String() }})
	s.owner(t, owner)
	err := goAlong(ctx, s.Registry, s.names, s.mix, p, owner)
	if p == refuses {
		require.ErrorIs(t, err, dbfleet.ErrUnique)
	} else {
		require.NoError(t, err)
	}
	close(seen)
	for x := range seen {
		if !strings.HasSuffix(x, "again") {
			list = append(list, x)
		}
	}
	return list
}
