package events

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// An event gets its number before its transaction is committed: a pass that reads in
// pages may have gone by the first of a key when the second comes.
func TestOutbox_KeepsTheOrderOfAKeyBeyondAPage(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
		o := outbox(t, fl)
		added, commit, committed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			committed <- fl.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
				_, err := o.Add(ctx, dbfleet.Event{Topic: "x", Key: "k", Payload: []byte("first")})
				close(added)
				<-commit
				return err
			})
		}()
		<-added
		others := make([]dbfleet.Event, 250)
		for i := range others {
			others[i].Topic = "other"
		}
		add(t, fl, o, others...)
		var got log
		var once sync.Once
		handler := func(ctx context.Context, e dbfleet.Event) error {
			once.Do(func() {
				close(commit)
				require.NoError(t, <-committed)
				add(t, fl, o, dbfleet.Event{Topic: "x", Key: "k", Payload: []byte("second")})
			})
			return got.handle(ctx, e)
		}
		for range 2 {
			_, err := o.Deliver(t.Context(), handler, dbfleet.DeliverOptions{Workers: 1})
			require.NoError(t, err)
		}
		require.Equal(t, []string{"first", "second"}, got.payloads("k"))
		require.Len(t, got.events, 252)
	})
}

// What waits behind an event that was refused waits on every page of its pass.
func TestOutbox_AnEventThatIsRefusedHoldsMoreThanAPageUp(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	o := outbox(t, fl)
	events := make([]dbfleet.Event, 250)
	for i := range events {
		events[i] = dbfleet.Event{Topic: "x", Key: "k", Payload: []byte(fmt.Sprint(i))}
	}
	add(t, fl, o, events...)
	var got log
	refused := false
	for range 2 {
		_, _ = o.Deliver(t.Context(), func(ctx context.Context, e dbfleet.Event) error {
			if !refused {
				refused = true
				return errRefused
			}
			return got.handle(ctx, e)
		})
	}
	payloads := got.payloads("k")
	require.Len(t, payloads, len(events))
	for i, payload := range payloads {
		require.Equal(t, fmt.Sprint(i), payload)
	}
}

func TestOutbox_AHandlerThatEndsItsGoroutineIsRefused(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		o := outbox(t, fl)
		add(t, fl, o, dbfleet.Event{Topic: "bad"}, dbfleet.Event{Topic: "good"}, dbfleet.Event{Topic: "good"})
		options := dbfleet.DeliverOptions{Workers: 1, OnError: func(context.Context, dbfleet.Event, error) { runtime.Goexit() }}
		n, err := o.Deliver(t.Context(), func(_ context.Context, e dbfleet.Event) error {
			if e.Topic == "bad" {
				runtime.Goexit()
			}
			return nil
		}, options)
		require.ErrorContains(t, err, "the function ended its goroutine")
		require.Equal(t, 2, n)
	})
}

