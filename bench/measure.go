package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Plan says how much is measured.
type Plan struct {
	Rounds int
	// Budget is about how long a sample takes; an operation that takes longer is
	// done once a sample.
	Budget time.Duration
	// HeavyRounds bounds the rounds of the operations of ten thousand rows.
	HeavyRounds int
	Seed        uint64
}

// sample is one measurement of one peer at one operation.
type sample struct{ ns, allocs, bytes float64 }

// series are the samples of one operation by peer, one for each round.
type series map[string][]sample

// measure measures all operations of a lab. In each round every peer has its
// turn at every operation, in an order that is shuffled anew. A peer's time is
// then compared with the hand-written code's of the same round.
func (l *lab) measure(ctx context.Context, ops []Operation, plan Plan) (map[Operation]series, error) {
	random := rand.New(rand.NewPCG(plan.Seed, uint64(len(l.place))))
	ops = slices.DeleteFunc(slices.Clone(ops), func(op Operation) bool { return op.place() != l.place })
	times := map[Operation]map[string]int{}
	all := map[Operation]series{}
	for _, op := range ops {
		budget := plan.Budget
		if op == Build {
			budget *= 4 // or the collector would run in some samples and not in others
		}
		n, err := l.calibrate(ctx, op, budget)
		if err != nil {
			return nil, err
		}
		times[op], all[op] = n, series{}
	}
	for round := range plan.Rounds {
		random.Shuffle(len(ops), func(i, j int) { ops[i], ops[j] = ops[j], ops[i] })
		for _, op := range ops {
			if op.heavy() && round >= plan.HeavyRounds {
				continue
			}
			for _, at := range random.Perm(len(l.peers)) {
				p := l.peers[at]
				f, ok := l.operation(p, op)
				if !ok {
					continue
				}
				s, err := l.best(ctx, op, f, times[op][p.Name])
				if err != nil {
					return nil, fmt.Errorf("%s %s %s: %w", l.target.Database, p.Name, op, err)
				}
				all[op][p.Name] = append(all[op][p.Name], s)
			}
		}
	}
	return all, nil
}

// calibrate finds how often each peer does the operation in a sample. Inserts
// are as many for everybody, so that all tables grow alike, and reads that are
// spread over replicas, whose peers differ by little.
func (l *lab) calibrate(ctx context.Context, op Operation, budget time.Duration) (map[string]int, error) {
	times := map[string]int{}
	for _, p := range l.peers {
		f, ok := l.operation(p, op)
		if !ok {
			continue
		}
		if (op.place() == inserts || op == ReadSpread) && p.Name != raw && times[raw] > 0 {
			times[p.Name] = times[raw]
			continue
		}
		for n := 1; ; {
			s, err := l.sample(ctx, op, f, n, false)
			if err != nil {
				return nil, fmt.Errorf("%s %s %s: %w", l.target.Database, p.Name, op, err)
			}
			if took := time.Duration(s.ns * float64(n)); took >= budget/4 || n >= 1<<20 {
				times[p.Name] = min(max(1, int(float64(budget)/s.ns)), 1<<20)
				break
			}
			n *= 4
		}
	}
	return times, nil
}

// best measures n executions, of a read in parallel three times, of which the
// best counts: with several connections at once the scheduler falls into a fast
// way or one three times as slow, whosever code it is.
func (l *lab) best(ctx context.Context, op Operation, f Func, n int) (sample, error) {
	best, err := l.sample(ctx, op, f, n, true)
	for again := 0; err == nil && op == ReadParallel && again < 2; again++ {
		var s sample
		if s, err = l.sample(ctx, op, f, n, true); s.ns < best.ns {
			best = s
		}
	}
	return best, err
}

// sample measures n executions. warm lets the peer do a few before.
func (l *lab) sample(ctx context.Context, op Operation, f Func, n int, warm bool) (sample, error) {
	if op.place() == inserts {
		if err := l.target.empty(ctx, l.look); err != nil {
			return sample{}, err
		}
	}
	l.target.expect(op)
	run := f.Run
	if op == ReadParallel {
		run = inParallel(run)
	}
	if err := ctx.Err(); err != nil {
		return sample{}, err
	}
	// A context that can be cancelled costs database/sql a goroutine a query.
	plain := context.WithoutCancel(ctx)
	if warm && n >= 8 {
		if err := run(plain, n/8); err != nil {
			return sample{}, err
		}
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	err := run(plain, n)
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	each := func(x uint64) float64 { return float64(x) / float64(n) }
	return sample{
		ns: float64(took.Nanoseconds()) / float64(n), allocs: each(after.Mallocs - before.Mallocs), bytes: each(after.TotalAlloc - before.TotalAlloc),
	}, err
}

// inParallel spreads the executions over GOMAXPROCS goroutines, at least four.
func inParallel(run func(context.Context, int) error) func(context.Context, int) error {
	return func(ctx context.Context, n int) error {
		workers := max(4, runtime.GOMAXPROCS(0))
		errs := make([]error, workers)
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() { errs[w] = run(ctx, n/workers+min(1, max(0, n%workers-w))) })
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	}
}
