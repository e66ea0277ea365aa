package events

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

const frozenVariable = "DBFLEET_TEST_RELAY_FROZEN"

// A relay stands still after a statement for longer than its lease, another one takes over,
// and then it goes on. What both deliver has its effect once, in order.
func TestRelay_GoesOnAfterAnotherHasTakenOver(t *testing.T) {
	if text := os.Getenv(frozenVariable); text != "" {
		freeze(t, text)
		return
	}
	t.Parallel()
	for _, mix := range [][]string{{"postgres"}, {"postgres", "mysql"}, {"mysql", "postgres"}} {
		t.Run(strings.Join(mix, "-"), func(t *testing.T) {
			t.Parallel()
			onRelayOf(t, mix, func(t *testing.T, r *relay, databases []dbtest.Database) {
				const rounds = 10
				for i := range rounds {
					r.add(t, 3*i+1)
					r.add(t, 3*i+2)
					frozen := startFrozen(t, databases, int64(2*i+1))
					// A transaction that stands still keeps the other one waiting.
					ctx, cancel := context.WithTimeout(t.Context(), 10*relayLease)
					for ctx.Err() == nil {
						_, err := r.outbox.Deliver(ctx, r.handler(), dbfleet.DeliverOptions{Lease: relayLease})
						require.NotErrorIs(t, err, errOrder)
						if n, err := r.outbox.Pending(t.Context()); err == nil && n == 0 {
							break
						}
					}
					cancel()
					r.add(t, 3*i+3)
					frozen.GoOn(t)
					r.finish(t, 3*i+3)
					frozen.End(t)
				}
			})
		})
	}
}

func startFrozen(t *testing.T, databases []dbtest.Database, after int64) *dbtest.Frozen {
	t.Helper()
	v := victim{DiesAfter: after}
	for _, db := range databases {
		db.Server = nil
		v.Databases = append(v.Databases, db)
	}
	text, err := json.Marshal(v)
	require.NoError(t, err)
	f, stands := dbtest.StartFrozen(t, "TestRelay_GoesOnAfterAnotherHasTakenOver", frozenVariable, string(text))
	require.True(t, stands)
	return f
}

// freeze is the process: it stands still after a statement, and then goes on until its
// input ends.
func freeze(t *testing.T, text string) {
	var v victim
	require.NoError(t, json.Unmarshal([]byte(text), &v))
	r := relayOn(t, connectionsTo(v.Databases))
	ctx, cancel := context.WithCancel(t.Context())
	var sent atomic.Int64
	r.OnAfterQuery(func(context.Context, dbfleet.QueryEvent) {
		if sent.Add(1) == v.DiesAfter {
			dbtest.StandStill()
		}
	})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var order atomic.Pointer[error]
	_ = r.outbox.Run(ctx, r.handler(), dbfleet.DeliverOptions{Lease: relayLease, Every: 5 * time.Millisecond, OnError: func(_ context.Context, _ dbfleet.Event, err error) {
		if errors.Is(err, errOrder) {
			order.Store(&err)
		}
	}})
	if err := order.Load(); err != nil {
		t.Fatal(*err)
	}
}
