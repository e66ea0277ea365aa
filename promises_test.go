package dbfleet_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// What docs/promises.md promises, one test for each, on all three databases.

type guideUser struct {
	ID                   int64
	Name, Email          string
	IsAdmin              bool
	CreatedAt, UpdatedAt time.Time

	Articles []guidePost
	Visits   []guideEvent
}

// Greeting is a method of the model.
func (m *guideUser) Greeting() string { return "Hello " + m.Name }

type guidePost struct {
	ID, MemberID int64
	Title        string
	Author       *guideUser
}

type guideEvent struct {
	ID        int64
	EventType string
	MemberID  int64
	CreatedAt time.Time
}

type guideOrder struct {
	ID, UserID int64
	Total      float64
}

const (
	membersTable = `CREATE TABLE members (id {id}, name {text} NOT NULL, email {text} NOT NULL UNIQUE, is_admin {bool} NOT NULL,
		created_at {time} NOT NULL, updated_at {time} NOT NULL)`
	articlesTable  = `CREATE TABLE articles (id {id}, member_id {bigint} NOT NULL, title {text} NOT NULL)`
	visitsTable    = `CREATE TABLE visits (id {id}, event_type {text} NOT NULL, member_id {bigint} NOT NULL, created_at {time} NOT NULL)`
	purchasesTable = `CREATE TABLE purchases (id {id}, user_id {bigint} NOT NULL, total {float} NOT NULL)`
)

// estate is a registry of several connections, each a database of its own.
type estate struct {
	*dbfleet.Registry
	t       *testing.T
	dialect string
}

// onEachEstate runs f on fresh databases of every kind, one for each name. The
// first is the default.
func onEachEstate(t *testing.T, names []string, f func(t *testing.T, e estate)) {
	t.Helper()
	for _, dialect := range dbtest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			config := dbfleet.Config{Default: names[0], Connections: map[string]dbfleet.ConnectionConfig{}}
			for _, name := range names {
				config.Connections[name] = connectionTo(dbtest.New(t, dialect))
			}
			r, err := dbfleet.Open(config)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, r.Close()) })
			f(t, estate{r, t, dialect})
		})
	}
}

// create runs a statement written with {types} on connections.
func (e estate) create(statement string, connections ...string) {
	e.t.Helper()
	for _, name := range connections {
		db := e.DB(name)
		_, err := db.ExecContext(context.Background(), ddl(string(db.Driver()), statement))
		require.NoError(e.t, err, name)
	}
}

// count is how many rows a table of a connection has.
func (e estate) count(connection, table string) int64 {
	e.t.Helper()
	n, err := e.DB(connection).Table(table).Primary().Count(e.t.Context())
	require.NoError(e.t, err)
	return n
}

func (e estate) members() *dbfleet.Model[guideUser] {
	return model[guideUser](e.t, e.Registry, dbfleet.ModelConfig{
		Table: "members", Connection: "users_db", Fillable: []string{"name", "email"}, Timestamps: true,
	})
}

// promise 1
func TestPromise01_ManyNamedConnectionsInOneConfig(t *testing.T) {
	t.Parallel()
	names := []string{"main", "users_db", "Analytics 2", "orders-shard-1", "été"}
	onEachEstate(t, names, func(t *testing.T, e estate) {
		for i, name := range names {
			e.create("CREATE TABLE here (name {text} NOT NULL)", name)
			for range i + 1 {
				_, err := e.DB(name).Table("here").Insert(t.Context(), dbfleet.Row{"name": name})
				require.NoError(t, err)
			}
		}
		for i, name := range names {
			require.EqualValues(t, i+1, e.count(name, "here"))
		}
		require.EqualValues(t, 1, e.count("", "here"), "the default")

		_, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{
			"a": {Driver: dbfleet.Driver(e.dialect)}, "b": {Driver: "oracle", Database: "x"},
		}})
		require.ErrorContains(t, err, `"a"`, "every fault at once")
		require.ErrorContains(t, err, `"b"`)
	})
}

