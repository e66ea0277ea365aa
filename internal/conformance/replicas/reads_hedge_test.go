package replicas

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// hedging has no replica left out because it was slow, which is what hedges are there for.
func hedging(c *dbfleet.ConnectionConfig) {
	steady(c)
	c.Reads.HedgeAfter = 20 * time.Millisecond
}

// slowOn is a plain read that takes very long on the server of that port, and no time on
// the others.
func slowOn(dialect string, port int) string {
	if dialect == "postgres" {
		many := fmt.Sprintf("generate_series(1, CASE WHEN inet_server_port() = %d THEN 50000 ELSE 0 END)", port)
		return "SELECT COUNT(*) AS n FROM " + many + " AS a, " + many + " AS b" // rows that need no file
	}
	return fmt.Sprintf("SELECT COUNT(*) AS n FROM seq_1_to_2000000000 WHERE @@port = %d AND seq %% 3 = 7", port)
}

// running counts the statements of other sessions that run on a server.
func running(t *testing.T, fl *fleet, replica int) int {
	db := fl.db.On(fl.cluster.Replicas[replica])
	if db.Dialect == "postgres" {
		return conformance.Counted(t, db, "SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%generate_series%' AND pid <> pg_backend_pid()")
	}
	return conformance.Counted(t, db, "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%seq_1_to_2000000000%' AND id <> CONNECTION_ID()")
}

// promise: a read that is slower than usual is asked at a second replica as well; the first
// answer counts, and the other statement is cancelled on its server.
func TestHedge_AsksASecondReplicaAndCancelsTheLoser(t *testing.T) {
	t.Parallel()
	onFleets(t, hedging, func(t *testing.T, fl *fleet) {
		served := fl.reads(t, 400) // which save up for hedges
		require.InDelta(t, 200, served["main/replica-1"], 20)
		fl.seen.take()

		slow := slowOn(fl.db.Dialect, fl.cluster.Replicas[0].Port)
		hedged := 0
		for end := time.Now().Add(time.Minute); hedged < 3 && time.Now().Before(end); {
			var route dbfleet.Route
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			n, err := dbfleet.Select[int64](dbfleet.WithRoute(ctx, &route), fl.DB("main").Read(), slow)
			cancel()
			if errors.Is(err, context.DeadlineExceeded) { // a busy machine has used up what was saved
				fl.reads(t, 100)
				fl.seen.take()
				continue
			}
			require.NoError(t, err)
			require.Equal(t, []int64{0}, n)
			require.Equal(t, "main/replica-2", route.Node)
			events := slices.DeleteFunc(fl.seen.take(), func(e dbfleet.QueryEvent) bool { return e.SQL != slow })
			// The other one may be asked beside, where the machine is busy.
			if !strings.Contains(route.Reason, "hedged") {
				continue
			}
			hedged++
			require.Contains(t, route.Reason, `hedged beside "main/replica-1"`)
			require.Len(t, events, 2)
			lost, won := events[0], events[1]
			require.Equal(t, "main/replica-1", lost.Route.Node)
			require.ErrorIs(t, lost.Err, context.Canceled)
			require.ErrorContains(t, lost.Err, `"main/replica-2" has answered first`)
			require.Equal(t, dbfleet.ClassCanceled, lost.Class)
			require.Equal(t, "main/replica-2", won.Route.Node)
			require.NoError(t, won.Err)
			require.Equal(t, int64(1), won.Rows)
		}
		require.Equal(t, 3, hedged, "reads began at the slow one too")
		require.Eventually(t, func() bool { return running(t, fl, 0) == 0 }, soon, 10*time.Millisecond)
		require.Eventually(t, func() bool { return fl.Stats()["main/replica-1"].InUse == 0 }, soon, 10*time.Millisecond)
		// A statement that is slow by itself takes no node out.
		require.Eventually(t, func() bool { return fl.reads(t, 20)["main/replica-1"] == 10 }, soon, 10*time.Millisecond)
	})
}

// At most one read in twenty is asked twice, however slow a node is, but for the few that
// were saved up.
func TestHedge_KeepsToItsBudget(t *testing.T) {
	t.Parallel()
	onFleets(t, func(c *dbfleet.ConnectionConfig) { hedging(c); c.Reads.HedgeAfter = time.Millisecond }, func(t *testing.T, fl *fleet) {
		fl.reads(t, 4)
		for _, p := range fl.proxies {
			p.Delay(15 * time.Millisecond)
		}
		fl.seen.take()
		const n = 100
		fl.reads(t, n)
		require.LessOrEqual(t, len(fl.seen.take()), n+n/20+1)
	})
}