// Names that a collation of MySQL takes for the same are not, and what an error says is
// kept, whatever bytes it has.
func TestOutbox_KeysAndFailuresAreBytes(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		o := outbox(t, fl)
		keys := []string{"a", "a ", "A", "ä", "", "a\u200b"}
		for _, key := range keys {
			add(t, fl, o, dbfleet.Event{Topic: "x", Key: key, Payload: []byte(key)})
		}
		refuse := func(_ context.Context, e dbfleet.Event) error {
			if e.Key == "a" {
				return fmt.Errorf("zero \x00, broken \xff, long %s", strings.Repeat("é", 5000))
			}
			return errRefused
		}
		_, err := o.Deliver(t.Context(), refuse, dbfleet.DeliverOptions{MaxAttempts: 2})
		require.Error(t, err)
		_, err = o.Deliver(t.Context(), func(ctx context.Context, e dbfleet.Event) error {
			if e.Key == "a" {
				return refuse(ctx, e)
			}
			return nil
		}, dbfleet.DeliverOptions{MaxAttempts: 2})
		require.ErrorContains(t, err, "broken")
		failed, err := o.Failed(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, failed, 1)
		require.Contains(t, failed[0].Failure, "zero \uFFFD, broken \uFFFD, long éé")
		var got log
		for _, key := range keys {
			add(t, fl, o, dbfleet.Event{Topic: "x", Key: key, Payload: []byte("next")})
		}
		n, err := o.Deliver(t.Context(), got.handle)
		require.NoError(t, err)
		require.Equal(t, len(keys)-1, n, "one key waits, and no other")
		require.Empty(t, got.payloads("a"))

		inbox, err := dbfleet.NewInbox(fl.Registry, dbfleet.InboxConfig{})
		require.NoError(t, err)
		require.NoError(t, inbox.CreateTables(t.Context()))
		received := 0
		count := func(context.Context, dbfleet.Event) error { received++; return nil }
		for _, id := range []string{"a", "a ", "A", "ä"} {
			require.NoError(t, inbox.Receive(t.Context(), dbfleet.Event{ID: id}, count))
			require.NoError(t, inbox.Receive(t.Context(), dbfleet.Event{ID: id}, count))
		}
		require.Equal(t, 4, received)
		require.EqualError(t, inbox.Receive(t.Context(), dbfleet.Event{ID: strings.Repeat("x", 256)}, count),
			`dbfleet: connection "main": Inbox.Receive: the event's ID has more than 255 characters`)
		_, err = fl.DB("main").Table("dbfleet_inbox").Where("uid", "<>", "A").Update(t.Context(), dbfleet.Row{"received_at": time.Now().Add(-2 * time.Hour)})
		require.NoError(t, err)
		forgotten, err := inbox.Forget(t.Context(), time.Hour)
		require.NoError(t, err)
		require.EqualValues(t, 3, forgotten)
		require.NoError(t, inbox.Receive(t.Context(), dbfleet.Event{ID: "A"}, count))
		require.Equal(t, 4, received, "it was received an instant ago")
	})
}

// Whoever has lost its lease stops, tells it, and counts nothing against the event.
func TestOutbox_StopsWhenAnotherHasItsLease(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		for _, takes := range []bool{false, true} {
			o := outbox(t, fl)
			add(t, fl, o, dbfleet.Event{Topic: "x", Key: "1"}, dbfleet.Event{Topic: "y", Key: "1"})
			lease := fl.DB("main").Table("dbfleet_outbox_lease").Where("id", "=", 1)
			n, err := o.Deliver(t.Context(), func(ctx context.Context, e dbfleet.Event) error {
				if _, err := lease.Update(ctx, dbfleet.Row{"owner": "thief", "beat": 1000}); err != nil {
					return err
				}
				<-ctx.Done()
				if takes {
					return nil // it was done all the same
				}
				return ctx.Err()
			}, dbfleet.DeliverOptions{Lease: 4 * time.Second, OnError: func(_ context.Context, _ dbfleet.Event, err error) { t.Error(err) }})
			require.ErrorContains(t, err, "another process may have it")
			want := map[bool]int{false: 0, true: 1}[takes]
			require.Equal(t, want, n)
			pending, err := o.Pending(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 2-want, pending, "what was taken does not come again")

			_, err = lease.Update(t.Context(), dbfleet.Row{"owner": ""})
			require.NoError(t, err)
			var got log
			_, err = o.Deliver(t.Context(), got.handle)
			require.NoError(t, err)
			require.Len(t, got.events, 2-want)
			require.Equal(t, 1, got.events[0].Attempt)
		}
	})
}

// A process that has a shorter lease waits as long as the holder said that its own lasts.
func TestOutbox_RespectsTheLongerLeaseOfAnother(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	o := outbox(t, fl)
	add(t, fl, o, dbfleet.Event{Topic: "x"})
	_, err := fl.DB("main").Table("dbfleet_outbox_lease").Insert(t.Context(), dbfleet.Row{"id": 1, "owner": "dead", "beat": 7, "lasts": 3500})
	require.NoError(t, err)
	began := time.Now()
	n, err := o.Deliver(t.Context(), new(log).handle, dbfleet.DeliverOptions{Lease: 2 * time.Second})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.GreaterOrEqual(t, time.Since(began), 3500*time.Millisecond)
}

