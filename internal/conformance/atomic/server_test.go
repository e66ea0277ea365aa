package atomic

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/twophase"
)

// servers are a test's own, one of each kind.
func servers(t *testing.T) (map[string]*dbtest.Server, func(t *testing.T, dialect string) dbtest.Database) {
	t.Helper()
	own := map[string]*dbtest.Server{"postgres": dbtest.StartPostgres(t), "mysql": dbtest.StartMariaDB(t)}
	return own, func(t *testing.T, dialect string) dbtest.Database {
		t.Helper()
		if dialect == "sqlite" {
			return dbtest.New(t, dialect)
		}
		return own[dialect].Database(t)
	}
}

// A server is killed while atomic commits stand at each of their steps, and again while
// it is frozen for a while.
func TestCrash_AServerDiesAtEachStep(t *testing.T) {
	t.Parallel()
	own, create := servers(t)
	some := [][]string{{"postgres", "mysql"}, {"mysql", "postgres"}}
	if torture() {
		some = crashMixes
	}
	count := 0
	for _, mix := range some {
		s := newStage(t, mix, create)
		connections := map[string]dbfleet.ConnectionConfig{}
		for _, name := range s.names {
			c := conformance.ConnectionTo(s.databases[name])
			c.Pool.MaxOpen, c.ConnectTimeout = 60, time.Second
			connections[name] = c
		}
		r := conformance.Open(t, connections)
		for _, dialect := range []string{"postgres", "mysql"} {
			for _, how := range []string{"killed", "frozen"} {
				var list []point
				for _, p := range s.paths() {
					for _, step := range s.stepsOf(t, p, fmt.Sprint("dry run ", p, dialect, how)) {
						list = append(list, point{Path: p, Step: step, Owner: fmt.Sprintf("%s %s %s %s", dialect, how, p, step)})
						s.owner(t, list[len(list)-1].Owner)
					}
				}
				if s.mix[0] == "sqlite" {
					list = list[len(list)/2 : len(list)/2+1] // its one writer lets one stand at a time
				}
				count += len(list)
				errs := s.standing(t, r, list, func() {
					switch how {
					case "killed":
						own[dialect].Kill(t)
					case "frozen":
						own[dialect].Pause(t)
					}
				}, func() {
					if how == "frozen" {
						own[dialect].Resume(t)
					}
				})
				if how == "killed" {
					own[dialect].Start(t)
				}
				for i, p := range list {
					c := &cut{fault: fault{name: dialect + " " + how}, Path: p.Path, Step: p.Step, Owner: p.Owner, err: errs[i]}
					c.true(t, s)
					errs[i] = c.err
				}
				s.recovered(t)
				for i, p := range list {
					require.Equal(t, told(errs[i]), s.outcomeOf(t, p.Path, p.Owner), "%s %s, %s %s: %v", dialect, how, p.Path, p.Step, errs[i])
				}
				conformance.RequireIdleSoon(t, r)
			}
		}
	}
	t.Logf("%d points", count)
	require.GreaterOrEqual(t, count, 100)
}

// standing runs atomic commits until each stands at its point, lets something happen,
// and lets them go on. after is called when they have gone on for a moment.
func (s *stage) standing(t *testing.T, r *dbfleet.Registry, list []point, happens, after func()) []error {
	t.Helper()
	errs := make([]error, len(list))
	var arrived, ended sync.WaitGroup
	goOn := make(chan struct{})
	for i, p := range list {
		arrived.Add(1)
		ended.Go(func() {
			var once sync.Once
			here := func() { once.Do(arrived.Done) }
			ctx := twophase.With(t.Context(), twophase.Options{Bound: 2 * time.Second, Step: func(x twophase.Step) {
				if x.String() == p.Step {
					here()
					<-goOn
				}
			}})
			errs[i] = goAlong(ctx, r, s.names, s.mix, p.Path, p.Owner)
			here()
		})
	}
	arrived.Wait()
	happens()
	close(goOn)
	thaw := time.AfterFunc(300*time.Millisecond, after)
	ended.Wait()
	if thaw.Stop() {
		after()
	}
	return errs
}
