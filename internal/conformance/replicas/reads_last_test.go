package replicas

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// lastWait is the deadline of reads that a node answers late. More than half of it passes,
// and what is left is far more than a connection takes.
const lastWait = 8 * time.Second

// allows lets replicas answer for a primary that is down.
func allows(c *dbfleet.ConnectionConfig) { c.Reads.WhenPrimaryDown = true }

// knows waits until the monitor has found that the nodes of the fleet are as fit says.
func (fl *fleet) knows(t *testing.T, fit func(n dbfleet.NodeState) bool, nodes ...string) {
	t.Helper()
	_, err := fl.DB("main").Table("t").Route(t.Context()) // which begins to watch over them
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		found := 0
		for _, n := range fl.Nodes() {
			for _, name := range nodes {
				if n.Node == name && fit(n) {
					found++
				}
			}
		}
		return found == len(nodes)
	}, soon, time.Millisecond)
}

func isWell(n dbfleet.NodeState) bool { return n.State == dbfleet.ConditionHealthy }
func isOut(n dbfleet.NodeState) bool  { return n.Resting }
func isDown(n dbfleet.NodeState) bool { return n.State == dbfleet.ConditionEjected }

func refuse(proxies ...*dbtest.Proxy) {
	for _, p := range proxies {
		p.Refuse()
	}
}

// late is a read that waits for a connection at a node which makes it when more than half
// of the read's time is over.
type late struct {
	name      string
	change    func(*dbfleet.ConnectionConfig)
	before    func(t *testing.T, fl *fleet)
	meanwhile func(fl *fleet) // nil for nothing
	primary   bool            // the read asks for the primary
	node      int             // 0 is the primary
	why       string          // in the route's reason
}

var lates = []late{{
	name: "the primary that is asked for", change: allows, primary: true,
	before: func(t *testing.T, fl *fleet) {
		refuse(fl.proxies...)
		fl.knows(t, isOut, "main/replica-1", "main/replica-2")
	},
}, {
	name: "the primary in the place of replicas", change: allows,
	before: func(t *testing.T, fl *fleet) {
		refuse(fl.proxies...)
		fl.knows(t, isOut, "main/replica-1", "main/replica-2")
	},
}, {
	name: "the primary when replicas go out meanwhile", change: allows, primary: true,
	before:    func(t *testing.T, fl *fleet) { fl.knows(t, isWell, "main/replica-1", "main/replica-2") },
	meanwhile: func(fl *fleet) { refuse(fl.proxies...) },
}, {
	name: "the primary to which it comes back", change: allows, primary: true, why: "no other has answered",
	before: func(t *testing.T, fl *fleet) {
		fl.knows(t, isWell, "main/replica-1", "main/replica-2")
		// They answer on the connections that are open, and make no others.
		stranger := dbtest.New(t, fl.db.Dialect).Server.Addr()
		for _, p := range fl.proxies {
			p.Retarget(stranger)
		}
	},
}, {
	name: "a replica", node: 1,
	before: func(t *testing.T, fl *fleet) {
		refuse(fl.primary, fl.proxies[1])
		fl.knows(t, isWell, "main/replica-1")
		fl.knows(t, isOut, "main/replica-2")
		fl.knows(t, isDown, "main")
	},
}, {
	name: "a replica of reads that hedge", node: 1, change: hedging,
	before: func(t *testing.T, fl *fleet) {
		refuse(fl.primary, fl.proxies[1])
		fl.knows(t, isWell, "main/replica-1")
		fl.knows(t, isOut, "main/replica-2")
		fl.knows(t, isDown, "main")
	},
}}

// promise: a read has all of its time at the last node that may answer it.
func TestRead_HasAllOfItsTimeAtTheLastNode(t *testing.T) {
	t.Parallel()
	onFleets(t, nil, func(t *testing.T, fl *fleet) {
		for _, l := range lates {
			t.Run(l.name, func(t *testing.T) {
				t.Parallel()
				ctx := t.Context()
				if l.primary {
					ctx = dbfleet.ReadPrimary(ctx)
				}
				l.run(t, ctx, fl.another(t, func(c *dbfleet.ConnectionConfig) {
					steady(c) // late is not silent
					if l.change != nil {
						l.change(c)
					}
				}))
			})
		}
	})
}

func (l *late) run(t *testing.T, ctx context.Context, fl *fleet) {
	t.Helper()
	l.before(t, fl)
	node := append([]*dbtest.Proxy{fl.primary}, fl.proxies...)[l.node]
	var route dbfleet.Route
	ctx, cancel := context.WithTimeout(dbfleet.WithRoute(ctx, &route), lastWait)
	defer cancel()
	until, _ := ctx.Deadline()
	made := node.Accepted()
	node.Hold(1)
	defer node.Release()
	answer := make(chan error, 1)
	go func() { answer <- fl.read(ctx) }()
	require.Eventually(t, func() bool { return node.Accepted() > made }, soon, time.Millisecond)
	if l.meanwhile != nil {
		l.meanwhile(fl)
	}
	var err error
	select {
	case err = <-answer:
	case <-time.After(time.Until(until) - lastWait*2/5):
		node.Release()
		err = <-answer
	}
	require.NoError(t, err)
	require.Equal(t, append([]string{"main"}, "main/replica-1", "main/replica-2")[l.node], route.Node)
	require.Contains(t, route.Reason, l.why)
}