// promise 2. It sets variables of the process, so it runs by itself.
func TestPromise02_EnvironmentVariablesPerConnection(t *testing.T) {
	for _, dialect := range dbtest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			set := func(prefix string, db dbtest.Database) {
				t.Setenv(prefix+"DRIVER", db.Dialect)
				t.Setenv(prefix+"DATABASE", db.Name)
				if db.Host != "" {
					t.Setenv(prefix+"HOST", db.Host)
					t.Setenv(prefix+"PORT", fmt.Sprint(db.Port))
					t.Setenv(prefix+"USERNAME", db.Username)
					t.Setenv(prefix+"PASSWORD", db.Password)
				}
			}
			t.Setenv("DB_CONNECTION", "main")
			set("DB_", dbtest.New(t, dialect))
			set("DB_ANALYTICS_", dbtest.New(t, dialect))
			set("DB_ANY_NAME_AT_ALL_", dbtest.New(t, dialect))
			config, err := dbfleet.ConfigFromEnv()
			require.NoError(t, err)
			r, err := dbfleet.Open(config)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, r.Close()) })
			require.Equal(t, "main", r.Default())
			for _, name := range []string{"", "analytics", "any_name_at_all"} {
				_, err := r.Connect(t.Context(), name)
				require.NoError(t, err, name)
			}

			t.Setenv("DB_ANALYTICS_POOL_MAX_OPEN", "canary")
			t.Setenv("DB_ANY_NAME_AT_ALL_DATABASE", "")
			_, err = dbfleet.ConfigFromEnv()
			require.ErrorContains(t, err, "DB_ANALYTICS_POOL_MAX_OPEN")
			require.ErrorContains(t, err, "DB_ANY_NAME_AT_ALL_DATABASE")
			require.NotContains(t, err.Error(), "canary")
		})
	}
}

// promise 3
func TestPromise03_TLSPerConnection(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		config := connectionTo(db)
		config.SSL = true
		if db.Dialect == "sqlite" { // a file has no network to encrypt: said, not dropped
			_, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": config}})
			require.ErrorContains(t, err, "ssl")
			return
		}
		db.RequireTLS(t)
		trusting := config
		trusting.TLS.CAFile = db.CAFile
		plain := connectionTo(db)
		r := open(t, map[string]dbfleet.ConnectionConfig{"main": trusting, "stranger": config, "plain": plain})

		query := map[string]string{
			"postgres": "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
			"mysql":    "SELECT variable_value FROM information_schema.session_status WHERE variable_name = 'Ssl_version'",
		}[db.Dialect]
		var version string
		require.NoError(t, r.DB("main").QueryRowContext(t.Context(), query).Scan(&version))
		require.Contains(t, version, "TLSv1.")

		require.ErrorContains(t, r.DB("stranger").Ping(t.Context()), "certificate", "true means verified")
		require.Error(t, r.DB("plain").Ping(t.Context()), "the server refuses plain text")
	})
}

// promise 4
func TestPromise04_OpenDialsNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		accepted := func() int {
			if _, err := os.Stat(db.Name); err == nil {
				return 1
			}
			return 0
		}
		if db.Server != nil {
			proxy := dbtest.NewProxy(t, db.Server.Addr())
			db = proxy.Through(db)
			accepted = proxy.Accepted
		}
		r := open(t, map[string]dbfleet.ConnectionConfig{
			"main": connectionTo(db),
			"down": {Driver: dbfleet.Postgres, Host: "127.0.0.1", Port: 1, Database: "none", Username: "none"},
		})
		require.Zero(t, accepted())
		require.Empty(t, r.Stats())
		_, err := r.Connect(t.Context(), "main")
		require.NoError(t, err, "what is down harms nobody who does not ask it")
		require.Equal(t, 1, accepted())
	})
}

// promise 5
func TestPromise05_ConnectionsByName(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"main", "analytics"}, func(t *testing.T, e estate) {
		var wg sync.WaitGroup
		pools := make([]*sql.DB, 16)
		for i := range pools {
			wg.Go(func() {
				if db, err := e.Connect(t.Context(), "analytics"); err == nil {
					pools[i] = db.Primary()
				}
			})
		}
		wg.Wait()
		require.NotNil(t, pools[0])
		for _, p := range pools {
			require.Same(t, pools[0], p, "opened once, however many ask")
		}
		require.Equal(t, "main", e.DB("").Name())
		_, err := e.Connect(t.Context(), "analytisc")
		var unknown *dbfleet.UnknownConnectionError
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, []string{"analytics", "main"}, unknown.Known)
	})
}

// promise 6
func TestPromise06_AModelsConnectionRoutesAllItsOperations(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"main", "users_db"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.create(membersTable, "users_db") // and not on the default
		members := e.members()
		var went []string
		e.OnAfterQuery(func(_ context.Context, q dbfleet.QueryEvent) { went = append(went, q.Route.Connection) })

		ada := guideUser{Name: "Ada", Email: "a"}
		require.NoError(t, members.Create(ctx, &ada))
		require.NoError(t, members.CreateMany(ctx, []guideUser{{Name: "B", Email: "b"}, {Name: "C", Email: "c"}}))
		require.NoError(t, members.Upsert(ctx, &guideUser{Name: "D", Email: "d"}, dbfleet.Conflict{Key: []string{"email"}}))
		ada.Name = "Ada L."
		require.NoError(t, members.Save(ctx, &ada))
		_, err := members.Find(ctx, ada.ID)
		require.NoError(t, err)
		_, err = members.Where("name", "=", "B").Update(ctx, dbfleet.Row{"is_admin": true})
		require.NoError(t, err)
		n, err := members.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 4, n)
		require.NoError(t, members.Delete(ctx, &ada))
		deleted, err := members.Query().AllRows().Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, deleted)
		require.NotEmpty(t, went)
		for _, c := range went {
			require.Equal(t, "users_db", c)
		}
	})
}

