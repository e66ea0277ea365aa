package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dbfleet/dbfleet"
)

// User lives in users_db or in the archive. One who is moving is marked as deleted: users_db
// finds such a user no more, and keeps the id and the address from others.
type User struct {
	ID          int64
	Name, Email string
	DeletedAt   *time.Time `json:"-"`
}

// Order lives in orders_db.
type Order struct {
	ID                  int64
	UserID              int64
	ProductID, Quantity int64
}

// Snapshot is what analytics knows of a user.
type Snapshot struct {
	UserID      int64
	Name, Email string
	Changes     int64
	SyncedAt    time.Time
}

type shop struct {
	registry  *dbfleet.Registry
	users     *dbfleet.Model[User]
	orders    *dbfleet.Model[Order]
	snapshots *dbfleet.Model[Snapshot]

	signUps *dbfleet.Saga[signUp]
	moves   *dbfleet.Saga[User]
	outbox  *dbfleet.Outbox // of users_db
	inbox   *dbfleet.Inbox  // of analytics
}

func newShop(ctx context.Context, registry *dbfleet.Registry) (*shop, error) {
	s := &shop{registry: registry}
	var errs [7]error
	s.users, errs[0] = dbfleet.NewModel[User](registry, dbfleet.ModelConfig{Table: "users", Connection: usersDB, SoftDelete: "deleted_at"})
	s.orders, errs[1] = dbfleet.NewModel[Order](registry, dbfleet.ModelConfig{Table: "orders", Connection: ordersDB})
	s.snapshots, errs[2] = dbfleet.NewModel[Snapshot](registry, dbfleet.ModelConfig{
		Table: "user_snapshots", Connection: analytics, PrimaryKey: []string{"user_id"},
	})
	s.outbox, errs[3] = dbfleet.NewOutbox(registry, dbfleet.OutboxConfig{Connection: usersDB})
	s.inbox, errs[4] = dbfleet.NewInbox(registry, dbfleet.InboxConfig{Connection: analytics})
	s.signUps, errs[5] = dbfleet.NewSaga(registry, dbfleet.SagaConfig{Name: "sign up", Connection: usersDB},
		dbfleet.SagaStep[signUp]{Name: "user", Connection: usersDB, Do: s.createUser, Undo: s.deleteUser},
		dbfleet.SagaStep[signUp]{Name: "orders", Connection: ordersDB, Do: s.createOrders, Undo: s.deleteOrders},
		// At the end: until then the sign-up may be undone.
		dbfleet.SagaStep[signUp]{Name: "tell", Connection: usersDB, Do: func(ctx context.Context, d *signUp) error { return s.tell(ctx, d.User) }},
	)
	s.moves, errs[6] = dbfleet.NewSaga(registry, dbfleet.SagaConfig{Name: "move", Connection: usersDB},
		dbfleet.SagaStep[User]{Name: "take", Connection: usersDB, Do: s.take, Undo: s.putBack},
		dbfleet.SagaStep[User]{Name: "put", Connection: archive, Do: s.put, Undo: s.takeAway},
		dbfleet.SagaStep[User]{Name: "remove", Connection: usersDB, Do: s.remove}, // the last one is never undone
	)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	for _, create := range []func(context.Context) error{
		s.outbox.CreateTables, s.inbox.CreateTables, s.signUps.CreateTables, s.moves.CreateTables,
	} {
		if err := create(ctx); err != nil {
			return nil, err
		}
	}
	// What a process that died has left. A service does so now and then, too.
	_, err1 := s.signUps.Resume(ctx, 0)
	_, err2 := s.moves.Resume(ctx, 0)
	return s, errors.Join(err1, err2)
}

// signUp is a user who comes with orders.
type signUp struct {
	User   User
	Orders []Order
}

// signUp creates a user and, in another database, the user's orders. The request's id
// makes it one sign-up, however often the client sends it.
func (s *shop) signUp(ctx context.Context, request string, user User, orders []Order) (User, error) {
	done, err := s.signUps.Run(ctx, request, signUp{user, orders})
	return done.User, err
}

func (s *shop) createUser(ctx context.Context, d *signUp) error {
	return s.users.Create(ctx, &d.User) // the id goes on to the next step
}

func (s *shop) deleteUser(ctx context.Context, d *signUp) error {
	_, err := dbfleet.ForceDeleteRows(ctx, s.users.Where("id", "=", d.User.ID).WithDeleted())
	return err
}

func (s *shop) createOrders(ctx context.Context, d *signUp) error {
	for i := range d.Orders {
		if d.Orders[i].Quantity < 1 {
			return errors.New("an order of nothing")
		}
		d.Orders[i].UserID = d.User.ID
	}
	return s.orders.CreateMany(ctx, d.Orders)
}

