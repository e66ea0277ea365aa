package load

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// policy is a way to spread reads that a fault is survived with.
type policy struct {
	name   string
	change func(*dbfleet.ConnectionConfig)
	looks  bool // at latency
}

var (
	inTurn    = policy{"in turn", func(*dbfleet.ConnectionConfig) {}, false}
	byLatency = policy{"by latency", func(c *dbfleet.ConnectionConfig) { c.Reads.Balance = dbfleet.BalanceLatency }, true}
	hedged    = policy{"hedged", func(c *dbfleet.ConnectionConfig) { c.Reads.HedgeAfter = 2 * away }, true}
	byLoad    = policy{"least in flight", func(c *dbfleet.ConnectionConfig) { c.Reads.Balance = dbfleet.BalanceLeastInFlight }, false}
	policies  = []policy{inTurn, byLatency, hedged, byLoad}
)

// who is at fault, by index in ground.nodes.
type atFault struct {
	name    string
	nodes   []int
	primary bool // reads ask for the primary
}

var (
	oneReplica  = atFault{"one replica", []int{1}, false}
	allReplicas = atFault{"all replicas", []int{1, 2}, false}
	thePrimary  = atFault{"the primary", []int{0}, true}
)

// the share of the throughput of ten seconds that a fault may cost, as a time.
const mayCost = 500 * time.Millisecond

// stillThere is how much of the throughput there is when replicas have come back that were
// away all at once: their pools are empty, and the primary still helps.
const stillThere = 0.5

// attempts are made so many, and the best counts: what a fault always costs shows in all
// of them, and what the load of others on this machine costs does not. Where the control
// says of two that the machine had no time for them, only wrong rows count: then nothing
// can be told about time, and reads that have a second for all may well fail. A machine that
// had no time for several faults is asked once for each of the others, or this would take
// twice as long just where all else takes long as well.
const (
	attempts = 3
	maxBusy  = 2
	tooBusy  = 3 // faults
)

// patience is how long a machine that had no time for several faults is asked at all: each
// takes a minute there instead of a few seconds.
const patience = 2 * time.Minute

// promise: a replica's fault under load costs no read, at most a twentieth of ten seconds'
// throughput, and it is in turn within a second of its return; so do faults of all
// replicas, and of the primary for what asks for it.
func TestLoad_ReadsSurviveAFault(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"postgres", "mysql"} {
		t.Run(dialect, func(t *testing.T) { // one after the other: both at once leave neither the time
			g := newGround(t, dialect)
			defer func() {
				t.Logf("%d of %d faults could not be told of by a machine so busy: %q", len(g.untold), g.tried, g.untold)
			}()
			for _, p := range policies {
				t.Run(p.name, func(t *testing.T) {
					for _, who := range []atFault{oneReplica, allReplicas, thePrimary} {
						g.survives(t, p, who)
					}
				})
			}
		})
	}
}

// has says whether a fault is tried with a policy: in the short form each once.
func (p *policy) has(f *fault, who atFault) bool {
	switch {
	case f.slow && (who.primary || len(who.nodes) > 1): // then all are late, and so are all reads
		return false
	case long:
		return true
	case f.slow:
		return p.name == byLatency.name
	case who.name == oneReplica.name && (f.name == "stopped" || f.name == "cut off"):
		return p.name != byLoad.name
	}
	return p.name == inTurn.name
}