// promise 7
func TestPromise07_CreateSaveFindWhereFirstAllDelete(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"users_db"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.create(membersTable, "users_db")
		members := e.members()
		john := guideUser{Name: "John", Email: "john@example.com"}
		require.NoError(t, members.Create(ctx, &john))
		require.Positive(t, john.ID)
		require.False(t, john.CreatedAt.IsZero())

		john.IsAdmin = true
		require.NoError(t, members.Save(ctx, &john))
		user, err := members.Find(ctx, john.ID)
		require.NoError(t, err)
		require.Equal(t, john, user)
		admins, err := members.Where("is_admin", "=", 1).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []guideUser{john}, admins)
		first, err := members.OrderBy("id", dbfleet.Asc).First(ctx)
		require.NoError(t, err)
		require.Equal(t, john, first)
		all, err := members.Get(ctx)
		require.NoError(t, err)
		require.Len(t, all, 1)

		same, err := members.Where("id", "=", john.ID).Update(ctx, dbfleet.Row{"name": "John", "updated_at": john.UpdatedAt})
		require.NoError(t, err)
		require.EqualValues(t, 1, same, "rows that matched, also where nothing changed")
		require.NoError(t, members.Delete(ctx, &john))
		_, err = members.Find(ctx, john.ID)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		require.ErrorIs(t, err, sql.ErrNoRows)
	})
}

// promise 8
func TestPromise08_FillableTimestampsAndMethods(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"users_db"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.create(membersTable, "users_db")
		members := e.members()
		jane, err := members.CreateFrom(ctx, map[string]any{"name": "Jane", "email": "jane@example.com"})
		require.NoError(t, err)
		require.Equal(t, "Hello Jane", jane.Greeting())
		_, err = members.CreateFrom(ctx, map[string]any{"name": "Eve", "is_admin": true})
		var refused *dbfleet.NotFillableError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "is_admin", refused.Column)

		created, updated := jane.CreatedAt, jane.UpdatedAt
		require.WithinDuration(t, time.Now(), created, time.Minute)
		require.NoError(t, members.Save(ctx, &jane))
		found, err := members.Find(ctx, jane.ID)
		require.NoError(t, err)
		require.Equal(t, created, found.CreatedAt)
		require.False(t, found.UpdatedAt.Before(updated))
		require.Equal(t, jane.UpdatedAt, found.UpdatedAt)
		require.EqualValues(t, 1, e.count("users_db", "members"))
	})
}

// promise 9
func TestPromise09_AnotherConnectionForOneOperation(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"main", "analytics"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.create(visitsTable, "main", "analytics")
		visits := model[guideEvent](t, e.Registry, dbfleet.ModelConfig{Table: "visits", Timestamps: true})
		for i := range 3 {
			require.NoError(t, visits.DB("analytics").Create(ctx, &guideEvent{EventType: "purchase", MemberID: int64(i)}))
		}
		require.NoError(t, visits.Create(ctx, &guideEvent{EventType: "login"}))

		bought, err := visits.DB("analytics").Where("event_type", "=", "purchase").OrderBy("created_at", dbfleet.Desc).Limit(100).Get(ctx)
		require.NoError(t, err)
		require.Len(t, bought, 3)
		all, err := visits.Get(ctx)
		require.NoError(t, err)
		require.Len(t, all, 1, "the model is as it was")
	})
}

