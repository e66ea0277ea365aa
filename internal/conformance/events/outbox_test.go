package events

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

var (
	errUndo    = errors.New("undo it")
	errRefused = errors.New("not now")
)

// outbox is an outbox on "main" whose tables are there.
func outbox(t *testing.T, fl conformance.Fleet) *dbfleet.Outbox {
	t.Helper()
	o, err := dbfleet.NewOutbox(fl.Registry, dbfleet.OutboxConfig{})
	require.NoError(t, err)
	require.NoError(t, o.CreateTables(t.Context()))
	require.NoError(t, o.CreateTables(t.Context()), "a second time")
	return o
}

// add writes events in a transaction.
func add(t *testing.T, fl conformance.Fleet, o *dbfleet.Outbox, events ...dbfleet.Event) {
	t.Helper()
	require.NoError(t, fl.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
		for _, e := range events {
			id, err := o.Add(ctx, e)
			require.NoError(t, err)
			require.NotEmpty(t, id)
		}
		return nil
	}))
}

// log remembers what a handler was given. It is safe for concurrent use.
type log struct {
	mu     sync.Mutex
	events []dbfleet.Event
}

func (l *log) handle(_ context.Context, e dbfleet.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	return nil
}

// payloads are the payloads of the events of a key, in the order of their delivery.
func (l *log) payloads(key string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []string
	for _, e := range l.events {
		if e.Key == key {
			list = append(list, string(e.Payload))
		}
	}
	return list
}

func TestOutbox_DeliversWhatWasCommitted(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		o := outbox(t, fl)
		add(t, fl, o, dbfleet.Event{Topic: "made", Key: "1", Payload: []byte("a\x00\xff")}, dbfleet.Event{Topic: "made"})
		err := fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			_, err := o.Add(ctx, dbfleet.Event{Topic: "kept", Key: "1"})
			require.NoError(t, err)
			require.ErrorIs(t, tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
				_, err := o.Add(ctx, dbfleet.Event{Topic: "undone", Key: "1"})
				require.NoError(t, err)
				return errUndo
			}), errUndo)
			return nil
		})
		require.NoError(t, err)
		require.ErrorIs(t, fl.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			_, err := o.Add(ctx, dbfleet.Event{Topic: "undone", Key: "2"})
			require.NoError(t, err)
			return errUndo
		}), errUndo)

		var got log
		n, err := o.Deliver(t.Context(), got.handle, dbfleet.DeliverOptions{Workers: 1})
		require.NoError(t, err)
		require.Equal(t, 3, n)
		require.Len(t, got.events, 3)
		first := got.events[0]
		require.Equal(t, "made", first.Topic)
		require.Equal(t, "a\x00\xff", string(first.Payload))
		require.Equal(t, 1, first.Attempt)
		require.WithinDuration(t, time.Now(), first.CreatedAt, time.Hour)
		ids := map[string]bool{}
		for _, e := range got.events {
			ids[e.ID] = true
		}
		require.Len(t, ids, 3)

		n, err = o.Deliver(t.Context(), got.handle)
		require.NoError(t, err)
		require.Zero(t, n, "each is delivered once")
		left, err := fl.DB("main").Table("dbfleet_outbox_keys").Count(t.Context())
		require.NoError(t, err)
		require.Zero(t, left, "a key without events leaves nothing")
	})
}

func TestOutbox_AddsInTransactionsOfItsConnectionOnly(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	o := outbox(t, fl)
	_, err := o.Add(t.Context(), dbfleet.Event{Topic: "x"})
	require.EqualError(t, err, `dbfleet: connection "main": Outbox.Add: the context carries no transaction of this connection; the event must be written with what it tells of`)
	require.NoError(t, fl.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
		_, err := o.Add(ctx, dbfleet.Event{})
		require.EqualError(t, err, `dbfleet: connection "main": Outbox.Add: the event's Topic is empty`)
		_, err = o.Add(ctx, dbfleet.Event{Topic: "x", Key: fmt.Sprintf("%256d", 1)})
		require.ErrorContains(t, err, "more than 255")
		return nil
	}))
	_, err = dbfleet.NewOutbox(fl.Registry, dbfleet.OutboxConfig{Connection: "nowhere"})
	require.EqualError(t, err, `dbfleet: NewOutbox: unknown connection "nowhere"; known are "main"`)
	_, err = o.Deliver(t.Context(), nil)
	require.EqualError(t, err, `dbfleet: connection "main": Outbox.Deliver: the handler is nil`)
	require.EqualError(t, o.Run(t.Context(), nil), `dbfleet: connection "main": Outbox.Run: the handler is nil`)
	_, err = o.Deliver(t.Context(), new(log).handle, dbfleet.DeliverOptions{Workers: -1})
	require.EqualError(t, err, `dbfleet: connection "main": Outbox.Deliver: DeliverOptions.Workers is negative`)
}

