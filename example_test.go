package dbfleet_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/Masterminds/squirrel"

	"github.com/dbfleet/dbfleet"
)

// The examples share this fleet: SQLite files in a temporary folder.

type Account struct {
	ID                   int64
	Name, Email          string
	IsAdmin              bool
	Age                  int
	CreatedAt, UpdatedAt time.Time

	Posts []Post
}

// Initial is a method like any other.
func (a Account) Initial() string { return a.Name[:1] }

type Post struct {
	ID, AccountID int64
	Title         string
	Author        *Account
}

type Order struct {
	ID, UserID int64
	Total      float64
}

func exampleFleet() (registry *dbfleet.Registry, end func()) {
	dir, err := os.MkdirTemp("", "dbfleet-example-")
	if err != nil {
		log.Fatal(err)
	}
	file := func(name string) dbfleet.ConnectionConfig {
		return dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: filepath.Join(dir, name+".db")}
	}
	registry, err = dbfleet.Open(dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{
		"main": file("main"), "archive": file("archive"), "analytics": file("analytics"),
		"orders_shard_1": file("orders_1"), "orders_shard_2": file("orders_2"),
	}})
	if err != nil {
		log.Fatal(err)
	}
	const accounts = `CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE,
		is_admin BOOLEAN NOT NULL, age INTEGER NOT NULL, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL)`
	const orders = `CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, total REAL NOT NULL)`
	for _, s := range [][2]string{
		{"main", accounts}, {"archive", accounts},
		{"analytics", `CREATE TABLE events (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, account_id INTEGER)`},
		{"analytics", `CREATE TABLE posts (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, title TEXT NOT NULL)`},
		{"orders_shard_1", orders}, {"orders_shard_2", orders},
	} {
		if _, err := registry.DB(s[0]).ExecContext(context.Background(), s[1]); err != nil {
			log.Fatal(err)
		}
	}
	return registry, func() {
		if err := registry.Close(); err != nil {
			log.Fatal(err)
		}
		os.RemoveAll(dir)
	}
}