// promise 10
func TestPromise10_RelationsAcrossDatabases(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"users_db"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		// Visits live in a database of another kind.
		other := dbtest.Dialects[(slices.Index(dbtest.Dialects, e.dialect)+1)%3]
		require.NoError(t, e.Add("analytics", connectionTo(dbtest.New(t, other))))
		t.Cleanup(func() { require.NoError(t, e.Remove(context.Background(), "analytics")) })
		e.create(membersTable, "users_db")
		e.create(articlesTable, "users_db")
		e.create(visitsTable, "analytics")

		members := e.members()
		articles := model[guidePost](t, e.Registry, dbfleet.ModelConfig{Table: "articles", Connection: "users_db"})
		visits := model[guideEvent](t, e.Registry, dbfleet.ModelConfig{Table: "visits", Connection: "analytics", Timestamps: true})
		articlesOf := dbfleet.HasMany(members, articles, dbfleet.On("member_id"), func(m *guideUser) *[]guidePost { return &m.Articles })
		visitsOf := dbfleet.HasMany(members, visits, dbfleet.On("member_id"), func(m *guideUser) *[]guideEvent { return &m.Visits })
		author := dbfleet.BelongsTo(articles, members, dbfleet.On("member_id"), func(a *guidePost) **guideUser { return &a.Author })

		both := []guideUser{{Name: "Ada", Email: "a"}, {Name: "Bob", Email: "b"}}
		require.NoError(t, members.CreateMany(ctx, both))
		require.NoError(t, articles.CreateMany(ctx, []guidePost{{MemberID: both[0].ID, Title: "x"}, {MemberID: both[0].ID, Title: "y"}}))
		require.NoError(t, visits.CreateMany(ctx, []guideEvent{{EventType: "login", MemberID: both[1].ID}}))

		statements := 0
		e.OnAfterQuery(func(context.Context, dbfleet.QueryEvent) { statements++ })
		list, err := members.OrderBy("id", dbfleet.Asc).With(articlesOf, visitsOf).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, 3, statements, "one for each relation, however many parents")
		require.Len(t, list[0].Articles, 2)
		require.Empty(t, list[0].Visits)
		require.Empty(t, list[1].Articles)
		require.Equal(t, "login", list[1].Visits[0].EventType)

		y, err := articles.Where("title", "=", "y").With(author).First(ctx)
		require.NoError(t, err)
		require.Equal(t, "Ada", y.Author.Name)
		n, err := visitsOf.For(&both[1]).Where("event_type", "=", "login").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

// promise 11
func TestPromise11_QueriesOnAConnectionWithoutAModel(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"main", "users_db"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.create(membersTable, "users_db")
		now := time.Date(2024, 2, 29, 12, 0, 0, 123456000, time.UTC)
		db, err := e.Connect(ctx, "users_db")
		require.NoError(t, err)
		_, err = db.Table("members").Insert(ctx, dbfleet.Row{
			"name": "Ada", "email": "a", "is_admin": true, "created_at": now, "updated_at": now,
		})
		require.NoError(t, err)

		row, err := db.Table("members").Where("name", "=", "Ada").Limit(1).First(ctx)
		require.NoError(t, err)
		require.Equal(t, "a", row["email"])
		require.Equal(t, now, row["created_at"])
		ada, err := dbfleet.Table[guideUser](db, "members").Where("name", "=", "Ada").First(ctx)
		require.NoError(t, err)
		require.Equal(t, guideUser{ID: ada.ID, Name: "Ada", Email: "a", IsAdmin: true, CreatedAt: now, UpdatedAt: now}, ada)
	})
}

// fill puts purchases of three users into a connection: 1, 2 and 3 of them.
func (e estate) fill(connection string) {
	e.t.Helper()
	e.create(purchasesTable, connection)
	for user := range 3 {
		for n := range user + 1 {
			_, err := e.DB(connection).Table("purchases").Insert(e.t.Context(), dbfleet.Row{"user_id": user + 1, "total": 10 * (n + 1)})
			require.NoError(e.t, err)
		}
	}
}

// promise 12
func TestPromise12_RawPartsWithBindings(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"orders_db"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.fill("orders_db")
		type stats struct {
			TotalOrders                           int64
			TotalSpent, AvgOrderValue, LargestOne float64
		}
		got, err := dbfleet.Table[stats](e.DB("orders_db"), "purchases").
			SelectRaw("COUNT(*) AS total_orders").SelectRaw("SUM(total) AS total_spent").
			SelectRaw("AVG(total) AS avg_order_value").SelectRaw("MAX(total) AS largest_one").
			WhereRaw("user_id = ?", 3).First(ctx)
		require.NoError(t, err)
		require.Equal(t, stats{3, 60, 20, 30}, got)

		purchases := e.DB("orders_db").Table("purchases")
		n, err := purchases.WhereRaw("CONCAT(id, '-', user_id) LIKE ?", "%-3").Where("total", "<", 25).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = purchases.Filter(dbfleet.Or(dbfleet.Raw("total > ?", 25), dbfleet.Expr(squirrel.Eq{"user_id": []int{1}}))).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		_, err = purchases.WhereRaw("user_id = ? OR total = ?", 3).Get(ctx)
		var fault *dbfleet.StatementError
		require.ErrorAs(t, err, &fault, "the number of arguments is checked")
	})
}

