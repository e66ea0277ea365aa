package atomic

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/twophase"
)

// A point is a moment in which the process of an atomic commit dies, or something else
// happens.
type point struct {
	Path  path
	Step  string
	Owner string
}

// A doomed process is told what to do in this variable.
const doomedVariable = "DBFLEET_TEST_DOOMED"

// doomed is a process that will be killed: by itself, when its atomic commits have all
// come to their points, or its recovery to Recover.
type doomed struct {
	Connections map[string]dbfleet.ConnectionConfig
	Passwords   map[string]string // a Secret tells no one
	Names, Mix  []string
	Points      []point
	Recover     int // the step of a recovery, counted from 1
	Load        int // or so many workers who go on until they are killed from outside
}

// TestDoomed is the whole of a doomed process.
func TestDoomed(t *testing.T) {
	text := os.Getenv(doomedVariable)
	if text == "" {
		return
	}
	var d doomed
	require.NoError(t, json.Unmarshal([]byte(text), &d))
	for name, password := range d.Passwords {
		c := d.Connections[name]
		c.Password, c.Pool.MaxOpen = dbfleet.Secret(password), 40
		d.Connections[name] = c
	}
	r := conformance.Open(t, d.Connections)
	switch {
	case d.Recover > 0:
		d.recover(t, r)
	case d.Load > 0:
		d.work(t, r)
	default:
		d.atomics(t, r)
	}
}

// die kills this process, as nothing in it can notice.
func die() {
	self, _ := os.FindProcess(os.Getpid())
	_ = self.Kill()
	select {}
}

func (d doomed) recover(t *testing.T, r *dbfleet.Registry) {
	var steps atomic.Int64
	ctx := twophase.With(t.Context(), twophase.Options{Step: func(twophase.Step) {
		if steps.Add(1) == int64(d.Recover) {
			die()
		}
	}})
	_, err := r.Recover(ctx)
	fmt.Printf("passed: %v\n", err)
}

func (d doomed) atomics(t *testing.T, r *dbfleet.Registry) {
	var arrived sync.WaitGroup
	arrived.Add(len(d.Points))
	for _, p := range d.Points {
		go func() {
			ctx := twophase.With(t.Context(), twophase.Options{Step: func(s twophase.Step) {
				if s.String() == p.Step {
					arrived.Done()
					select {}
				}
			}})
			err := goAlong(ctx, r, d.Names, d.Mix, p.Path, p.Owner)
			fmt.Printf("passed %s %s: %v\n", p.Path, p.Step, err)
		}()
	}
	arrived.Wait()
	die()
}

// work commits atomically, again and again, and tells what was acknowledged.
func (d doomed) work(t *testing.T, r *dbfleet.Registry) {
	var group sync.WaitGroup
	for w := range d.Load {
		group.Go(func() {
			for n := 0; ; n++ {
				owner := fmt.Sprintf("%s-%d-%d", d.Points[0].Owner, w, n)
				fmt.Println("began " + owner)
				err := goAlong(context.Background(), r, d.Names, d.Mix, writes, owner)
				fmt.Println("ended " + owner + " " + told(err))
			}
		})
	}
	group.Wait()
}

// doom starts a doomed process on the stage.
func (s *stage) doom(t *testing.T, d doomed) *exec.Cmd {
	t.Helper()
	d.Names, d.Mix, d.Connections, d.Passwords = s.names, s.mix, map[string]dbfleet.ConnectionConfig{}, map[string]string{}
	for _, name := range s.names {
		d.Connections[name] = conformance.ConnectionTo(s.databases[name])
		d.Passwords[name] = s.databases[name].Password
	}
	text, err := json.Marshal(d)
	require.NoError(t, err)
	child := exec.Command(os.Args[0], "-test.run=^TestDoomed$", "-test.count=1", "-test.timeout=3m")
	child.Env = append(os.Environ(), doomedVariable+"="+string(text), "DBFLEET_TEST_REQUIRE=")
	child.WaitDelay = patience
	return child
}

// killed runs a doomed process until it has killed itself. What it says instead is a
// failure.
func (s *stage) killed(t *testing.T, d doomed) {
	t.Helper()
	died, out := s.dies(t, d)
	require.True(t, died, "it was not killed:\n%s", out)
	require.NotContains(t, out, "passed", "a point was passed")
}

// dies runs a doomed process, which may also end before it kills itself.
func (s *stage) dies(t *testing.T, d doomed) (died bool, out string) {
	t.Helper()
	text, err := s.doom(t, d).CombinedOutput()
	if err == nil {
		return false, string(text)
	}
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s", text)
	require.Equal(t, -1, exit.ExitCode(), "it has failed:\n%s", text)
	return true, string(text)
}
