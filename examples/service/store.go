package main

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet"
)

// User lives in users_db, which has a replica.
type User struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	IsAdmin   bool      `json:"is_admin"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Order lives on the shard of its user. Its id is unique on that shard only.
type Order struct {
	ID          int64     `json:"id"`
	UserID      int64     `json:"user_id"`
	TotalAmount Cents     `json:"total_amount"`
	CreatedAt   time.Time `json:"created_at"`
}

// Event lives in analytics, like Purchase and Growth.
type Event struct {
	ID        int64                        `json:"id"`
	EventType string                       `json:"event_type"`
	UserID    int64                        `json:"user_id"`
	Data      dbfleet.JSON[map[string]any] `json:"data"`
	CreatedAt time.Time                    `json:"created_at"`
}

// Purchase is what analytics keeps of an order.
type Purchase struct {
	ID        int64
	UserID    int64
	Amount    Cents
	CreatedAt time.Time
}

// Growth counts the new users of a day (in UTC).
type Growth struct {
	Day      dbfleet.Date `json:"day"`
	NewUsers int64        `json:"new_users"`
}

// store knows which database holds what.
type store struct {
	registry  *dbfleet.Registry
	logger    *slog.Logger
	users     *dbfleet.Model[User]
	orders    *dbfleet.Model[Order]
	events    *dbfleet.Model[Event]
	purchases *dbfleet.Model[Purchase]
	growth    *dbfleet.Model[Growth]
}

// newStore makes the models. Every connection but the replica must be there.
func newStore(registry *dbfleet.Registry, logger *slog.Logger) (*store, error) {
	s := &store{registry: registry, logger: logger}
	for name := range tables() {
		if known := registry.Names(); !slices.Contains(known, name) {
			return nil, &dbfleet.UnknownConnectionError{Name: name, Known: known}
		}
	}
	var errs [5]error
	s.users, errs[0] = dbfleet.NewModel[User](registry, dbfleet.ModelConfig{
		Table: "users", Connection: usersDB, Timestamps: true,
	})
	s.orders, errs[1] = dbfleet.NewModel[Order](registry, dbfleet.ModelConfig{
		Table: "orders", Shard: dbfleet.ShardBy("user_id", shardOf), Timestamps: true,
	})
	s.events, errs[2] = dbfleet.NewModel[Event](registry, dbfleet.ModelConfig{
		Table: "events", Connection: analytics, Timestamps: true,
	})
	s.purchases, errs[3] = dbfleet.NewModel[Purchase](registry, dbfleet.ModelConfig{
		Table: "purchase_metrics", Connection: analytics, Timestamps: true,
	})
	s.growth, errs[4] = dbfleet.NewModel[Growth](registry, dbfleet.ModelConfig{
		Table: "user_growth", Connection: analytics, PrimaryKey: []string{"day"},
	})
	return s, errors.Join(errs[:]...)
}

// createUser creates the user in users_db, then notes that in analytics. The
// two databases commit by themselves: a user stays created when analytics is
// down, which noted tells.
func (s *store) createUser(ctx context.Context, name, email string) (user User, noted bool, err error) {
	user = User{Name: name, Email: email}
	if err := s.users.Create(ctx, &user); err != nil {
		return user, false, err
	}
	return user, s.note(ctx, "user_created", user.ID, map[string]any{"name": name}, s.countNewUser), nil
}

// createOrder creates the order on the shard of its user, then notes it in
// analytics. A user who does not exist is dbfleet.ErrNotFound.
func (s *store) createOrder(ctx context.Context, userID int64, amount Cents) (order Order, noted bool, err error) {
	if _, err := s.users.Primary().Find(ctx, userID); err != nil {
		return order, false, err
	}
	order = Order{UserID: userID, TotalAmount: amount}
	if err := s.orders.Create(ctx, &order); err != nil {
		return order, false, err
	}
	noted = s.note(ctx, "purchase", userID, map[string]any{"order_id": order.ID}, func(ctx context.Context) error {
		return s.purchases.Create(ctx, &Purchase{UserID: userID, Amount: amount})
	})
	return order, noted, nil
}

// note writes an event and its figures into analytics, both or none, and tells
// whether that went well.
func (s *store) note(ctx context.Context, kind string, userID int64, details map[string]any, figures func(context.Context) error) bool {
	err := s.registry.Transaction(ctx, analytics, func(ctx context.Context, _ *dbfleet.Tx) error {
		event := Event{EventType: kind, UserID: userID, Data: dbfleet.JSONOf(details)}
		if err := s.events.Create(ctx, &event); err != nil {
			return err
		}
		return figures(ctx)
	}, dbfleet.TxOptions{Retries: 5})
	if err != nil {
		s.logger.Error("not noted in analytics", "event_type", kind, "user_id", userID, "error", err)
	}
	return err == nil
}

// countNewUser makes sure that today has a row, and adds one in the database.
func (s *store) countNewUser(ctx context.Context) error {
	today := Growth{Day: dbfleet.DateOf(time.Now().UTC())}
	if err := s.growth.Upsert(ctx, &today, dbfleet.Conflict{DoNothing: true}); err != nil {
		return err
	}
	_, err := s.growth.Where("day", "=", today.Day).Increment(ctx, "new_users", 1)
	return err
}

// user reads a user, from a replica if users_db has any.
func (s *store) user(ctx context.Context, id int64) (User, error) { return s.users.Find(ctx, id) }

// userFromAnywhere asks the primary, and the connection "replica" if the primary
// cannot answer. source tells which of them did.
func (s *store) userFromAnywhere(ctx context.Context, id int64) (user User, source string, err error) {
	hurry, cancel := context.WithTimeout(ctx, requestTimeout/2)
	defer cancel()
	user, err = s.users.Primary().Find(hurry, id)
	if err == nil || !unavailable(err) || ctx.Err() != nil {
		return user, "primary", err
	}
	s.logger.Warn("primary failed, asking the replica", "error", err)
	user, fallbackErr := s.users.DB(replicaDB).Find(ctx, id)
	if fallbackErr != nil && !errors.Is(fallbackErr, dbfleet.ErrNotFound) {
		return user, "", errors.Join(err, fallbackErr)
	}
	return user, "replica", fallbackErr
}

// OrderStats sums up the orders of one user.
type OrderStats struct {
	UserID        int64      `json:"-"`
	TotalOrders   int64      `json:"total_orders"`
	TotalSpent    Cents      `json:"total_spent"`
	AvgOrderValue Cents      `json:"avg_order_value" db:"-"`
	AvgCents      float64    `json:"-"`
	LastOrderDate *time.Time `json:"last_order_date"`
}

// userWithStats reads a user from users_db and the figures from the shard of
// the user's orders.
func (s *store) userWithStats(ctx context.Context, id int64) (user User, stats OrderStats, err error) {
	if user, err = s.users.Find(ctx, id); err != nil {
		return user, stats, err
	}
	stats, err = dbfleet.Table[OrderStats](s.registry.DB(shardOf(id)), "orders").Select("user_id").
		SelectRaw("COUNT(*) AS total_orders").SelectRaw("SUM(total_amount) AS total_spent").
		SelectRaw("AVG(total_amount) AS avg_cents").SelectRaw("MAX(created_at) AS last_order_date").
		Where("user_id", "=", id).GroupBy("user_id").First(ctx)
	if errors.Is(err, dbfleet.ErrNotFound) {
		err = nil // no orders yet
	}
	stats.AvgOrderValue = Cents(math.Round(stats.AvgCents))
	return user, stats, err
}

// order reads one order of a user: the shard is found in the conditions.
func (s *store) order(ctx context.Context, userID, id int64) (Order, error) {
	return s.orders.Where("user_id", "=", userID).Find(ctx, id)
}

// PurchaseMetrics sums up purchases; the figures are null without any.
type PurchaseMetrics struct {
	TotalRevenue *Cents `json:"total_revenue"`
	UniqueBuyers int64  `json:"unique_buyers"`
	AvgPurchase  *Cents `json:"avg_purchase"`
}

// Dashboard is what GET /dashboard shows.
type Dashboard struct {
	UserGrowth      []Growth        `json:"user_growth"`
	PurchaseMetrics PurchaseMetrics `json:"purchase_metrics"`
	TopEvents       []dbfleet.Row   `json:"top_events"`
}

// dashboard asks analytics three things at once.
func (s *store) dashboard(ctx context.Context) (d Dashboard, err error) {
	now := time.Now()
	yesterday := now.Add(-24 * time.Hour)
	db := s.registry.DB(analytics)
	err = parallel(ctx,
		func(ctx context.Context) (err error) {
			month := dbfleet.DateOf(now.UTC().AddDate(0, 0, -30))
			d.UserGrowth, err = s.growth.Where("day", ">=", month).OrderBy("day", dbfleet.Desc).Get(ctx)
			return err
		},
		func(ctx context.Context) (err error) {
			d.PurchaseMetrics, err = dbfleet.Table[PurchaseMetrics](db, "purchase_metrics").
				SelectRaw("SUM(amount) AS total_revenue").SelectRaw("COUNT(DISTINCT user_id) AS unique_buyers").
				SelectRaw("ROUND(AVG(amount)) AS avg_purchase").WhereRaw("created_at >= ?", yesterday).First(ctx)
			return err
		},
		func(ctx context.Context) (err error) {
			d.TopEvents, err = db.Table("events").Select("event_type").SelectRaw("COUNT(*) AS n").
				Where("created_at", ">=", yesterday).GroupBy("event_type").
				OrderBy("n", dbfleet.Desc).OrderBy("event_type", dbfleet.Asc).Limit(10).Get(ctx)
			return err
		})
	return d, err
}

// maxHits is how much of each kind a search shows.
const maxHits = 10

// Hits is what a search has found.
type Hits struct {
	Users  []User  `json:"users"`
	Orders []Order `json:"orders"`
	Events []Event `json:"events"`
}

// search looks for text in users, in the numbers of orders ("id-user") on all
// shards, and in the types of events, all at once.
func (s *store) search(ctx context.Context, text string) (h Hits, err error) {
	pattern := "%" + dbfleet.EscapeLike(text) + "%"
	// Raw SQL names its own escape: MySQL would need two backslashes.
	number := "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(text) + "%"
	found := make([][]Order, shards)
	ask := []func(context.Context) error{
		func(ctx context.Context) (err error) {
			h.Users, err = s.users.Where("name", "ILIKE", pattern).OrderBy("id", dbfleet.Asc).Limit(maxHits).Get(ctx)
			return err
		},
		func(ctx context.Context) (err error) {
			h.Events, err = s.events.Where("event_type", "ILIKE", pattern).OrderBy("id", dbfleet.Asc).Limit(maxHits).Get(ctx)
			return err
		},
	}
	for i := range int64(shards) {
		ask = append(ask, func(ctx context.Context) (err error) {
			found[i], err = s.orders.DB(shardName(i)).Query().WhereRaw("CONCAT(id, '-', user_id) LIKE ? ESCAPE '!'", number).
				OrderBy("id", dbfleet.Asc).Limit(maxHits).Get(ctx)
			return err
		})
	}
	if err := parallel(ctx, ask...); err != nil {
		return Hits{}, err
	}
	h.Orders = []Order{}
	for _, orders := range found {
		h.Orders = append(h.Orders, orders[:min(len(orders), maxHits-len(h.Orders))]...)
	}
	return h, nil
}

// parallel runs all functions at once. The first error cancels the others and
// is returned when all have ended.
func parallel(ctx context.Context, functions ...func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, f := range functions {
		wg.Go(func() {
			if err := f(ctx); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
