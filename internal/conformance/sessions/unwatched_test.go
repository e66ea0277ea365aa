package sessions

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A connection without replicas costs a session nothing: all of its reads are the
// primary's, so that nobody asks where that is.
func TestSession_AsksNothingWhereThereAreNoReplicas(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		db.Exec(t, conformance.DDL(db.Dialect, conformance.AccountsTable))
		fl, proxy := conformance.ThroughProxy(t, db, func(c *dbfleet.ConnectionConfig) { c.TLS.Mode = dbfleet.TLSDisable })
		accounts := conformance.Model[conformance.Account](t, fl.Registry, dbfleet.ModelConfig{Table: "accounts", Connection: "main"})
		require.NoError(t, fl.DB("main").Ping(t.Context()))
		asked := proxy.On(dbtest.Fault{Marker: map[string]string{"postgres": "lsn", "mysql": "gtid"}[db.Dialect], Action: dbtest.Count})
		ctx := dbfleet.WithSession(t.Context())
		for _, owner := range []string{"ann", "bob"} {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: owner}))
			found, err := accounts.Where("owner", "=", owner).Get(ctx)
			require.NoError(t, err)
			require.Len(t, found, 1)
		}
		require.Zero(t, asked.Seen())
	})
}
