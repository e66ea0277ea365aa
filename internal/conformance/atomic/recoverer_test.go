package atomic

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/twophase"
)

// leave lets a process die with transactions in doubt: one that is decided, one whose
// decision was about to be sent, and one that is half prepared. It returns the points.
func (s *stage) leave(t *testing.T, name string) (list []point) {
	t.Helper()
	for i, step := range []string{"after commit 0", "before commit 0", "before prepare 1"} {
		list = append(list, point{Path: writes, Step: step, Owner: fmt.Sprint(name, " ", i)})
		s.owner(t, list[i].Owner)
	}
	if s.mix[0] == "sqlite" {
		for _, one := range list {
			s.killed(t, doomed{Points: []point{one}})
		}
		s.sessionsEnd(t)
		return list
	}
	s.killed(t, doomed{Points: list})
	s.sessionsEnd(t)
	return list
}

// sessionsEnd waits until the servers have ended the sessions of processes that died.
func (s *stage) sessionsEnd(t *testing.T) {
	t.Helper()
	for _, name := range s.names {
		if db := s.databases[name]; db.Server != nil {
			require.Eventually(t, func() bool { return db.Connections(t) <= s.Stats()[name].OpenConnections }, patience, conformance.WaitingTick)
		}
	}
}

// asLeft says that what leave left has come to its end.
func (s *stage) asLeft(t *testing.T, list []point) {
	t.Helper()
	for i, want := range []string{"all", "none", "none"} {
		require.Equal(t, want, s.outcomeOf(t, writes, list[i].Owner), list[i].Step)
	}
}

// A recovery dies at each of its steps, and the next one goes on. Each is a process of its
// own: in the short form the two mixes share the steps.
func TestCrash_TheRecoveryDiesAtEachStep(t *testing.T) {
	t.Parallel()
	some, stride := [][]string{{"postgres", "mysql"}, {"mysql", "postgres"}}, 2
	if torture() {
		some, stride = crashMixes, 1
	}
	var count atomic.Int64
	t.Run("mixes", func(t *testing.T) {
		for nth, mix := range some {
			t.Run(fmtMix(mix), func(t *testing.T) {
				t.Parallel()
				s := newStage(t, mix, created)
				var steps atomic.Int64
				s.steps(t, writes) // which makes the ledgers
				list := s.leave(t, "dry")
				_, err := s.Recover(twophase.With(t.Context(), twophase.Options{Step: func(twophase.Step) { steps.Add(1) }}))
				require.NoError(t, err)
				s.recovered(t)
				s.asLeft(t, list)
				// A recovery that finds a lock which the server has not released yet has fewer steps.
				tried, at, died := 0, nth%stride, true
				for ; died && int64(at) < steps.Load(); at += stride {
					tried++
					list := s.leave(t, fmt.Sprint("dies at ", at))
					died, _ = s.dies(t, doomed{Recover: at + 1})
					s.recovered(t)
					s.asLeft(t, list)
				}
				require.Greater(t, int64(at), steps.Load()/2)
				count.Add(int64(tried))
			})
		}
	})
	t.Logf("%d points", count.Load())
	if dbtest.Complete() {
		require.GreaterOrEqual(t, count.Load(), int64(30))
	}
}

// Recoveries run beside processes that live and die, and what was acknowledged is there.
func TestRecover_RunsBesideProcessesThatLiveAndDie(t *testing.T) {
	t.Parallel()
	rounds := 3
	if torture() {
		rounds = 40
	}
	for _, mix := range [][]string{{"postgres", "mysql"}, {"mysql", "postgres", "sqlite"}} {
		t.Run(fmtMix(mix), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, mix, created)
			stop, recoverers := make(chan struct{}), sync.WaitGroup{}
			incidents := atomic.Int64{}
			for range 2 {
				recoverers.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						found, _ := s.Recover(context.Background())
						incidents.Add(int64(len(found.Incidents)))
					}
				})
			}
			said := map[string]string{}
			for round := range rounds {
				child := s.doom(t, doomed{Load: 4, Points: []point{{Owner: fmt.Sprint("round", round)}}})
				out, err := child.StdoutPipe()
				require.NoError(t, err)
				require.NoError(t, child.Start())
				ended := 0
				lines := bufio.NewScanner(out)
				for lines.Scan() {
					word := strings.Fields(lines.Text())
					switch {
					case len(word) == 2 && word[0] == "began":
						said[word[1]] = "unknown"
					case len(word) == 3 && word[0] == "ended":
						said[word[1]] = word[2]
						if ended++; ended == 40+7*round {
							require.NoError(t, child.Process.Kill())
						}
					}
				}
				_ = child.Wait()
				require.GreaterOrEqual(t, ended, 40+7*round)
			}
			close(stop)
			recoverers.Wait()
			require.Zero(t, incidents.Load())
			s.recovered(t)
			have := s.leftBehind(t)
			for owner, want := range said {
				n := have[owner]
				switch want {
				case "all":
					require.Equal(t, len(s.names), n, owner)
				case "none":
					require.Zero(t, n, owner)
				default:
					require.Contains(t, []int{0, len(s.names)}, n, owner)
				}
			}
		})
	}
}

// leftBehind counts the databases that have each owner's row.
func (s *stage) leftBehind(t *testing.T) map[string]int {
	t.Helper()
	have := map[string]int{}
	for _, name := range s.names {
		rows, err := s.DB(name).QueryContext(t.Context(), "SELECT owner FROM left_behind")
		require.NoError(t, err)
		for rows.Next() {
			var owner string
			require.NoError(t, rows.Scan(&owner))
			have[owner]++
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
	}
	return have
}

// A recovery does not hold off an atomic commit that lives, and leaves it alone.
func TestRecover_LeavesTheLivingAlone(t *testing.T) {
	t.Parallel()
	some := [][]string{{"postgres", "mysql"}, {"mysql", "postgres"}, {"sqlite", "postgres", "mysql"}}
	if torture() {
		some = crashMixes
	}
	for _, mix := range some {
		t.Run(fmtMix(mix), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, mix, created)
			for _, step := range s.steps(t, writes) {
				s.owner(t, step)
				ctx := twophase.With(t.Context(), twophase.Options{Step: func(x twophase.Step) {
					if x.String() == step {
						ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
						defer cancel()
						_, _ = s.Recover(twophase.With(ctx, twophase.Options{}))
					}
				}})
				require.NoError(t, goAlong(ctx, s.Registry, s.names, s.mix, writes, step), step)
				require.Equal(t, "all", s.outcomeOf(t, writes, step), step)
			}
			s.recovered(t)
		})
	}
}
