package dbfleet_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dbfleet/dbfleet"
)

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

func ExampleUnknownColumnError() {
	registry, end := exampleFleet()
	defer end()
	accounts := exampleAccounts(registry)
	_, err := accounts.Where("agee", ">", 18).Get(context.Background())
	var unknown *dbfleet.UnknownColumnError
	fmt.Println(errors.As(err, &unknown), unknown.Column, unknown.Known)
	// Output: true agee [id name email is_admin age created_at updated_at]
}