// exampleAccounts is a model with three records: Ada, Grace and Edsger.
func exampleAccounts(registry *dbfleet.Registry) *dbfleet.Model[Account] {
	accounts, err := dbfleet.NewModel[Account](registry, dbfleet.ModelConfig{
		Table: "accounts", Fillable: []string{"name", "email", "age"}, Timestamps: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	err = accounts.CreateMany(context.Background(), []Account{
		{Name: "Ada", Email: "ada@example.com", IsAdmin: true, Age: 36},
		{Name: "Grace", Email: "grace@example.com", IsAdmin: true, Age: 85},
		{Name: "Edsger", Email: "edsger@example.com", Age: 72},
	})
	if err != nil {
		log.Fatal(err)
	}
	return accounts
}

func ExampleOpen() {
	registry, err := dbfleet.Open(dbfleet.Config{
		Default: "main",
		Connections: map[string]dbfleet.ConnectionConfig{
			"main":      {Driver: dbfleet.SQLite, Database: ":memory:"},
			"users_db":  {Driver: "mariadb", Host: "db1.example.com", Database: "users", Username: "app"},
			"analytics": {URL: "postgres://app@db2.example.com/events", ReadHosts: []string{"r1.example.com", "r2.example.com"}},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer registry.Close()
	fmt.Println(registry.Names(), registry.DB("users_db").Driver()) // nothing was dialled

	_, err = dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{
		"a": {Driver: dbfleet.Postgres, Database: "x"},
		"b": {Driver: "oracle"},
	}})
	var fault *dbfleet.ConfigError
	fmt.Println(errors.As(err, &fault), fault.Connection)
	// Output:
	// [analytics main users_db] mysql
	// true a
}

func ExampleConfigFromEnv() {
	for name, value := range map[string]string{
		"DB_CONNECTION":              "main",
		"DB_DRIVER":                  "sqlite",
		"DB_DATABASE":                "app.db",
		"DB_ANALYTICS_HOST":          "analytics.example.com",
		"DB_ANALYTICS_PORT":          "5432",
		"DB_ANALYTICS_DATABASE":      "events",
		"DB_ANALYTICS_USERNAME":      "app",
		"DB_ANALYTICS_PASSWORD":      "secret",
		"DB_ORDERS_SHARD_1_URL":      "mysql://app@shard1.example.com/orders",
		"DB_ANALYTICS_POOL_MAX_OPEN": "20",
	} {
		os.Setenv(name, value)
		defer os.Unsetenv(name)
	}
	config, err := dbfleet.ConfigFromEnv()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(config.Default, len(config.Connections), config.Connections["orders_shard_1"].Driver)
	fmt.Println(strings.Contains(fmt.Sprintf("%+v", config), "secret"))
	// Output:
	// main 3 mysql
	// false
}

func ExampleRegistry_Connect() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	db, err := registry.Connect(ctx, "main") // opened, and it has answered
	if err != nil {
		log.Fatal(err)
	}
	var n int
	err = db.QueryRowContext(ctx, "SELECT COUNT(*) FROM accounts").Scan(&n)
	fmt.Println(n, err)

	_, err = registry.Connect(ctx, "mian")
	fmt.Println(err)
	// Output:
	// 0 <nil>
	// dbfleet: unknown connection "mian"; known are "analytics", "archive", "main", "orders_shard_1", "orders_shard_2"
}

func ExampleNewModel() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts, err := dbfleet.NewModel[Account](registry, dbfleet.ModelConfig{Table: "accounts", Timestamps: true})
	if err != nil {
		log.Fatal(err)
	}
	ada := Account{Name: "Ada", Email: "ada@example.com"}
	if err := accounts.Create(ctx, &ada); err != nil {
		log.Fatal(err)
	}
	fmt.Println(ada.ID, ada.CreatedAt.IsZero(), ada.Initial())

	ada.Name = "Ada Lovelace"
	if err := accounts.Save(ctx, &ada); err != nil {
		log.Fatal(err)
	}
	found, err := accounts.Find(ctx, ada.ID)
	fmt.Println(found.Name, err)

	fmt.Println(accounts.Delete(ctx, &ada))
	_, err = accounts.Find(ctx, ada.ID)
	fmt.Println(errors.Is(err, dbfleet.ErrNotFound))
	// Output:
	// 1 false A
	// Ada Lovelace <nil>
	// <nil>
	// true
}

func ExampleModel_CreateFrom() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)
	barbara, err := accounts.CreateFrom(ctx, map[string]any{"name": "Barbara", "email": "b@example.com", "age": 84})
	fmt.Println(barbara.ID, barbara.Name, err)

	_, err = accounts.CreateFrom(ctx, map[string]any{"name": "Mallory", "is_admin": true})
	fmt.Println(err)
	// Output:
	// 4 Barbara <nil>
	// dbfleet: model dbfleet_test.Account: column "is_admin" is not fillable; fillable are "age", "email", "name"
}

func ExampleModel_Upsert() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)
	grace := Account{Name: "Grace Hopper", Email: "grace@example.com", Age: 85}
	err := accounts.Upsert(ctx, &grace, dbfleet.Conflict{Key: []string{"email"}, Update: []string{"name"}})
	n, _ := accounts.Count(ctx)
	fmt.Println(err, grace.ID, n)
	// Output: <nil> 2 3
}

func ExampleModel_DB() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)
	archive := accounts.DB("archive") // another model; accounts is as it was
	if err := archive.Create(ctx, &Account{Name: "Blaise", Email: "b@example.com"}); err != nil {
		log.Fatal(err)
	}
	here, _ := accounts.Count(ctx)
	there, _ := archive.Count(ctx)
	fmt.Println(here, there)
	// Output: 3 1
}

func ExampleQuery() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)

	admins := accounts.Where("is_admin", "=", true) // a value: stored and branched
	oldest, err := admins.OrderBy("age", dbfleet.Desc).First(ctx)
	fmt.Println(oldest.Name, err)
	n, err := admins.Where("age", "<", 50).Count(ctx)
	fmt.Println(n, err)
	n, err = admins.OrWhere("name", "LIKE", "E%").Count(ctx)
	fmt.Println(n, err)

	_, err = admins.Where("agee", ">", 1).Get(ctx)
	var unknown *dbfleet.UnknownColumnError
	fmt.Println(errors.As(err, &unknown))
	// Output:
	// Grace <nil>
	// 1 <nil>
	// 3 <nil>
	// true
}

