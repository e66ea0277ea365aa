package atomic

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// doubt lets the process die at a step, and returns the branches that are prepared since.
func (s *stage) doubt(t *testing.T, step string) (owner string, branches []string) {
	t.Helper()
	owner = "doubt " + step
	s.owner(t, owner)
	s.killed(t, doomed{Points: []point{{Path: writes, Step: step, Owner: owner}}})
	return owner, s.prepared(t)
}

// byHand finishes a branch as an administrator does, who waits for the end of its session:
// MariaDB, asked in that moment, says that it has done it, and has not.
func (s *stage) byHand(t *testing.T, name, gid, end string) {
	t.Helper()
	db := s.databases[name]
	server := db.Server
	s.sessionsEnd(t)
	if server.Dialect == "postgres" {
		db.Exec(t, end+" PREPARED '"+gid+"'")
		return
	}
	xid := "'" + gid[:len(gid)-1] + "','" + gid[len(gid)-1:] + "'"
	require.Eventually(t, func() bool {
		_, err := server.Admin().Exec("XA " + end + " " + xid)
		return err == nil
	}, patience, conformance.WaitingTick)
}

// What a person finished contrary to the decision is an incident that stays.
func TestMeddling_IsAnIncidentThatStays(t *testing.T) {
	t.Parallel()
	for _, mix := range [][]string{{"postgres", "mysql"}, {"mysql", "postgres"}, {"sqlite", "postgres"}, {"sqlite", "mysql"}} {
		for step, end := range map[string]string{"after commit 0": "ROLLBACK", "after prepare 1": "COMMIT"} {
			t.Run(fmtMix(mix)+"/"+end, func(t *testing.T) {
				t.Parallel()
				s := newStage(t, mix, created)
				s.steps(t, writes)
				_, branches := s.doubt(t, step)
				require.Len(t, branches, 1)
				s.byHand(t, "b", branches[0], end)
				var found dbfleet.Recovery
				require.Eventually(t, func() bool {
					var err error
					found, err = s.Recover(t.Context())
					return err == nil && len(found.Alive) == 0
				}, patience, conformance.WaitingTick)
				want := []dbfleet.Incident{{ID: strings.TrimSuffix(branches[0][:len(branches[0])-1], "_"), Connection: "b", Lost: end == "ROLLBACK"}}
				require.Equal(t, want, found.Incidents)
				for range 2 {
					found, err := s.Recover(t.Context())
					require.NoError(t, err)
					require.Equal(t, want, found.Incidents)
					doubts, err := s.InDoubt(t.Context())
					require.NoError(t, err)
					require.Len(t, doubts, 1)
					require.Equal(t, want, doubts[0].Incidents)
					require.Equal(t, "a", doubts[0].Anchor)
					_, err = s.ResolveAtomic(t.Context(), want[0].ID)
					require.ErrorIs(t, err, dbfleet.ErrCommitMixed)
				}
				s.free(t)
			})
		}
	}
}

// What others have prepared stays as it is, whatever it is called.
func TestRecover_LeavesWhatOthersHavePrepared(t *testing.T) {
	t.Parallel()
	s := newStage(t, []string{"postgres", "mysql"}, created)
	s.steps(t, writes)
	other := "dbfleet_0123456789abcdef_6b0aeeb3cc43da4dbb0ad831" // of a ledger that is not here
	a, b := s.databases["a"], s.databases["b"]
	for i, gid := range []string{"somebody's own", other + "_1", "dbfleet_", "dbfleet_x_1"} {
		quoted := strings.ReplaceAll(gid, "'", "''")
		a.Exec(t, "BEGIN; INSERT INTO left_behind VALUES ('foreign "+string(rune('0'+i))+"'); PREPARE TRANSACTION '"+quoted+"'")
	}
	for i, xid := range []string{"'somebody'", "'" + other + "','1'", "'dbfleet_','1'", "X'00ff27','x'"} {
		b.Exec(t, "XA START "+xid, "INSERT INTO left_behind VALUES ('foreign "+string(rune('0'+i))+"')", "XA END "+xid, "XA PREPARE "+xid)
	}
	before := append(preparedOn(t, a.Server), preparedOn(t, b.Server)...)
	owner, _ := s.doubt(t, "after commit 0")
	s.recovered(t)
	require.Equal(t, "all", s.outcomeOf(t, writes, owner))
	after := append(preparedOn(t, a.Server), preparedOn(t, b.Server)...)
	for _, gid := range before {
		if strings.Contains(gid, other) || strings.Contains(gid, "somebody") {
			require.Contains(t, after, gid)
		}
	}
	for _, gid := range []string{"somebody's own", other + "_1", "dbfleet_", "dbfleet_x_1"} {
		a.Exec(t, "ROLLBACK PREPARED '"+strings.ReplaceAll(gid, "'", "''")+"'")
	}
	for _, xid := range []string{"'somebody'", "'" + other + "','1'", "'dbfleet_','1'", "X'00ff27','x'"} {
		require.Eventually(t, func() bool {
			_, err := b.Server.Admin().Exec("XA ROLLBACK " + xid)
			return err == nil
		}, patience, conformance.WaitingTick)
	}
}

