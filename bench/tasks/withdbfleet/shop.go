// Package withdbfleet does the twelve tasks of docs/tasks.md with dbfleet.
package withdbfleet

import (
	"context"
	"errors"

	"github.com/dbfleet/dbfleet"
)

// A User is a row of users.
type User struct {
	ID          int64
	Name, Email string
	Balance     int64
	Orders      []Order // read by a relation
}

// An Order is a row of orders.
type Order struct {
	ID, UserID int64
	Total      float64
}

// A Shop has two databases.
type Shop struct {
	registry *dbfleet.Registry
	users    *dbfleet.Model[User]
	orders   *dbfleet.Model[Order]
	ordersOf dbfleet.Relation[User]
}

// Open opens both databases.
func Open(main, analytics string) (*Shop, error) {
	registry, err := dbfleet.Open(dbfleet.Config{
		Default: "main",
		Connections: map[string]dbfleet.ConnectionConfig{
			"main":      {Driver: dbfleet.SQLite, Database: main},
			"analytics": {Driver: dbfleet.SQLite, Database: analytics},
		},
	})
	if err != nil {
		return nil, err
	}
	users, err := dbfleet.NewModel[User](registry, dbfleet.ModelConfig{Table: "users"})
	orders, err2 := dbfleet.NewModel[Order](registry, dbfleet.ModelConfig{Table: "orders"})
	if err := errors.Join(err, err2); err != nil {
		return nil, errors.Join(err, registry.Close())
	}
	ordersOf := dbfleet.HasMany(users, orders, dbfleet.On("user_id"), func(u *User) *[]Order { return &u.Orders })
	return &Shop{registry, users, orders, ordersOf}, nil
}

// Close closes both databases.
func (s *Shop) Close() error { return s.registry.Close() }

// Note stores an event in the other database.
func (s *Shop) Note(ctx context.Context, kind string) error {
	_, err := s.registry.DB("analytics").Table("events").Insert(ctx, dbfleet.Row{"kind": kind})
	return err
}

// Create stores a user and returns him with his id.
func (s *Shop) Create(ctx context.Context, name, email string) (User, error) {
	user := User{Name: name, Email: email}
	err := s.users.Create(ctx, &user)
	return user, err
}

// Find is the user of an id.
func (s *Shop) Find(ctx context.Context, id int64) (User, error) {
	return s.users.Find(ctx, id) // or ErrNotFound
}

// List are the first users of at least a balance, by name.
func (s *Shop) List(ctx context.Context, balance int64, limit int) ([]User, error) {
	return s.users.Where("balance", ">=", balance).OrderBy("name", dbfleet.Asc).Limit(limit).Get(ctx)
}

// Rename updates one column.
func (s *Shop) Rename(ctx context.Context, id int64, name string) error {
	_, err := s.users.Where("id", "=", id).Update(ctx, dbfleet.Row{"name": name})
	return err
}

// Raise adds to a balance in the database.
func (s *Shop) Raise(ctx context.Context, id, amount int64) error {
	_, err := s.users.Where("id", "=", id).Increment(ctx, "balance", amount)
	return err
}

// Upsert stores a user, or renames the one who has the address.
func (s *Shop) Upsert(ctx context.Context, name, email string) error {
	user := User{Name: name, Email: email}
	return s.users.Upsert(ctx, &user, dbfleet.Conflict{Key: []string{"email"}, Update: []string{"name"}})
}

// Bulk stores many orders, all or none.
func (s *Shop) Bulk(ctx context.Context, userID int64, totals []float64) error {
	orders := make([]Order, len(totals))
	for i, total := range totals {
		orders[i] = Order{UserID: userID, Total: total}
	}
	return s.orders.CreateMany(ctx, orders)
}

// ErrBalance says that a balance does not suffice.
var ErrBalance = errors.New("the balance does not suffice")

// Transfer moves an amount from one user to another: both updates or neither.
func (s *Shop) Transfer(ctx context.Context, from, to, amount int64) error {
	return s.registry.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
		taken, err := s.users.Where("id", "=", from).Where("balance", ">=", amount).Decrement(ctx, "balance", amount)
		if err != nil {
			return err
		}
		if taken == 0 {
			return ErrBalance
		}
		_, err = s.users.Where("id", "=", to).Increment(ctx, "balance", amount)
		return err
	})
}

// WithOrders are all users, each with his orders.
func (s *Shop) WithOrders(ctx context.Context) ([]User, error) {
	return s.users.With(s.ordersOf).OrderBy("id", dbfleet.Asc).Get(ctx)
}

// Spending is what a user has spent.
type Spending struct {
	UserID, Number int64
	Total          float64
}

// Spending counts and sums the orders of each user.
func (s *Shop) Spending(ctx context.Context) ([]Spending, error) {
	return dbfleet.Into[Spending](s.orders).Select("user_id").SelectCount("number").SelectSum("total", "total").
		GroupBy("user_id").OrderBy("user_id", dbfleet.Asc).Get(ctx)
}

// Largest is a user's largest order.
type Largest struct {
	UserID int64
	Total  float64
}

// Largest are the largest orders of the users, where above a total, by raw SQL.
func (s *Shop) Largest(ctx context.Context, above float64) ([]Largest, error) {
	return dbfleet.Select[Largest](ctx, s.registry.DB("main"), `
		SELECT user_id, total FROM (
			SELECT user_id, total, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY total DESC) AS place FROM orders
		) AS ranked WHERE place = 1 AND total > ? ORDER BY user_id`, above)
}
