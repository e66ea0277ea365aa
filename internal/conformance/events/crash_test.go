package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// relay carries numbered events from the outbox on "from" to the inbox on "to", where
// the last number of each key is kept.
type relay struct {
	*dbfleet.Registry
	outbox  *dbfleet.Outbox
	inbox   *dbfleet.Inbox
	numbers *dbfleet.Query[dbfleet.Row]
}

var relayKeys = []string{"k1", "k2"}

// relayMixes are the databases of "from" and "to"; one name is one database for both.
var relayMixes = [][]string{{"sqlite"}, {"postgres"}, {"mysql"}, {"sqlite", "postgres"}, {"postgres", "mysql"}, {"mysql", "sqlite"}}

func relayOn(t *testing.T, connections map[string]dbfleet.ConnectionConfig) *relay {
	t.Helper()
	r := &relay{Registry: conformance.Open(t, connections)}
	var err error
	r.outbox, err = dbfleet.NewOutbox(r.Registry, dbfleet.OutboxConfig{Connection: "from"})
	require.NoError(t, err)
	r.inbox, err = dbfleet.NewInbox(r.Registry, dbfleet.InboxConfig{Connection: "to"})
	require.NoError(t, err)
	r.numbers = r.DB("to").Table("numbers")
	return r
}

func connectionsTo(databases []dbtest.Database) map[string]dbfleet.ConnectionConfig {
	return map[string]dbfleet.ConnectionConfig{
		"from": conformance.ConnectionTo(databases[0]), "to": conformance.ConnectionTo(databases[len(databases)-1]),
	}
}

// onRelays runs f on fresh databases of each mix, whose tables are made.
func onRelays(t *testing.T, f func(t *testing.T, r *relay, databases []dbtest.Database)) {
	t.Helper()
	for _, mix := range relayMixes {
		t.Run(strings.Join(mix, "-"), func(t *testing.T) {
			t.Parallel()
			onRelayOf(t, mix, f)
		})
	}
}

func onRelayOf(t *testing.T, mix []string, f func(t *testing.T, r *relay, databases []dbtest.Database)) {
	t.Helper()
	var databases []dbtest.Database
	for _, dialect := range mix {
		databases = append(databases, dbtest.New(t, dialect))
	}
	r := relayOn(t, connectionsTo(databases))
	require.NoError(t, r.outbox.CreateTables(t.Context()))
	require.NoError(t, r.inbox.CreateTables(t.Context()))
	_, err := r.DB("to").ExecContext(t.Context(), conformance.DDL(mix[len(mix)-1], "CREATE TABLE numbers (name {text} NOT NULL PRIMARY KEY, n {bigint} NOT NULL)"))
	require.NoError(t, err)
	for _, key := range relayKeys {
		_, err := r.numbers.Insert(t.Context(), dbfleet.Row{"name": key, "n": 0})
		require.NoError(t, err)
	}
	f(t, r, databases)
}

// add writes the event with the next number of each key, and one that is rolled back.
func (r *relay) add(t *testing.T, number int) {
	t.Helper()
	for _, undone := range []bool{true, false} {
		err := r.Transaction(t.Context(), "from", func(ctx context.Context, _ *dbfleet.Tx) error {
			for _, key := range relayKeys {
				if _, err := r.outbox.Add(ctx, dbfleet.Event{Topic: "numbered", Key: key, Payload: []byte(fmt.Sprint(number))}); err != nil {
					return err
				}
			}
			if undone {
				return errUndo
			}
			return nil
		}, dbfleet.TxOptions{Retries: 10})
		if !undone {
			require.NoError(t, err)
		}
	}
}

// handler takes the number of an event if it is the next one of its key.
func (r *relay) handler() func(context.Context, dbfleet.Event) error {
	return r.inbox.Handler(func(ctx context.Context, e dbfleet.Event) error {
		var number int
		if _, err := fmt.Sscan(string(e.Payload), &number); err != nil {
			return err
		}
		n, err := r.numbers.Where("name", "=", e.Key).Where("n", "=", number-1).Increment(ctx, "n", 1)
		if err == nil && n != 1 {
			err = fmt.Errorf("%w: %d of %q", errOrder, number, e.Key)
		}
		return err
	})
}

var errOrder = errors.New("it is not the next one")

// finish delivers what is left, and requires that each key has come to a number.
func (r *relay) finish(t *testing.T, number int) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		_, err := r.outbox.Deliver(t.Context(), r.handler(), dbfleet.DeliverOptions{Lease: relayLease})
		require.NotErrorIs(t, err, errOrder)
		pending, countErr := r.outbox.Pending(t.Context())
		require.NoError(t, countErr)
		if pending == 0 {
			break
		}
		require.True(t, time.Now().Before(deadline), "not delivered in two minutes: %v", err)
	}
	for _, key := range relayKeys {
		n, err := r.numbers.Where("name", "=", key).Pluck(t.Context(), "n")
		require.NoError(t, err)
		require.EqualValues(t, []any{int64(number)}, n)
	}
}

