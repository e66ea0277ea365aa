package dbfleet

import (
	"cmp"
	"context"
	"crypto/rand"
	"time"
)

// Event is what happened, as an Outbox delivers it.
type Event struct {
	// ID is unique among all events of all outboxes. Add makes it.
	ID string
	// Topic says what kind of event it is, in at most 255 characters.
	Topic string
	// Key orders events: those with one key are delivered one after the other, in the
	// order in which their transactions were committed. Events without a key have no
	// order. At most 255 characters.
	Key string
	// Payload is the event's own data, of any form.
	Payload []byte
	// CreatedAt is when Add was called, by this process's clock.
	CreatedAt time.Time
	// Attempt counts the deliveries of this event, this one included. Those that ended
	// with the death of their process are not counted.
	Attempt int
}

// OutboxConfig says where an outbox keeps its events.
type OutboxConfig struct {
	// Connection has the tables. Events are written in transactions on it.
	//
	// Defaults to the registry's default.
	Connection string
	// Table is the name of the table of events; two others add "_keys" and "_lease" to
	// it.
	//
	// Defaults to "dbfleet_outbox".
	Table string
}

// Outbox keeps events in the database of the data that they tell of. Add writes an event
// in the transaction that changes the data: either both are there or neither. Deliver or
// Run hand the committed ones to a handler, each at least once, those of one key in
// order. An Inbox on the receiving side makes that exactly once.
//
// An Outbox is safe for concurrent use, and several processes may have the same: one of
// them delivers at a time, and another takes over when it is gone.
type Outbox struct {
	db    *DB
	table string
	added chan struct{} // wakes Run
}

// NewOutbox makes an outbox. Its tables must be there, see CreateTables.
func NewOutbox(registry *Registry, config OutboxConfig) (*Outbox, error) {
	db, err := keptIn(registry, config.Connection)
	if err != nil {
		return nil, errorf("NewOutbox: %w", err)
	}
	return &Outbox{db: db, table: cmp.Or(config.Table, "dbfleet_outbox"), added: make(chan struct{}, 1)}, nil
}

// keptIn is the connection of something that keeps tables of its own.
func keptIn(r *Registry, connection string) (*DB, error) {
	if err := r.usable(); err != nil {
		return nil, err
	}
	db := r.DB(connection)
	_, err := r.lookup(db.name)
	return db, err
}

// usable returns what is wrong with the handle itself.
func (o *Outbox) usable() error {
	if o == nil || o.db == nil {
		return errorf("the Outbox is nil or the zero value; NewOutbox makes one")
	}
	return nil
}

// CreateTables creates the outbox's tables unless they are there. A program that keeps
// its schema elsewhere takes their statements from SQL. Inside a transaction on MySQL
// it is refused: MySQL would commit that.
func (o *Outbox) CreateTables(ctx context.Context) error {
	if err := o.usable(); err != nil {
		return err
	}
	return o.db.createKept(ctx, o.tables())
}

// SQL returns the statements of CreateTables.
func (o *Outbox) SQL() ([]string, error) {
	if err := o.usable(); err != nil {
		return nil, err
	}
	return o.db.keptSQL(o.tables())
}

func (o *Outbox) tables() []keptTable {
	return []keptTable{
		{o.table, "id {counter}, uid {name} NOT NULL UNIQUE, topic {name} NOT NULL, event_key {name} NOT NULL, payload {bytes}, created_at {time} NOT NULL, attempts {number} NOT NULL, failed {number} NOT NULL, failure {text} NOT NULL, UNIQUE (event_key, id)"},
		{o.table + "_keys", "event_key {name} NOT NULL PRIMARY KEY, writes {number} NOT NULL"},
		{o.table + "_lease", "id {number} NOT NULL PRIMARY KEY, owner {name} NOT NULL, beat {number} NOT NULL, lasts {number} NOT NULL"},
	}
}

