package atomic

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A database that does not answer does not keep the others from being recovered and listed
// before the context ends, whether its ledger is known already or not.
func TestRecover_FinishesTheRestBesideASilentDatabase(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"postgres", "mysql"} {
		for _, known := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/known=%t", dialect, known), func(t *testing.T) {
				t.Parallel()
				other := map[string]string{"postgres": "mysql", "mysql": "postgres"}[dialect]
				sick, well := newStage(t, []string{dialect, other}, created), newStage(t, []string{"postgres", "mysql"}, created)
				var owners []string
				for _, s := range []*stage{sick, well} {
					s.steps(t, writes)
					owner, branches := s.doubt(t, "after commit 0")
					require.Len(t, branches, 1)
					s.sessionsEnd(t)
					owners = append(owners, owner)
				}
				proxy := dbtest.NewProxy(t, sick.databases["a"].Server.Addr())
				r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{
					"a": conformance.ConnectionTo(proxy.Through(sick.databases["a"])), "b": conformance.ConnectionTo(sick.databases["b"]),
					"c": conformance.ConnectionTo(well.databases["a"]), "d": conformance.ConnectionTo(well.databases["b"]),
				})
				if known {
					list, err := r.InDoubt(t.Context())
					require.NoError(t, err)
					require.Len(t, list, 2)
				}
				proxy.Blackhole()
				ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
				defer cancel()
				list, err := r.InDoubt(ctx)
				require.ErrorContains(t, err, `connection "a"`)
				require.NotEmpty(t, list)
				ctx, cancel = context.WithTimeout(t.Context(), 8*time.Second)
				defer cancel()
				found, err := r.Recover(ctx)
				require.ErrorContains(t, err, `connection "a"`)
				require.Empty(t, found.Incidents)
				require.Zero(t, found.RolledBack)
				require.Equal(t, "all", well.outcomeOf(t, writes, owners[1]), "%+v %v", found, err)
				proxy.Heal()
				require.Eventually(t, func() bool {
					found, err = r.Recover(t.Context())
					return err == nil && len(found.Pending)+len(found.Alive) == 0
				}, patience, conformance.WaitingTick, "%+v %v", found, err)
				require.Equal(t, "all", sick.outcomeOf(t, writes, owners[0]))
				sick.recovered(t)
				well.recovered(t)
			})
		}
	}
}