// promise 13
func TestPromise13_TheWholeBuilder(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"orders_db"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.fill("orders_db")
		e.create("CREATE TABLE clients (id {bigint} PRIMARY KEY, name {text} NOT NULL)", "orders_db")
		clients, purchases := e.DB("orders_db").Table("clients"), e.DB("orders_db").Table("purchases")
		for i, name := range []string{"Ada", "Bob", "Cyd", "Dan"} {
			require.NoError(t, clients.Upsert(ctx, dbfleet.Row{"id": i + 1, "name": name}, "id"))
		}
		require.NoError(t, clients.Upsert(ctx, dbfleet.Row{"id": 2, "name": "Bea"}, "id"))

		names := func(q *dbfleet.Query[dbfleet.Row]) []string {
			t.Helper()
			list, err := dbfleet.Pluck[string](ctx, q, "name")
			require.NoError(t, err)
			return list
		}
		byName := clients.OrderBy("name", dbfleet.Asc)
		require.Equal(t, []string{"Ada", "Bea", "Cyd", "Dan"}, names(byName))
		require.Equal(t, []string{"Bea", "Cyd"}, names(byName.Limit(2).Offset(1)))
		require.Equal(t, []string{"Ada", "Dan"}, names(byName.Where("id", "=", 1).OrWhere("id", ">", 3)))
		require.Equal(t, []string{"Ada", "Bea"}, names(byName.WhereIn("id", []int{1, 2})))
		require.Equal(t, []string{"Cyd"}, names(byName.WhereBetween("id", 3, 3)))
		buyers := byName.As("c").WhereExists(e.DB("orders_db").Table("purchases").WhereColumn("purchases.user_id", "=", "c.id"))
		require.Equal(t, []string{"Ada", "Bea", "Cyd"}, names(buyers))
		require.Equal(t, []string{"Ada", "Dan"}, names(clients.Where("id", "=", 1).Select("name").
			Union(clients.Where("id", "=", 4).Select("name")).OrderBy("name", dbfleet.Asc)))

		joined, err := clients.Join("purchases", "purchases.user_id", "=", "clients.id").Select("clients.name").
			SelectRaw("COUNT(*) AS n").GroupBy("clients.name").HavingRaw("COUNT(*) > ?", 1).OrderBy("n", dbfleet.Desc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Row{{"name": "Cyd", "n": int64(3)}, {"name": "Bea", "n": int64(2)}}, joined)
		distinct, err := purchases.Distinct().Select("total").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, distinct)
		sum, err := purchases.Sum(ctx, "total")
		require.NoError(t, err)
		require.InDelta(t, 100, sum, 0)
		there, err := purchases.Where("user_id", "=", 9).Exists(ctx)
		require.NoError(t, err)
		require.False(t, there)
		n, err := purchases.Where("user_id", "=", 3).Update(ctx, dbfleet.Row{"total": dbfleet.SQL("total + ?", 1)})
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		largest, err := purchases.Max(ctx, "total")
		require.NoError(t, err)
		require.InDelta(t, 31, largest, 0)
		n, err = purchases.Where("user_id", "=", 3).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, n)

		err = e.Transaction(ctx, "orders_db", func(ctx context.Context, tx *dbfleet.Tx) error {
			_, err := tx.Table("purchases").Where("user_id", "=", 1).ForUpdate().Get(ctx)
			return err
		})
		if e.dialect == "sqlite" { // which has no row locks, and is told so
			var fault *dbfleet.StatementError
			require.ErrorAs(t, err, &fault)
		} else {
			require.NoError(t, err)
		}
	})
}

// promise 14
func TestPromise14_TheInsertedID(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"users_db"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.create(purchasesTable, "users_db")
		result, err := e.DB("users_db").Table("purchases").Insert(ctx, dbfleet.Row{"user_id": 1, "total": 1.5})
		require.NoError(t, err)
		require.EqualValues(t, 1, result.LastInsertID)

		purchases := model[guideOrder](t, e.Registry, dbfleet.ModelConfig{Table: "purchases"})
		one := guideOrder{UserID: 2}
		require.NoError(t, purchases.Create(ctx, &one))
		require.EqualValues(t, 2, one.ID)
		many := []guideOrder{{UserID: 3}, {UserID: 4}, {UserID: 5}}
		require.NoError(t, purchases.CreateMany(ctx, many))
		for _, p := range many {
			found, err := purchases.Find(ctx, p.ID)
			require.NoError(t, err)
			require.Equal(t, p, found)
		}
	})
}

