package atomic

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// A branch whose ledger was dropped and made anew has lost the proof that it was committed.
// That is an incident until a person has looked, and every recovery says what is to be done;
// a process whose connection of that name is right finds no harm done.
func TestRecover_TellsOfABranchWhoseLedgerWasMadeAnew(t *testing.T) {
	t.Parallel()
	for _, mix := range [][]string{{"postgres", "mysql"}, {"mysql", "postgres"}, {"sqlite", "postgres"}, {"sqlite", "mysql"}} {
		t.Run(fmtMix(mix), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, mix, created)
			s.steps(t, writes)
			owner, branches := s.doubt(t, "after commit 0")
			require.Len(t, branches, 1)
			id := strings.TrimSuffix(branches[0][:len(branches[0])-1], "_")
			s.byHand(t, "b", branches[0], "COMMIT")
			s.databases["b"].Exec(t, "DROP TABLE dbfleet_ledger")

			all := map[string]dbfleet.ConnectionConfig{}
			for _, name := range s.names {
				all[name] = conformance.ConnectionTo(s.databases[name])
			}
			r := conformance.Open(t, all)
			s.owner(t, "after")
			require.NoError(t, goAlong(t.Context(), r, s.names, s.mix, writes, "after"))
			want := []dbfleet.Incident{{ID: id, Connection: "b", Lost: true}}
			says := func(err error) {
				t.Helper()
				for _, text := range []string{id, `connection "b"`, "dbfleet_ledger", "Acknowledge"} {
					require.ErrorContains(t, err, text)
				}
			}
			for range 2 {
				found, err := r.Recover(t.Context())
				says(err)
				require.Equal(t, want, found.Incidents)
				require.Equal(t, []string{id}, found.Pending)
				doubts, err := r.InDoubt(t.Context())
				says(err)
				require.Len(t, doubts, 1)
				require.Equal(t, want, doubts[0].Incidents)
				require.True(t, doubts[0].Commits)
				require.Eventually(t, func() bool { // which waits for it for a second alone
					told := r.Health(t.Context()).InDoubt
					return len(told) == 1 && assert.ObjectsAreEqual(want, told[0].Incidents)
				}, patience, conformance.WaitingTick)
				committed, err := r.ResolveAtomic(t.Context(), id)
				require.NoError(t, err)
				require.True(t, committed, "that was decided")
			}
			require.Equal(t, "all", s.outcomeOf(t, writes, owner))

			require.NoError(t, r.Acknowledge(t.Context(), id))
			found, err := r.Recover(t.Context())
			require.NoError(t, err)
			require.Zero(t, found)
			doubts, err := r.InDoubt(t.Context())
			require.NoError(t, err)
			require.Empty(t, doubts)
			require.Equal(t, "all", s.outcomeOf(t, writes, owner))
			require.Equal(t, "all", s.outcomeOf(t, writes, "after"))
		})
	}
}

// What is pending because a database is not reached is acknowledged by nobody: it stays, and
// is finished when it can be.
func TestAcknowledge_ClosesNothingThatIsPending(t *testing.T) {
	t.Parallel()
	s := newStage(t, []string{"postgres", "mysql"}, created)
	s.steps(t, writes)
	owner, branches := s.doubt(t, "after commit 0")
	require.Len(t, branches, 1)
	id := strings.TrimSuffix(branches[0][:len(branches[0])-1], "_")
	s.byHand(t, "b", branches[0], "COMMIT")
	onlyA := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"a": conformance.ConnectionTo(s.databases["a"])})
	require.NoError(t, onlyA.Acknowledge(t.Context(), id))
	found, err := onlyA.Recover(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{id}, found.Pending)
	require.Empty(t, found.Incidents)
	require.NoError(t, s.Acknowledge(t.Context(), id))
	found, err = s.Recover(t.Context())
	require.NoError(t, err)
	require.Zero(t, found, "the proof that the branch is committed is still there")
	require.Equal(t, "all", s.outcomeOf(t, writes, owner))
}
