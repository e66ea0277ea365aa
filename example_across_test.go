package dbfleet_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/dbfleet/dbfleet"
)

// An account is archived, and its events are counted; if the second fails, the first is
// taken back.
func ExampleSaga() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	archived := dbfleet.MustModel[Account](registry, dbfleet.ModelConfig{Table: "accounts", Connection: "archive", Timestamps: true})

	saga, err := dbfleet.NewSaga(registry, dbfleet.SagaConfig{Name: "archive"},
		dbfleet.SagaStep[Account]{
			Name: "copy", Connection: "archive",
			Do: func(ctx context.Context, a *Account) error { return archived.Create(ctx, a) },
			Undo: func(ctx context.Context, a *Account) error {
				_, err := archived.Where("id", "=", a.ID).Delete(ctx) // also if somebody has deleted it
				return err
			},
		},
		dbfleet.SagaStep[Account]{
			Name: "note", Connection: "analytics",
			Do: func(ctx context.Context, a *Account) error {
				if a.Age < 18 {
					return errors.New("too young")
				}
				_, err := registry.DB("analytics").Table("events").Insert(ctx, dbfleet.Row{"kind": "archived", "account_id": a.ID})
				return err
			},
		})
	if err != nil {
		log.Fatal(err)
	}
	if err := saga.CreateTables(ctx); err != nil {
		log.Fatal(err)
	}

	ada, err := saga.Run(ctx, "request 1", Account{Name: "Ada", Email: "ada@example.org", Age: 36})
	fmt.Println(ada.Name, err)
	_, err = saga.Run(ctx, "request 2", Account{Name: "Tim", Email: "tim@example.org", Age: 9})
	fmt.Println(err)
	fmt.Println(archived.Count(ctx))
	// Output:
	// Ada <nil>
	// dbfleet: saga "archive", run "request 2", step "note": undone: too young
	// 1 <nil>
}

// What changes an account says so, in one transaction; another database hears of it.
func ExampleOutbox() {
	registry, end := exampleFleet()
	defer end()
	ctx := context.Background()
	outbox, err := dbfleet.NewOutbox(registry, dbfleet.OutboxConfig{})
	if err != nil {
		log.Fatal(err)
	}
	inbox, err := dbfleet.NewInbox(registry, dbfleet.InboxConfig{Connection: "analytics"})
	if err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(outbox.CreateTables(ctx), inbox.CreateTables(ctx)); err != nil {
		log.Fatal(err)
	}

	err = registry.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
		if _, err := registry.DB("main").Table("accounts").Where("name", "=", "Ada").Update(ctx, dbfleet.Row{"age": 37}); err != nil {
			return err
		}
		_, err := outbox.Add(ctx, dbfleet.Event{Topic: "birthday", Key: "Ada"})
		return err
	})
	fmt.Println(err)

	n, err := outbox.Deliver(ctx, inbox.Handler(func(ctx context.Context, e dbfleet.Event) error {
		_, err := registry.DB("analytics").Table("events").Insert(ctx, dbfleet.Row{"kind": e.Topic})
		return err
	}))
	fmt.Println(n, err)
	// Output:
	// <nil>
	// 1 <nil>
}
