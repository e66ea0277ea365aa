package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"
)

// tryAll tries mutants in order until n of them were Go and have a verdict, jobs
// at a time, and reports each. Which ones are tried does not depend on jobs. When
// sampling ends, what was begun is finished. The first error ends it at once.
func tryAll(ctx, sampling context.Context, t interface {
	try(ctx context.Context, m mutant) (verdict, error)
}, order []mutant, n, jobs int, report func(mutant, verdict)) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var mu sync.Mutex // protects order, n and report
	next := func() (m mutant, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if len(order) == 0 || ctx.Err() != nil || sampling.Err() != nil {
			return m, false
		}
		m, order = order[0], order[1:]
		return m, true
	}
	slot := func() bool {
		mu.Lock()
		defer mu.Unlock()
		n--
		return n >= 0
	}
	worker := func() {
		for slot() {
			for {
				m, ok := next()
				if !ok {
					return
				}
				v, err := t.try(ctx, m)
				if errors.Is(err, errNoBuild) {
					continue // the next one takes its place
				}
				if err != nil {
					stop(err)
					return
				}
				mu.Lock()
				report(m, v)
				mu.Unlock()
				break
			}
		}
	}
	var wg sync.WaitGroup
	for range jobs {
		wg.Go(worker)
	}
	wg.Wait()
	return context.Cause(ctx)
}

// describe shows a mutant and what became of it.
func describe(m mutant, v verdict) string {
	at := fmt.Sprintf("%s:%d: %s in %s", m.file, m.line(), m.kind, m.fn)
	if !v.survived() {
		return fmt.Sprintf("noticed  %s, by %s of %s (%s)\n", at, v.by, v.suites[len(v.suites)-1], v.took.Round(time.Second))
	}
	tests := "there are no tests of it"
	if len(v.suites) > 0 {
		tests = "not noticed by the tests of " + strings.Join(v.suites, ", ")
	}
	return fmt.Sprintf("SURVIVED %s, %s (%s)\n%s", at, tests, v.took.Round(time.Second), m.diff())
}

// A count is how many mutants were noticed.
type count struct {
	wanted, tried, noticed, candidates int
}

func (c *count) add(v verdict) {
	c.tried++
	if !v.survived() {
		c.noticed++
	}
}

func (c count) String() string {
	s := fmt.Sprintf("%d of %d noticed (of %d possible mutants)", c.noticed, c.tried, c.candidates)
	if c.tried < c.wanted {
		s += fmt.Sprintf("; %d were wanted", c.wanted)
	}
	return s
}

// check fails when so few of the mutants were noticed that less than a share of all must be
// expected to be: of a sample whose tests notice that share, one of twenty would have as few.
func (c count) check(bar float64) error {
	switch {
	case c.tried == 0:
		return errors.New("no mutant was tried")
	case bar > 0 && c.chance(bar) < 0.05:
		return fmt.Errorf("less than %.0f %% noticed", 100*bar)
	}
	return nil
}

// chance is how likely a sample of that size has at most as many noticed as this one, where
// each is noticed with a probability of p, which is between 0 and 1.
func (c count) chance(p float64) (sum float64) {
	factorial := func(n int) float64 { // its logarithm: of hundreds it is no float64
		log, _ := math.Lgamma(float64(n) + 1)
		return log
	}
	for k := range c.noticed + 1 {
		ways := factorial(c.tried) - factorial(k) - factorial(c.tried-k)
		sum += math.Exp(ways + float64(k)*math.Log(p) + float64(c.tried-k)*math.Log1p(-p))
	}
	return sum
}
