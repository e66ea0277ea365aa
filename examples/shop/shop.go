package main

import (
	"context"
	"errors"
	"time"

	"github.com/dbfleet/dbfleet"
)

// Shop is what the shop does. It may be used by many goroutines: models, relations and
// columns are values that nothing changes.
type Shop struct {
	registry *dbfleet.Registry
	outbox   *dbfleet.Outbox // of store
	inbox    *dbfleet.Inbox  // of history

	users     *dbfleet.Model[User]
	products  *dbfleet.Model[Product]
	cartLines *dbfleet.Model[CartLine]
	likes     *dbfleet.Model[Like]
	orders    *dbfleet.Model[Order]
	lines     *dbfleet.Model[OrderLine]
	purchases *dbfleet.Model[Purchase]

	relations
	columns
}

// relations lead from one model to another, wherever the two live.
type relations struct {
	cartOf    dbfleet.ToManyPivot[User, Product, CartLine]
	likesOf   dbfleet.ToManyPivot[User, Product, Like]
	likedBy   dbfleet.ToManyPivot[Product, User, Like]
	ordersOf  dbfleet.ToMany[User, Order]
	linesOf   dbfleet.ToMany[Order, OrderLine]
	productOf dbfleet.ToOne[OrderLine, Product]
	userOf    dbfleet.ToOne[Order, User]
	soldOf    dbfleet.ToMany[Product, OrderLine]
}

// openShop makes models of the registry's databases, and the tables that are not there.
func openShop(ctx context.Context, registry *dbfleet.Registry) (*Shop, error) {
	s := &Shop{registry: registry}
	var errs [9]error
	s.users, errs[0] = dbfleet.NewModel[User](registry, dbfleet.ModelConfig{
		Table: "users", Connection: accounts, Timestamps: true, SoftDelete: "deleted_at", Fillable: []string{"name", "email"},
	})
	s.products, errs[1] = dbfleet.NewModel[Product](registry, dbfleet.ModelConfig{
		Table: "products", Connection: store, SoftDelete: "deleted_at", Version: "version",
	})
	s.cartLines, errs[2] = dbfleet.NewModel[CartLine](registry, dbfleet.ModelConfig{Table: "cart_lines", Connection: store})
	s.likes, errs[3] = dbfleet.NewModel[Like](registry, dbfleet.ModelConfig{
		Table: "likes", Connection: store, PrimaryKey: []string{"user_id", "product_id"},
	})
	s.orders, errs[4] = dbfleet.NewModel[Order](registry, dbfleet.ModelConfig{Table: "orders", Connection: store})
	s.lines, errs[5] = dbfleet.NewModel[OrderLine](registry, dbfleet.ModelConfig{Table: "order_lines", Connection: store})
	s.purchases, errs[6] = dbfleet.NewModel[Purchase](registry, dbfleet.ModelConfig{
		Table: "purchases", Connection: history, PrimaryKey: []string{"order_id"},
	})
	s.outbox, errs[7] = dbfleet.NewOutbox(registry, dbfleet.OutboxConfig{Connection: store})
	s.inbox, errs[8] = dbfleet.NewInbox(registry, dbfleet.InboxConfig{Connection: history})
	if err := errors.Join(errs[:]...); err != nil { // all faults at once
		return nil, err
	}
	s.relate()
	s.columns = s.columnsOf()
	return s, s.createTables(ctx)
}

// relate says how records belong together. Each side is read from its own database, by one
// statement for all records at hand, and never by a join.
func (s *Shop) relate() {
	s.cartOf = dbfleet.ManyToMany(s.users, s.products, s.cartLines, dbfleet.On("user_id"), dbfleet.On("product_id"),
		func(u *User) *[]Product { return &u.Cart }).
		KeepPivot(func(p *Product) **CartLine { return &p.InCart }). // for the quantity
		Scope(func(q *dbfleet.Query[Product]) *dbfleet.Query[Product] { return q.OrderBy("id", dbfleet.Asc) })
	s.likesOf = dbfleet.ManyToMany(s.users, s.products, s.likes, dbfleet.On("user_id"), dbfleet.On("product_id"),
		func(u *User) *[]Product { return &u.Likes })
	s.likedBy = dbfleet.ManyToMany(s.products, s.users, s.likes, dbfleet.On("product_id"), dbfleet.On("user_id"),
		func(*Product) *[]User { return new([]User) }) // only counted
	s.soldOf = dbfleet.HasMany(s.products, s.lines, dbfleet.On("product_id"),
		func(*Product) *[]OrderLine { return new([]OrderLine) })
	s.productOf = dbfleet.BelongsTo(s.lines, s.products, dbfleet.On("product_id"), func(l *OrderLine) **Product { return &l.Product }).
		Scope(func(q *dbfleet.Query[Product]) *dbfleet.Query[Product] { return q.WithDeleted() }) // an old order has them
	s.linesOf = dbfleet.HasMany(s.orders, s.lines, dbfleet.On("order_id"), func(o *Order) *[]OrderLine { return &o.Lines }).With(s.productOf)
	s.userOf = dbfleet.BelongsTo(s.orders, s.users, dbfleet.On("user_id"), func(o *Order) **User { return &o.User })
	s.ordersOf = dbfleet.HasMany(s.users, s.orders, dbfleet.On("user_id"), func(u *User) *[]Order { return &u.Orders }).
		Scope(func(q *dbfleet.Query[Order]) *dbfleet.Query[Order] { return q.OrderBy("id", dbfleet.Asc) })
}

// columns are columns with their types: stock.Gt("many") does not compile.
type columns struct {
	name     dbfleet.Col[string]
	stock    dbfleet.Col[int64]
	total    dbfleet.Col[int64]
	placedAt dbfleet.Col[time.Time]
	userID   dbfleet.Col[int64]
}

func (s *Shop) columnsOf() columns {
	return columns{
		name:     dbfleet.Field(s.products, func(p *Product) *string { return &p.Name }),
		stock:    dbfleet.Field(s.products, func(p *Product) *int64 { return &p.Stock }),
		total:    dbfleet.Field(s.orders, func(o *Order) *int64 { return &o.Total }),
		placedAt: dbfleet.Field(s.orders, func(o *Order) *time.Time { return &o.PlacedAt }),
		userID:   dbfleet.Field(s.orders, func(o *Order) *int64 { return &o.UserID }),
	}
}

// createTables makes what migrations would have made. The library knows each database's
// types; what it does not know of a table is said in SQL.
func (s *Shop) createTables(ctx context.Context) error {
	unique := func(columns string) dbfleet.CreateTableOptions {
		return dbfleet.CreateTableOptions{RawParts: []string{"UNIQUE (" + columns + ")"}}
	}
	email := unique("email")
	email.RawTypes = map[string]string{"email": "VARCHAR(200) NOT NULL"}
	return errors.Join(
		dbfleet.CreateTable(ctx, s.users, email),
		dbfleet.CreateTable(ctx, s.products),
		dbfleet.CreateTable(ctx, s.cartLines, unique("user_id, product_id")),
		dbfleet.CreateTable(ctx, s.likes), // its primary key is what Attach and Toggle need
		dbfleet.CreateTable(ctx, s.orders),
		dbfleet.CreateTable(ctx, s.lines),
		dbfleet.CreateTable(ctx, s.purchases),
		s.outbox.CreateTables(ctx),
		s.inbox.CreateTables(ctx),
	)
}
