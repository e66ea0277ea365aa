package atomic

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// truth 1121
// What begins at the anchor goes to another connection where the one that was idle is lost
// under it. A branch is begun once: the server may hold its name for the connection that it
// has not seen go.
func TestAtomic_BeginsOnAnotherConnectionAtTheAnchor(t *testing.T) {
	t.Parallel()
	for _, mix := range [][]string{{"postgres", "mysql"}, {"mysql", "postgres"}} {
		t.Run(fmtMix(mix), func(t *testing.T) {
			t.Parallel()
			f := open(t, mix...)
			connections, proxies := map[string]dbfleet.ConnectionConfig{}, map[string]*dbtest.Proxy{}
			for name, db := range f.databases {
				proxies[name] = dbtest.NewProxy(t, db.Server.Addr())
				connections[name] = conformance.ConnectionTo(proxies[name].Through(db))
			}
			r := conformance.Open(t, connections)
			accounts := map[string]*dbfleet.Model[conformance.Account]{}
			for name := range connections {
				accounts[name] = conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts", Connection: name})
			}
			both := func(owner string) error {
				return r.Atomic(t.Context(), f.names, func(ctx context.Context) error {
					if err := accounts["a"].Create(ctx, &conformance.Account{Owner: owner}); err != nil {
						return err
					}
					return accounts["b"].Create(ctx, &conformance.Account{Owner: owner})
				})
			}
			var group sync.WaitGroup
			for i := range 4 { // so that a connection is there for who has lost one
				group.Go(func() {
					if err := both(fmt.Sprint("before ", i)); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			beginning := map[string][]string{"postgres": {"BEGIN", "BEGIN"}, "mysql": {"START TRANSACTION", "XA START"}}
			for round := range 10 {
				for i, name := range f.names {
					fault := dbtest.Fault{Marker: beginning[mix[i]][i], Action: dbtest.CutReply, Times: 1}
					if round%2 > 0 {
						fault.Action = dbtest.CutRequest
					}
					lost := proxies[name].On(fault)
					err := both(fmt.Sprint(name, round))
					require.Positive(t, lost.Seen())
					proxies[name].Heal()
					if name == "a" {
						require.NoError(t, err, "%d", round)
						continue
					}
					require.ErrorIs(t, err, dbfleet.ErrConnection, "%d", round)
					require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
					require.NoError(t, both(fmt.Sprint(name, round)))
				}
			}
			for name, db := range f.databases {
				require.Len(t, conformance.Owners(t, db), 4+20, name)
			}
		})
	}
}