// promise 15
func TestPromise15_TimesInConditions(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"analytics"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.create(visitsTable, "analytics")
		visits := model[guideEvent](t, e.Registry, dbfleet.ModelConfig{Table: "visits"})
		tokyo := time.FixedZone("Tokyo", 9*60*60)
		at := time.Date(2024, 3, 10, 2, 30, 0, 123456000, tokyo)
		for _, d := range []time.Duration{-time.Hour, 0, time.Microsecond, time.Hour} {
			require.NoError(t, visits.Create(ctx, &guideEvent{EventType: "x", CreatedAt: at.Add(d)}))
		}
		for op, want := range map[string]int64{"=": 1, ">=": 3, ">": 2, "<": 1, "<=": 2, "!=": 3} {
			n, err := visits.Where("created_at", op, at.UTC()).Count(ctx)
			require.NoError(t, err)
			require.Equal(t, want, n, op)
		}
		same, err := visits.Where("created_at", "=", at).First(ctx)
		require.NoError(t, err)
		require.True(t, same.CreatedAt.Equal(at))
		last, err := dbfleet.Max[time.Time](ctx, visits, "created_at")
		require.NoError(t, err)
		require.True(t, last.Equal(at.Add(time.Hour)))
	})
}

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
		e.OnBeforeQuery(func(context.Context, dbfleet.QueryEvent) { running <- struct{}{} })
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
		e.create(purchasesTable, names[1:]...)
		purchases := model[guideOrder](t, e.Registry, dbfleet.ModelConfig{Table: "purchases", Shard: dbfleet.ShardBy("user_id", shardOf)})
		for user := range int64(10) {
			require.NoError(t, purchases.Create(ctx, &guideOrder{UserID: user + 1, Total: 1}))
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
		require.ErrorIs(t, purchases.Create(ctx, &guideOrder{}), dbfleet.ErrMissingShardKey)
	})
}

// promise 19
func TestPromise19_EveryStatementInsideTheTransaction(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"users_db", "analytics"}, func(t *testing.T, e estate) {
		e.create(membersTable, "users_db")
		e.create(visitsTable, "analytics")
		members := e.members()
		failed := errors.New("no")
		write := func(ctx context.Context, tx *dbfleet.Tx) {
			require.NoError(t, members.Create(ctx, &guideUser{Name: "a", Email: "model"}))
			require.NoError(t, members.Using(tx).Create(t.Context(), &guideUser{Name: "a", Email: "using"}))
			now := time.Now()
			row := dbfleet.Row{"name": "a", "email": "table", "is_admin": false, "created_at": now, "updated_at": now}
			_, err := e.DB("users_db").Table("members").Insert(ctx, row)
			require.NoError(t, err)
			_, err = e.DB("users_db").ExecContext(ctx, "UPDATE members SET name = 'b'")
			require.NoError(t, err)
			_, err = tx.ExecContext(t.Context(), "UPDATE members SET name = 'c'")
			require.NoError(t, err)
			n, err := members.Where("name", "=", "c").Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 3, n)
		}
		transact := func(ctx context.Context, end func(ctx context.Context) error) error {
			return e.Transaction(ctx, "users_db", func(ctx context.Context, tx *dbfleet.Tx) error {
				write(ctx, tx)
				return end(ctx)
			})
		}

		require.ErrorIs(t, transact(t.Context(), func(context.Context) error { return failed }), failed)
		require.Zero(t, e.count("users_db", "members"), "an error rolls back")
		require.PanicsWithValue(t, "oh", func() { _ = transact(t.Context(), func(context.Context) error { panic("oh") }) })
		require.Zero(t, e.count("users_db", "members"), "a panic rolls back")
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = transact(t.Context(), func(context.Context) error { runtime.Goexit(); return nil })
		}()
		<-done
		require.Zero(t, e.count("users_db", "members"), "runtime.Goexit rolls back")
		ctx, cancel := context.WithCancel(t.Context())
		require.ErrorIs(t, transact(ctx, func(context.Context) error { cancel(); return nil }), context.Canceled)
		require.Zero(t, e.count("users_db", "members"), "a cancelled context rolls back")

		require.NoError(t, transact(t.Context(), func(ctx context.Context) error {
			err := e.Transaction(ctx, "users_db", func(ctx context.Context, _ *dbfleet.Tx) error {
				_, err := members.Query().AllRows().Delete(ctx)
				require.NoError(t, err)
				return failed
			})
			require.ErrorIs(t, err, failed, "a savepoint undoes what was done in it")
			// Another connection is another matter.
			_, err = e.DB("analytics").Table("visits").Insert(ctx, dbfleet.Row{"event_type": "x", "member_id": 1, "created_at": time.Now()})
			return err
		}))
		require.EqualValues(t, 3, e.count("users_db", "members"))
		require.EqualValues(t, 1, e.count("analytics", "visits"))
	})
}

