// Package withsqlc does the twelve tasks of docs/tasks.md with sqlc: on the code
// in package store, which it generates from schema.sql and queries.sql.
package withsqlc

import (
	"context"
	"database/sql"
	"errors"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/dbfleet/dbfleet/bench/tasks/withsqlc/store"
)

// A Shop has two databases.
type Shop struct{ main, analytics *sql.DB }

// Open opens both databases.
func Open(main, analytics string) (*Shop, error) {
	first, err := sql.Open("sqlite", main)
	if err != nil {
		return nil, err
	}
	second, err := sql.Open("sqlite", analytics)
	if err != nil {
		return nil, errors.Join(err, first.Close())
	}
	return &Shop{first, second}, nil
}

// Close closes both databases.
func (s *Shop) Close() error { return errors.Join(s.main.Close(), s.analytics.Close()) }

// Note stores an event in the other database.
func (s *Shop) Note(ctx context.Context, kind string) error {
	return store.New(s.analytics).Note(ctx, kind)
}

// Create stores a user and returns him with his id.
func (s *Shop) Create(ctx context.Context, name, email string) (store.User, error) {
	return store.New(s.main).Create(ctx, store.CreateParams{Name: name, Email: email})
}

// Find is the user of an id.
func (s *Shop) Find(ctx context.Context, id int64) (store.User, error) {
	return store.New(s.main).Find(ctx, id) // or sql.ErrNoRows
}

// List are the first users of at least a balance, by name.
func (s *Shop) List(ctx context.Context, balance int64, limit int) ([]store.User, error) {
	return store.New(s.main).List(ctx, store.ListParams{Balance: balance, Limit: int64(limit)})
}

// Rename updates one column.
func (s *Shop) Rename(ctx context.Context, id int64, name string) error {
	return store.New(s.main).Rename(ctx, store.RenameParams{ID: id, Name: name})
}

// Raise adds to a balance in the database.
func (s *Shop) Raise(ctx context.Context, id, amount int64) error {
	return store.New(s.main).Raise(ctx, store.RaiseParams{ID: id, Amount: amount})
}

// Upsert stores a user, or renames the one who has the address.
func (s *Shop) Upsert(ctx context.Context, name, email string) error {
	return store.New(s.main).Upsert(ctx, store.UpsertParams{Name: name, Email: email})
}

// Bulk stores many orders, all or none.
func (s *Shop) Bulk(ctx context.Context, userID int64, totals []float64) error {
	tx, err := s.main.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	queries := store.New(tx)
	for _, total := range totals { // sqlc has :copyfrom for PostgreSQL with pgx and for MySQL
		if err := queries.AddOrder(ctx, store.AddOrderParams{UserID: userID, Total: total}); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// ErrBalance says that a balance does not suffice.
var ErrBalance = errors.New("the balance does not suffice")

// Transfer moves an amount from one user to another: both updates or neither.
func (s *Shop) Transfer(ctx context.Context, from, to, amount int64) error {
	tx, err := s.main.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	queries := store.New(tx)
	taken, err := queries.Take(ctx, store.TakeParams{ID: from, Amount: amount})
	if err != nil {
		return err
	}
	if taken == 0 {
		return ErrBalance
	}
	if err := queries.Raise(ctx, store.RaiseParams{ID: to, Amount: amount}); err != nil {
		return err
	}
	return tx.Commit()
}

// A UserWithOrders is a user with his orders.
type UserWithOrders struct {
	store.User
	Orders []store.Order
}

// WithOrders are all users, each with his orders.
func (s *Shop) WithOrders(ctx context.Context) ([]UserWithOrders, error) {
	queries := store.New(s.main)
	users, err := queries.Users(ctx)
	if err != nil {
		return nil, err
	}
	list, place, ids := make([]UserWithOrders, len(users)), map[int64]int{}, make([]int64, len(users))
	for i, u := range users {
		list[i].User, place[u.ID], ids[i] = u, i, u.ID
	}
	orders, err := queries.OrdersOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, o := range orders {
		i := place[o.UserID]
		list[i].Orders = append(list[i].Orders, o)
	}
	return list, nil
}

// Spending counts and sums the orders of each user.
func (s *Shop) Spending(ctx context.Context) ([]store.SpendingRow, error) {
	return store.New(s.main).Spending(ctx)
}

// Largest are the largest orders of the users, where above a total, by raw SQL.
func (s *Shop) Largest(ctx context.Context, above float64) ([]store.LargestRow, error) {
	return store.New(s.main).Largest(ctx, above)
}
