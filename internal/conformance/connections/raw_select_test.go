package connections

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestSelect_RunsWhereItsHandleSays(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, c *dbtest.Cluster) {
		db := c.Database(t)
		db.Exec(t, conformance.DDL(db.Dialect, conformance.AccountsTable), conformance.Inserting("seed"))
		c.WaitCaughtUp(t)
		config := conformance.ConnectionTo(db)
		config.ReadHosts = []string{c.Replicas[0].Addr(), c.Replicas[1].Addr()}
		conformance.Patient(&config)
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
		nodes := watchNodes(r)
		h, ctx := r.DB("main"), t.Context()
		const owners = "SELECT owner FROM accounts"
		for claim, on := range map[string]dbfleet.Queryer{
			"connection": h, "primary": h.Primary(), "model": accounts, "query": accounts.Query(), "table": h.Table("accounts"), "primary of read": h.Read().Primary(),
		} {
			list, err := dbfleet.Select[string](ctx, on, owners)
			require.NoError(t, err, claim)
			require.Equal(t, []string{"seed"}, list, claim)
			require.Equal(t, []string{"main"}, nodes.take(), claim)
		}
		for _, on := range []dbfleet.Queryer{h.Read(), h.Read().Table("accounts")} {
			for range 2 {
				_, err := dbfleet.SelectOne[string](ctx, on, owners)
				require.NoError(t, err)
			}
			require.ElementsMatch(t, []string{"main/replica-1", "main/replica-2"}, nodes.take(), "in turn")
		}
		for _, err := range dbfleet.SelectIter[string](ctx, h.Read(), owners) {
			require.NoError(t, err)
		}
		require.Contains(t, nodes.take()[0], "replica")
		_, err := dbfleet.Select[string](dbfleet.ReadPrimary(ctx), h.Read(), owners)
		require.NoError(t, err)
		require.Equal(t, []string{"main"}, nodes.take())

		_, err = dbfleet.Select[int64](ctx, h.Read(), "DELETE FROM accounts RETURNING id")
		require.ErrorIs(t, err, dbfleet.ErrReadHandle)
		require.Empty(t, nodes.take())
		if db.Dialect == "postgres" { // a function that writes is refused by the replica
			_, err = dbfleet.Select[int64](ctx, h.Read(), "SELECT nextval(pg_get_serial_sequence('accounts', 'id'))")
			require.ErrorIs(t, err, dbfleet.ErrReadOnly)
		}
	})
}

func TestSelect_AsksTheShardOfTheKey(t *testing.T) {
	t.Parallel()
	onShards(t, func(t *testing.T, fl conformance.Fleet, orders *dbfleet.Model[shardedItem]) {
		ctx := t.Context()
		require.NoError(t, orders.Create(ctx, &shardedItem{UserID: 7, Item: "odd"}))
		require.NoError(t, orders.Create(ctx, &shardedItem{UserID: 8, Item: "even"}))
		const items = "SELECT item FROM orders"
		for claim, on := range map[string]dbfleet.Queryer{"model": orders.Shard(7), "query": orders.Query().Shard("7"), "named": orders.DB("one"), "connection": fl.DB("one")} {
			item, err := dbfleet.SelectOne[string](ctx, on, items)
			require.NoError(t, err, claim)
			require.Equal(t, "odd", item, claim)
		}
		for _, on := range []dbfleet.Queryer{orders, orders.Query()} {
			_, err := dbfleet.Select[string](ctx, on, items)
			require.ErrorIs(t, err, dbfleet.ErrMissingShardKey)
			require.EqualError(t, err, `dbfleet: table "orders", shard key "user_id": SQL is sent to the shard that Shard names: no shard key`)
		}
		_, err := dbfleet.Select[string](ctx, orders.Shard(0), items)
		require.ErrorIs(t, err, dbfleet.ErrMissingShardKey)
		require.NoError(t, fl.Transaction(ctx, "one", func(_ context.Context, tx *dbfleet.Tx) error {
			_, err := dbfleet.Select[string](ctx, orders.Shard(8).Using(tx), items)
			var other *dbfleet.TxConnectionError
			require.ErrorAs(t, err, &other)
			item, err := dbfleet.SelectOne[string](ctx, orders.Shard(7).Using(tx), items)
			require.Equal(t, "odd", item)
			return err
		}))
	})
}

// What is known to be a plain read is asked again when its connection was lost;
// everything else is sent once.
func TestSelect_IsSentOnceUnlessItOnlyReads(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		db.Exec(t, conformance.DDL(db.Dialect, conformance.AccountsTable), conformance.Inserting("seed"))
		fl, proxy := conformance.ThroughProxy(t, db)
		h, ctx := fl.DB("main"), t.Context()
		nodes := watchNodes(fl.Registry)
		for text, times := range map[string]int{
			"SELECT owner FROM accounts -- marked 1":                           2,
			"DELETE FROM accounts WHERE id > 1000 RETURNING owner -- marked 2": 1,
			"SELECT owner FROM accounts WHERE id = sum_of_mine(1) -- marked 3": 1,
		} {
			proxy.On(dbtest.Fault{Marker: text[len(text)-len("marked 1"):], Action: dbtest.CutReply, Times: 1})
			_, err := dbfleet.Select[string](ctx, h, text)
			if times == 2 {
				require.NoError(t, err, text)
			} else {
				require.ErrorIs(t, err, dbfleet.ErrConnection, text)
			}
			require.Len(t, nodes.take(), times, text)
		}
	})
}