// replicated is a connection with two replicas; SQLite has none.
func replicated(t *testing.T, dialect string) (r *dbfleet.Registry, catchUp func()) {
	t.Helper()
	var cluster *dbtest.Cluster
	switch dialect {
	case "sqlite":
		return open(t, map[string]dbfleet.ConnectionConfig{"main": connectionTo(dbtest.New(t, dialect))}), func() {}
	case "postgres":
		cluster = dbtest.PostgresCluster(t, 2)
	case "mysql":
		cluster = dbtest.MariaDBCluster(t, 2)
	}
	config := connectionTo(cluster.Database(t))
	for _, s := range cluster.Replicas {
		config.ReadHosts = append(config.ReadHosts, net.JoinHostPort(s.Host, fmt.Sprint(s.Port)))
	}
	return open(t, map[string]dbfleet.ConnectionConfig{"main": config}), func() { cluster.WaitCaughtUp(t) }
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
			e.create(purchasesTable, "main")
			purchases := model[guideOrder](t, r, dbfleet.ModelConfig{Table: "purchases"})
			var went []string
			r.OnAfterQuery(func(_ context.Context, q dbfleet.QueryEvent) { went = append(went, q.Route.Node) })
			nodes := func() []string {
				list := went
				went = nil
				return list
			}

			one := guideOrder{UserID: 1, Total: 1}
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

// promise 24
func TestPromise24_RefusedLostAndOtherErrorsAreToldApart(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		ctx := t.Context()
		refused := connectionTo(db)
		refused.Port = 1
		if db.Dialect == "sqlite" {
			refused.Port, refused.Database = 0, filepath.Join(filepath.Dir(db.Name), "missing", "folder.db")
		}
		r := open(t, map[string]dbfleet.ConnectionConfig{"main": connectionTo(db), "refused": refused})

		_, err := r.DB("refused").Table("users").Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrConnection)
		require.ErrorIs(t, err, dbfleet.ErrConnectionRefused)
		if db.Dialect != "sqlite" {
			var driver *net.OpError
			require.ErrorAs(t, err, &driver, "the driver's own error is not hidden")
		}

		_, err = r.DB("main").ExecContext(ctx, "SELEC 1")
		require.Error(t, err)
		require.NotErrorIs(t, err, dbfleet.ErrConnection)
		var failed *dbfleet.QueryError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, "main", failed.Connection)

		if db.Dialect == "sqlite" {
			return // a file's connection is not lost
		}
		err = r.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			db.KillConnections(t)
			_, err := tx.ExecContext(ctx, "SELECT 1")
			require.ErrorIs(t, err, dbfleet.ErrConnection)
			require.NotErrorIs(t, err, dbfleet.ErrConnectionRefused)
			return err
		})
		require.ErrorIs(t, err, dbfleet.ErrConnection)
		require.NoError(t, r.DB("main").Ping(ctx), "the next one has a new connection")
	})
}

// promise 26
func TestPromise26_HealthTellsWhoAnswers(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"main", "analytics", "users_db"}, func(t *testing.T, e estate) {
		h := e.Health(t.Context())
		require.Equal(t, dbfleet.Healthy, h.Status)
		require.Len(t, h.Connections, 3)
		require.Equal(t, dbfleet.Driver(e.dialect), h.Connections["users_db"].Driver)

		// A server that dies: another process listens where it was, or none.
		db := dbtest.New(t, e.dialect)
		config := connectionTo(db)
		var die func()
		if db.Server == nil {
			folder := filepath.Join(t.TempDir(), "there")
			require.NoError(t, os.Mkdir(folder, 0o700))
			config.Database = filepath.Join(folder, "x.db")
			config.Pool.MaxIdleTime = time.Nanosecond // an open file outlives its folder
			die = func() { require.NoError(t, os.RemoveAll(folder)) }
		} else {
			proxy := dbtest.NewProxy(t, db.Server.Addr())
			config = connectionTo(proxy.Through(db))
			die = proxy.Refuse
		}
		require.NoError(t, e.Replace(t.Context(), "analytics", config))
		require.Equal(t, dbfleet.Healthy, e.Health(t.Context()).Status)
		if db.Server == nil {
			require.NoError(t, e.Replace(t.Context(), "analytics", config)) // closes the file
		}
		die()
		h = e.Health(t.Context())
		require.Equal(t, dbfleet.Degraded, h.Status)
		gone := h.Connections["analytics"]
		require.Equal(t, dbfleet.Unhealthy, gone.Status)
		require.False(t, gone.Nodes[0].Up)
		require.Equal(t, dbfleet.RolePrimary, gone.Nodes[0].Role)
		require.NotEmpty(t, gone.Nodes[0].Problem)
		require.Equal(t, dbfleet.Healthy, h.Connections["main"].Status)
	})
}

