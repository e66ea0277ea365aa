package sessions

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// asks is what every question for a position has in its text.
var asks = map[string]string{"postgres": "pg_is_in_recovery", "mysql": "gtid_current_pos"}

// A read in a session is one round trip, as outside of one, once it is known what the
// replicas have.
func TestSession_AsksNothingInTheSteadyState(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		one, two := dbtest.NewProxy(t, s.cluster.Replicas[0].Addr()), dbtest.NewProxy(t, s.cluster.Replicas[1].Addr())
		primary := dbtest.NewProxy(t, s.cluster.Primary.Addr())
		config := s.config(primary.Addr(), one.Addr(), two.Addr())
		config.Pool.MaxOpen = 1
		c := s.open(config)
		for _, monotonic := range []bool{false, true} {
			ctx := dbfleet.WithSession(t.Context(), dbfleet.SessionOptions{MonotonicReads: monotonic})
			c.set(ctx, "a", 1)
			s.cluster.WaitCaughtUp(t)
			served := map[string]int{}
			require.Eventually(t, func() bool {
				_, route := c.value(ctx, "a")
				if monotonic && route.Role != dbfleet.RoleReplica { // the reads behind it stay at one replica
					clear(served)
					return false
				}
				served[route.Node]++
				return served["main/replica-1"] > 10 && served["main/replica-2"] > 10 || monotonic && served[route.Node] > 10
			}, soon, often)
			var asked []*dbtest.Trigger
			for _, p := range []*dbtest.Proxy{one, two, primary} {
				asked = append(asked, p.On(dbtest.Fault{Marker: asks[s.db.Dialect]}))
			}
			const reads = 1000
			for range reads {
				_, route := c.value(ctx, "a")
				require.Equal(t, dbfleet.RoleReplica, route.Role, route)
			}
			n := 0
			for _, a := range asked {
				n += a.Seen()
			}
			require.Less(t, n, reads/10, "of the monitor alone, which asks each node once a second")
		}
	})
}

// A read in a session costs at most a twentieth more than one outside. The bound leaves room
// for a machine that does something else meanwhile; the figure is logged.
func TestSession_CostsLittle(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		in := dbfleet.WithSession(t.Context())
		c.set(in, "a", 1)
		s.cluster.WaitCaughtUp(t)
		require.Eventually(t, func() bool {
			_, route := c.value(in, "a")
			return route.Role == dbfleet.RoleReplica
		}, soon, often)
		q := c.counters.Where("name", "=", "a")
		takes := func(ctx context.Context) time.Duration {
			began := time.Now()
			for range 20 {
				_, err := q.First(ctx)
				require.NoError(t, err)
			}
			return time.Since(began)
		}
		const pairs = 150
		inside, outside := make([]time.Duration, pairs), make([]time.Duration, pairs)
		for i := range pairs {
			inside[i], outside[i] = takes(in), takes(t.Context())
		}
		slices.Sort(inside)
		slices.Sort(outside)
		ratio := float64(inside[pairs/2]) / float64(outside[pairs/2])
		t.Logf("inside %v, outside %v: %.3f", inside[pairs/2]/20, outside[pairs/2]/20, ratio)
		require.Less(t, ratio, 1.5)
	})
}

// sends counts what each connection sends, which is as often as it waits for an answer.
type sends struct {
	mu  sync.Mutex
	all []*atomic.Int64
}

func (s *sends) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := new(atomic.Int64)
	s.all = append(s.all, n)
	return &sender{nc, n}, nil
}

// most is how much the busiest connection has sent, of how many.
func (s *sends) most() (most int64, of int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.all {
		most = max(most, n.Load())
	}
	return most, len(s.all)
}

type sender struct {
	net.Conn
	n *atomic.Int64
}

func (s *sender) Write(b []byte) (int, error) {
	s.n.Add(1)
	return s.Conn.Write(b)
}

// A write of a session is as many round trips as one outside on PostgreSQL, which is asked
// for its position in the same flight, and one more on MariaDB.
func TestSession_CostsAWriteNoTripOnPostgres(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		var sent sends
		config := s.whole()
		config.Dial, config.Pool.MaxOpen = sent.dial, 1
		c := s.open(config)
		more := map[string]int64{"postgres": 0, "mysql": 1}[s.db.Dialect]
		const times = 20
		trips := func(ctx context.Context, do func(ctx context.Context, i int)) int64 {
			for range 10 {
				for i := range 4 { // prepared, and known by then
					do(ctx, i)
				}
				before, of := sent.most()
				for i := range times {
					do(ctx, 4+i)
				}
				after, now := sent.most()
				if now == of {
					return after - before
				} // a position came too late, and its connection was given up
			}
			require.Fail(t, "connections are made all the time")
			return 0
		}
		n := 0
		for name, do := range map[string]func(ctx context.Context, i int){
			"update": func(ctx context.Context, i int) { c.set(ctx, "a", int64(i)) },
			"create": func(ctx context.Context, _ int) {
				n++
				require.NoError(t, c.counters.Create(ctx, &counter{Name: strconv.Itoa(n)}))
			},
			"create many": func(ctx context.Context, _ int) {
				n++
				require.NoError(t, c.counters.CreateMany(ctx, []counter{{Name: strconv.Itoa(n)}, {Name: strconv.Itoa(-n)}}))
			},
			"transaction": func(ctx context.Context, i int) {
				require.NoError(t, c.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
					c.set(ctx, "a", int64(i))
					c.set(ctx, "a", int64(i+1))
					return nil
				}))
			},
			"SQL": func(ctx context.Context, _ int) {
				_, err := c.DB("main").ExecContext(ctx, "UPDATE counters SET value = value + 1 WHERE name = 'a'")
				require.NoError(t, err)
			},
			"atomic": func(ctx context.Context, i int) {
				require.NoError(t, c.Atomic(ctx, []string{"main"}, func(ctx context.Context) error {
					c.set(ctx, "a", int64(i))
					return nil
				}))
			},
		} {
			outside, inside := trips(t.Context(), do), trips(dbfleet.WithSession(t.Context()), do)
			t.Logf("%s: %d times cost %d trips, and %d in a session", name, times, outside, inside)
			require.Equal(t, outside+times*more, inside, name)
		}
		in := dbfleet.WithSession(t.Context())
		c.set(in, "a", 77)
		s.cluster.WaitCaughtUp(t)
		is, _ := c.value(in, "a")
		require.EqualValues(t, 77, is)
	})
}
