// Package unittest is a part of a service, and how that is tested: on SQLite in
// memory, which takes a millisecond a test and shares nothing between tests; and, for
// what a database does once in a year, on a script in the place of one. What rests on
// the SQL of one database is tested on that database.
//
// The service gets its registry from outside; that is all that its tests need.
package unittest

import (
	"context"
	"errors"
	"time"

	"github.com/dbfleet/dbfleet"
)

// An Account is a row of accounts.
type Account struct {
	ID        int64
	Email     string
	Balance   int64
	CreatedAt time.Time
}

// What the callers of Accounts decide on.
var (
	ErrTaken       = errors.New("there is an account of that address")
	ErrUnavailable = errors.New("try again later")
)

// Accounts are the accounts of the service.
type Accounts struct {
	registry *dbfleet.Registry
	model    *dbfleet.Model[Account]
}

// NewAccounts works on the registry's default connection.
func NewAccounts(registry *dbfleet.Registry) (*Accounts, error) {
	model, err := dbfleet.NewModel[Account](registry, dbfleet.ModelConfig{Table: "accounts", Timestamps: true})
	if err != nil {
		return nil, err
	}
	return &Accounts{registry, model}, nil
}

// Register opens an account, or returns ErrTaken.
func (a *Accounts) Register(ctx context.Context, email string) (Account, error) {
	account := Account{Email: email}
	err := a.model.Create(ctx, &account)
	if errors.Is(err, dbfleet.ErrUnique) {
		err = ErrTaken
	}
	return account, err
}

// Balance is what an account has, or ErrUnavailable.
func (a *Accounts) Balance(ctx context.Context, id int64) (int64, error) {
	account, err := a.model.Find(ctx, id)
	if errors.Is(err, dbfleet.ErrConnection) {
		err = ErrUnavailable
	}
	return account.Balance, err
}

// Deposit adds to an account, in a transaction that is run again after a deadlock.
func (a *Accounts) Deposit(ctx context.Context, id, amount int64) error {
	return a.registry.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
		n, err := a.model.Where("id", "=", id).Increment(ctx, "balance", amount)
		if err == nil && n == 0 {
			err = dbfleet.ErrNotFound
		}
		return err
	}, dbfleet.TxOptions{Retries: 2})
}