// promise 27
func TestPromise27_PoolFigures(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"main", "unused"}, func(t *testing.T, e estate) {
		rows, err := e.DB("main").QueryContext(t.Context(), "SELECT 1")
		require.NoError(t, err)
		defer rows.Close()
		stats := e.Stats()
		require.Len(t, stats, 1, "a pool that was not asked is not opened")
		require.Equal(t, 10, stats["main"].MaxOpenConnections)
		require.Equal(t, 1, stats["main"].InUse)
		require.NoError(t, rows.Close())
		require.Equal(t, 0, e.DB("main").Stats()["main"].InUse)
		require.Equal(t, 1, e.Health(t.Context()).Connections["main"].Nodes[0].Pool.Open)
	})
}

// promise 28
func TestPromise28_HooksOnEveryOutcomeAndSlowQueryLogging(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"main", "analytics"}, func(t *testing.T, e estate) {
		ctx := t.Context()
		e.create(visitsTable, "main", "analytics")
		var before, after []dbfleet.QueryEvent
		e.DB("main").OnBeforeQuery(func(_ context.Context, q dbfleet.QueryEvent) { before = append(before, q) })
		e.DB("main").OnAfterQuery(func(_ context.Context, q dbfleet.QueryEvent) { after = append(after, q) })

		_, err := e.DB("main").Table("visits").Where("event_type", "=", "x").Get(ctx)
		require.NoError(t, err)
		_, err = e.DB("main").Table("missing").Get(ctx)
		require.Error(t, err)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_, err = e.DB("main").Table("visits").Get(ended)
		require.ErrorIs(t, err, context.Canceled)
		_, err = e.DB("analytics").Table("visits").Get(ctx)
		require.NoError(t, err, "not this connection's")

		require.Len(t, before, 3)
		require.Len(t, after, 3)
		require.Contains(t, after[0].SQL, "visits")
		require.Equal(t, dbfleet.Args{"x"}, after[0].Args)
		require.Positive(t, after[0].Duration)
		require.EqualValues(t, 0, after[0].Rows)
		require.Equal(t, "main", after[0].Route.Node)
		require.NoError(t, after[0].Err)
		require.Error(t, after[1].Err)
		require.ErrorIs(t, after[2].Err, context.Canceled)

		var text strings.Builder
		logger := slog.New(slog.NewTextHandler(&text, nil))
		remove := e.OnAfterQuery(dbfleet.LogQueries(logger, dbfleet.LogOptions{Slow: time.Hour}))
		_, _ = e.DB("main").Table("visits").Where("event_type", "=", "canary").Get(ctx)
		require.Empty(t, text.String(), "not slow")
		remove()
		e.OnAfterQuery(dbfleet.LogQueries(logger, dbfleet.LogOptions{Slow: time.Nanosecond}))
		_, _ = e.DB("main").Table("visits").Where("event_type", "=", "canary").Get(ctx)
		require.Contains(t, text.String(), "slow query")
		require.NotContains(t, text.String(), "canary")
	})
}

// promise 29
func TestPromise29_ModelsByConnection(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"main", "users_db", "analytics"}, func(t *testing.T, e estate) {
		e.members()
		model[guideEvent](t, e.Registry, dbfleet.ModelConfig{Table: "visits", Connection: "analytics"})
		model[guideOrder](t, e.Registry, dbfleet.ModelConfig{
			Table: "purchases", Shard: dbfleet.ShardBy("user_id", func(int64) string { return "main" }),
		})
		driver := dbfleet.Driver(e.dialect)
		list := e.Describe()
		require.Len(t, list, 3)
		require.Equal(t, "user_id", list[0].ShardKey)
		require.Equal(t, []string{"analytics", "users_db"}, []string{list[1].Connection, list[2].Connection})
		require.Equal(t, []dbfleet.Driver{driver, driver}, []dbfleet.Driver{list[1].Driver, list[2].Driver})
		require.Equal(t, "visits", list[1].Table)
		require.Equal(t, []string{"id"}, list[2].PrimaryKey)

		_, err := dbfleet.NewModel[guideEvent](e.Registry, dbfleet.ModelConfig{Table: "visits", Connection: "nowhere"})
		var unknown *dbfleet.UnknownConnectionError
		require.ErrorAs(t, err, &unknown)
	})
}