// A transaction, a loop over rows, rows of the caller's own and what may write are asked at
// one node only.
func TestHedge_LeavesAloneWhatItMust(t *testing.T) {
	t.Parallel()
	onFleets(t, func(c *dbfleet.ConnectionConfig) { hedging(c); c.Reads.HedgeAfter = time.Millisecond }, func(t *testing.T, fl *fleet) {
		fl.reads(t, 200)
		fl.primary.Delay(20 * time.Millisecond)
		for _, p := range fl.proxies {
			p.Delay(20 * time.Millisecond)
		}
		fl.seen.take()
		ctx, db := t.Context(), fl.DB("main")
		for range 2 {
			require.NoError(t, fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error { return fl.read(ctx) }))
			for _, err := range db.Table("t").Iter(ctx) {
				require.NoError(t, err)
			}
			require.NoError(t, db.Read().QueryRowContext(ctx, "SELECT id FROM t").Scan(new(int)))
			rows, err := db.Read().QueryContext(ctx, "SELECT id FROM t")
			require.NoError(t, err)
			require.NoError(t, rows.Close())
			_, err = dbfleet.SelectOne[int](ctx, db.Read(), "SELECT COUNT(*) FROM t")
			require.NoError(t, err)
			_, err = db.Table("t").OnReplica("replica-1").Get(ctx)
			require.NoError(t, err)
			_, err = db.Table("t").Primary().Get(ctx)
			require.NoError(t, err)
			_, err = db.Table("t").Insert(ctx, map[string]any{"id": 2})
			require.NoError(t, err)
		}
		for _, e := range fl.seen.take() {
			require.NotContains(t, e.Route.Reason, "hedged", e.SQL)
			require.NoError(t, e.Err)
		}
	})
}

// A read whose first node is lost while the second is asked is answered by that one; one
// whose both are lost goes on to the primary; and a hook that panics takes its caller with
// it, and nothing else.
func TestHedge_SurvivesWhatBreaks(t *testing.T) {
	t.Parallel()
	onFleets(t, hedging, func(t *testing.T, fl *fleet) {
		fl.reads(t, 400)
		var route dbfleet.Route
		ctx := dbfleet.WithRoute(t.Context(), &route)
		for i := range 4 {
			for _, p := range fl.proxies {
				p.Delay(300 * time.Millisecond)
			}
			fl.seen.take()
			read := make(chan error, 1)
			begin := func() { read <- fl.read(ctx) }
			go begin()
			require.Eventually(t, func() bool {
				select {
				case err := <-read:
					if err != nil {
						read <- err
						return false
					}
					go begin() // one of the two was doubted still, so that there was none to hedge with
				default:
				}
				return inUse(fl, "main/replica-1") && inUse(fl, "main/replica-2")
			}, soon, time.Millisecond)
			fl.proxies[0].Cut()
			if i%2 == 1 {
				fl.proxies[1].Cut()
			}
			require.NoError(t, <-read)
			for _, e := range fl.seen.take() {
				if e.Err != nil && e.Class != dbfleet.ClassCanceled {
					require.ErrorIs(t, e.Err, dbfleet.ErrConnection)
				}
			}
			for _, p := range fl.proxies {
				p.Delay(0)
			}
			fl.settles(t, "main/replica-1", "main/replica-2")
		}
		for _, p := range fl.proxies {
			p.Delay(400 * time.Millisecond) // far longer than is usual
		}
		remove := fl.OnBeforeQuery(func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
			if strings.Contains(e.Route.Reason, "hedged") {
				panic("a hook")
			}
			return ctx
		})
		require.Eventually(t, func() bool { // once both are well, so that there is one to hedge with
			var is any
			func() {
				defer func() { is = recover() }()
				_ = fl.read(ctx)
			}()
			return is == "a hook"
		}, soon, 10*time.Millisecond)
		remove()
		require.NoError(t, fl.read(ctx))
		require.Eventually(t, func() bool { return !inUse(fl, "main/replica-1") && !inUse(fl, "main/replica-2") }, soon, 10*time.Millisecond)
	})
}

func inUse(fl *fleet, node string) bool { return fl.Stats()[node].InUse > 0 }
