package replicas

import (
	"context"
	"errors"
	"net"
	"runtime/pprof"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// closing is what a connection is in the middle of when it ends.
type closing struct {
	r      *dbfleet.Registry
	db     dbtest.Database
	nodes  []*dbtest.Proxy // the primary and two replicas
	errs   chan error      // of reads
	begun  int
	let    chan struct{} // closed when functions of the program's may come back
	called atomic.Int64  // how often those were called
	after  func()        // when it has ended
}

// read begins so many reads of query that wait for ever.
func (c *closing) read(n int, query string) { c.readBy(c.r.DB("main").Read(), n, query) }

func (c *closing) readBy(db *dbfleet.DB, n int, query string) {
	for range n {
		c.begun++
		go func() {
			_, err := dbfleet.Select[int](context.Background(), db, query)
			c.errs <- err
		}()
	}
}

// hang has n reads hang, each where it is sent to first.
func (c *closing) hang(t *testing.T, n int) {
	var held []*dbtest.Trigger
	for _, p := range c.nodes {
		held = append(held, p.On(dbtest.Fault{Marker: "4711", Action: dbtest.HoldReply}))
	}
	c.read(n, "SELECT 4711")
	require.Eventually(t, func() bool { return held[0].Seen()+held[1].Seen()+held[2].Seen() >= n }, soon, time.Millisecond)
}

// neverDoubts has nobody doubt a node because it, or this machine, does not answer for a
// while: a node that refuses is left out all the same.
func neverDoubts(_ *closing, to *dbfleet.ConnectionConfig) {
	to.Reads.MinWait, to.Reads.MaxWait = 20*time.Second, 20*time.Second
}

// blocks is a function of the program's that does not care for its context.
func (c *closing) blocks() {
	c.called.Add(1)
	<-c.let
}

// closings are what goes on: change is of the configuration, begin is called before the end.
var closings = map[string]struct {
	change func(c *closing, to *dbfleet.ConnectionConfig)
	begin  func(t *testing.T, c *closing)
}{
	"a hedged read at silent nodes": {
		change: func(c *closing, to *dbfleet.ConnectionConfig) {
			neverDoubts(c, to)
			to.Reads.HedgeAfter = 10 * time.Millisecond
		},
		begin: func(t *testing.T, c *closing) {
			for range 100 {
				_, err := dbfleet.Select[int](t.Context(), c.r.DB("main").Read(), "SELECT 1")
				require.NoError(t, err)
			}
			c.hang(t, 3)
			require.Eventually(t, func() bool { return c.r.Stats()["main/replica-1"].InUse+c.r.Stats()["main/replica-2"].InUse > 3 }, soon, time.Millisecond, "none is hedged")
			for _, p := range c.nodes {
				p.Blackhole()
			}
		},
	},
	"a failover to a silent node": {
		change: neverDoubts,
		begin: func(t *testing.T, c *closing) {
			held := c.nodes[2].On(dbtest.Fault{Marker: "4711", Action: dbtest.HoldReply})
			c.nodes[1].Refuse()
			c.read(8, "SELECT 4711")
			require.Eventually(t, func() bool { return held.Seen() == 8 }, soon, time.Millisecond)
		},
	},
	"reads that hang on all nodes": {
		change: neverDoubts,
		begin:  func(t *testing.T, c *closing) { c.hang(t, 16) },
	},
	"questions at silent nodes": {
		begin: func(t *testing.T, c *closing) {
			for _, p := range c.nodes {
				p.Blackhole()
			}
			require.Eventually(t, func() bool { return stateOf(c.r, "main/replica-1").Resting && stateOf(c.r, "main/replica-2").Resting }, soon, time.Millisecond)
			c.read(4, "SELECT 4711")
		},
	},
	"Discover that does not come back": {
		change: func(c *closing, to *dbfleet.ConnectionConfig) {
			to.Discover = func(context.Context) ([]dbfleet.ReplicaConfig, error) { c.blocks(); return nil, nil }
		},
		begin: func(t *testing.T, c *closing) {
			require.Eventually(t, func() bool { return c.called.Load() > 0 }, soon, time.Millisecond)
		},
	},
	"Dial and PasswordFunc that do not come back": {
		change: func(c *closing, to *dbfleet.ConnectionConfig) {
			password := string(to.Password)
			to.Password = ""
			to.PasswordFunc = func(_ context.Context, address string) (string, error) {
				if address == c.nodes[2].Addr() {
					c.blocks()
				}
				return password, nil
			}
			to.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				if address == c.nodes[1].Addr() {
					c.blocks()
				}
				return new(net.Dialer).DialContext(ctx, network, address)
			}
		},
		begin: func(t *testing.T, c *closing) {
			c.readBy(c.r.DB("main").OnReplica("replica-1"), 4, "SELECT 4711")
			c.readBy(c.r.DB("main").OnReplica("replica-2"), 4, "SELECT 4711")
			require.Eventually(t, func() bool { return c.called.Load() > 3 }, soon, time.Millisecond)
		},
	},
	"SetReplicas that waits for readers": {
		change: neverDoubts,
		begin: func(t *testing.T, c *closing) {
			rows, err := c.r.DB("main").Read().QueryContext(context.Background(), "SELECT 1 UNION ALL SELECT 2")
			require.NoError(t, err)
			c.after = func() { _ = rows.Close() }
			c.hang(t, 4)
			c.begun++
			go func() {
				_ = c.r.SetReplicas(context.Background(), "main", nil)
				c.errs <- errors.New("over")
			}()
			require.Eventually(t, func() bool { return len(names(c.r)) == 1 }, soon, time.Millisecond)
		},
	},
}

