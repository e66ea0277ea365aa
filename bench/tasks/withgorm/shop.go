// Package withgorm does the twelve tasks of docs/tasks.md with GORM, by its
// interface of generics.
package withgorm

import (
	"context"
	"errors"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
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

// An Event is a row of events, in the other database.
type Event struct {
	ID   int64
	Kind string
}

// A Shop has two databases.
type Shop struct{ main, analytics *gorm.DB }

// Open opens both databases.
func Open(main, analytics string) (*Shop, error) {
	config := &gorm.Config{TranslateError: true}
	first, err := gorm.Open(sqlite.Dialector{DriverName: "sqlite", DSN: main}, config)
	if err != nil {
		return nil, err
	}
	second, err := gorm.Open(sqlite.Dialector{DriverName: "sqlite", DSN: analytics}, config)
	if err != nil {
		return nil, errors.Join(err, closePool(first))
	}
	return &Shop{first, second}, nil
}

// Close closes both databases.
func (s *Shop) Close() error {
	return errors.Join(closePool(s.main), closePool(s.analytics))
}

func closePool(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// Note stores an event in the other database.
func (s *Shop) Note(ctx context.Context, kind string) error {
	return gorm.G[Event](s.analytics).Create(ctx, &Event{Kind: kind})
}

// Create stores a user and returns him with his id.
func (s *Shop) Create(ctx context.Context, name, email string) (User, error) {
	user := User{Name: name, Email: email}
	err := gorm.G[User](s.main).Create(ctx, &user)
	return user, err
}

// Find is the user of an id.
func (s *Shop) Find(ctx context.Context, id int64) (User, error) {
	return gorm.G[User](s.main).Where("id = ?", id).First(ctx) // or gorm.ErrRecordNotFound
}

// List are the first users of at least a balance, by name.
func (s *Shop) List(ctx context.Context, balance int64, limit int) ([]User, error) {
	return gorm.G[User](s.main).Where("balance >= ?", balance).Order("name").Limit(limit).Find(ctx)
}

// Rename updates one column.
func (s *Shop) Rename(ctx context.Context, id int64, name string) error {
	_, err := gorm.G[User](s.main).Where("id = ?", id).Update(ctx, "name", name)
	return err
}

// Raise adds to a balance in the database.
func (s *Shop) Raise(ctx context.Context, id, amount int64) error {
	_, err := gorm.G[User](s.main).Where("id = ?", id).Update(ctx, "balance", gorm.Expr("balance + ?", amount))
	return err
}

// Upsert stores a user, or renames the one who has the address.
func (s *Shop) Upsert(ctx context.Context, name, email string) error {
	user := User{Name: name, Email: email}
	return gorm.G[User](s.main, clause.OnConflict{
		Columns: []clause.Column{{Name: "email"}}, DoUpdates: clause.AssignmentColumns([]string{"name"}),
	}).Create(ctx, &user)
}

// Bulk stores many orders, all or none.
func (s *Shop) Bulk(ctx context.Context, userID int64, totals []float64) error {
	orders := make([]Order, len(totals))
	for i, total := range totals {
		orders[i] = Order{UserID: userID, Total: total}
	}
	return gorm.G[Order](s.main).CreateInBatches(ctx, &orders, 1000)
}

// ErrBalance says that a balance does not suffice.
var ErrBalance = errors.New("the balance does not suffice")

// Transfer moves an amount from one user to another: both updates or neither.
func (s *Shop) Transfer(ctx context.Context, from, to, amount int64) error {
	return s.main.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		taken, err := gorm.G[User](tx).Where("id = ? AND balance >= ?", from, amount).
			Update(ctx, "balance", gorm.Expr("balance - ?", amount))
		if err != nil {
			return err
		}
		if taken == 0 {
			return ErrBalance
		}
		_, err = gorm.G[User](tx).Where("id = ?", to).Update(ctx, "balance", gorm.Expr("balance + ?", amount))
		return err
	})
}

// WithOrders are all users, each with his orders.
func (s *Shop) WithOrders(ctx context.Context) ([]User, error) {
	return gorm.G[User](s.main).Preload("Orders", nil).Order("id").Find(ctx)
}

// Spending is what a user has spent.
type Spending struct {
	UserID, Number int64
	Total          float64
}

// Spending counts and sums the orders of each user.
func (s *Shop) Spending(ctx context.Context) (list []Spending, err error) {
	err = gorm.G[Order](s.main).Select("user_id, COUNT(*) AS number, SUM(total) AS total").
		Group("user_id").Order("user_id").Scan(ctx, &list)
	return list, err
}

// Largest is a user's largest order.
type Largest struct {
	UserID int64
	Total  float64
}

// Largest are the largest orders of the users, where above a total, by raw SQL.
func (s *Shop) Largest(ctx context.Context, above float64) ([]Largest, error) {
	return gorm.G[Largest](s.main).Raw(`
		SELECT user_id, total FROM (
			SELECT user_id, total, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY total DESC) AS place FROM orders
		) AS ranked WHERE place = 1 AND total > ? ORDER BY user_id`, above).Find(ctx)
}