const (
	relayLease    = 150 * time.Millisecond
	relayVariable = "DBFLEET_TEST_RELAY_VICTIM"
)

// victim is a relay that is killed.
type victim struct {
	Databases []dbtest.Database
	DiesAfter int64 // that many statements
}

// Relays die, each a few statements later than the one before. What they were to
// deliver has its effect once, in order.
func TestRelay_SurvivesADeathAtEachStatement(t *testing.T) {
	if text := os.Getenv(relayVariable); text != "" {
		die(t, text)
		return
	}
	t.Parallel()
	onRelays(t, func(t *testing.T, r *relay, databases []dbtest.Database) {
		const deaths = 24
		for i := range deaths {
			r.add(t, i+1)
			kill(t, databases, int64(i*2+1))
		}
		r.finish(t, deaths)
	})
}

func kill(t *testing.T, databases []dbtest.Database, after int64) {
	t.Helper()
	v := victim{DiesAfter: after}
	for _, db := range databases {
		db.Server = nil
		v.Databases = append(v.Databases, db)
	}
	text, err := json.Marshal(v)
	require.NoError(t, err)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRelay_SurvivesADeathAtEachStatement$", "-test.count=1")
	child.Env = append(os.Environ(), relayVariable+"="+string(text))
	out, err := child.CombinedOutput()
	var ended *exec.ExitError
	require.ErrorAs(t, err, &ended, "%s", out)
	require.Equal(t, -1, ended.ExitCode(), "it was to be killed: %s", out)
}

// die is the victim: it runs until it is killed.
func die(t *testing.T, text string) {
	var v victim
	require.NoError(t, json.Unmarshal([]byte(text), &v))
	r := relayOn(t, connectionsTo(v.Databases))
	var sent atomic.Int64
	r.OnAfterQuery(func(context.Context, dbfleet.QueryEvent) {
		if sent.Add(1) == v.DiesAfter {
			self, err := os.FindProcess(os.Getpid())
			require.NoError(t, err)
			require.NoError(t, self.Kill())
			select {}
		}
	})
	_ = r.outbox.Run(t.Context(), r.handler(), dbfleet.DeliverOptions{Lease: relayLease, Every: 5 * time.Millisecond, OnError: func(_ context.Context, _ dbfleet.Event, err error) {
		if errors.Is(err, errOrder) {
			panic(err)
		}
	}})
}

// Two relays run at once over connections that are cut again and again.
func TestRelay_SurvivesCutConnections(t *testing.T) {
	t.Parallel()
	for _, mix := range [][]string{{"postgres", "mysql"}, {"mysql", "postgres"}, {"postgres"}, {"mysql"}} {
		t.Run(strings.Join(mix, "-"), func(t *testing.T) {
			t.Parallel()
			var databases, direct []dbtest.Database
			var proxies []*dbtest.Proxy
			for _, dialect := range mix {
				db := dbtest.New(t, dialect)
				proxy := dbtest.NewProxy(t, db.Server.Addr())
				direct, databases, proxies = append(direct, db), append(databases, proxy.Through(db)), append(proxies, proxy)
			}
			calm := relayOn(t, connectionsTo(direct))
			require.NoError(t, calm.outbox.CreateTables(t.Context()))
			require.NoError(t, calm.inbox.CreateTables(t.Context()))
			_, err := calm.DB("to").ExecContext(t.Context(), conformance.DDL(mix[len(mix)-1], "CREATE TABLE numbers (name {text} NOT NULL PRIMARY KEY, n {bigint} NOT NULL)"))
			require.NoError(t, err)
			for _, key := range relayKeys {
				_, err := calm.numbers.Insert(t.Context(), dbfleet.Row{"name": key, "n": 0})
				require.NoError(t, err)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 2)
			for range 2 {
				r := relayOn(t, connectionsTo(databases))
				var sent atomic.Int64
				r.OnAfterQuery(func(context.Context, dbfleet.QueryEvent) {
					if n := sent.Add(1); n%31 == 0 {
						proxies[int(n)%len(proxies)].Cut()
					}
				})
				go func() {
					ended <- r.outbox.Run(ctx, r.handler(), dbfleet.DeliverOptions{Lease: relayLease, Every: 5 * time.Millisecond, OnError: func(_ context.Context, _ dbfleet.Event, err error) {
						if errors.Is(err, errOrder) {
							t.Error(err)
						}
					}})
				}()
			}
			const events = 16
			for i := range events {
				calm.add(t, i+1)
			}
			for deadline := time.Now().Add(10 * time.Second); ; {
				pending, err := calm.outbox.Pending(t.Context())
				require.NoError(t, err)
				if pending < events/2 || time.Now().After(deadline) { // the rest is delivered in peace
					break
				}
				<-time.After(20 * time.Millisecond)
			}
			stop()
			require.ErrorIs(t, <-ended, context.Canceled)
			require.ErrorIs(t, <-ended, context.Canceled)
			calm.finish(t, events)
		})
	}
}