func ExampleQuery_WhereGroup() {
	registry, end := exampleFleet()
	defer end()
	accounts := exampleAccounts(registry)
	sql, args, err := accounts.Where("is_admin", "=", true).
		WhereGroup(func(q *dbfleet.Query[Account]) *dbfleet.Query[Account] {
			return q.Where("age", "<", 40).OrWhereRaw("LENGTH(name) > ?", 4)
		}).Select("id").SQL(context.Background())
	fmt.Println(sql, args, err)
	// Output: SELECT "id" FROM "accounts" WHERE "is_admin" = ? AND ("age" < ? OR (LENGTH(name) > ?)) [1 40 4] <nil>
}

func ExampleQuery_Iter() {
	registry, end := exampleFleet()
	defer end()
	for account, err := range exampleAccounts(registry).OrderBy("id", dbfleet.Asc).Iter(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(account.Name)
		if account.Name == "Grace" {
			break // the connection is given back
		}
	}
	// Output:
	// Ada
	// Grace
}

func ExampleQuery_Update() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)
	n, err := accounts.Where("age", ">", 70).Update(ctx, dbfleet.Row{"is_admin": false, "age": dbfleet.Raw("age + ?", 1)})
	fmt.Println(n, err)
	_, err = accounts.Query().Update(ctx, dbfleet.Row{"is_admin": true})
	fmt.Println(errors.Is(err, dbfleet.ErrMissingWhere))
	n, err = accounts.Query().AllRows().Update(ctx, dbfleet.Row{"is_admin": true})
	fmt.Println(n, err)
	// Output:
	// 2 <nil>
	// true
	// 3 <nil>
}

func ExampleCol() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)
	age, name := dbfleet.Col[int]("age"), dbfleet.Col[string]("name")
	names, err := dbfleet.Pluck[string](ctx, accounts.Filter(
		dbfleet.Or(age.Between(30, 40), dbfleet.Not(name.In("Ada", "Grace"))),
	).OrderBy("name", dbfleet.Asc), "name")
	fmt.Println(names, err)
	// Output: [Ada Edsger] <nil>
}

func ExampleExpr() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)
	n, err := accounts.Filter(dbfleet.Expr(squirrel.Or{squirrel.Eq{"name": "Ada"}, squirrel.Gt{"age": 80}})).Count(ctx)
	fmt.Println(n, err)

	list, err := accounts.Query().GetStatement(ctx, squirrel.Select("*").From("accounts").Where("age < ?", 50))
	fmt.Println(len(list), list[0].Name, err)
	// Output:
	// 2 <nil>
	// 1 Ada <nil>
}

func ExampleDB_Table() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	events := registry.DB("analytics").Table("events") // no struct
	for _, kind := range []string{"login", "login", "purchase"} {
		if _, err := events.Insert(ctx, dbfleet.Row{"kind": kind, "account_id": 1}); err != nil {
			log.Fatal(err)
		}
	}
	rows, err := events.Select("kind").SelectRaw("COUNT(*) AS n").GroupBy("kind").OrderBy("n", dbfleet.Desc).Get(ctx)
	fmt.Println(rows, err)
	// Output: [map[kind:login n:2] map[kind:purchase n:1]] <nil>
}

func ExampleTable() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	exampleAccounts(registry)
	type summary struct {
		IsAdmin bool
		Number  int
		Oldest  int
	}
	list, err := dbfleet.Table[summary](registry.DB("main"), "accounts").Select("is_admin").
		SelectRaw("COUNT(*) AS number").SelectRaw("MAX(age) AS oldest").
		GroupBy("is_admin").OrderBy("is_admin", dbfleet.Asc).Get(ctx)
	fmt.Println(list, err)
	// Output: [{false 1 72} {true 2 85}] <nil>
}

