package dbfleet

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// InboxConfig says where an inbox remembers what it has received.
type InboxConfig struct {
	// Connection has the table, and the data that received events change.
	//
	// Defaults to the registry's default.
	Connection string
	// Table is the name of the table.
	//
	// Defaults to "dbfleet_inbox".
	Table string
}

// Inbox remembers which events were received, in the database that they change, so that
// an event which is delivered several times has its effect once. It is safe for
// concurrent use, also by several processes.
type Inbox struct {
	db    *DB
	table string
}

// NewInbox makes an inbox. Its table must be there, see CreateTables.
func NewInbox(registry *Registry, config InboxConfig) (*Inbox, error) {
	db, err := keptIn(registry, config.Connection)
	if err != nil {
		return nil, errorf("NewInbox: %w", err)
	}
	return &Inbox{db: db, table: cmp.Or(config.Table, "dbfleet_inbox")}, nil
}

// usable returns what is wrong with the handle itself.
func (b *Inbox) usable() error {
	if b == nil || b.db == nil {
		return errorf("the Inbox is nil or the zero value; NewInbox makes one")
	}
	return nil
}

func (b *Inbox) tables() []keptTable {
	return []keptTable{{b.table, "uid {name} NOT NULL PRIMARY KEY, received_at {time} NOT NULL"}}
}

// CreateTables creates the inbox's table unless it is there.
func (b *Inbox) CreateTables(ctx context.Context) error {
	if err := b.usable(); err != nil {
		return err
	}
	return b.db.createKept(ctx, b.tables())
}

// SQL returns the statements of CreateTables.
func (b *Inbox) SQL() ([]string, error) {
	if err := b.usable(); err != nil {
		return nil, err
	}
	return b.db.keptSQL(b.tables())
}

// errReceived rolls the savepoint of an event back that was received before.
var errReceived = errors.New("dbfleet: received before")

// Receive runs fn in a transaction on the inbox's connection that also remembers the
// event; inside a transaction on it, behind a savepoint. If the event was received
// before, it returns nil without calling fn. What fn does elsewhere than on this
// connection is not covered. A second delivery at the same time waits for the first.
// The error of fn, and ErrCommitUnknown, mean that the event should be delivered again.
func (b *Inbox) Receive(ctx context.Context, e Event, fn func(ctx context.Context, e Event) error) error {
	if err := b.usable(); err != nil {
		return err
	}
	if err := checkContext(ctx, b.db.name); err != nil {
		return err
	}
	if fn == nil {
		return errorf("connection %q: Inbox.Receive: the function is nil", b.db.name)
	}
	if err := keptName("the event's ID", e.ID); err != nil {
		return errorf("connection %q: Inbox.Receive: %w", b.db.name, err)
	}
	err := b.db.Transaction(ctx, func(ctx context.Context, _ *Tx) error {
		_, err := b.db.Table(b.table).Insert(ctx, Row{"uid": e.ID, "received_at": time.Now()})
		if errors.Is(err, ErrUnique) {
			return errReceived
		}
		if err != nil {
			return err
		}
		return fn(ctx, e)
	})
	if errors.Is(err, errReceived) {
		return nil
	}
	return err
}

// Handler is Receive with fn, as Outbox.Run takes it.
func (b *Inbox) Handler(fn func(ctx context.Context, e Event) error) func(ctx context.Context, e Event) error {
	return func(ctx context.Context, e Event) error { return b.Receive(ctx, e, fn) }
}

// Forget deletes the memory of events that were received longer ago than age, by this
// process's clock, and returns how many those were. An event that is delivered again
// after that has its effect again: age must be longer than an outbox may be without
// delivery.
func (b *Inbox) Forget(ctx context.Context, age time.Duration) (int64, error) {
	if err := b.usable(); err != nil {
		return 0, err
	}
	if age <= 0 {
		return 0, errorf("connection %q: Inbox.Forget: the age is not positive", b.db.name)
	}
	return b.db.Table(b.table).Where("received_at", "<", time.Now().Add(-age)).Delete(ctx)
}