// isPatient has replicas serve where the primary is down, which a machine that is too busy to
// ask it does not show.
func isPatient(c *dbfleet.ConnectionConfig) {
	allows(c)
	steady(c)
}

// promise: what is late is not down. A read is not stale because the primary has made no
// connection within half of its time.
func TestRead_IsNotStaleBecauseThePrimaryIsLate(t *testing.T) {
	t.Parallel()
	onFleets(t, nil, func(t *testing.T, fl *fleet) {
		fl.pause(t)
		t.Run("with MaxLag", func(t *testing.T) {
			t.Parallel()
			l := late{change: func(c *dbfleet.ConnectionConfig) {
				isPatient(c)
				c.Reads.MaxLag = 500 * time.Millisecond
			}, before: func(t *testing.T, fl *fleet) {
				fl.knows(t, func(n dbfleet.NodeState) bool { return isWell(n) && n.Lagging }, "main/replica-1", "main/replica-2")
			}}
			l.run(t, t.Context(), fl.another(t, l.change))
		})
		t.Run("in a session", func(t *testing.T) {
			t.Parallel()
			fl := fl.another(t, isPatient)
			ctx := dbfleet.WithSession(t.Context())
			fl.knows(t, isWell, "main/replica-1", "main/replica-2")
			_, err := fl.DB("main").Table("t").Insert(ctx, dbfleet.Row{"id": 3})
			require.NoError(t, err)
			// The read must make a connection.
			require.NoError(t, fl.DB("main").Conn(t.Context(), func(context.Context, *dbfleet.Conn) error {
				l := late{before: func(*testing.T, *fleet) {}}
				l.run(t, ctx, fl)
				return nil
			}))
		})
	})
}

// promise: a node that makes no connection within half of a read's time is not waited for
// where another may answer.
func TestRead_YieldsAtHalfOfItsTimeToANodeThatIsLeft(t *testing.T) {
	t.Parallel()
	const wait = 8 * time.Second
	reads := func(t *testing.T, fl *fleet, ctx context.Context) (route dbfleet.Route) {
		t.Helper()
		ctx, cancel := context.WithTimeout(dbfleet.WithRoute(ctx, &route), wait)
		defer cancel()
		require.NoError(t, fl.read(ctx))
		return route
	}
	onFleets(t, nil, func(t *testing.T, fl *fleet) {
		t.Run("a replica", func(t *testing.T) {
			t.Parallel()
			fl := fl.another(t, isPatient)
			fl.knows(t, isWell, "main/replica-1", "main/replica-2")
			fl.primary.Hold(1 << 20)
			route := reads(t, fl, dbfleet.ReadPrimary(t.Context()))
			require.Equal(t, dbfleet.RoleReplica, route.Role)
			require.Contains(t, route.Reason, `failover from "main"`)
		})
		t.Run("a replica, without asking who is the primary", func(t *testing.T) {
			t.Parallel()
			fl := fl.another(t, func(c *dbfleet.ConnectionConfig) {
				allows(c)
				c.Reads.MinWait, c.Reads.MaxWait = time.Minute, time.Minute // so long nobody finds out that it is silent
			})
			fl.knows(t, isWell, "main/replica-1", "main/replica-2")
			_, err := fl.DB("main").Table("t").Primary().Route(t.Context())
			require.NoError(t, err)
			fl.primary.Blackhole()
			require.Equal(t, dbfleet.RoleReplica, reads(t, fl, dbfleet.ReadPrimary(t.Context())).Role)
		})
		t.Run("the primary", func(t *testing.T) {
			t.Parallel()
			fl := fl.another(t, steady)
			fl.knows(t, isWell, "main/replica-1", "main/replica-2")
			for _, p := range fl.proxies {
				p.Hold(1 << 20)
			}
			require.Equal(t, "main", reads(t, fl, t.Context()).Node)
		})
		t.Run("a replica that has come back", func(t *testing.T) {
			t.Parallel()
			fl := fl.another(t, steady)
			refuse(fl.proxies...)
			fl.knows(t, isOut, "main/replica-1", "main/replica-2")
			made := fl.primary.Accepted()
			fl.primary.Hold(1 << 20)
			answer := make(chan dbfleet.Route, 1)
			go func() { answer <- reads(t, fl, t.Context()) }()
			require.Eventually(t, func() bool { return fl.primary.Accepted() > made }, soon, time.Millisecond)
			for _, p := range fl.proxies {
				p.Heal()
			}
			require.Equal(t, dbfleet.RoleReplica, (<-answer).Role)
		})
	})
}