func ExampleSum() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)
	sum, err := dbfleet.Sum[int64](ctx, accounts, "age")
	fmt.Println(sum, err)
	last, err := dbfleet.Max[time.Time](ctx, accounts.Where("is_admin", "=", true), "created_at")
	fmt.Println(last.Location(), time.Since(last) < time.Minute, err)
	// Output:
	// 193 <nil>
	// UTC true <nil>
}

func ExampleHasMany() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry) // on "main"
	posts, err := dbfleet.NewModel[Post](registry, dbfleet.ModelConfig{Table: "posts", Connection: "analytics"})
	if err != nil {
		log.Fatal(err)
	}
	postsOf := dbfleet.HasMany(accounts, posts, dbfleet.On("account_id"), func(a *Account) *[]Post { return &a.Posts })
	authorOf := dbfleet.BelongsTo(posts, accounts, dbfleet.On("account_id"), func(p *Post) **Account { return &p.Author })

	err = posts.CreateMany(ctx, []Post{{AccountID: 1, Title: "Notes"}, {AccountID: 1, Title: "More"}, {AccountID: 2, Title: "Bug"}})
	if err != nil {
		log.Fatal(err)
	}
	list, err := accounts.OrderBy("id", dbfleet.Asc).With(postsOf).Get(ctx)
	for _, a := range list {
		fmt.Println(a.Name, len(a.Posts), err)
	}
	bug, err := posts.Where("title", "=", "Bug").With(authorOf).First(ctx)
	fmt.Println(bug.Author.Name, err)
	n, err := postsOf.For(&list[0]).Where("title", "LIKE", "N%").Count(ctx)
	fmt.Println(n, err)
	// Output:
	// Ada 2 <nil>
	// Grace 1 <nil>
	// Edsger 0 <nil>
	// Grace <nil>
	// 1 <nil>
}

func ExampleShardBy() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	orders, err := dbfleet.NewModel[Order](registry, dbfleet.ModelConfig{
		Table: "orders",
		Shard: dbfleet.ShardBy("user_id", func(id int64) string { return fmt.Sprintf("orders_shard_%d", id%2+1) }),
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, user := range []int64{7, 8} {
		if err := orders.Create(ctx, &Order{UserID: user, Total: 10}); err != nil {
			log.Fatal(err)
		}
	}
	route, err := orders.Where("user_id", "=", 7).Route(ctx)
	fmt.Println(route, err)
	n, err := orders.Shard(8).Count(ctx)
	fmt.Println(n, err)
	_, err = orders.Get(ctx)
	fmt.Println(errors.Is(err, dbfleet.ErrMissingShardKey))
	// Output:
	// orders_shard_2 (primary; the shard of the key found in the conditions) <nil>
	// 1 <nil>
	// true
}

func ExampleRegistry_Transaction() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)
	err := registry.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
		// ctx carries the transaction: this runs inside.
		if _, err := accounts.Where("name", "=", "Ada").Delete(ctx); err != nil {
			return err
		}
		// A transaction inside is a savepoint: its failure undoes only itself.
		err := tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
			if _, err := accounts.Query().AllRows().Delete(ctx); err != nil {
				return err
			}
			return errors.New("not all of them")
		})
		fmt.Println(err)
		return nil
	})
	n, _ := accounts.Count(ctx)
	fmt.Println(n, err)

	err = registry.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
		if _, err := accounts.Query().AllRows().Delete(ctx); err != nil {
			return err
		}
		return errors.New("changed my mind")
	})
	n, _ = accounts.Count(ctx)
	fmt.Println(n, err)
	// Output:
	// not all of them
	// 2 <nil>
	// 2 changed my mind
}

