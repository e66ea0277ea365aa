package dbfleet_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dbfleet/dbfleet"
)

// exampleRelation are accounts on "main" and their posts on "analytics".
func exampleRelation(ctx context.Context, registry *dbfleet.Registry) (*dbfleet.Model[Account], dbfleet.ToMany[Account, Post]) {
	accounts := exampleAccounts(registry)
	posts := dbfleet.MustModel[Post](registry, dbfleet.ModelConfig{Table: "posts", Connection: "analytics"})
	if err := posts.CreateMany(ctx, []Post{{AccountID: 1, Title: "Notes"}, {AccountID: 1, Title: "More"}, {AccountID: 2, Title: "Bug"}}); err != nil {
		log.Fatal(err)
	}
	return accounts, dbfleet.HasMany(accounts, posts, dbfleet.On("account_id"), func(a *Account) *[]Post { return &a.Posts })
}

func ExampleToMany_Has() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts, postsOf := exampleRelation(ctx, registry)

	title := dbfleet.Col[string]("title")
	writers, err := accounts.Filter(postsOf.Has(title.NotEq("Bug"))).Count(ctx)
	fmt.Println(writers, err)
	others, err := accounts.Filter(dbfleet.Or(postsOf.HasNone(), postsOf.HasAtLeast(2))).OrderBy("id", dbfleet.Asc).Get(ctx)
	for _, a := range others {
		fmt.Println(a.Name, err)
	}
	// Output:
	// 1 <nil>
	// Ada <nil>
	// Edsger <nil>
}

func ExampleCountRelated() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts, postsOf := exampleRelation(ctx, registry)

	numbers := map[int64]*int64{}
	number := dbfleet.CountRelated(postsOf, func(a *Account) *int64 { // usually a field with the tag db:"-"
		numbers[a.ID] = new(int64)
		return numbers[a.ID]
	})
	list, err := accounts.OrderBy("id", dbfleet.Asc).With(number).Get(ctx)
	for _, a := range list {
		fmt.Println(a.Name, *numbers[a.ID], err)
	}
	// Output:
	// Ada 2 <nil>
	// Grace 1 <nil>
	// Edsger 0 <nil>
}

func ExampleToMany_LoadInto() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	accounts, postsOf := exampleRelation(ctx, registry)

	list, err := accounts.OrderBy("id", dbfleet.Asc).Get(ctx)
	if err == nil {
		err = postsOf.Inverse(func(p *Post) **Account { return &p.Author }).LoadInto(ctx, list)
	}
	fmt.Println(len(list[0].Posts), list[0].Posts[0].Author == &list[0], err)
	// Output: 2 true <nil>
}

func ExampleWithN1Check() {
	registry, end := exampleFleet()
	defer end()
	accounts, postsOf := exampleRelation(context.Background(), registry)

	ctx := dbfleet.WithN1Check(context.Background(), func(r dbfleet.N1Report) {
		fmt.Println(r.Relation, "was read for", r.Parents, "parents")
	})
	list, err := accounts.Query().Get(ctx)
	for _, a := range list {
		if _, err := postsOf.For(&a).Get(ctx); err != nil { // With(postsOf) would ask once
			fmt.Println(err)
		}
	}
	fmt.Println(len(list), err)
	// Output:
	// posts of accounts by account_id was read for 3 parents
	// 3 <nil>
}
