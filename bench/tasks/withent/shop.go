// Package withent does the twelve tasks of docs/tasks.md with ent: on the code in
// package ent, which it generates from package schema.
package withent

import (
	"context"
	"database/sql"
	"errors"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/dbfleet/dbfleet/bench/tasks/withent/ent"
	"github.com/dbfleet/dbfleet/bench/tasks/withent/ent/order"
	"github.com/dbfleet/dbfleet/bench/tasks/withent/ent/user"
)

// A Shop has two databases.
type Shop struct{ main, analytics *ent.Client }

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
	return &Shop{
		ent.NewClient(ent.Driver(entsql.OpenDB(dialect.SQLite, first))),
		ent.NewClient(ent.Driver(entsql.OpenDB(dialect.SQLite, second))),
	}, nil
}

// Close closes both databases.
func (s *Shop) Close() error { return errors.Join(s.main.Close(), s.analytics.Close()) }

// Note stores an event in the other database.
func (s *Shop) Note(ctx context.Context, kind string) error {
	return s.analytics.Event.Create().SetKind(kind).Exec(ctx)
}

// Create stores a user and returns him with his id.
func (s *Shop) Create(ctx context.Context, name, email string) (*ent.User, error) {
	return s.main.User.Create().SetName(name).SetEmail(email).Save(ctx)
}

// Find is the user of an id.
func (s *Shop) Find(ctx context.Context, id int64) (*ent.User, error) {
	return s.main.User.Get(ctx, id) // or ent.IsNotFound(err)
}

// List are the first users of at least a balance, by name.
func (s *Shop) List(ctx context.Context, balance int64, limit int) ([]*ent.User, error) {
	return s.main.User.Query().Where(user.BalanceGTE(balance)).Order(user.ByName()).Limit(limit).All(ctx)
}

// Rename updates one column.
func (s *Shop) Rename(ctx context.Context, id int64, name string) error {
	return s.main.User.Update().Where(user.ID(id)).SetName(name).Exec(ctx)
}

// Raise adds to a balance in the database.
func (s *Shop) Raise(ctx context.Context, id, amount int64) error {
	return s.main.User.Update().Where(user.ID(id)).AddBalance(amount).Exec(ctx)
}

// Upsert stores a user, or renames the one who has the address.
func (s *Shop) Upsert(ctx context.Context, name, email string) error {
	return s.main.User.Create().SetName(name).SetEmail(email).
		OnConflictColumns(user.FieldEmail).Update(func(u *ent.UserUpsert) { u.UpdateName() }).Exec(ctx)
}

// Bulk stores many orders, all or none.
func (s *Shop) Bulk(ctx context.Context, userID int64, totals []float64) error {
	return s.main.Order.MapCreateBulk(totals, func(o *ent.OrderCreate, i int) {
		o.SetUserID(userID).SetTotal(totals[i])
	}).Exec(ctx)
}

// ErrBalance says that a balance does not suffice.
var ErrBalance = errors.New("the balance does not suffice")

// Transfer moves an amount from one user to another: both updates or neither.
func (s *Shop) Transfer(ctx context.Context, from, to, amount int64) error {
	tx, err := s.main.Tx(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it has nothing to do
	taken, err := tx.User.Update().Where(user.ID(from), user.BalanceGTE(amount)).AddBalance(-amount).Save(ctx)
	if err != nil {
		return err
	}
	if taken == 0 {
		return ErrBalance
	}
	if err := tx.User.Update().Where(user.ID(to)).AddBalance(amount).Exec(ctx); err != nil {
		return err
	}
	return tx.Commit()
}

// WithOrders are all users, each with his orders.
func (s *Shop) WithOrders(ctx context.Context) ([]*ent.User, error) {
	return s.main.User.Query().WithOrders().Order(user.ByID()).All(ctx)
}

// Spending is what a user has spent.
type Spending struct {
	UserID int64 `json:"user_id"`
	Number int64
	Total  float64
}

// Spending counts and sums the orders of each user.
func (s *Shop) Spending(ctx context.Context) (list []Spending, err error) {
	err = s.main.Order.Query().Order(order.ByUserID()).GroupBy(order.FieldUserID).
		Aggregate(ent.As(ent.Count(), "number"), ent.As(ent.Sum(order.FieldTotal), "total")).Scan(ctx, &list)
	return list, err
}

// Largest is a user's largest order.
type Largest struct {
	UserID int64
	Total  float64
}

// Largest are the largest orders of the users, where above a total, by raw SQL.
func (s *Shop) Largest(ctx context.Context, above float64) (list []Largest, err error) {
	rows, err := s.main.QueryContext(ctx, `
		SELECT user_id, total FROM (
			SELECT user_id, total, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY total DESC) AS place FROM orders
		) AS ranked WHERE place = 1 AND total > ? ORDER BY user_id`, above)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var l Largest
		if err := rows.Scan(&l.UserID, &l.Total); err != nil {
			return nil, err
		}
		list = append(list, l)
	}
	return list, rows.Err()
}
