package atomic

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/twophase"
)

// A fault is what happens to a participant at a step.
type fault struct {
	name string
	do   func(p *dbtest.Proxy) // nil if it only happens to the context
	ends bool                  // the context ends, soon after
	at   []path
}

// faults are those of the network and of the context.
func faults() []fault {
	all := []path{writes, refuses}
	on := func(f dbtest.Fault) func(*dbtest.Proxy) {
		f.Times = 1
		return func(p *dbtest.Proxy) { p.On(f) }
	}
	return []fault{
		{name: "FIN before the request", do: on(dbtest.Fault{Action: dbtest.CutRequest}), at: all},
		{name: "RST before the request", do: on(dbtest.Fault{Action: dbtest.CutRequest, Reset: true}), at: []path{writes}},
		{name: "FIN instead of the answer", do: on(dbtest.Fault{Action: dbtest.CutReply}), at: []path{writes}},
		{name: "RST instead of the answer", do: on(dbtest.Fault{Action: dbtest.CutReply, Reset: true}), at: all},
		{name: "silence before the request", do: on(dbtest.Fault{Action: dbtest.HoldRequest}), ends: true, at: all},
		{name: "silence instead of the answer", do: on(dbtest.Fault{Action: dbtest.HoldReply}), ends: true, at: []path{writes}},
		{name: "nobody there", do: (*dbtest.Proxy).Refuse, at: []path{writes}},
		{name: "silence everywhere", do: (*dbtest.Proxy).Blackhole, ends: true, at: []path{writes}},
		{name: "the context ends", ends: true, at: all},
	}
}

// A cut is one atomic commit with a fault at a step.
type cut struct {
	fault
	Path        path
	Step, Owner string
	registry    *dbfleet.Registry
	proxies     []*dbtest.Proxy // nil for SQLite
	err         error
}

// participant is the number of the participant that a step is about.
func participant(step string) (number int) {
	word := strings.Fields(step)
	_, _ = fmt.Sscan(word[len(word)-1], &number)
	return number
}

// cuts are all faults at all steps of a path.
func (s *stage) cuts(t *testing.T, p path) (list []*cut) {
	t.Helper()
	for _, step := range s.steps(t, p) {
		for _, f := range faults() {
			here := len(f.at) > 1 || f.at[0] == p
			if !here || f.do != nil && (s.mix[participant(step)] == "sqlite" || strings.HasPrefix(step, "after") && f.name != "nobody there") {
				continue
			}
			c := &cut{fault: f, Path: p, Step: step, Owner: fmt.Sprintf("cut %s %d", p, len(list))}
			s.owner(t, c.Owner)
			list = append(list, c)
		}
	}
	return list
}

// through opens a registry of the cut's own, whose connections can be broken.
func (c *cut) through(t *testing.T, s *stage) {
	t.Helper()
	connections := map[string]dbfleet.ConnectionConfig{}
	for _, name := range s.names {
		db := s.databases[name]
		var p *dbtest.Proxy
		if db.Server != nil {
			p = dbtest.NewProxy(t, db.Server.Addr())
			db = p.Through(db)
		}
		c.proxies = append(c.proxies, p)
		config := conformance.ConnectionTo(db)
		config.ConnectTimeout = 2 * time.Second
		connections[name] = config
	}
	c.registry = conformance.Open(t, connections)
}

// run commits, while the fault happens.
func (c *cut) run(ctx context.Context, s *stage) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var once sync.Once
	ctx = twophase.With(ctx, twophase.Options{Bound: 300 * time.Millisecond, Step: func(step twophase.Step) {
		if step.String() != c.Step {
			return
		}
		once.Do(func() {
			if c.do == nil {
				cancel()
				return
			}
			c.do(c.proxies[participant(c.Step)])
			if c.ends {
				time.AfterFunc(150*time.Millisecond, cancel)
			}
		})
	}})
	c.err = goAlong(ctx, c.registry, s.names, s.mix, c.Path, c.Owner)
}

// kind is what its caller was told.
func (c *cut) kind() string {
	switch {
	case c.err == nil:
		return "committed"
	case errors.Is(c.err, dbfleet.ErrCommitPending):
		return "pending"
	}
	return told(c.err)
}

func (c *cut) heal() {
	for _, p := range c.proxies {
		if p != nil {
			p.Heal()
		}
	}
}

// What was told of an atomic commit is what has become of it, wherever a participant is
// cut off or the context ends.
func TestCut_WhatWasToldIsTrue(t *testing.T) {
	t.Parallel()
	var count atomic.Int64
	var seen sync.Map // what was told
	some := crashMixes
	if !torture() {
		some = slices.Concat(crashMixes[:6], crashMixes[7:8]) // those with a SQLite go one by one
	}
	t.Run("mixes", func(t *testing.T) {
		for _, mix := range some {
			t.Run(fmtMix(mix), func(t *testing.T) {
				t.Parallel()
				s := newStage(t, mix, created)
				var cuts []*cut
				for _, p := range s.paths() {
					if p != reads {
						cuts = append(cuts, s.cuts(t, p)...)
					}
				}
				count.Add(int64(len(cuts)))
				for _, c := range cuts {
					c.through(t, s)
				}
				s.runAll(t, cuts)
				for _, c := range cuts {
					n, _ := seen.LoadOrStore(c.kind(), new(atomic.Int64))
					n.(*atomic.Int64).Add(1)
					c.true(t, s)
				}
				s.recovered(t)
				for _, c := range cuts {
					if want := told(c.err); want != "unknown" {
						require.Equal(t, want, s.outcomeOf(t, c.Path, c.Owner), "%s, %s %s: %v", c.name, c.Path, c.Step, c.err)
					}
					conformance.RequireIdleSoon(t, c.registry)
				}
			})
		}
	})
	t.Logf("%d points", count.Load())
	if !dbtest.Complete() {
		return
	}
	for _, kind := range []string{"committed", "pending", "unknown", "none"} {
		n, ok := seen.Load(kind)
		require.True(t, ok, "no one was %s", kind)
		t.Logf("%s: %d", kind, n.(*atomic.Int64).Load())
	}
	require.GreaterOrEqual(t, count.Load(), int64(500))
}

// runAll runs the cuts, many at once where the databases let them.
func (s *stage) runAll(t *testing.T, cuts []*cut) {
	t.Helper()
	atOnce := 12
	if s.mix[0] == "sqlite" {
		atOnce = 1
	}
	var group sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, c := range cuts {
		slots <- struct{}{}
		group.Go(func() {
			c.run(t.Context(), s)
			c.heal()
			<-slots
		})
	}
	group.Wait()
}

// true resolves what is unknown, which must be all or none.
func (c *cut) true(t *testing.T, s *stage) {
	t.Helper()
	require.NotContains(t, told(c.err), "mixed", "%s, %s %s", c.name, c.Path, c.Step)
	var fail *dbfleet.AtomicError
	if told(c.err) != "unknown" {
		return
	}
	require.ErrorAs(t, c.err, &fail, "%s, %s %s", c.name, c.Path, c.Step)
	require.NotEmpty(t, fail.ID)
	var committed bool
	require.Eventually(t, func() bool {
		var err error
		committed, err = s.ResolveAtomic(context.Background(), fail.ID)
		return err == nil
	}, patience, 50*time.Millisecond)
	c.err = dbfleet.ErrCommitPending
	if !committed {
		c.err = fmt.Errorf("resolved: nothing of it: %v", fail) //nolint:errorlint // it is known now
	}
}
