package dbfleet

import (
	"context"
	"errors"
	"maps"
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
	// from going on. The one that delivers writes a beat six times in that time, so it
	// must be longer than a handler keeps all connections of the outbox's pool, or the
	// one writer of its SQLite file. At least 100 ms.
	//
	// Defaults to 15 s.
	Lease time.Duration
	// OnError is told of each attempt that failed, and with a zero Event when the
	// outbox's own database fails. Run goes on after both. Several goroutines may call it.
	OnError func(ctx context.Context, e Event, err error)
}

// minLease is the shortest lease.
const minLease = 100 * time.Millisecond

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
	if o.Lease < minLease {
		return o, errorf("DeliverOptions.Lease is %s, less than %s", o.Lease, minLease)
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
// the database fails between the two. It may be called by several goroutines, each
// event by one of its own. Its context ends with ctx, or when another process may take
// over; Deliver waits for it to return. A panic of it is a refusal.
//
// One process at a time delivers. If another one does, Deliver waits for at most twice
// Lease; then it returns 0. Inside a transaction on the outbox's connection it is
// refused.
func (o *Outbox) Deliver(ctx context.Context, handler func(ctx context.Context, e Event) error, options ...DeliverOptions) (int, error) {
	d, err := o.delivery(ctx, "Deliver", handler, options)
	if err != nil {
		return 0, err
	}
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
		maps.DeleteFunc(d.paused, func(_ int64, until time.Time) bool { return time.Now().After(until) })
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
		return nil, errorf("connection %q: Outbox.%s: the handler is nil", o.db.name, method)
	}
	if txOf(ctx, o.db.reg, o.db.name) != nil {
		return nil, errorf("connection %q: Outbox.%s: the context carries a transaction of this connection; events are delivered outside of it", o.db.name, method)
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
