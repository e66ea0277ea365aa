package dbfleet_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"

	"github.com/dbfleet/dbfleet"
)

func ExampleInto() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)

	type group struct {
		IsAdmin bool
		Number  int64
		Years   int64
		Oldest  int
	}
	list, err := dbfleet.Into[group](accounts.Where("age", ">", 18)).
		Select("is_admin").SelectCount("number").SelectSum("age", "years").SelectMax("age", "oldest").
		GroupBy("is_admin").OrderBy("is_admin", dbfleet.Asc).Get(ctx)
	fmt.Println(list, err)
	// Output: [{false 1 72 72} {true 2 121 85}] <nil>
}

func ExampleSelect() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	exampleAccounts(registry)

	type person struct {
		Name string
		Age  int
	}
	list, err := dbfleet.Select[person](ctx, registry.DB("main"), "SELECT name, age FROM accounts WHERE age > ? ORDER BY age", 50)
	fmt.Println(list, err)

	_, err = dbfleet.Select[person](ctx, registry.DB("main"), "SELECT name FROM accounts") // where is the age?
	fmt.Println(err != nil)
	// Output:
	// [{Edsger 72} {Grace 85}] <nil>
	// true
}

func ExampleSelectOne() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)
	oldest, err := dbfleet.SelectOne[int](ctx, accounts, "SELECT MAX(age) FROM accounts") // where the model lives
	fmt.Println(oldest, err)
	// Output: 85 <nil>
}

func ExampleSelectIter() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	exampleAccounts(registry)
	for name, err := range dbfleet.SelectIter[string](ctx, registry.DB("main"), "SELECT name FROM accounts ORDER BY name") {
		check(err)
		fmt.Println(name)
		if name == "Edsger" {
			break // the connection is given back
		}
	}
	// Output:
	// Ada
	// Edsger
}

func ExampleNamed() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	exampleAccounts(registry)
	names, err := dbfleet.Select[string](ctx, registry.DB("main"),
		"SELECT name FROM accounts WHERE age BETWEEN :low AND :low + 10 OR name IN (:names) ORDER BY name",
		dbfleet.Named("low", 30), dbfleet.Named("names", []string{"Grace", "Barbara"}))
	fmt.Println(names, err)
	// Output: [Ada Grace] <nil>
}

func ExampleModel_CreateMany() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)
	more := []Account{{Name: "Barbara", Email: "barbara@example.com"}, {Name: "Frances", Email: "frances@example.com"}}
	err := accounts.CreateMany(ctx, more) // all or none
	fmt.Println(more[0].ID, more[1].ID, err)
	// Output: 4 5 <nil>
}

func ExampleModel_Load() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	posts, err := dbfleet.NewModel[Post](registry, dbfleet.ModelConfig{Table: "posts", Connection: "analytics"})
	check(err)
	rows := slices.Values([]Post{{AccountID: 1, Title: "Notes"}, {AccountID: 2, Title: "Bug"}}) // any iterator
	n, err := posts.Load(ctx, rows)
	fmt.Println(n, err)
	// Output: 2 <nil>
}

func ExampleBelongsTo() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)
	posts, err := dbfleet.NewModel[Post](registry, dbfleet.ModelConfig{Table: "posts", Connection: "analytics"})
	check(err)
	check(posts.Create(ctx, &Post{AccountID: 2, Title: "Bug"}))

	authorOf := dbfleet.BelongsTo(posts, accounts, dbfleet.On("account_id"), func(p *Post) **Account { return &p.Author })
	bug, err := posts.Query().With(authorOf).First(ctx)
	fmt.Println(bug.Title, bug.Author.Name, err)
	// Output: Bug Grace <nil>
}

func ExampleReadPrimary() {
	registry, end := exampleFleet()
	defer end()
	accounts := exampleAccounts(registry)
	ctx := dbfleet.ReadPrimary(context.Background()) // of a request that must see what it wrote
	n, err := accounts.Count(ctx)
	fmt.Println(n, err)
	// Output: 3 <nil>
}

func ExampleDB_Conn() {
	registry, end := exampleFleet()
	defer end()
	err := registry.DB("main").Conn(context.Background(), func(ctx context.Context, c *dbfleet.Conn) error {
		// One connection, which keeps what is set on it.
		if _, err := c.ExecContext(ctx, "CREATE TEMPORARY TABLE chosen (id INTEGER)"); err != nil {
			return err
		}
		if _, err := c.ExecContext(ctx, "INSERT INTO chosen VALUES (1), (3)"); err != nil {
			return err
		}
		var n int
		err := c.QueryRowContext(ctx, "SELECT COUNT(*) FROM chosen").Scan(&n)
		fmt.Println(n)
		return err
	})
	fmt.Println(err)
	// Output:
	// 2
	// <nil>
}

func ExampleRegistry_HealthHandler() {
	registry, end := exampleFleet()
	defer end()
	handler := registry.HealthHandler(dbfleet.HealthOptions{Required: []string{"main"}})
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest("GET", "/healthz", nil))
	fmt.Println(answer.Code)
	// Output: 200
}

func ExampleSecret() {
	config := dbfleet.ConnectionConfig{Driver: dbfleet.MySQL, Host: "db1", Database: "users", Username: "app", Password: "xyzzy"}
	fmt.Println(config.Password, string(config.Password))
	// Output: [redacted] xyzzy
}
