// Package withbun does the twelve tasks of docs/tasks.md with Bun.
package withbun

import (
	"context"
	"database/sql"
	"errors"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// A User is a row of users.
type User struct {
	ID          int64 `bun:",pk,autoincrement"`
	Name, Email string
	Balance     int64
	Orders      []Order `bun:"rel:has-many,join:id=user_id"` // read by a relation
}

// An Order is a row of orders.
type Order struct {
	ID     int64 `bun:",pk,autoincrement"`
	UserID int64
	Total  float64
}

// An Event is a row of events, in the other database.
type Event struct {
	ID   int64 `bun:",pk,autoincrement"`
	Kind string
}

// A Shop has two databases.
type Shop struct{ main, analytics *bun.DB }

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
	return &Shop{bun.NewDB(first, sqlitedialect.New()), bun.NewDB(second, sqlitedialect.New())}, nil
}

// Close closes both databases.
func (s *Shop) Close() error { return errors.Join(s.main.Close(), s.analytics.Close()) }

// Note stores an event in the other database.
func (s *Shop) Note(ctx context.Context, kind string) error {
	_, err := s.analytics.NewInsert().Model(&Event{Kind: kind}).Exec(ctx)
	return err
}

// Create stores a user and returns him with his id.
func (s *Shop) Create(ctx context.Context, name, email string) (User, error) {
	user := User{Name: name, Email: email}
	_, err := s.main.NewInsert().Model(&user).Exec(ctx)
	return user, err
}

// Find is the user of an id.
func (s *Shop) Find(ctx context.Context, id int64) (user User, err error) {
	err = s.main.NewSelect().Model(&user).Where("id = ?", id).Scan(ctx) // or sql.ErrNoRows
	return user, err
}

// List are the first users of at least a balance, by name.
func (s *Shop) List(ctx context.Context, balance int64, limit int) (users []User, err error) {
	err = s.main.NewSelect().Model(&users).Where("balance >= ?", balance).Order("name").Limit(int64(limit)).Scan(ctx)
	return users, err
}

// Rename updates one column.
func (s *Shop) Rename(ctx context.Context, id int64, name string) error {
	_, err := s.main.NewUpdate().Model((*User)(nil)).Set("name = ?", name).Where("id = ?", id).Exec(ctx)
	return err
}

// Raise adds to a balance in the database.
func (s *Shop) Raise(ctx context.Context, id, amount int64) error {
	_, err := s.main.NewUpdate().Model((*User)(nil)).Set("balance = balance + ?", amount).Where("id = ?", id).Exec(ctx)
	return err
}

// Upsert stores a user, or renames the one who has the address.
func (s *Shop) Upsert(ctx context.Context, name, email string) error {
	user := User{Name: name, Email: email}
	_, err := s.main.NewInsert().Model(&user).On("CONFLICT (email) DO UPDATE").Set("name = EXCLUDED.name").Exec(ctx)
	return err
}

// Bulk stores many orders, all or none.
func (s *Shop) Bulk(ctx context.Context, userID int64, totals []float64) error {
	orders := make([]Order, len(totals))
	for i, total := range totals {
		orders[i] = Order{UserID: userID, Total: total}
	}
	_, err := s.main.NewInsert().Model(&orders).Exec(ctx) // one statement
	return err
}

// ErrBalance says that a balance does not suffice.
var ErrBalance = errors.New("the balance does not suffice")

// Transfer moves an amount from one user to another: both updates or neither.
func (s *Shop) Transfer(ctx context.Context, from, to, amount int64) error {
	return s.main.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewUpdate().Model((*User)(nil)).Set("balance = balance - ?", amount).
			Where("id = ?", from).Where("balance >= ?", amount).Exec(ctx)
		if err != nil {
			return err
		}
		if taken, err := res.RowsAffected(); err != nil {
			return err
		} else if taken == 0 {
			return ErrBalance
		}
		_, err = tx.NewUpdate().Model((*User)(nil)).Set("balance = balance + ?", amount).Where("id = ?", to).Exec(ctx)
		return err
	})
}

// WithOrders are all users, each with his orders.
func (s *Shop) WithOrders(ctx context.Context) (users []User, err error) {
	err = s.main.NewSelect().Model(&users).Relation("Orders").Order("id").Scan(ctx)
	return users, err
}

// Spending is what a user has spent.
type Spending struct {
	UserID, Number int64
	Total          float64
}

// Spending counts and sums the orders of each user.
func (s *Shop) Spending(ctx context.Context) (list []Spending, err error) {
	err = s.main.NewSelect().Model((*Order)(nil)).Column("user_id").
		ColumnExpr("COUNT(*) AS number").ColumnExpr("SUM(total) AS total").
		Group("user_id").Order("user_id").Scan(ctx, &list)
	return list, err
}

// Largest is a user's largest order.
type Largest struct {
	UserID int64
	Total  float64
}

// Largest are the largest orders of the users, where above a total, by raw SQL.
func (s *Shop) Largest(ctx context.Context, above float64) (list []Largest, err error) {
	err = s.main.NewRaw(`
		SELECT user_id, total FROM (
			SELECT user_id, total, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY total DESC) AS place FROM orders
		) AS ranked WHERE place = 1 AND total > ? ORDER BY user_id`, above).Scan(ctx, &list)
	return list, err
}
