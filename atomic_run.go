package dbfleet

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/twophase"
)

// atomicRun is one attempt of Registry.Atomic. See package twophase for the protocol; here
// its participants are begun, and its outcome is told.
type atomicRun struct {
	reg     *Registry
	names   []string
	options TxOptions
	id      twophase.ID
	parts   []*participant // the anchor first

	mu       sync.Mutex // protects following fields
	panicked bool
	panic    any  // the first of hooks, which run on goroutines of the protocol
	exited   bool // a hook has ended such a goroutine
}

// atomicOnce runs one attempt.
func (r *Registry) atomicOnce(ctx context.Context, names []string, fn func(ctx context.Context) error, o TxOptions) (err error) {
	a := &atomicRun{reg: r, names: names, options: o}
	defer func() {
		for _, p := range a.parts {
			p.tx.st.e.leave()
		}
	}()
	if err := a.enter(); err != nil {
		return err
	}
	if err := a.prepare(ctx); err != nil {
		return err
	}

	how := rolledBack
	err = errPanicked // until something else is known
	defer func() {    // last: the connections are back
		for _, p := range slices.Backward(a.parts) {
			if how == rolledBack {
				p.tx.undone(nil, err)
			}
		}
		for _, p := range a.parts {
			p.tx.tell(ctx, how, err)
		}
		switch { // all is over: as with a hook in any other call
		case a.panicked:
			panic(a.panic)
		case a.exited:
			runtime.Goexit()
		}
	}()
	defer a.all((*participant).holds, func(p *participant) { p.tx.st.giveBack() })
	committing := false
	defer func() {
		if committing {
			return
		}
		ended := a.rollback(ctx)
		if ended != nil || driver.EndedUnasked(err) { // a statement has committed one of them, or may have
			how, err = unknownOutcome, afterRollback(err, ended)
		}
	}()
	if err = a.begin(ctx, o); err != nil {
		return err
	}
	unwatch := a.watch(ctx)
	defer func() { unwatch() }()

	inner := a.context(ctx)
	err = errPanicked
	err = fn(inner)
	if err == nil && ctx.Err() != nil {
		err = errorf("atomic over %s rolled back: %w", quotedList(names), ctx.Err())
	}
	if err != nil {
		return err
	}
	committing = true
	unwatch()
	unwatch = func() {}
	how, err = a.commit(ctx)
	return err
}

// all calls do, at once, for every participant of which that is true. What a hook panics
// with, or that it ends the goroutine, is kept for the caller of Atomic.
func (a *atomicRun) all(of func(p *participant) bool, do func(p *participant)) {
	var group sync.WaitGroup
	for _, p := range a.parts {
		if !of(p) {
			continue
		}
		group.Go(func() {
			returned := false
			defer func() {
				if v := recover(); !returned {
					a.keep(v)
				}
			}()
			do(p)
			returned = true
		})
	}
	group.Wait()
}

// keep remembers the first value that a hook has panicked with; nil is runtime.Goexit.
func (a *atomicRun) keep(v any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case v == nil:
		a.exited = true
	case !a.panicked:
		a.panicked, a.panic = true, v
	}
}

// enter makes the participants, the anchor first: the one of SQLite, or else the first
// that is named.
func (a *atomicRun) enter() error {
	anchor := -1
	for i, name := range a.names {
		e, err := a.reg.use(name)
		if err != nil {
			return err
		}
		p := &participant{run: a, name: name, tx: newTx(e, a.options)}
		a.parts = append(a.parts, p)
		if e.dialect.Name != string(SQLite) {
			continue
		}
		if anchor >= 0 {
			return errorf("Atomic: connections %q and %q are both SQLite, which cannot prepare a transaction: one at most can take part", a.names[anchor], name)
		}
		anchor = i
	}
	if anchor > 0 {
		p := a.parts[anchor]
		a.parts = slices.Insert(slices.Delete(a.parts, anchor, anchor+1), 0, p)
	}
	return nil
}

