package dbfleet

import (
	"context"
	"errors"
	"sync"
	"time"
)

// DeliverOptions say how events are delivered. The zero value has the defaults.
type DeliverOptions struct {
	// Workers is how many events are delivered at once, of different keys.
	//
	// Defaults to 4.
	Workers int
	// MaxAttempts is how often an event is given to a handler that refuses it. After
	// that it is set aside: Failed lists it, Retry and Discard decide, and the later
	// events of its key wait until then. 0 is without end.
	//
	// Defaults to 0.
	MaxAttempts int
	// Every is how often Run looks for events of other processes. Those of its own are
	// seen at once.
	//
	// Defaults to 1 s.
	Every time.Duration
	// Lease is how long a process that died in the middle of a delivery keeps others
	// from going on.
	//
	// Defaults to 15 s.
	Lease time.Duration
	// OnError is told of each attempt that failed, and with a zero Event when the
	// outbox's own database fails. Run goes on after both.
	OnError func(ctx context.Context, e Event, err error)
}

func (o DeliverOptions) withDefaults() (DeliverOptions, error) {
	for name, value := range map[string]int64{
		"Workers": int64(o.Workers), "MaxAttempts": int64(o.MaxAttempts), "Every": int64(o.Every), "Lease": int64(o.Lease),
	} {
		if value < 0 {
			return o, errorf("DeliverOptions.%s is negative", name)
		}
	}
	if o.Workers == 0 {
		o.Workers = 4
	}
	if o.Every == 0 {
		o.Every = time.Second
	}
	if o.Lease == 0 {
		o.Lease = 15 * time.Second
	}
	if o.OnError == nil {
		o.OnError = func(context.Context, Event, error) {}
	}
	return o, nil
}

// Deliver gives each committed event to the handler once, those of one key in order,
// and returns how many of them the handler took: they are deleted. An event that the
// handler refuses stays, with those of its key behind it, for the next call.
//
// The handler may get an event again that it has taken before: when the process dies or
// the database fails between the two. It may be called by several goroutines. Its
// context ends with ctx, or when another process may take over.
//
// One process at a time delivers. If another one does, Deliver waits for at most twice
// Lease; then it returns 0.
func (o *Outbox) Deliver(ctx context.Context, handler func(ctx context.Context, e Event) error, options ...DeliverOptions) (int, error) {
	d, err := o.delivery(ctx, "Deliver", handler, options)
	if err != nil {
		return 0, err
	}
	ctx = OutsideTx(ctx)
	ok, err := d.lease.take(ctx)
	if err != nil || !ok {
		return 0, err
	}
	p := pass{delivery: d, stopped: map[string]bool{}}
	err = d.lease.hold(ctx, p.all)
	return p.delivered, errors.Join(err, p.err)
}

