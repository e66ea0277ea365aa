package dbfleet_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/dbfleet/dbfleet"
)

func ExampleSelect() {
	registry, end := exampleFleet()
	defer end()
	exampleAccounts(registry)
	ctx, db := context.Background(), registry.DB("main")

	type group struct {
		IsAdmin  bool
		N        int
		Youngest *int
	}
	groups, err := dbfleet.Select[group](ctx, db, `
		SELECT is_admin, COUNT(*) AS n, MIN(age) AS youngest
		FROM accounts WHERE age > ? GROUP BY is_admin ORDER BY n DESC`, 18)
	if err != nil {
		log.Fatal(err)
	}
	for _, g := range groups {
		fmt.Println(g.IsAdmin, g.N, *g.Youngest)
	}

	names, err := dbfleet.Select[string](ctx, db, "SELECT name FROM accounts ORDER BY age")
	fmt.Println(names, err)
	// Output:
	// true 2 36
	// false 1 72
	// [Ada Edsger Grace] <nil>
}

// Where a model is sharded, Shard names the database that is asked.
func ExampleSelect_shard() {
	registry, end := exampleFleet()
	defer end()
	orders, err := dbfleet.NewModel[Order](registry, dbfleet.ModelConfig{
		Table: "orders",
		Shard: dbfleet.ShardBy("user_id", func(id int64) string { return fmt.Sprintf("orders_shard_%d", id%2+1) }),
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := orders.Create(ctx, &Order{UserID: 7, Total: 12.5}); err != nil {
		log.Fatal(err)
	}
	totals, err := dbfleet.Select[float64](ctx, orders.Shard(7), "SELECT total FROM orders")
	fmt.Println(totals, err)

	_, err = dbfleet.Select[float64](ctx, orders, "SELECT total FROM orders")
	fmt.Println(errors.Is(err, dbfleet.ErrMissingShardKey))
	// Output:
	// [12.5] <nil>
	// true
}

func ExampleSelectOne() {
	registry, end := exampleFleet()
	defer end()
	exampleAccounts(registry)
	ctx, db := context.Background(), registry.DB("main")

	n, err := dbfleet.SelectOne[int64](ctx, db, "SELECT COUNT(*) FROM accounts")
	fmt.Println(n, err)
	_, err = dbfleet.SelectOne[string](ctx, db, "SELECT name FROM accounts WHERE age > 100")
	fmt.Println(err, errors.Is(err, dbfleet.ErrNotFound))
	_, err = dbfleet.SelectOne[string](ctx, db, "SELECT name FROM accounts")
	fmt.Println(errors.Is(err, dbfleet.ErrManyRows))
	// Output:
	// 3 <nil>
	// dbfleet: no row found: connection "main" true
	// true
}

func ExampleSelectIter() {
	registry, end := exampleFleet()
	defer end()
	exampleAccounts(registry)

	for row, err := range dbfleet.SelectIter[dbfleet.Row](context.Background(), registry.DB("main").Read(), "SELECT name, age FROM accounts ORDER BY id") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(row["name"], row["age"])
	}
	// Output:
	// Ada 36
	// Grace 85
	// Edsger 72
}

func ExampleNamed() {
	registry, end := exampleFleet()
	defer end()
	exampleAccounts(registry)

	names, err := dbfleet.Select[string](context.Background(), registry.DB("main"),
		"SELECT name FROM accounts WHERE id IN (:ids) AND (age < :age OR email = :email) ORDER BY name",
		dbfleet.Named("ids", []int64{1, 2, 3}), dbfleet.Named("age", 80), dbfleet.Named("email", "grace@example.com"))
	fmt.Println(names, err)
	// Output:
	// [Ada Edsger Grace] <nil>
}

func ExampleInto() {
	registry, end := exampleFleet()
	defer end()
	accounts := exampleAccounts(registry)
	ctx := context.Background()

	type contact struct{ Name, Email string }
	contacts, err := dbfleet.Into[contact](accounts.Where("is_admin", "=", true).OrderBy("name", dbfleet.Asc)).Get(ctx)
	fmt.Println(contacts, err)
	// Output:
	// [{Ada ada@example.com} {Grace grace@example.com}] <nil>
}

func ExampleQuery_SelectCount() {
	registry, end := exampleFleet()
	defer end()
	accounts := exampleAccounts(registry)

	type group struct {
		IsAdmin                  bool
		N, Sum, Oldest, Youngest int
		Mean                     float64
	}
	groups, err := dbfleet.Into[group](accounts.Select("is_admin").
		SelectCount("n").SelectSum("age", "sum").SelectAvg("age", "mean").SelectMax("age", "oldest").SelectMin("age", "youngest").
		GroupBy("is_admin").Having("n", ">", 1).OrderBy("sum", dbfleet.Desc)).Get(context.Background())
	fmt.Printf("%+v %v\n", groups, err)
	// Output:
	// [{IsAdmin:true N:2 Sum:121 Oldest:85 Youngest:36 Mean:60.5}] <nil>
}