// Of a commit whose databases are not all in the registry nothing is guessed.
func TestRecover_GuessesNothingOfConnectionsThatAreNotHere(t *testing.T) {
	t.Parallel()
	for _, mix := range [][]string{{"postgres", "mysql"}, {"mysql", "postgres"}, {"sqlite", "mysql"}} {
		t.Run(fmtMix(mix), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, mix, created)
			s.steps(t, writes)
			owner, branches := s.doubt(t, "after commit 0")
			require.Len(t, branches, 1)
			id := branches[0][:strings.LastIndexByte(branches[0], '1')]
			id = strings.TrimSuffix(id, "_")

			onlyB := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"b": conformance.ConnectionTo(s.databases["b"])})
			found, err := onlyB.Recover(t.Context())
			require.NoError(t, err)
			require.Zero(t, found, "it cannot know whose it is")
			require.Equal(t, branches, s.prepared(t))
			_, err = onlyB.ResolveAtomic(t.Context(), id)
			require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown)

			onlyA := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"a": conformance.ConnectionTo(s.databases["a"])})
			found, err = onlyA.Recover(t.Context())
			require.NoError(t, err)
			require.Equal(t, []string{id}, found.Pending)
			doubts, err := onlyA.InDoubt(t.Context())
			require.NoError(t, err)
			require.Len(t, doubts, 1)
			require.True(t, doubts[0].Decided && doubts[0].Commits)
			committed, err := onlyA.ResolveAtomic(t.Context(), id)
			require.NoError(t, err)
			require.True(t, committed)

			s.recovered(t)
			require.Equal(t, "all", s.outcomeOf(t, writes, owner))
		})
	}
}

// A database that cannot take part says so before anything is begun.
func TestAtomic_SaysWhatADatabaseLacks(t *testing.T) {
	t.Parallel()
	t.Run("privileges", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, []string{"mysql", "postgres"}, created)
		s.steps(t, writes)
		for _, right := range []string{"INSERT", "SELECT", "UPDATE", "DELETE"} {
			b := s.databases["b"]
			b.Exec(t, "REVOKE "+right+" ON dbfleet_ledger FROM CURRENT_USER")
			r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"a": conformance.ConnectionTo(s.databases["a"]), "b": conformance.ConnectionTo(b)})
			for _, on := range []*dbfleet.Registry{s.Registry, r} { // one knows the ledger already
				owner := "without " + right + string(rune('0'+len(r.Names())))
				if on == r {
					owner += " anew"
				}
				s.owner(t, owner)
				err := goAlong(t.Context(), on, s.names, s.mix, writes, owner)
				got := s.outcomeOf(t, writes, owner)
				require.Equal(t, told(err), got, "%s: %v", right, err)
				if err != nil {
					require.ErrorContains(t, err, "permission denied for table dbfleet_ledger")
				}
				if right == "INSERT" {
					require.Equal(t, "none", got)
				}
				_, err = on.Recover(t.Context())
				if right == "SELECT" {
					require.Error(t, err)
				}
			}
			b.Exec(t, "GRANT "+right+" ON dbfleet_ledger TO CURRENT_USER")
		}
		s.recovered(t)
	})
	t.Run("max_prepared_transactions", func(t *testing.T) {
		t.Parallel()
		server := dbtest.StartPostgres(t, "max_prepared_transactions=0")
		s := newStage(t, []string{"postgres", "mysql"}, func(t *testing.T, dialect string) dbtest.Database {
			if dialect == "postgres" {
				return server.Database(t)
			}
			return dbtest.New(t, dialect)
		})
		s.owner(t, "as a branch")
		names, mix := slices.Clone(s.names), slices.Clone(s.mix)
		slices.Reverse(names)
		slices.Reverse(mix)
		err := goAlong(t.Context(), s.Registry, names, mix, writes, "as a branch")
		require.ErrorContains(t, err, "max_prepared_transactions")
		require.Equal(t, "none", s.outcomeOf(t, writes, "as a branch"))
		s.owner(t, "as the anchor")
		require.NoError(t, goAlong(t.Context(), s.Registry, s.names, s.mix, writes, "as the anchor"))
		s.recovered(t)
	})
}