// prepare makes sure that each database can take part, and names the transaction.
func (a *atomicRun) prepare(ctx context.Context) error {
	for i, p := range a.parts {
		l, err := p.tx.st.e.ledger(OutsideTx(ctx), i > 0)
		if err != nil {
			return errorf("Atomic: connection %q: %w", p.name, ofWhole(err)) // nothing is begun
		}
		p.ledger = l
	}
	a.id = twophase.NewID(a.parts[0].ledger.id, time.Now())
	for i, p := range a.parts {
		p.branch = twophase.BranchID{ID: a.id, Number: i}
	}
	return nil
}

// begin begins the transactions, in the order of their names: two Atomics that wait for
// connections of each other's pools would wait for ever otherwise.
func (a *atomicRun) begin(ctx context.Context, o TxOptions) error {
	order := slices.Clone(a.parts)
	slices.SortFunc(order, func(p, q *participant) int {
		if p.name < q.name {
			return -1
		}
		return 1
	})
	for _, p := range order {
		if err := p.tx.beginAs(ctx, o, p.branch.Number > 0, p.beginOn); err != nil {
			return ofWhole(err)
		}
		p.tx.st.age = p.tx.st.e.begun(ctx)
	}
	return nil
}

// context is ctx with all transactions.
func (a *atomicRun) context(ctx context.Context) context.Context {
	outer := txsOf(ctx)
	asked := outer.wants()
	for _, p := range a.parts {
		outer = &txList{tx: p.tx, outer: outer, atomic: a, asked: asked}
	}
	return context.WithValue(ctx, txKey{}, outer)
}

// watch rolls all of them back as soon as ctx ends.
func (a *atomicRun) watch(ctx context.Context) (stop func()) {
	for _, p := range a.parts {
		p.tx.st.watch(ctx)
	}
	return func() {
		for _, p := range a.parts {
			p.tx.st.unwatch()
		}
	}
}

// rollback rolls all of them back. It returns an error if a statement has ended one of
// them before: its failure changes nothing otherwise, since nothing is committed.
func (a *atomicRun) rollback(ctx context.Context) (ended error) {
	var mu sync.Mutex
	a.all(func(p *participant) bool { return p.tx.st.needsRollback() }, func(p *participant) {
		if err := p.tx.rollback(ctx); driver.EndedUnasked(err) {
			mu.Lock()
			defer mu.Unlock()
			ended = err
		}
	})
	return ended
}

// commit ends all of them, and tells how.
func (a *atomicRun) commit(ctx context.Context) (outcome, error) {
	a.all((*participant).unsure, func(p *participant) { p.ask(ctx) })
	l := a.parts[0].ledger
	t := twophase.Transaction{ID: a.id, Anchor: a.parts[0], Ledger: l}
	for _, p := range a.parts[1:] {
		t.Branches = append(t.Branches, twophase.TransactionBranch{Name: p.name, LedgerID: p.ledger.id, Live: p, Resource: p.ledger})
	}
	var o twophase.Options
	if l.branches { // SQLite's one writer is not kept from its next transaction
		o.Committed = l.close
	}
	res := twophase.Commit(ctx, t, o)
	fail := &AtomicError{ID: string(res.ID), Err: res.Err, reg: a.reg}
	for _, b := range res.Pending {
		fail.Pending = append(fail.Pending, b.Name)
	}
	if len(fail.Pending) > 0 || res.Outcome == twophase.Unknown {
		a.refoundLater()
	}
	switch res.Outcome {
	case twophase.Committed:
		return committed, nil
	case twophase.CommittedPending:
		fail.is = ErrCommitPending
		return committed, fail
	case twophase.Unknown:
		fail.is = ErrCommitUnknown
		return unknownOutcome, fail
	case twophase.Mixed:
		fail.is = ErrCommitMixed
		return unknownOutcome, fail
	}
	if driver.EndedUnasked(res.Err) { // what that participant did is committed, or may be
		fail.is = ErrCommitMixed
		return unknownOutcome, fail
	}
	cause := ofWhole(res.Err)
	if ctx.Err() != nil && !errors.Is(cause, ctx.Err()) {
		cause = errors.Join(ctx.Err(), cause)
	}
	locked := ""
	if len(fail.Pending) > 0 {
		locked = "; until Recover has come by, its locks may be held on " + quotedList(fail.Pending)
	}
	return rolledBack, errorf("atomic over %s rolled back%s: %w", quotedList(a.names), locked, cause)
}