func ExampleDB_Read() {
	registry, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{
		"analytics": {Driver: dbfleet.Postgres, Host: "db.example.com", Database: "events", Username: "app", ReadHosts: []string{"r1.example.com", "r2.example.com"}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer registry.Close()
	ctx := context.Background()
	events := registry.DB("analytics").Table("events")
	for range 2 {
		route, _ := events.Route(ctx) // in turn; it dials nothing
		fmt.Println(route.Role, route.Connection)
	}
	route, _ := events.Primary().Route(ctx)
	fmt.Println(route)
	_, err = registry.DB("analytics").Read().ExecContext(ctx, "DELETE FROM events") // a raw query would go to a replica
	fmt.Println(errors.Is(err, dbfleet.ErrReadHandle))
	// Output:
	// replica analytics
	// replica analytics
	// analytics (primary; named by the handle; the primary was asked for)
	// true
}

func ExampleRegistry_OnQuery() {
	registry, end := exampleFleet()
	defer end()
	accounts := exampleAccounts(registry)
	type depth struct{}
	registry.OnQuery(dbfleet.QueryHook{
		Before: func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
			fmt.Println("before", e.Op, e.Table)
			return context.WithValue(ctx, depth{}, "of the hook") // or with a span, or a deadline
		},
		After: func(ctx context.Context, e dbfleet.QueryEvent) {
			fmt.Println("after", e.Op, e.Rows, e.Class, ctx.Value(depth{}))
		},
	})
	_, _ = accounts.Find(context.Background(), 1)
	// Output:
	// before select accounts
	// after select 1  of the hook
}

func ExampleRegistry_OnAfterQuery() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)
	remove := registry.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
		fmt.Println(e.Op, e.Route.Node, e.Rows, e.Err, e.Args) // Args tell their number only
	})
	defer remove()
	_, _ = accounts.Find(ctx, 1)
	_, _ = accounts.Where("name", "=", "Ada").Delete(ctx)
	// Output:
	// select main 1 <nil> [1 argument]
	// delete main 1 <nil> [1 argument]
}

func ExampleLogQueries() {
	registry, end := exampleFleet()
	defer end()
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "duration" || a.Key == "sql" {
				return slog.Attr{}
			}
			return a
		},
	}))
	registry.DB("main").OnQuery(dbfleet.LogQueries(logger, dbfleet.LogOptions{Slow: time.Nanosecond, OnlySlow: true}))
	_, _ = registry.DB("main").Table("accounts").Where("email", "=", "secret@example.com").Exists(context.Background())
	// Output: level=WARN msg="slow query" connection=main node=main role=primary op=select rows=0 args=1
}

func ExampleRegistry_Health() {
	registry, end := exampleFleet()
	defer end()
	health := registry.Health(context.Background())
	main := health.Connections["main"]
	fmt.Println(health.Status, main.Driver, main.Nodes[0].Role, main.Nodes[0].Up)
	// Output: healthy sqlite primary true
}

func ExampleRegistry_Describe() {
	registry, end := exampleFleet()
	defer end()
	exampleAccounts(registry)
	for _, m := range registry.Describe() {
		fmt.Println(m.Model, m.Table, m.Connection, m.Driver, m.PrimaryKey)
	}
	// Output: dbfleet_test.Account accounts main sqlite [id]
}

func ExampleQueryError() {
	registry, end := exampleFleet()
	defer end()
	accounts := exampleAccounts(registry)
	err := accounts.Create(context.Background(), &Account{Name: "Ada", Email: "ada@example.com"})
	var failed *dbfleet.QueryError
	if errors.Is(err, dbfleet.ErrUnique) && errors.As(err, &failed) {
		fmt.Println(failed.Op, failed.Connection, failed.Role)
	}
	// Output: insert main primary
}

func ExampleJSON() {
	settings := dbfleet.JSONOf(map[string]int{"theme": 3})
	v, err := settings.Value()
	fmt.Println(v, err)
	var back dbfleet.JSON[map[string]int]
	fmt.Println(back.Scan(v), back.Valid, back.V["theme"])
	fmt.Println(back.Scan(nil), back.Valid)
	// Output:
	// {"theme":3} <nil>
	// <nil> true 3
	// <nil> false
}

func ExampleDate() {
	west := time.FixedZone("west", -8*60*60)
	d := dbfleet.DateOf(time.Date(2024, 2, 29, 23, 30, 0, 0, west))
	fmt.Println(d, d.Time(time.UTC).Weekday())
	// Output: 2024-02-29 Thursday
}

func ExampleEscapeLike() {
	registry, end := exampleFleet()
	defer end()
	accounts := exampleAccounts(registry)
	n, err := accounts.Where("name", "LIKE", "%"+dbfleet.EscapeLike("%")+"%").Count(context.Background())
	fmt.Println(n, err)
	// Output: 0 <nil>
}
