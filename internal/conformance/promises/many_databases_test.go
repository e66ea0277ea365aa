package promises

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// forever is a query that ends when it is cancelled.
var forever = map[string]string{
	"sqlite":   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n",
	"postgres": "SELECT COUNT(*) FROM pg_sleep(60)",
	"mysql":    "SELECT SLEEP(60)",
}

// promise 16
func TestPromise16_SeveralDatabasesInParallelCancelledTogether(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"users_db", "orders_db", "analytics"}, func(t *testing.T, e estate) {
		var wg sync.WaitGroup
		ask := func(ctx context.Context, connection, query string, result *error) {
			wg.Go(func() {
				var n int64
				*result = e.DB(connection).QueryRowContext(ctx, query).Scan(&n)
			})
		}
		var errs [3]error
		for i, name := range e.Names() {
			ask(t.Context(), name, "SELECT 1", &errs[i])
		}
		wg.Wait()
		require.NoError(t, errors.Join(errs[:]...))

		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		running := make(chan struct{}, 2)
		e.OnBeforeQuery(func(ctx context.Context, _ dbfleet.QueryEvent) context.Context { running <- struct{}{}; return ctx })
		ask(ctx, "users_db", forever[e.dialect], &errs[0])
		ask(ctx, "analytics", forever[e.dialect], &errs[1])
		<-running
		<-running
		start := time.Now()
		cancel() // because the third has failed
		wg.Wait()
		require.Less(t, time.Since(start), 10*time.Second)
		require.ErrorIs(t, errs[0], context.Canceled)
		require.ErrorIs(t, errs[1], context.Canceled)
	})
}

// promise 17
func TestPromise17_ShardsChosenByAFunction(t *testing.T) {
	t.Parallel()
	names := []string{"main", "orders_shard_1", "orders_shard_2", "orders_shard_3", "orders_shard_4"}
	shardOf := func(userID int64) string { return fmt.Sprintf("orders_shard_%d", userID%4+1) }
	onEachEstate(t, names, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.create(conformance.PurchasesTable, names[1:]...)
		purchases := conformance.Model[conformance.Purchase](t, e.Registry, dbfleet.ModelConfig{Table: "purchases", Shard: dbfleet.ShardBy("user_id", shardOf)})
		for user := range int64(10) {
			require.NoError(t, purchases.Create(ctx, &conformance.Purchase{UserID: user + 1, Total: 1}))
		}
		for i, want := range []int64{2, 3, 3, 2} {
			require.Equal(t, want, e.count(names[i+1], "purchases"))
		}
		seventh, err := purchases.Where("user_id", "=", 7).First(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 7, seventh.UserID)
		seventh.Total = 2
		require.NoError(t, purchases.Save(ctx, &seventh))
		n, err := purchases.Shard(7).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n, "the whole shard: users 3 and 7")
		n, err = purchases.Where("user_id", "=", 7).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)

		// A shard router of one's own, over the registry.
		row, err := e.DB(shardOf(5)).Table("purchases").Where("user_id", "=", 5).First(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 5, row["user_id"])

		_, err = purchases.Where("total", ">", 0).Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrMissingShardKey)
		require.ErrorIs(t, purchases.Create(ctx, &conformance.Purchase{}), dbfleet.ErrMissingShardKey)
	})
}

// replicated is a connection with two replicas; SQLite has none.
func replicated(t *testing.T, dialect string) (r *dbfleet.Registry, catchUp func()) {
	t.Helper()
	var cluster *dbtest.Cluster
	switch dialect {
	case "sqlite":
		return conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(dbtest.New(t, dialect))}), func() {}
	case "postgres":
		cluster = dbtest.PostgresCluster(t, 2)
	case "mysql":
		cluster = dbtest.MariaDBCluster(t, 2)
	}
	config := conformance.ConnectionTo(cluster.Database(t))
	conformance.Patient(&config)
	for _, s := range cluster.Replicas {
		config.ReadHosts = append(config.ReadHosts, net.JoinHostPort(s.Host, fmt.Sprint(s.Port)))
	}
	return conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}), func() { cluster.WaitCaughtUp(t) }
}

// promise 22, promise 23
func TestPromise22And23_WritesToThePrimaryReadsRoundRobinOverReplicas(t *testing.T) {
	t.Parallel()
	for _, dialect := range dbtest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			r, catchUp := replicated(t, dialect)
			e := estate{r, t, dialect}
			e.create(conformance.PurchasesTable, "main")
			purchases := conformance.Model[conformance.Purchase](t, r, dbfleet.ModelConfig{Table: "purchases"})
			var went []string
			r.OnAfterQuery(func(_ context.Context, q dbfleet.QueryEvent) { went = append(went, q.Route.Node) })
			nodes := func() []string {
				list := went
				went = nil
				return list
			}

			one := conformance.Purchase{UserID: 1, Total: 1}
			require.NoError(t, purchases.Create(ctx, &one))
			one.Total = 2
			require.NoError(t, purchases.Save(ctx, &one))
			_, err := purchases.Where("id", "=", one.ID).Update(ctx, dbfleet.Row{"total": 3})
			require.NoError(t, err)
			require.NoError(t, purchases.Upsert(ctx, &one, dbfleet.Conflict{}))
			require.Equal(t, []string{"main", "main", "main", "main"}, nodes())

			catchUp()
			for range 2 {
				found, err := purchases.Find(ctx, one.ID)
				require.NoError(t, err)
				require.Equal(t, one, found)
				_, err = purchases.Where("user_id", "=", 1).Get(ctx)
				require.NoError(t, err)
			}
			replicas := []string{"main/replica-1", "main/replica-2"}
			if dialect == "sqlite" {
				replicas = []string{"main", "main"}
			}
			read := nodes()
			require.Subset(t, replicas, read)
			require.Equal(t, read[:2], read[2:], "in turn")
			require.ElementsMatch(t, replicas, read[:2])

			_, err = purchases.Primary().Get(ctx)
			require.NoError(t, err)
			require.NoError(t, r.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
				_, err := purchases.Get(ctx)
				return err
			}))
			require.NotContains(t, strings.Join(nodes(), " "), "replica")

			// A raw query runs on the primary, unless it is said to be a read.
			query := func(db *dbfleet.DB) {
				var n int
				require.NoError(t, db.QueryRowContext(ctx, "SELECT COUNT(*) FROM purchases").Scan(&n))
				require.Equal(t, 1, n)
			}
			query(r.DB("main"))
			require.Equal(t, []string{"main"}, nodes())
			query(r.DB("main").Read())
			query(r.DB("main").Read())
			require.ElementsMatch(t, replicas, nodes())
			_, err = r.DB("main").Read().ExecContext(ctx, "DELETE FROM purchases")
			require.ErrorIs(t, err, dbfleet.ErrReadHandle)
		})
	}
}
