package main

import (
	"context"
	"errors"

	"github.com/dbfleet/dbfleet"
)

// shop is the tour. Each step tells what it is about, and before a call the line
// that makes it; the hook prints what came of it.
type shop struct {
	registry *dbfleet.Registry
	users    *dbfleet.Model[User]
	orders   *dbfleet.Model[Order]
	ordersOf dbfleet.Relation[User]
	out      *printer
}

func newShop(registry *dbfleet.Registry, out *printer) (*shop, error) {
	users, err := dbfleet.NewModel[User](registry, dbfleet.ModelConfig{
		Table: "users", Connection: "users_db", Fillable: []string{"name", "email"}, Timestamps: true,
	})
	if err != nil {
		return nil, err
	}
	orders, err := dbfleet.NewModel[Order](registry, dbfleet.ModelConfig{
		Table: "orders", Shard: dbfleet.ShardBy("user_id", shardOf),
	})
	if err != nil {
		return nil, err
	}
	ordersOf := dbfleet.HasMany(users, orders, dbfleet.On("user_id"), func(u *User) *[]Order { return &u.Orders })
	return &shop{registry, users, orders, ordersOf, out}, nil
}

func (s *shop) models(ctx context.Context) error {
	s.out.step("A model stores records. Ids and times are filled in.")
	ada := User{Name: "Ada", Email: "ada@example.com", IsAdmin: true}
	s.out.call(`users.Create(ctx, &ada)`)
	if err := s.users.Create(ctx, &ada); err != nil {
		return err
	}
	s.out.result("ada.ID is %d", ada.ID)

	others := []User{{Name: "Grace", Email: "grace@example.com"}, {Name: "Edsger", Email: "edsger@example.com"}}
	s.out.call(`users.CreateMany(ctx, others)`)
	return s.users.CreateMany(ctx, others)
}

func (s *shop) queries(ctx context.Context) error {
	s.out.step("A query is a value: each method returns a new one, so it may be kept and branched.")
	admins := s.users.Where("is_admin", "=", true)
	s.out.call(`admins.OrderBy("name", dbfleet.Asc).Limit(10).Get(ctx)`)
	list, err := admins.OrderBy("name", dbfleet.Asc).Limit(10).Get(ctx)
	if err != nil {
		return err
	}
	s.out.result("%d admin: %s", len(list), list[0].Name)

	s.out.call(`admins.Where("name", "LIKE", "A%").Update(ctx, dbfleet.Row{"name": "Ada Lovelace"})`)
	n, err := admins.Where("name", "LIKE", "A%").Update(ctx, dbfleet.Row{"name": "Ada Lovelace"})
	if err != nil {
		return err
	}
	s.out.result("%d row", n)
	return nil
}

func (s *shop) sharding(ctx context.Context) error {
	s.out.step("Orders live on the shard of their user: the key is found in the record, or in the condition.")
	s.out.call(`orders.Create(ctx, &Order{UserID: 1, Total: 10.5})`)
	if err := s.orders.Create(ctx, &Order{UserID: 1, Total: 10.5}); err != nil {
		return err
	}
	s.out.call(`orders.Create(ctx, &Order{UserID: 2, Total: 30})`)
	if err := s.orders.Create(ctx, &Order{UserID: 2, Total: 30}); err != nil {
		return err
	}
	s.out.call(`orders.Where("user_id", "=", 2).Sum(ctx, "total")`)
	sum, err := s.orders.Where("user_id", "=", 2).Sum(ctx, "total")
	if err != nil {
		return err
	}
	s.out.result("%.2f", sum)

	s.out.step("A relation crosses databases: one statement for users, one for each shard of orders.")
	s.out.call(`users.With(ordersOf).OrderBy("id", dbfleet.Asc).Limit(2).Get(ctx)`)
	list, err := s.users.With(s.ordersOf).OrderBy("id", dbfleet.Asc).Limit(2).Get(ctx)
	if err != nil {
		return err
	}
	for _, u := range list {
		s.out.result("%s has %d order of %.2f", u.Name, len(u.Orders), u.Orders[0].Total)
	}
	return nil
}

func (s *shop) replicas(ctx context.Context) error {
	s.out.step("Reads go to the replicas in turn. Who must see what was just written asks the primary.")
	events := s.registry.DB("analytics").Table("events")
	for range 2 {
		s.out.call(`events.Where("kind", "=", "login").Count(ctx)`)
		if _, err := events.Where("kind", "=", "login").Count(ctx); err != nil {
			return err
		}
	}
	s.out.call(`events.Where("kind", "=", "login").Primary().Count(ctx)`)
	_, err := events.Where("kind", "=", "login").Primary().Count(ctx)
	return err
}

func (s *shop) rawSQL(ctx context.Context) error {
	type report struct {
		Kind   string
		Number int64
	}
	s.out.step("SQL of your own, into a struct. On DB it goes to the primary, on its Read() to a replica.")
	analytics := s.registry.DB("analytics").Read()
	s.out.call(`dbfleet.Select[report](ctx, analytics, "SELECT kind, COUNT(*) AS number FROM events GROUP BY kind")`)
	list, err := dbfleet.Select[report](ctx, analytics, "SELECT kind, COUNT(*) AS number FROM events GROUP BY kind")
	if err != nil {
		return err
	}
	s.out.result("%+v", list)
	return nil
}

func (s *shop) transaction(ctx context.Context) error {
	s.out.step("A transaction is carried by the context. One that fails changes nothing.")
	s.out.call(`registry.Transaction(ctx, "users_db", func(ctx context.Context, tx *dbfleet.Tx) error {`)
	err := s.registry.Transaction(ctx, "users_db", func(ctx context.Context, _ *dbfleet.Tx) error {
		s.out.call(`users.Where("id", "=", 1).Update(ctx, dbfleet.Row{"name": "Nobody"})`)
		if _, err := s.users.Where("id", "=", 1).Update(ctx, dbfleet.Row{"name": "Nobody"}); err != nil {
			return err
		}
		s.out.call(`return errors.New("changed my mind")`)
		return errors.New("changed my mind")
	})
	s.out.failure(err)
	s.out.call(`users.Find(ctx, 1)`)
	ada, err := s.users.Find(ctx, 1)
	if err != nil {
		return err
	}
	s.out.result("she is still %s", ada.Name)
	return nil
}

func (s *shop) mistakes(ctx context.Context) error {
	s.out.step("A mistake is refused before anything is sent, and its error says what would be right.")
	s.out.call(`users.Where("nmae", "=", "Ada").Get(ctx)`)
	_, err := s.users.Where("nmae", "=", "Ada").Get(ctx)
	s.out.failure(err)
	s.out.call(`users.Query().Delete(ctx)`)
	_, err = s.users.Query().Delete(ctx)
	s.out.failure(err)
	s.out.call(`orders.Get(ctx)`)
	_, err = s.orders.Get(ctx)
	s.out.failure(err)
	return nil
}

func (s *shop) figures(ctx context.Context) error {
	s.out.step("Each server has a pool of its own, with figures, and a state.")
	s.out.call(`registry.Stats()`)
	s.out.pools(s.registry.Stats())
	s.out.call(`registry.Health(ctx)`)
	s.out.result("%s", s.registry.Health(ctx).Status)
	return nil
}