func (s *shop) deleteOrders(ctx context.Context, d *signUp) error {
	_, err := s.orders.Where("user_id", "=", d.User.ID).Delete(ctx)
	return err
}

// rename changes a user, and says so to whom it may concern.
func (s *shop) rename(ctx context.Context, id int64, name string) error {
	return s.registry.Transaction(ctx, usersDB, func(ctx context.Context, _ *dbfleet.Tx) error {
		user, err := s.locked(ctx, id)
		if err != nil {
			return err
		}
		user.Name = name
		if err := s.users.Save(ctx, &user); err != nil {
			return err
		}
		return s.tell(ctx, user)
	})
}

// locked is a user whom nobody else changes until the end of the transaction.
func (s *shop) locked(ctx context.Context, id int64) (User, error) {
	q := s.users.Where("id", "=", id)
	if s.registry.DB(usersDB).Driver() != dbfleet.SQLite { // which has one writer at a time
		q = q.ForUpdate()
	}
	return q.First(ctx)
}

// tell writes an event in the transaction that has changed the user: it is there if and
// only if the change is. The key keeps the events of one user in order.
func (s *shop) tell(ctx context.Context, user User) error {
	payload, err := json.Marshal(user)
	if err != nil {
		return err
	}
	_, err = s.outbox.Add(ctx, dbfleet.Event{Topic: "user changed", Key: fmt.Sprint(user.ID), Payload: payload})
	return err
}

// deliver brings the events to analytics. A service has Outbox.Run in a goroutine
// instead.
func (s *shop) deliver(ctx context.Context) (int, error) {
	return s.outbox.Deliver(ctx, s.inbox.Handler(s.sync))
}

// sync upserts the snapshot of a user. An event may be delivered twice; the inbox lets
// the second one pass without calling sync, so that Changes is right, too.
func (s *shop) sync(ctx context.Context, e dbfleet.Event) error {
	var user User
	if err := json.Unmarshal(e.Payload, &user); err != nil {
		return err
	}
	snapshot := Snapshot{UserID: user.ID, Name: user.Name, Email: user.Email, SyncedAt: time.Now()}
	if err := s.snapshots.Upsert(ctx, &snapshot, dbfleet.Conflict{Update: []string{"name", "email", "synced_at"}}); err != nil {
		return err
	}
	_, err := s.snapshots.Where("user_id", "=", user.ID).Increment(ctx, "changes", 1)
	return err
}

// move moves a user to the archive, and says how.
func (s *shop) move(ctx context.Context, id int64) (how string, err error) {
	if s.registry.DB(usersDB).Driver() == dbfleet.SQLite && s.registry.DB(archive).Driver() == dbfleet.SQLite {
		// Two files of SQLite cannot be committed as one. The user is found in neither of
		// them for a moment, and in one of them in the end.
		_, err := s.moves.Run(ctx, fmt.Sprintf("user %d at %d", id, time.Now().UnixNano()), User{ID: id})
		return "by a saga", err
	}
	user := User{ID: id}
	return "by an atomic commit", s.registry.Atomic(ctx, []string{usersDB, archive}, func(ctx context.Context) error {
		for _, step := range []func(context.Context, *User) error{s.take, s.put, s.remove} {
			if err := step(ctx, &user); err != nil {
				return err
			}
		}
		return nil
	})
}

// take comes before put: a change that comes meanwhile finds no user, and is not lost.
func (s *shop) take(ctx context.Context, user *User) error {
	var err error
	if *user, err = s.locked(ctx, user.ID); err != nil {
		return err
	}
	return s.users.Delete(ctx, user)
}

// putBack must succeed in the end, so it asks for nothing that others could have by then:
// the row was there all the time. Had take removed it, somebody could sign up with the
// address meanwhile, and putBack would be refused for ever.
func (s *shop) putBack(ctx context.Context, user *User) error {
	_, err := dbfleet.RestoreRows(ctx, s.users.Where("id", "=", user.ID))
	return err
}

// put fails if the archive has a user with that id or address. Then the user stays.
func (s *shop) put(ctx context.Context, user *User) error {
	user.DeletedAt = nil
	return s.users.DB(archive).Create(ctx, user)
}

func (s *shop) takeAway(ctx context.Context, user *User) error {
	_, err := dbfleet.ForceDeleteRows(ctx, s.users.DB(archive).Where("id", "=", user.ID).WithDeleted())
	return err
}

// remove comes when the archive has the user. It refuses nothing, so that the move, which
// others see by now, is not undone.
func (s *shop) remove(ctx context.Context, user *User) error {
	_, err := dbfleet.ForceDeleteRows(ctx, s.users.Where("id", "=", user.ID).OnlyDeleted())
	return err
}
