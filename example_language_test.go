package dbfleet_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dbfleet/dbfleet"
)

// Columns that are named once, by the fields of the struct.
func ExampleField() {
	registry, end := exampleFleet()
	defer end()
	accounts := exampleAccounts(registry)
	ctx := context.Background()

	name := dbfleet.Field(accounts, func(a *Account) *string { return &a.Name })
	age := dbfleet.Field(accounts, func(a *Account) *int { return &a.Age })

	list, err := accounts.Filter(age.Gt(40), name.Contains("r")).OrderWith(age.Desc(), name.Asc()).Get(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range list {
		fmt.Println(a.Name, a.Age)
	}
	n, err := accounts.Filter(name.Eq("Ada")).Update(ctx, map[string]any{age.Name(): age.Plus(1)})
	fmt.Println(n, err)
	// Output:
	// Grace 85
	// Edsger 72
	// 1 <nil>
}

// A value for each row, by conditions, which groups and counts.
func ExampleCase() {
	registry, end := exampleFleet()
	defer end()
	accounts := exampleAccounts(registry)
	ctx := context.Background()

	age := dbfleet.Field(accounts, func(a *Account) *int { return &a.Age })
	admin := dbfleet.Field(accounts, func(a *Account) *bool { return &a.IsAdmin })

	type group struct {
		Era            string
		People, Admins int
		Oldest         int
	}
	era := dbfleet.Case[string]().When(age.Lt(50), "young").Else("old")
	groups, err := dbfleet.Into[group](accounts.Query().
		SelectValue(era, "era").
		SelectValue(dbfleet.CountRows(), "people").
		SelectValue(dbfleet.CountRows().Where(admin.Eq(true)), "admins").
		SelectValue(dbfleet.MaxOf(age), "oldest").
		GroupBy("era").OrderBy("era", dbfleet.Asc)).Get(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, g := range groups {
		fmt.Println(g.Era, g.People, g.Admins, g.Oldest)
	}
	// Output:
	// old 2 1 85
	// young 1 1 36
}

// The oldest of each kind: a window numbers the rows, and From asks for the first of them.
func ExampleFrom() {
	registry, end := exampleFleet()
	defer end()
	accounts := exampleAccounts(registry)
	ctx := context.Background()

	age := dbfleet.Field(accounts, func(a *Account) *int { return &a.Age })
	admin := dbfleet.Field(accounts, func(a *Account) *bool { return &a.IsAdmin })

	ranked := accounts.Select("name").SelectValue(dbfleet.RowNumber().Over(dbfleet.Window{
		PartitionBy: []dbfleet.Term{admin}, OrderBy: []dbfleet.Order{age.Desc()},
	}), "place")
	names, err := dbfleet.Pluck[string](ctx, dbfleet.From(ranked, "ranked").Where("place", "=", 1).OrderBy("name", dbfleet.Asc), "name")
	fmt.Println(names, err)
	// Output:
	// [Edsger Grace] <nil>
}

// Rows that one statement of the database copies.
func ExampleInsertFrom() {
	registry, end := exampleFleet()
	defer end()
	accounts := exampleAccounts(registry)
	ctx := context.Background()
	email := dbfleet.Field(accounts, func(a *Account) *string { return &a.Email })

	n, err := dbfleet.InsertFrom(ctx, accounts, []string{"name", "email", "is_admin", "age"},
		accounts.Where("is_admin", "=", true).Select("name").SelectValue(dbfleet.Concat(dbfleet.Value("old-"), email), "copy").Select("is_admin", "age"))
	fmt.Println(n, err)
	emails, err := dbfleet.Pluck[string](ctx, accounts.Filter(email.StartsWith("old-")).OrderBy("email", dbfleet.Asc), "email")
	fmt.Println(emails, err)
	// Output:
	// 2 <nil>
	// [old-ada@example.com old-grace@example.com] <nil>
}
