package atomic

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// torture says that everything is tried, which takes long.
func torture() bool { return os.Getenv("DBFLEET_TORTURE") != "" }

func created(t *testing.T, dialect string) dbtest.Database { return dbtest.New(t, dialect) }

// crashMixes are the participants of the crashes. A SQLite is the anchor, wherever it is
// named.
var crashMixes = [][]string{
	{"postgres", "mysql"}, {"mysql", "postgres"}, {"postgres", "postgres"}, {"mysql", "mysql"},
	{"postgres", "sqlite"}, {"sqlite", "mysql"},
	{"postgres", "mysql", "sqlite"}, {"mysql", "postgres", "mysql"}, {"postgres", "mysql", "postgres"}, {"mysql", "postgres", "postgres"},
}

// points are all moments of a path, each with rows of its own.
func (s *stage) points(t *testing.T, p path) (list []point) {
	t.Helper()
	for i, step := range s.steps(t, p) {
		list = append(list, point{Path: p, Step: step, Owner: fmt.Sprintf("%s %d", p, i)})
		s.owner(t, list[i].Owner)
	}
	return list
}

// meant is what has become of an atomic commit whose process died at the point: it is
// decided with the answer to the anchor's COMMIT, or before the next step that follows.
func (p point) meant(steps []string) string {
	if p.Path == refuses {
		return "none"
	}
	decided := false
	for _, step := range steps {
		decided = decided || step == "after commit 0"
		if step == p.Step {
			break
		}
	}
	if decided {
		return "all"
	}
	return "none"
}

// The process of atomic commits dies at each of their steps: together where the
// databases let them stand side by side, one by one where there is a SQLite.
func TestCrash_TheCoordinatorDiesAtEachStep(t *testing.T) {
	t.Parallel()
	var count atomic.Int64
	t.Run("mixes", func(t *testing.T) {
		for _, mix := range crashMixes {
			t.Run(fmtMix(mix), func(t *testing.T) {
				t.Parallel()
				s := newStage(t, mix, created)
				for _, p := range s.paths() {
					points := s.points(t, p)
					count.Add(int64(len(points)))
					if s.mix[0] == "sqlite" {
						for _, one := range points {
							s.killed(t, doomed{Points: []point{one}})
						}
					} else {
						s.killed(t, doomed{Points: points})
					}
					s.recovered(t)
					var steps []string
					for _, one := range points {
						steps = append(steps, one.Step)
					}
					for _, one := range points {
						require.Equal(t, one.meant(steps), s.outcomeOf(t, p, one.Owner), "%s %s; the steps were %s", p, one.Step, strings.Join(steps, ", "))
					}
				}
			})
		}
	})
	t.Logf("%d points", count.Load())
	if dbtest.Complete() {
		require.GreaterOrEqual(t, count.Load(), int64(300))
	}
}
