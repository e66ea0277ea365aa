package sessions

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// hazard: two reads at two replicas, the second of which is behind.
func TestSession_WithMonotonicReadsNeverGoesBack(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		s.cluster.PauseReplay(t, s.cluster.Replicas[1])
		c.set(t.Context(), "a", 1)
		s.cluster.WaitCaughtUp(t, s.cluster.Replicas[0])
		seen := map[int64]bool{}
		for range 20 {
			is, _ := c.value(t.Context(), "a")
			seen[is] = true
		}
		require.Len(t, seen, 2, "without a session the two replicas differ")
		for range 20 {
			ctx := dbfleet.WithSession(t.Context(), dbfleet.SessionOptions{MonotonicReads: true})
			last := int64(0)
			for range 10 {
				is, route := c.value(ctx, "a")
				require.GreaterOrEqual(t, is, last, "at %s", route)
				last = is
				elsewhere, err := c.ContinueSession(t.Context(), c.token(ctx), dbfleet.SessionOptions{MonotonicReads: true})
				require.NoError(t, err)
				is, route = c.value(elsewhere, "a")
				require.GreaterOrEqual(t, is, last, "of its token, at %s", route)
			}
		}
		s.release()
	})
}

func TestSession_WithMonotonicReadsLeavesAReplicaThatIsGone(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		ctx := dbfleet.WithSession(t.Context(), dbfleet.SessionOptions{MonotonicReads: true})
		_, first := c.value(ctx, "a")
		for range 5 {
			_, route := c.value(ctx, "a")
			require.Equal(t, first.Node, route.Node, "it stays")
		}
		gone, other := s.cluster.Replicas[0], s.cluster.Replicas[1]
		if first.Node == "main/replica-2" {
			gone, other = other, gone
		}
		s.cluster.PauseReplay(t, other)
		c.set(t.Context(), "a", 1)
		s.cluster.WaitCaughtUp(t, gone)
		is, route := c.value(ctx, "a")
		require.EqualValues(t, 1, is, "at %s", route)
		gone.Kill(t)
		is, route = c.value(ctx, "a")
		require.EqualValues(t, 1, is, "the other has not got it: %s", route)
		s.cluster.ResumeReplay(t, other)
		s.cluster.WaitCaughtUp(t, other)
		is, _ = c.value(ctx, "a")
		require.EqualValues(t, 1, is)
	})
}

func TestSession_FirstReadFromPrimary(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		s.hold()
		c.set(t.Context(), "a", 1)
		ctx := dbfleet.WithSession(t.Context(), dbfleet.SessionOptions{FirstReadFromPrimary: true})
		for range 3 {
			is, route := c.value(ctx, "a")
			require.EqualValues(t, 1, is, "at %s", route)
		}
		s.release()
		require.Eventually(t, func() bool {
			is, route := c.value(ctx, "a")
			return is == 1 && route.Role == dbfleet.RoleReplica
		}, soon, often)
	})
}

// promise: reads of one session never go back while everything is written, in a pool of
// replicas that are behind now and then.
func TestSession_WithMonotonicReadsUnderWrites(t *testing.T) {
	t.Parallel()
	rounds := 3
	if torture {
		rounds = 60
	}
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		writing, stop := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			for value := int64(1); writing.Err() == nil; value++ {
				if _, err := c.counters.Where("name", "=", "a").Update(t.Context(), dbfleet.Row{"value": value}); err != nil {
					t.Errorf("write: %v", err)
					return
				}
			}
		})
		defer group.Wait()
		defer stop()
		for i := range rounds {
			replica := s.cluster.Replicas[i%2]
			s.cluster.PauseReplay(t, replica)
			for range 10 {
				ctx := dbfleet.WithSession(t.Context(), dbfleet.SessionOptions{MonotonicReads: true})
				last := int64(0)
				for range 30 {
					is, route := c.value(ctx, "a")
					require.GreaterOrEqual(t, is, last, "at %s", route)
					last = is
				}
			}
			s.cluster.ResumeReplay(t, replica)
		}
	})
}

// hazard: what a transaction or a Conn has read at the primary is ahead of every replica,
// also if it is rolled back, and while it is open still.
func TestSession_WithMonotonicReadsRemembersWhatTransactionsRead(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		db := c.DB("main")
		s.hold()
		s.db.Exec(t, "UPDATE counters SET value = 5 WHERE name = 'a'") // somebody else
		const query = "SELECT value FROM counters WHERE name = 'a'"
		undo := errors.New("undo")
		model := func(ctx context.Context) (int64, error) {
			is, _, err := c.read(ctx, "a")
			return is, err
		}
		in := func(o dbfleet.TxOptions, end error) func(context.Context) (int64, error) {
			return func(ctx context.Context) (is int64, err error) {
				err = db.Transaction(ctx, func(tx context.Context, _ *dbfleet.Tx) error {
					if is, err = model(tx); err != nil {
						return err
					}
					if outside, route := c.value(dbfleet.OutsideTx(tx), "a"); outside < is {
						t.Errorf("while it is open: %d at %s", outside, route)
					}
					return end
				}, o)
				if end != nil && errors.Is(err, end) {
					err = nil
				}
				return is, err
			}
		}
		lent := func(db *dbfleet.DB) func(context.Context) (int64, error) {
			return func(ctx context.Context) (is int64, err error) {
				err = db.Conn(ctx, func(ctx context.Context, conn *dbfleet.Conn) error {
					return conn.QueryRowContext(ctx, query).Scan(&is)
				})
				return is, err
			}
		}
		for name, read := range map[string]func(context.Context) (int64, error){
			"a transaction":                    in(dbfleet.TxOptions{}, nil),
			"one that is read only":            in(dbfleet.TxOptions{ReadOnly: true}, nil),
			"one that is rolled back":          in(dbfleet.TxOptions{}, undo),
			"a Conn":                           lent(db),
			"a Conn for reads, at the primary": func(ctx context.Context) (int64, error) { return lent(db.Read())(dbfleet.ReadPrimary(ctx)) },
			"a transaction's Conn, rolled back": func(ctx context.Context) (is int64, err error) {
				err = db.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
					if is, err = lent(db)(ctx); err != nil {
						return err
					}
					return undo
				})
				if errors.Is(err, undo) {
					err = nil
				}
				return is, err
			},
			"an Atomic": func(ctx context.Context) (is int64, err error) {
				err = c.Atomic(ctx, []string{"main"}, func(ctx context.Context) error {
					is, err = model(ctx)
					return err
				})
				return is, err
			},
		} {
			ctx := dbfleet.WithSession(t.Context(), dbfleet.SessionOptions{MonotonicReads: true})
			before, err := read(ctx)
			require.NoError(t, err, name)
			require.EqualValues(t, 5, before, name)
			after, route := c.value(ctx, "a")
			require.EqualValues(t, 5, after, "%s, at %s", name, route)
		}
		s.release()
	})
}
