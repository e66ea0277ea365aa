package dbfleet_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dbfleet/dbfleet"
)

// Several columns tie the lines of an order to it: numbers are a shop's own.
func ExampleLink_And() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	for _, sql := range []string{
		`CREATE TABLE tickets (shop_id INTEGER, number INTEGER, PRIMARY KEY (shop_id, number))`,
		`CREATE TABLE seats (id INTEGER PRIMARY KEY, shop_id INTEGER, ticket_number INTEGER, name TEXT)`,
		`INSERT INTO tickets VALUES (1, 1), (2, 1)`,
		`INSERT INTO seats (shop_id, ticket_number, name) VALUES (1, 1, 'A7'), (2, 1, 'C3'), (1, 1, 'A8')`,
	} {
		if _, err := registry.DB("main").ExecContext(ctx, sql); err != nil {
			log.Fatal(err)
		}
	}
	type Seat struct {
		ID, ShopID, TicketNumber int64
		Name                     string
	}
	type Ticket struct {
		ShopID, Number int64
		Seats          []Seat
	}
	tickets := dbfleet.MustModel[Ticket](registry, dbfleet.ModelConfig{Table: "tickets", PrimaryKey: []string{"shop_id", "number"}})
	seats := dbfleet.MustModel[Seat](registry, dbfleet.ModelConfig{Table: "seats"})

	seatsOf := dbfleet.HasMany(tickets, seats, dbfleet.On("shop_id").And("ticket_number"), func(t *Ticket) *[]Seat { return &t.Seats })
	list, err := tickets.With(seatsOf).OrderBy("shop_id", dbfleet.Asc).Get(ctx)
	for _, t := range list {
		fmt.Print(t.ShopID, t.Number, ":")
		for _, s := range t.Seats {
			fmt.Print(" ", s.Name)
		}
		fmt.Println()
	}
	fmt.Println(err)
	// Output:
	// 1 1: A7 A8
	// 2 1: C3
	// <nil>
}

// One's own SQL stands where a condition does, and where a value does.
func ExampleRaw() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)
	n, err := accounts.Filter(dbfleet.Raw("LENGTH(name) > ?", 3)).Count(ctx)
	fmt.Println(n, err)
	n, err = accounts.Where("id", "=", 1).Update(ctx, dbfleet.Row{"age": dbfleet.Raw("age + ?", 1)})
	fmt.Println(n, err)
	_, err = accounts.Where("id", "=", 1).Update(ctx, dbfleet.Row{"age": dbfleet.Col[int]("age").Gt(1)})
	fmt.Println(err)
	// Output:
	// 2 <nil>
	// 1 <nil>
	// dbfleet: table "accounts": column "age": a condition is no value; Raw and Expr are
}

func ExampleCol_StartsWith() {
	registry, end := exampleFleet()
	defer end()
	name := dbfleet.Col[string]("name")
	accounts := exampleAccounts(registry)
	n, err := accounts.Filter(dbfleet.Or(name.StartsWith("Grace"), name.Contains("%"))).Count(context.Background())
	fmt.Println(n, err) // a % in the text is a %
	// Output: 1 <nil>
}

func ExampleQuery_OrFilter() {
	registry, end := exampleFleet()
	defer end()
	age := dbfleet.Col[int]("age")
	accounts := exampleAccounts(registry)
	sql, _, err := accounts.Select("id").Where("name", "=", "Ada").OrWhereIn("id", []int{2, 3}).
		OrFilter(age.Gt(80), dbfleet.Col[bool]("is_admin").Eq(true)).SQL(context.Background())
	fmt.Println(sql, err)
	// Output: SELECT "id" FROM "accounts" WHERE "name" = ? OR "id" IN (?, ?) OR ("age" > ? AND "is_admin" = ?) <nil>
}

func ExampleModel_FindMany() {
	registry, end := exampleFleet()
	defer end()
	accounts := exampleAccounts(registry)
	found, err := accounts.FindMany(context.Background(), 3, 1, 99, 1)
	for _, a := range found {
		fmt.Print(a.ID, " ")
	}
	fmt.Println(err)
	// Output: 1 3 <nil>
}

func ExampleQuery_Insert() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	posts := registry.DB("analytics").Table("posts")
	res, err := posts.Insert(ctx,
		dbfleet.Row{"account_id": 1, "title": "Notes"},
		dbfleet.Row{"account_id": 2, "title": dbfleet.Raw("UPPER(?)", "compilers")})
	fmt.Println(res.RowsAffected, err)
	_, err = posts.Insert(ctx, dbfleet.Row{"account_id": 1, "title": "More"}, dbfleet.Row{"title": "Nobody's"})
	fmt.Println(err)
	// Output:
	// 2 <nil>
	// dbfleet: record 1: table "posts": the row lacks the column "account_id", which the first row has
}

func ExampleInsertReturning() {
	registry, end := exampleFleet()
	defer end()
	accounts := exampleAccounts(registry)
	made, err := dbfleet.InsertReturning(context.Background(), accounts.Query(),
		dbfleet.Row{"name": "Barbara", "email": "b@example.com", "age": 84, "is_admin": false},
		dbfleet.Row{"name": "Donald", "email": "d@example.com", "age": 84, "is_admin": true})
	for _, a := range made {
		fmt.Print(a.ID, a.Name, " ")
	}
	fmt.Println(err)
	// Output: 4Barbara 5Donald <nil>
}

func ExampleUpdateReturning() {
	registry, end := exampleFleet()
	defer end()
	accounts := exampleAccounts(registry)
	older, err := dbfleet.UpdateReturning(context.Background(), accounts.Where("id", "=", 1).Select("name", "age"),
		dbfleet.Row{"age": dbfleet.Raw("age + 1")})
	fmt.Println(older[0].Name, older[0].Age, err)
	// Output: Ada 37 <nil>
}

func ExampleDeleteReturning() {
	registry, end := exampleFleet()
	defer end()
	accounts := exampleAccounts(registry)
	gone, err := dbfleet.DeleteReturning(context.Background(), accounts.Where("id", "=", 2))
	fmt.Println(len(gone), gone[0].Email, err)
	_, err = dbfleet.DeleteReturning(context.Background(), accounts.Query())
	fmt.Println(err)
	// Output:
	// 1 grace@example.com <nil>
	// dbfleet: table "accounts": no condition; AllRows() lets the statement change every row
}

func ExampleQuery_WithCTE() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts := exampleAccounts(registry)
	admins := dbfleet.CTE{Name: "admins", Query: accounts.Where("is_admin", "=", true).Select("id", "age")}
	type summary struct{ N, Oldest int64 }
	row, err := dbfleet.Table[summary](registry.DB("main"), "admins").WithCTE(admins).
		SelectRaw("COUNT(*) AS n, MAX(age) AS oldest").First(ctx)
	fmt.Println(row.N > 0, row.Oldest, err)
	// Output: true 85 <nil>
}