func (g *ground) survives(t *testing.T, p policy, who atFault) {
	t.Helper()
	var list []fault
	for _, f := range faults {
		if p.has(&f, who) && (f.on == "" || f.on == g.db.Dialect) && (!who.primary || f.on == "") {
			list = append(list, f)
		}
	}
	if len(list) == 0 {
		return
	}
	r, _ := g.open(t, p.change)
	db := r.DB("main")
	read := func(ctx context.Context, id int) (value, node string, err error) {
		var route dbfleet.Route
		ctx = dbfleet.WithRoute(ctx, &route)
		if who.primary {
			ctx = dbfleet.ReadPrimary(ctx)
		}
		row, err := db.Table("load_rows").Where("id", "=", id).First(ctx)
		value, _ = row["value"].(string)
		return value, route.Node, err
	}
	healthy := 0 // the node of the control
	if who.primary {
		healthy = 1
	}
	pool, query := g.byHand(t, healthy)
	l := startTraffic(t, read, pool, query)
	pass(t, time.Second) // in which connections are made
	for _, f := range list {
		t.Run(who.name+" "+f.name, func(t *testing.T) {
			g.tried++
			if !long && len(g.untold) >= tooBusy && time.Since(g.began) > patience {
				g.untold = append(g.untold, t.Name())
				t.Log("NOT TOLD: this machine is too busy")
				return
			}
			for i, busy := 1, 0; ; i++ {
				wrong, fit := l.survives(t, g, r, p, who, f)
				if len(wrong) == 0 {
					return
				}
				t.Logf("attempt %d: %v", i, wrong)
				if !fit {
					if busy++; busy == maxBusy || len(g.untold) >= tooBusy {
						g.untold = append(g.untold, t.Name())
						t.Log("NOT TOLD: this machine is too busy, and the fault did cost what it must not")
						return
					}
				}
				if i == attempts {
					require.Empty(t, wrong)
				}
			}
		})
	}
	l.finish()
	require.Zero(t, l.wrong.Load())
	errs, n := l.takeErrors()
	for _, err := range errs {
		require.ErrorIs(t, err, context.DeadlineExceeded, "%d reads failed while nothing was wrong", n)
	}
	require.NoError(t, r.Close())
}

// survives has a fault befall nodes under the load, and tells what is not as promised.
func (l *traffic) survives(t *testing.T, g *ground, r *dbfleet.Registry, p policy, who atFault, f fault) (wrong []string, fit bool) {
	t.Helper()
	lasts, rests := 1500*time.Millisecond, 500*time.Millisecond
	if long {
		lasts, rests = 10*time.Second, 3*time.Second
	}
	in := make([]string, 0, 2) // who serves when all is well
	for i, n := range g.nodes {
		if (i == 0) == who.primary {
			in = append(in, n.name)
		}
	}
	g.well(t, r)
	l.forget()
	l.served(t, time.Now(), in...)
	before := l.between(pass(t, rests))

	from := time.Now()
	var ends []func()
	inTurns := 1 // how many faults there are, one after the other
	for _, i := range who.nodes {
		if end := f.begin(t, g, g.nodes[i]); end != nil {
			ends = append(ends, end)
		} else {
			inTurns = len(who.nodes)
		}
	}
	if rest := lasts - time.Since(from); rest > 0 {
		pass(t, rest)
	}
	during := l.between(from, time.Now())
	for _, end := range ends {
		end()
	}
	for _, i := range who.nodes {
		g.answers(t, g.nodes[i])
	}
	back := l.served(t, time.Now(), in...)
	after := l.between(pass(t, rests/2))
	errs, failed := l.takeErrors()

	lost := during.lost(before)
	t.Logf("before %v\nduring %v\nafter  %v\nlost %v of %v (%.0f%%), back after %v, control %d before, %d during", before, during, after,
		lost.Round(time.Millisecond), during.took.Round(time.Millisecond), 100*during.part(before), back.Round(time.Millisecond), before.control, during.control)
	if failed > 0 {
		wrong = append(wrong, fmt.Sprintf("%d reads failed: %v", failed, errs))
	}
	if (!f.slow || p.looks) && lost > mayCost*time.Duration(inTurns) {
		wrong = append(wrong, fmt.Sprintf("lost %v of throughput", lost))
	}
	if late := l.later(from, during, 2*before.p99); p.looks && late > during.mayBeLate() {
		wrong = append(wrong, fmt.Sprintf("%d reads took more than twice the p99 of before, %v", late, before.p99))
	}
	if part := after.part(before); who.name == allReplicas.name && inTurns == 1 && part < stillThere {
		wrong = append(wrong, fmt.Sprintf("only %.0f%% of the throughput when they were back", 100*part))
	}
	if back > time.Second {
		wrong = append(wrong, fmt.Sprintf("back in turn after %v only", back))
	}
	return wrong, before.fit() && l.between(from, time.Now()).fit()
}