// Add writes an event, with a new ID that it returns. ctx must carry a transaction on
// the outbox's connection, since the event belongs to what that changes; without one
// nothing is written. With a key, it waits for other transactions that have added an
// event of the same key, until they have ended: transactions that add events of several
// keys should do so in one order, or have TxOptions.Retries for their deadlocks.
func (o *Outbox) Add(ctx context.Context, e Event) (id string, err error) {
	if err := o.usable(); err != nil {
		return "", err
	}
	if err := checkContext(ctx, o.db.name); err != nil {
		return "", err
	}
	tx := txOf(ctx, o.db.reg, o.db.name)
	if tx == nil {
		return "", errorf("connection %q: Outbox.Add: the context carries no transaction of this connection; the event must be written with what it tells of", o.db.name)
	}
	err = keptName("the event's Topic", e.Topic)
	if err == nil && e.Key != "" {
		err = keptName("the event's Key", e.Key)
	}
	if err != nil {
		return "", errorf("connection %q: Outbox.Add: %w", o.db.name, err)
	}
	if e.Key != "" { // whoever writes the row holds it until the end of the transaction
		keys := o.db.Table(o.table + "_keys")
		if err := keys.Upsert(ctx, Row{"event_key": e.Key, "writes": 1}, Conflict{Key: []string{"event_key"}}); err != nil {
			return "", err
		}
	}
	id = rand.Text()
	_, err = o.db.Table(o.table).Insert(ctx, Row{
		"uid": id, "topic": e.Topic, "event_key": e.Key, "payload": e.Payload,
		"created_at": time.Now(), "attempts": 0, "failed": 0, "failure": "",
	})
	if err != nil {
		return "", err
	}
	tx.afterEnd(func(_ context.Context, how outcome, _ error) {
		if how == committed {
			o.wake()
		}
	})
	return id, nil
}

// wake makes Run look at once.
func (o *Outbox) wake() {
	select {
	case o.added <- struct{}{}:
	default:
	}
}

// FailedEvent is an event that its handler has refused too often.
type FailedEvent struct {
	Event
	// Failure is the text of the handler's last error.
	Failure string
}

// Failed returns the events that were set aside, at most limit of them, the oldest
// first; see DeliverOptions.MaxAttempts.
func (o *Outbox) Failed(ctx context.Context, limit int) ([]FailedEvent, error) {
	if err := o.usable(); err != nil {
		return nil, err
	}
	rows, err := Into[outboxRow](o.db.Table(o.table).Primary().Where("failed", "=", 1).OrderBy("id", Asc).Limit(limit)).Get(ctx)
	if err != nil {
		return nil, err
	}
	events := make([]FailedEvent, len(rows))
	for i, row := range rows {
		events[i] = FailedEvent{Event: row.event(), Failure: row.Failure}
		events[i].Attempt = row.Attempts
	}
	return events, nil
}

// Retry puts an event that was set aside back, to be delivered with new attempts.
// ErrNotFound says that none with that ID is set aside.
func (o *Outbox) Retry(ctx context.Context, id string) error {
	return o.aside(ctx, id, func(q *Query[Row]) (int64, error) {
		return q.Update(ctx, Row{"failed": 0, "attempts": 0})
	})
}

// Discard deletes an event that was set aside, so that those of its key go on.
// ErrNotFound says that none with that ID is set aside.
func (o *Outbox) Discard(ctx context.Context, id string) error {
	return o.aside(ctx, id, func(q *Query[Row]) (int64, error) { return q.Delete(ctx) })
}

func (o *Outbox) aside(ctx context.Context, id string, do func(*Query[Row]) (int64, error)) error {
	if err := o.usable(); err != nil {
		return err
	}
	q := o.db.Table(o.table).Where("uid", "=", id).Where("failed", "=", 1)
	n, err := do(q)
	if err == nil && n == 0 {
		err = (*query)(q).notFound([]string{"uid"})
	}
	if err == nil {
		o.wake()
	}
	return err
}

// Pending counts the events that are not delivered yet, those set aside included.
func (o *Outbox) Pending(ctx context.Context) (int64, error) {
	if err := o.usable(); err != nil {
		return 0, err
	}
	return o.db.Table(o.table).Primary().Count(ctx)
}

// outboxRow is a row of the table of events.
type outboxRow struct {
	ID        int64
	UID       string `db:"uid"`
	Topic     string
	EventKey  string
	Payload   []byte
	CreatedAt time.Time
	Attempts  int
	Failed    int
	Failure   string
}

func (r *outboxRow) event() Event {
	return Event{ID: r.UID, Topic: r.Topic, Key: r.EventKey, Payload: r.Payload, CreatedAt: r.CreatedAt, Attempt: r.Attempts + 1}
}
