package dbfleet

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dbfleet/dbfleet/internal/twophase"
)

// Recovery is what Recover has found and done.
type Recovery struct {
	// Committed and RolledBack count the branches that it finished.
	Committed, RolledBack int
	// Alive are atomic commits that were left alone, because the process that runs them
	// still holds their decision.
	Alive []string
	// Pending are those that could not be finished now, as when a database does not
	// answer.
	Pending []string
	// Undecidable are those whose branches are still prepared long after their decision
	// was deleted (RecoverOptions.Retention): a person must decide.
	Undecidable []string
	// Incidents are parts that were lost, or finished by others contrary to the decision.
	Incidents []Incident
}

// RecoverOptions say how atomic commits are recovered. The zero value has the defaults.
type RecoverOptions struct {
	// Retention is how long the record of a finished commit is kept: longer than a replica
	// may be behind that is promoted.
	//
	// Defaults to 7 days; -1 keeps them for ever.
	Retention time.Duration
	// Every is how often the recovery in the background runs; see RecoverInBackground.
	//
	// Defaults to 10 s.
	Every time.Duration
	// OnRecovery is told of each recovery in the background that found something, and of
	// its error. stop, Close and Shutdown wait for it, so it may call none of them; where it
	// does not return, stop never does, and the others end with their time and name it.
	OnRecovery func(ctx context.Context, r Recovery, err error)
}

// Recover finishes what atomic commits of lost processes have left in the databases of
// this registry, as was decided, or else rolls it back. It may run at any time, in any
// process of the same deployment, several at once and beside Atomics, which it leaves
// alone as long as they live. It does not touch prepared transactions of others.
//
// What it could not reach is in the error, and does not keep it from the rest.
func (r *Registry) Recover(ctx context.Context, options ...RecoverOptions) (Recovery, error) {
	if err := r.usable(); err != nil {
		return Recovery{}, err
	}
	if err := checkContext(ctx, ""); err != nil {
		return Recovery{}, errorf("Recover: %w", err)
	}
	o, err := recoverOptions(options)
	if err != nil {
		return Recovery{}, errorf("Recover: %w", err)
	}
	ctx = besideTx(ctx)
	m, unreached := r.members(ctx)
	unseen := m.strangers(ctx)
	report, err := twophase.Recover(ctx, m.list, twophase.Options{Retention: o.Retention})
	out := Recovery{Committed: len(report.Committed), RolledBack: len(report.RolledBack)}
	for _, id := range report.Alive {
		out.Alive = append(out.Alive, string(id))
	}
	for _, id := range report.Pending {
		out.Pending = append(out.Pending, string(id))
	}
	for _, b := range report.Outlived {
		out.Undecidable = append(out.Undecidable, string(b.ID))
	}
	out.Undecidable = slices.Compact(out.Undecidable)
	out.Incidents = incidents(append(report.Incidents, anew(m.list, report.Away)...))
	return out, told(errors.Join(unreached, unseen, r.missing(ctx, m, report.Away), err))
}

func recoverOptions(options []RecoverOptions) (RecoverOptions, error) {
	o, err := atMostOne(options)
	switch {
	case err != nil:
		return o, err
	case o.Retention < -1:
		return o, errors.New("RecoverOptions.Retention is negative; -1 keeps records for ever")
	case o.Every < 0:
		return o, errors.New("RecoverOptions.Every is negative")
	}
	if o.Every == 0 {
		o.Every = 10 * time.Second
	}
	return o, nil
}

// RecoverInBackground runs Recover now and then, until stop is called or the registry is
// closed. It is off by default. A second call while one runs is an error.
func (r *Registry) RecoverInBackground(options ...RecoverOptions) (stop func(), err error) {
	if err := r.usable(); err != nil {
		return nil, err
	}
	o, err := recoverOptions(options)
	if err != nil {
		return nil, errorf("RecoverInBackground: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return nil, errorf("RecoverInBackground: the registry is closed: %w", ErrClosed)
	case r.recovery != nil:
		return nil, errorf("RecoverInBackground: it runs already")
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &background{cancel: cancel, over: make(chan struct{})}
	r.recovery = b
	go b.run(ctx, r, o)
	return func() {
		b.stop()
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.recovery == b {
			r.recovery = nil
		}
	}, nil
}

// background is a recovery in the background.
type background struct {
	telling atomic.Bool // OnRecovery is called
	cancel  context.CancelFunc
	over    chan struct{}
}

// stop waits until it is over.
func (b *background) stop() {
	b.cancel()
	<-b.over
}

// stopWithin waits until it is over or ctx ends.
func (b *background) stopWithin(ctx context.Context) error {
	b.cancel()
	select {
	case <-b.over:
		return nil
	case <-ctx.Done():
	}
	t := time.NewTimer(lastEvents)
	defer t.Stop()
	select {
	case <-b.over:
		return nil
	case <-t.C:
	}
	if b.telling.Load() {
		return errorf("the function OnRecovery has not returned: %w", ctx.Err())
	}
	return errorf("the recovery in the background is not over: %w", ctx.Err())
}

func (b *background) run(ctx context.Context, r *Registry, o RecoverOptions) {
	defer close(b.over)
	tick := time.NewTicker(o.Every)
	defer tick.Stop()
	for {
		found, err := r.Recover(ctx, o)
		something := err != nil || found.Committed+found.RolledBack+len(found.Pending)+len(found.Undecidable)+len(found.Incidents) > 0
		if something && o.OnRecovery != nil && ctx.Err() == nil {
			b.telling.Store(true)
			o.OnRecovery(ctx, found, err)
			b.telling.Store(false)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
