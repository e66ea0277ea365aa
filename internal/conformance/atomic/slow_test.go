package atomic

import (
	"context"
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

// A database answers slowly from a step on, and the context ends soon after: what was told
// is what has become of it, of commits as of recoveries, and another process finishes it.
func TestAtomic_WhatWasToldIsTrueOfASlowDatabase(t *testing.T) {
	t.Parallel()
	for _, mix := range [][]string{{"postgres", "mysql"}, {"mysql", "postgres"}} {
		for _, slow := range []string{"a", "b"} {
			for _, delay := range []time.Duration{300 * time.Millisecond, 2 * time.Second} {
				t.Run(fmt.Sprintf("%s/%s/%s", fmtMix(mix), slow, delay), func(t *testing.T) {
					t.Parallel()
					s := newStage(t, mix, created)
					list := []string{"before prepare 1", "before commit 0", "after commit 0", "before commit prepared 1", "after commit prepared 1"}
					s.steps(t, writes)
					errs := make([]error, len(list))
					var group sync.WaitGroup
					for i, step := range list {
						s.owner(t, step)
						proxy := dbtest.NewProxy(t, s.databases[slow].Server.Addr())
						connections := map[string]dbfleet.ConnectionConfig{}
						for _, name := range s.names {
							connections[name] = conformance.ConnectionTo(s.databases[name])
						}
						connections[slow] = conformance.ConnectionTo(proxy.Through(s.databases[slow]))
						r := conformance.Open(t, connections)
						group.Go(func() {
							ctx, cancel := context.WithCancel(t.Context())
							defer cancel()
							ctx = twophase.With(ctx, twophase.Options{Bound: 3 * time.Second, Step: func(x twophase.Step) {
								if x.String() == step {
									proxy.Delay(delay)
									time.AfterFunc(delay/2, cancel)
								}
							}})
							errs[i] = goAlong(ctx, r, s.names, s.mix, writes, step)
							short, end := context.WithTimeout(t.Context(), delay*3/2) // a recovery that is cut short in the middle
							defer end()
							found, err := r.Recover(short)
							if len(found.Incidents)+len(found.Undecidable) > 0 {
								t.Errorf("%s: %+v %v", step, found, err)
							}
							proxy.Heal()
						})
					}
					group.Wait()
					for i, step := range list {
						c := &cut{fault: fault{name: "slow"}, Path: writes, Step: step, Owner: step, err: errs[i]}
						c.true(t, s)
						errs[i] = c.err
					}
					s.recovered(t)
					for i, step := range list {
						require.Equal(t, told(errs[i]), s.outcomeOf(t, writes, step), "%s: %v", step, errs[i])
					}
				})
			}
		}
	}
}
