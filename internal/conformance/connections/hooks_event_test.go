package connections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// Where a statement went stands in its event.
func TestQueryEvent_TellsWhere(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		accounts := fl.Bank(t)
		rec := record(t, fl.Registry)
		for name, run := range statementsOf(fl, accounts) {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "of " + name}))
			rec.took(t)
			require.NoError(t, run(ctx), name)
			config := conformance.ConnectionTo(fl.Database)
			database, address := config.Database, config.Socket
			switch {
			case config.Driver == dbfleet.SQLite:
				database = filepath.Base(config.Database)
			case address == "":
				address = net.JoinHostPort(config.Host, strconv.Itoa(config.Port))
			}
			for _, e := range rec.took(t) {
				require.Equal(t, config.Driver, e.Driver)
				require.Equal(t, database, e.Database)
				require.Equal(t, address, e.Address)
				require.Equal(t, "main", e.Route.Node)
				require.Equal(t, dbfleet.RolePrimary, e.Route.Role)
				require.Empty(t, e.Route.Shard)
				switch e.Op {
				case "select", "insert", "load":
					require.Equal(t, "accounts", e.Table, "%s: %s", name, e.Op)
				default:
					require.Empty(t, e.Table, "%s: %s", name, e.Op)
				}
			}
		}
	})
}

// What the caller wrote into the text of a statement can be left out.
func TestQueryEvent_SanitizesTexts(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	accounts := fl.Bank(t)
	var texts []string
	fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { texts = append(texts, e.Sanitized()) })
	ctx := t.Context()
	_, err := fl.DB("main").ExecContext(ctx, "UPDATE accounts SET balance = 17 WHERE owner = '"+canary+"'")
	require.NoError(t, err)
	_, err = fl.DB("main").ExecContext(ctx, "UPDATE accounts SET balance = 17 WHERE owner = ?", canary)
	require.NoError(t, err)
	_, err = accounts.Where("owner", "=", canary).Limit(3).Get(ctx)
	require.NoError(t, err)
	_, err = accounts.Where("id", ">", 0).Filter(dbfleet.Raw("owner = '" + canary + "'")).Select("id").SelectRaw("'" + canary + "' AS owner").Get(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{
		"UPDATE accounts SET balance = ? WHERE owner = ?", "UPDATE accounts SET balance = ? WHERE owner = ?",
		`SELECT "id", "owner", "balance" FROM "accounts" WHERE "owner" = ? LIMIT ?`,
		`SELECT "id", ? AS owner FROM "accounts" WHERE "id" > ? AND (owner = ?)`,
	}, texts)
}

// The shard of a sharded model is its connection, whatever the statement.
func TestQueryEvent_TellsTheShard(t *testing.T) {
	t.Parallel()
	memory := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"}
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"s0": memory, "s1": memory, "plain": memory})
	ctx := t.Context()
	type order struct{ ID, UserID int64 }
	for _, name := range r.Names() {
		_, err := r.DB(name).ExecContext(ctx, "CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER)")
		require.NoError(t, err)
	}
	orders := conformance.Model[order](t, r, dbfleet.ModelConfig{Table: "orders", Shard: dbfleet.ShardBy("user_id", func(id int64) string { return fmt.Sprintf("s%d", id%2) })})
	plain := conformance.Model[order](t, r, dbfleet.ModelConfig{Table: "orders", Connection: "plain"})
	var went []string
	defer r.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
		went = append(went, e.Op+" "+e.Route.Connection+" "+e.Route.Shard)
	})()
	require.NoError(t, orders.Create(ctx, &order{UserID: 7}))
	_, err := orders.Where("user_id", "=", 4).Get(ctx)
	require.NoError(t, err)
	_, err = orders.DB("s1").Get(ctx)
	require.NoError(t, err)
	_, err = orders.Shard(2).Load(ctx, func(yield func(order) bool) { yield(order{UserID: 2}) })
	require.NoError(t, err)
	require.NoError(t, plain.Create(ctx, &order{UserID: 7}))
	require.NoError(t, r.Transaction(ctx, "s1", func(ctx context.Context, tx *dbfleet.Tx) error {
		return errors.Join(orders.Create(ctx, &order{UserID: 9}), orders.Using(tx).Create(ctx, &order{UserID: 3}))
	}))
	require.Equal(t, []string{
		"insert s1 s1", "select s0 s0", "select s1 s1", "begin s0 ", "load s0 s0", "commit s0 ", "insert plain ",
		"begin s1 ", "insert s1 s1", "insert s1 s1", "commit s1 ",
	}, went)
	route, err := orders.Where("user_id", "=", 4).Route(ctx)
	require.NoError(t, err)
	require.Equal(t, "s0", route.Shard)
}