// A handler that takes an event as its process ends has taken it.
func TestOutbox_DeletesWhatWasTakenAsTheContextEnded(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		o := outbox(t, fl)
		add(t, fl, o, dbfleet.Event{Topic: "x", Key: "1"}, dbfleet.Event{Topic: "y", Key: "1"})
		ctx, cancel := context.WithCancel(t.Context())
		err := o.Run(ctx, func(context.Context, dbfleet.Event) error { cancel(); return nil })
		require.ErrorIs(t, err, context.Canceled)
		var got log
		n, err := o.Deliver(t.Context(), got.handle)
		require.NoError(t, err, "the lease is free at once")
		require.Equal(t, 1, n)
		require.Equal(t, "y", got.events[0].Topic)
		conformance.RequireIdleSoon(t, fl.Registry)
	})
}

func TestOutbox_IsOfOneConnection(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		config := conformance.ConnectionTo(db)
		config.Pool.MaxOpen = 1
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}), Database: db}
		o := outbox(t, fl)
		accounts := fl.Bank(t)
		inbox, err := dbfleet.NewInbox(fl.Registry, dbfleet.InboxConfig{})
		require.NoError(t, err)
		require.NoError(t, inbox.CreateTables(t.Context()))
		for i := range 5 {
			add(t, fl, o, dbfleet.Event{Topic: "x", Key: fmt.Sprint(i % 2), Payload: []byte(fmt.Sprint(i))})
		}
		n, err := o.Deliver(t.Context(), inbox.Handler(func(ctx context.Context, e dbfleet.Event) error {
			return accounts.Create(ctx, &conformance.Account{Owner: string(e.Payload)})
		}))
		require.NoError(t, err)
		require.Equal(t, 5, n)
		require.Equal(t, []string{"0", "1", "2", "3", "4"}, conformance.Owners(t, db))
		require.NoError(t, fl.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			_, err := o.Deliver(ctx, new(log).handle)
			require.EqualError(t, err, `dbfleet: connection "main": Outbox.Deliver: the context carries a transaction of this connection; events are delivered outside of it`)
			require.ErrorContains(t, o.Run(ctx, new(log).handle), "Outbox.Run: the context carries a transaction")
			return nil
		}))
		_, err = o.Deliver(t.Context(), new(log).handle, dbfleet.DeliverOptions{Lease: 1})
		require.EqualError(t, err, `dbfleet: connection "main": Outbox.Deliver: DeliverOptions.Lease is 1ns, less than 100ms`)
	})
}

func TestOutbox_AddsInAnAtomicCommit(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		other := dbtest.New(t, "sqlite")
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{
			"main": conformance.ConnectionTo(db), "other": conformance.ConnectionTo(other),
		}), Database: db}
		_, err := fl.DB("other").ExecContext(t.Context(), conformance.DDL("sqlite", conformance.AccountsTable))
		require.NoError(t, err)
		o := outbox(t, fl)
		for _, fails := range []bool{true, false} {
			err := fl.Atomic(t.Context(), []string{"main", "other"}, func(ctx context.Context) error {
				if _, err := o.Add(ctx, dbfleet.Event{Topic: "x", Key: "1"}); err != nil {
					return err
				}
				if _, err := fl.DB("other").ExecContext(ctx, conformance.Inserting("Ann")); err != nil || fails {
					return errUndo
				}
				return nil
			})
			if fails {
				require.ErrorIs(t, err, errUndo)
			} else {
				require.NoError(t, err)
			}
		}
		var got log
		n, err := o.Deliver(t.Context(), got.handle)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, []string{"Ann"}, conformance.Owners(t, other))
	})
}

func TestOutbox_ManyCreateItsTablesAtOnce(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		for round := range 5 {
			o, err := dbfleet.NewOutbox(fl.Registry, dbfleet.OutboxConfig{Table: fmt.Sprint("box", round)})
			require.NoError(t, err)
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					if err := o.CreateTables(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
		}
		o := outbox(t, fl)
		require.NoError(t, fl.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			err := o.CreateTables(ctx)
			if fl.Database.Dialect == "mysql" { // which would commit the transaction
				require.ErrorContains(t, err, "dbfleet: ")
			} else {
				require.NoError(t, err)
			}
			return nil
		}))
	})
}