// Each writer adds before it reads what it numbers the event by, which is the order
// that goes wrong when only the numbers of the rows count.
func TestOutbox_KeepsTheOrderOfAKeyUnderConcurrentWriters(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		const keys, writers, each = 3, 4, 10
		o := outbox(t, fl)
		fl.Create(t, "CREATE TABLE numbers (id {bigint} PRIMARY KEY, n {bigint} NOT NULL)")
		numbers := fl.DB("main").Table("numbers")
		for key := range keys {
			_, err := numbers.Insert(t.Context(), dbfleet.Row{"id": key, "n": 0})
			require.NoError(t, err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var got log
		delivered := make(chan struct{})
		var running sync.WaitGroup
		for range 2 { // two processes, as it were
			running.Go(func() {
				_ = o.Run(ctx, func(ctx context.Context, e dbfleet.Event) error {
					_ = got.handle(ctx, e)
					if len(got.payloads("0"))+len(got.payloads("1"))+len(got.payloads("2")) == keys*writers*each {
						close(delivered)
					}
					return nil
				}, dbfleet.DeliverOptions{Every: 5 * time.Millisecond})
			})
		}
		var writing sync.WaitGroup
		for w := range writers {
			writing.Go(func() {
				for i := range each * keys {
					key := (w + i) % keys
					err := fl.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
						e := dbfleet.Event{Topic: "counted", Key: strconv.Itoa(key)}
						id, err := o.Add(ctx, e)
						if err != nil {
							return err
						}
						if _, err := numbers.Where("id", "=", key).Increment(ctx, "n", 1); err != nil {
							return err
						}
						n, err := numbers.Where("id", "=", key).Pluck(ctx, "n")
						if err != nil {
							return err
						}
						_, err = fl.DB("main").Table("dbfleet_outbox").Where("uid", "=", id).Update(ctx, dbfleet.Row{"payload": []byte(fmt.Sprint(n[0]))})
						return err
					}, dbfleet.TxOptions{Retries: 10})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		writing.Wait()
		select {
		case <-delivered:
		case <-time.After(time.Minute):
			t.Error("not delivered in a minute")
		}
		stop()
		running.Wait()
		for key := range keys {
			var want []string
			for n := range writers * each {
				want = append(want, strconv.Itoa(n+1))
			}
			require.Equal(t, want, got.payloads(strconv.Itoa(key)))
		}
	})
}

func TestOutbox_AnEventThatIsRefusedHoldsItsKeyUpAndNoOther(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		o := outbox(t, fl)
		add(t, fl, o, dbfleet.Event{Topic: "bad", Key: "a", Payload: []byte("1")}, dbfleet.Event{Topic: "good", Key: "a", Payload: []byte("2")},
			dbfleet.Event{Topic: "good", Key: "b", Payload: []byte("3")}, dbfleet.Event{Topic: "bad"}, dbfleet.Event{Topic: "good", Payload: []byte("4")})
		var got log
		var told []error
		refuse := true
		handler := func(ctx context.Context, e dbfleet.Event) error {
			if e.Topic == "bad" && refuse {
				if e.Key == "" {
					panic("it is empty")
				}
				return errRefused
			}
			return got.handle(ctx, e)
		}
		options := dbfleet.DeliverOptions{MaxAttempts: 2, Workers: 1, OnError: func(_ context.Context, e dbfleet.Event, err error) {
			told = append(told, err)
			require.Equal(t, "bad", e.Topic)
		}}
		n, err := o.Deliver(t.Context(), handler, options)
		require.ErrorIs(t, err, errRefused)
		require.Equal(t, 2, n)
		require.Equal(t, []string{"3"}, got.payloads("b"))
		require.Equal(t, []string{"4"}, got.payloads(""))
		require.Empty(t, got.payloads("a"))
		require.Len(t, told, 2)
		require.ErrorContains(t, told[1], "it is empty")

		_, err = o.Deliver(t.Context(), handler, options)
		require.ErrorIs(t, err, errRefused)
		n, err = o.Deliver(t.Context(), handler, options)
		require.NoError(t, err, "what was set aside is not delivered")
		require.Zero(t, n)
		failed, err := o.Failed(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, failed, 2)
		require.Equal(t, 2, failed[0].Attempt)
		require.Equal(t, "not now", failed[0].Failure)
		pending, err := o.Pending(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 3, pending)

		require.NoError(t, o.Discard(t.Context(), failed[1].ID))
		require.ErrorIs(t, o.Discard(t.Context(), failed[1].ID), dbfleet.ErrNotFound)
		require.NoError(t, o.Retry(t.Context(), failed[0].ID))
		refuse = false
		n, err = o.Deliver(t.Context(), handler, options)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Equal(t, []string{"1", "2"}, got.payloads("a"))
	})
}