// Each class of an error is told in the event, and agrees with its sentinel.
func TestErrorClass_IsThatOfTheSentinel(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE parents (id {id})`,
			`CREATE TABLE things (id {id}, name VARCHAR(20) NOT NULL UNIQUE, n INTEGER CHECK (n > 0), parent_id BIGINT, FOREIGN KEY (parent_id) REFERENCES parents (id))`)
		var classes []dbfleet.ErrorClass
		fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { classes = append(classes, e.Class) })
		insert := func(row map[string]any) error {
			_, err := fl.DB("main").Table("things").Insert(ctx, row)
			return err
		}
		require.NoError(t, insert(map[string]any{"name": "a"}))
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		late, cancelLate := context.WithDeadline(ctx, time.Unix(0, 0))
		defer cancelLate()
		exec := func(ctx context.Context, text string) error {
			_, err := fl.DB("main").ExecContext(ctx, text)
			return err
		}
		for _, c := range []struct {
			err      error
			sentinel error
			class    dbfleet.ErrorClass
		}{
			{insert(map[string]any{"name": "a"}), dbfleet.ErrUnique, dbfleet.ClassUnique},
			{insert(map[string]any{"name": nil}), dbfleet.ErrNotNull, dbfleet.ClassNotNull},
			{insert(map[string]any{"name": "b", "n": -1}), dbfleet.ErrCheck, dbfleet.ClassCheck},
			{insert(map[string]any{"name": "b", "parent_id": 99}), dbfleet.ErrForeignKey, dbfleet.ClassForeignKey},
			{exec(canceled, "SELECT 1"), context.Canceled, dbfleet.ClassCanceled},
			{exec(late, "SELECT 1"), context.DeadlineExceeded, dbfleet.ClassTimeout},
		} {
			require.ErrorIs(t, c.err, c.sentinel)
			require.Equal(t, c.class, dbfleet.ClassOf(c.err))
			require.Contains(t, classes, c.class, "in an event")
			require.Equal(t, c.class, dbfleet.ClassOf(fmt.Errorf("around: %w", c.err)))
		}
		_, err := fl.DB("main").Table("things").Where("name", "=", "none").First(ctx)
		require.Equal(t, dbfleet.ClassNotFound, dbfleet.ClassOf(err))
		undefined := dbfleet.ClassUndefined
		syntax := dbfleet.ClassSyntax
		if fl.Database.Dialect == "sqlite" {
			undefined, syntax = dbfleet.ClassOther, dbfleet.ClassOther
		}
		require.Equal(t, undefined, dbfleet.ClassOf(exec(ctx, "DELETE FROM nowhere")))
		require.Equal(t, syntax, dbfleet.ClassOf(exec(ctx, "DELET")))
	})
	for err, class := range map[error]dbfleet.ErrorClass{
		nil: "", sql.ErrNoRows: dbfleet.ClassNotFound, sql.ErrTxDone: dbfleet.ClassTxLost, dbfleet.ErrClosed: dbfleet.ClassClosed,
		errors.New("x"): dbfleet.ClassOther, &dbfleet.ColumnError{}: dbfleet.ClassUnfit, &dbfleet.AcquireTimeoutError{}: dbfleet.ClassAcquireTimeout,
		&dbfleet.AcquireTimeoutError{Err: context.Canceled}: dbfleet.ClassCanceled, &dbfleet.QueryError{Err: errors.New("x")}: dbfleet.ClassOther, &dbfleet.QueryError{}: dbfleet.ClassOther,
	} {
		require.Equal(t, class, dbfleet.ClassOf(err), "%v", err)
	}
}

// Nodes tells what is known without asking: open transactions, the pool, and which
// replica rests.
func TestNodes_TellHowTheyAre(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		config := conformance.ConnectionTo(db)
		proxy := dbtest.NewProxy(t, net.JoinHostPort(db.Host, strconv.Itoa(db.Port)))
		config.ReadHosts = []string{proxy.Addr()}
		ctx := t.Context()
		var r *dbfleet.Registry
		var tried []string
		for range 100 { // until the replica is asked before its watcher has found that it does not answer
			proxy.Heal()
			require.Empty(t, tried, "no attempt is left out but at a replica that is out of turn")
			r = conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config, "after": {Driver: dbfleet.SQLite, Database: ":memory:"}})
			nodes := r.Nodes()
			require.Len(t, nodes, 3)
			require.Equal(t, dbfleet.NodeState{Connection: "after", Node: "after", Role: dbfleet.RolePrimary, Driver: dbfleet.SQLite, Database: ":memory:"}, nodes[0])
			require.Equal(t, "main", nodes[1].Node)
			require.Equal(t, "main/replica-1", nodes[2].Node)
			require.Equal(t, dbfleet.RoleReplica, nodes[2].Role)
			require.Equal(t, config.ReadHosts[0], nodes[2].Address)
			require.False(t, nodes[2].Resting)

			require.Eventually(t, func() bool { return servedBy(t, r) == "main/replica-1" }, 20*time.Second, time.Millisecond)
			proxy.Refuse()
			t.Cleanup(r.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
				tried = append(tried, fmt.Sprint(e.Route.Node, " ", e.Address == config.ReadHosts[0], " ", e.Class))
			}))
			rows, err := r.DB("main").Read().QueryContext(ctx, "SELECT 1")
			require.NoError(t, err)
			require.NoError(t, errors.Join(rows.Err(), rows.Close()))
			if len(tried) > 1 {
				break
			}
			require.False(t, r.Nodes()[2].InTurn)
			require.Equal(t, []string{"main false "}, tried)
			tried = nil
		}
		require.Equal(t, []string{"main/replica-1 true connection", "main false "}, tried, "an event for each attempt")
		require.Eventually(t, func() bool { return r.Nodes()[2].Resting }, 20*time.Second, time.Millisecond, "it is asked and does not answer")

		require.NoError(t, r.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			main := r.Nodes()[1]
			require.Equal(t, 1, main.Transactions)
			require.Equal(t, 1, main.Pool.InUse)
			return nil
		}))
		require.Zero(t, r.Nodes()[1].Transactions)
	})
}

// servedBy is the node that a plain read comes from.
func servedBy(t *testing.T, r *dbfleet.Registry) string {
	t.Helper()
	var route dbfleet.Route
	rows, err := r.DB("main").Read().QueryContext(dbfleet.WithRoute(t.Context(), &route), "SELECT 1")
	require.NoError(t, err)
	require.NoError(t, errors.Join(rows.Err(), rows.Close()))
	return route.Node
}
