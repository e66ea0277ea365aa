package dbfleet_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/dbfleet/dbfleet"
)

// What people do first. The README shows these, from the first empty line on.

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func Example_open() {
	secret := dbfleet.Secret("xyzzy")

	registry, err := dbfleet.Open(dbfleet.Config{
		Default: "main",
		Connections: map[string]dbfleet.ConnectionConfig{
			"main":      {Driver: dbfleet.SQLite, Database: "app.db"},
			"users_db":  {Driver: dbfleet.MySQL, Host: "db1", Database: "users", Username: "app", Password: secret},
			"analytics": {URL: "postgres://app@db2/events", ReadHosts: []string{"r1", "r2"}},
		},
	})
	check(err) // every fault of the configuration at once; nothing was dialled
	defer registry.Close()

	fmt.Println(registry.Names())
	// Output: [analytics main users_db]
}

func Example_model() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()

	type Account struct {
		ID                   int64
		Name, Email          string
		IsAdmin              bool
		Age                  int
		CreatedAt, UpdatedAt time.Time
	}
	accounts, err := dbfleet.NewModel[Account](registry, dbfleet.ModelConfig{
		Table: "accounts", Connection: "main", Timestamps: true,
	})
	check(err)

	ada := Account{Name: "Ada", Email: "ada@example.com", Age: 36}
	check(accounts.Create(ctx, &ada)) // fills in the id and the times
	ada.Age++
	check(accounts.Save(ctx, &ada))
	found, err := accounts.Find(ctx, ada.ID) // or ErrNotFound
	check(err)
	fmt.Println(found.Name, found.Age)
	// Output: Ada 37
}

func Example_query() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)

	admins := accounts.Where("is_admin", "=", true) // a value: kept, branched, shared
	list, err := admins.OrderBy("age", dbfleet.Desc).Limit(10).Get(ctx)
	check(err)
	young, err := admins.Where("age", "<", 50).Count(ctx)
	check(err)
	changed, err := admins.Where("name", "=", "Ada").Update(ctx, dbfleet.Row{"age": 37})
	check(err)
	fmt.Println(list[0].Name, young, changed)
	// Output: Grace 1 1
}

func Example_transaction() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)

	err := registry.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
		// ctx carries the transaction: what lives on "main" takes part.
		if _, err := accounts.Where("name", "=", "Ada").Increment(ctx, "age", 1); err != nil {
			return err
		}
		return errors.New("changed my mind") // rolls back
	})
	ada, _ := accounts.Where("name", "=", "Ada").First(ctx)
	fmt.Println(err, ada.Age)
	// Output: changed my mind 36
}

func Example_relation() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)
	posts, err := dbfleet.NewModel[Post](registry, dbfleet.ModelConfig{Table: "posts", Connection: "analytics"})
	check(err)
	check(posts.CreateMany(ctx, []Post{{AccountID: 1, Title: "Notes"}, {AccountID: 1, Title: "More"}}))

	postsOf := dbfleet.HasMany(accounts, posts, dbfleet.On("account_id"), func(a *Account) *[]Post { return &a.Posts })

	list, err := accounts.OrderBy("id", dbfleet.Asc).With(postsOf).Get(ctx) // the posts may be in another database
	check(err)
	last, err := postsOf.For(&list[0]).OrderBy("id", dbfleet.Desc).First(ctx)
	check(err)
	fmt.Println(list[0].Name, len(list[0].Posts), last.Title)
	// Output: Ada 2 More
}

func Example_rawSQL() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	exampleAccounts(registry)

	type Summary struct {
		IsAdmin bool
		Number  int
		Oldest  int
	}
	list, err := dbfleet.Select[Summary](ctx, registry.DB("main"),
		`SELECT is_admin, COUNT(*) AS number, MAX(age) AS oldest FROM accounts WHERE age > ? GROUP BY is_admin ORDER BY is_admin`, 18)
	check(err)
	oldest, err := dbfleet.SelectOne[int](ctx, registry.DB("main").Read(), `SELECT MAX(age) FROM accounts`)
	check(err)
	fmt.Println(list, oldest)
	// Output: [{false 1 72} {true 2 85}] 85
}