// promise: Shutdown, Remove and Replace are back soon after their contexts have ended,
// whatever the connection is in the middle of; what waits then ends, and nothing is left.
func TestClose_IsBackAtItsBoundAndLeavesNothing(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		for what, goesOn := range closings {
			for how, end := range map[string]func(ctx context.Context, r *dbfleet.Registry, to dbfleet.ConnectionConfig) error{
				"Shutdown": func(ctx context.Context, r *dbfleet.Registry, _ dbfleet.ConnectionConfig) error {
					return r.Shutdown(ctx)
				},
				"Remove": func(ctx context.Context, r *dbfleet.Registry, _ dbfleet.ConnectionConfig) error {
					return r.Remove(ctx, "main")
				},
				"Replace": func(ctx context.Context, r *dbfleet.Registry, to dbfleet.ConnectionConfig) error {
					return r.Replace(ctx, "main", to)
				},
			} {
				t.Run(what+"/"+how, func(t *testing.T) {
					c := &closing{db: db, errs: make(chan error, 64), let: make(chan struct{})}
					for range 3 {
						c.nodes = append(c.nodes, dbtest.NewProxy(t, addressOf(db)))
					}
					config := conformance.ConnectionTo(c.nodes[0].Through(db))
					config.ReadHosts = []string{c.nodes[1].Addr(), c.nodes[2].Addr()}
					if goesOn.change != nil {
						goesOn.change(c, &config)
					}
					pprof.Do(context.Background(), pprof.Labels("test", t.Name()), func(context.Context) {
						var err error
						c.r, err = dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": config}})
						require.NoError(t, err)
						require.NoError(t, c.r.DB("main").Ping(t.Context()))
						goesOn.begin(t, c)
						ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
						defer cancel()
						began := time.Now()
						err = end(ctx, c.r, conformance.ConnectionTo(db))
						took := time.Since(began)
						t.Logf("%s is back after %v: %v", how, took, err)
						require.Less(t, took, soon)
						if err != nil {
							require.ErrorIs(t, err, context.DeadlineExceeded)
						}
						for range c.begun {
							select {
							case err := <-c.errs:
								if how != "Replace" || err != nil { // it may be the new connection's answer
									require.Error(t, err)
								}
								t.Log(err)
							case <-time.After(soon):
								require.Fail(t, "a read waits still")
							}
						}
						close(c.let)
						if c.after != nil {
							c.after()
						}
						if how != "Shutdown" {
							require.NoError(t, c.r.Close())
						}
					})
					require.Eventually(t, func() bool { return !runs(t.Name()) }, soon, 10*time.Millisecond, "a goroutine is left")
					for _, p := range c.nodes {
						require.Eventually(t, func() bool { return p.Open() == 0 }, soon, 10*time.Millisecond)
					}
				})
			}
		}
	})
}