// A process that dies while it delivers keeps its lease and beats no more.
func TestOutbox_AnotherTakesOverFromADeadProcess(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		o := outbox(t, fl)
		add(t, fl, o, dbfleet.Event{Topic: "x", Key: "1"})
		_, err := fl.DB("main").Table("dbfleet_outbox_lease").Insert(t.Context(), dbfleet.Row{"id": 1, "owner": "dead", "beat": 7, "lasts": 200})
		require.NoError(t, err)
		n, err := o.Deliver(t.Context(), new(log).handle, dbfleet.DeliverOptions{Lease: 3 * time.Second})
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}

func TestOutbox_OneProcessDeliversAtATime(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		o := outbox(t, fl)
		add(t, fl, o, dbfleet.Event{Topic: "x", Key: "1"})
		options := dbfleet.DeliverOptions{Lease: 4 * time.Second} // a beat may be late by half of it
		inside, leave, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		var first, second log
		go func() {
			_, err := o.Deliver(t.Context(), func(ctx context.Context, e dbfleet.Event) error {
				close(inside)
				<-leave
				return errors.Join(ctx.Err(), first.handle(ctx, e))
			}, options)
			done <- err
		}()
		select {
		case <-inside:
		case err := <-done:
			t.Fatal("not delivered: ", err)
		}
		n, err := o.Deliver(t.Context(), second.handle, options)
		close(leave)
		require.NoError(t, err)
		require.Zero(t, n, "the first is alive")
		require.NoError(t, <-done)
		require.Len(t, first.events, 1)
		require.Empty(t, second.events)
	})
}

// What a handler has taken comes again when the outbox did not hear of it.
func TestInbox_HasTheEffectOfAnEventOnce(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		inbox, err := dbfleet.NewInbox(fl.Registry, dbfleet.InboxConfig{})
		require.NoError(t, err)
		require.NoError(t, inbox.CreateTables(t.Context()))
		e := dbfleet.Event{ID: "one", Topic: "x"}
		handler := inbox.Handler(func(ctx context.Context, e dbfleet.Event) error {
			return accounts.Create(ctx, &conformance.Account{Owner: e.ID})
		})
		failing := inbox.Handler(func(ctx context.Context, e dbfleet.Event) error {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: e.ID}))
			return errRefused
		})
		require.ErrorIs(t, failing(t.Context(), e), errRefused)
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for {
					err := handler(t.Context(), e)
					if !dbfleet.IsRetryable(err) {
						if err != nil {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		group.Wait()
		require.NoError(t, failing(t.Context(), e), "it was received")
		n, err := accounts.Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.NoError(t, fl.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, handler(ctx, e), "also inside a transaction")
			require.NoError(t, handler(ctx, dbfleet.Event{ID: "two"}))
			return nil
		}))
		forgotten, err := inbox.Forget(t.Context(), time.Hour)
		require.NoError(t, err)
		require.Zero(t, forgotten)
		n, err = accounts.Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
	})
}