// Run delivers until ctx ends, as Deliver does, and returns the context's error. An event
// that the handler refused comes again after a pause of one second, which doubles with
// each attempt up to a minute.
func (o *Outbox) Run(ctx context.Context, handler func(ctx context.Context, e Event) error, options ...DeliverOptions) error {
	d, err := o.delivery(ctx, "Run", handler, options)
	if err != nil {
		return err
	}
	ctx = OutsideTx(ctx)
	d.paused = map[int64]time.Time{}
	tick := time.NewTicker(d.options.Every)
	defer tick.Stop()
	for {
		ok, err := d.lease.take(ctx)
		if ok {
			err = d.lease.hold(ctx, func(ctx context.Context) error { return d.passes(ctx, tick.C) })
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			d.options.OnError(ctx, Event{}, err)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// passes makes one pass after the other, until one fails by the database.
func (d *delivery) passes(ctx context.Context, tick <-chan time.Time) error {
	for {
		p := pass{delivery: d, stopped: map[string]bool{}}
		if err := p.all(ctx); err != nil {
			return err
		}
		select {
		case <-tick:
		case <-d.o.added:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// delivery is what Deliver and Run share.
type delivery struct {
	o       *Outbox
	handler func(ctx context.Context, e Event) error
	options DeliverOptions
	lease   *lease
	paused  map[int64]time.Time // until when an event waits after its refusal; nil is not at all
}

func (o *Outbox) delivery(ctx context.Context, method string, handler func(context.Context, Event) error, options []DeliverOptions) (*delivery, error) {
	if err := o.usable(); err != nil {
		return nil, err
	}
	if err := checkContext(ctx, o.db.name); err != nil {
		return nil, err
	}
	if handler == nil {
		return nil, errorf("connection %q: Outbox.%s: %w", o.db.name, method, errNoHandler)
	}
	one, err := atMostOne(options)
	if err == nil {
		one, err = one.withDefaults()
	}
	if err != nil {
		return nil, errorf("connection %q: Outbox.%s: %w", o.db.name, method, err)
	}
	return &delivery{o: o, handler: handler, options: one, lease: newLease(o.db, o.table+"_lease", one.Lease)}, nil
}

// pass is one pass of a delivery.
type pass struct {
	*delivery

	mu        sync.Mutex // protects following fields
	delivered int
	stopped   map[string]bool // keys of which an event was refused
	err       error           // of the first refusal
}

// eventsAtOnce is how many events are read at once.
const eventsAtOnce = 200

func (p *pass) all(ctx context.Context) error {
	for last := int64(0); ; {
		rows, err := p.read(ctx, last)
		if err != nil {
			return err
		}
		if err := p.deliver(ctx, rows); err != nil {
			return err
		}
		if len(rows) < eventsAtOnce {
			return nil
		}
		last = rows[len(rows)-1].ID
	}
}

// read returns events behind an id, without those that wait for one that was set aside.
func (p *pass) read(ctx context.Context, last int64) ([]outboxRow, error) {
	table := func() *Query[Row] { return p.o.db.Table(p.o.table).Primary() }
	aside := table().Select("event_key").Where("failed", "=", 1).Where("event_key", "<>", "")
	return Into[outboxRow](table().Where("id", ">", last).Where("failed", "=", 0).WhereNotIn("event_key", aside).
		OrderBy("id", Asc).Limit(eventsAtOnce)).Get(ctx)
}

// deliver gives events to the handler, those of one key one after the other.
func (p *pass) deliver(ctx context.Context, rows []outboxRow) error {
	queues, order := map[string][]outboxRow{}, []string{}
	for _, row := range rows {
		name := "k" + row.EventKey
		if row.EventKey == "" {
			name = "u" + row.UID
		}
		if queues[name] == nil {
			order = append(order, name)
		}
		queues[name] = append(queues[name], row)
	}
	work := make(chan []outboxRow)
	errs := make(chan error, p.options.Workers)
	for range p.options.Workers {
		go func() {
			var err error
			for queue := range work {
				if err == nil {
					err = p.queue(ctx, queue)
				}
			}
			errs <- err
		}()
	}
	for _, name := range order {
		work <- queues[name]
	}
	close(work)
	var err error
	for range p.options.Workers {
		err = errors.Join(err, <-errs)
	}
	return err
}

// queue delivers events of one key, until one is refused. Its error is the database's.
func (p *pass) queue(ctx context.Context, rows []outboxRow) error {
	for i := range rows {
		row := &rows[i]
		if !p.due(row) {
			return ctx.Err()
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		e := row.event()
		if err := p.handle(ctx, e); err != nil {
			if ctx.Err() != nil { // the end of the pass is no refusal
				return context.Cause(ctx)
			}
			p.options.OnError(ctx, e, err)
			return p.refuse(ctx, row, err)
		}
		if _, err := p.o.db.Table(p.o.table).Where("id", "=", row.ID).Delete(ctx); err != nil {
			return err
		}
		p.mu.Lock()
		p.delivered++
		delete(p.paused, row.ID)
		p.mu.Unlock()
	}
	return p.forget(ctx, rows[0].EventKey)
}

// due says whether an event may be given to the handler now; those of its key behind it
// may not when it may not.
func (p *pass) due(row *outboxRow) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if row.EventKey != "" && p.stopped[row.EventKey] {
		return false
	}
	if until, ok := p.paused[row.ID]; ok && time.Now().Before(until) {
		if row.EventKey != "" {
			p.stopped[row.EventKey] = true
		}
		return false
	}
	return true
}

var errHandlerPanicked = errors.New("dbfleet: the handler panicked")

// handle calls the handler. A panic is a refusal: the other events go on.
func (p *pass) handle(ctx context.Context, e Event) (err error) {
	returned := false
	defer func() {
		if !returned {
			if v := recover(); v != nil {
				err = errorf("event %q of topic %q: %w: %v", e.ID, e.Topic, errHandlerPanicked, v)
			}
		}
	}()
	err = p.handler(ctx, e)
	returned = true
	return err
}

// maxPause is the longest pause before an event that was refused comes again.
const maxPause = time.Minute

// refuse notes that the handler has refused an event.
func (p *pass) refuse(ctx context.Context, row *outboxRow, cause error) error {
	attempts := row.Attempts + 1
	failed := 0
	if p.options.MaxAttempts > 0 && attempts >= p.options.MaxAttempts {
		failed = 1
	}
	p.mu.Lock()
	if row.EventKey != "" {
		p.stopped[row.EventKey] = true
	}
	if p.err == nil {
		p.err = errorf("event %q of topic %q: %w", row.UID, row.Topic, cause)
	}
	if p.paused != nil {
		p.paused[row.ID] = time.Now().Add(min(time.Second<<min(attempts-1, 10), maxPause))
		if failed == 1 {
			delete(p.paused, row.ID)
		}
	}
	p.mu.Unlock()
	_, err := p.o.db.Table(p.o.table).Where("id", "=", row.ID).
		Update(ctx, Row{"attempts": attempts, "failed": failed, "failure": cause.Error()})
	return err
}

// forget deletes the row of a key that has no event any more, unless someone writes one.
func (p *pass) forget(ctx context.Context, key string) error {
	if key == "" {
		return nil
	}
	keys := p.o.db.Table(p.o.table+"_keys").Where("event_key", "=", key)
	err := p.o.db.Transaction(ctx, func(ctx context.Context, _ *Tx) error {
		if p.o.db.Driver() != SQLite {
			if held, err := keys.ForUpdateSkipLocked().Get(ctx); err != nil || len(held) == 0 {
				return err
			}
		}
		left := p.o.db.Table(p.o.table).Where("event_key", "=", key)
		_, err := keys.WhereNotExists(left).Delete(ctx)
		return err
	})
	if IsRetryable(err) {
		return nil // it goes another time
	}
	return err
}
