package dbfleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/twophase"
)

// atomicRun is one attempt of Registry.Atomic. See package twophase for the protocol; here
// its participants are begun, and its outcome is told.
type atomicRun struct {
	reg   *Registry
	names []string
	id    twophase.ID
	parts []*participant // the anchor first

	mu       sync.Mutex // protects following fields
	panicked bool
	panic    any // the first of hooks, which run on goroutines of the protocol
}

// atomicOnce runs one attempt.
func (r *Registry) atomicOnce(ctx context.Context, names []string, fn func(ctx context.Context) error, o TxOptions) (err error) {
	a := &atomicRun{reg: r, names: names}
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
			p.tx.tell(OutsideTx(ctx), how, err)
		}
	}()
	defer a.all(func(p *participant) { p.tx.st.giveBack() })
	committing := false
	defer func() {
		if !committing {
			a.all(func(p *participant) {
				if p.tx.st.needsRollback() {
					_ = p.tx.rollback(ctx)
				}
			})
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
	if a.panicked {
		panic(a.panic) // all is over: as a hook's panic in any other call
	}
	return err
}

// all calls do for every participant, at once.
func (a *atomicRun) all(do func(p *participant)) {
	var group sync.WaitGroup
	for _, p := range a.parts {
		group.Go(func() { do(p) })
	}
	group.Wait()
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
		st := &txState{held: held{e: e, node: e.primary(), gate: driver.NewGate()}}
		p := &participant{run: a, name: name, tx: &Tx{st: st}}
		st.stack = []*Tx{p.tx}
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
			return errorf("Atomic: connection %q: %w", p.name, err)
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
		if err := p.tx.beginAs(ctx, o, p.beginOn); err != nil {
			return err
		}
	}
	return nil
}

// context is ctx with all transactions.
func (a *atomicRun) context(ctx context.Context) context.Context {
	outer, _ := ctx.Value(txKey{}).(*txList)
	for _, p := range a.parts {
		outer = &txList{tx: p.tx, outer: outer, atomic: a}
	}
	return context.WithValue(ctx, txKey{}, outer)
}

// watch rolls all of them back as soon as ctx ends.
func (a *atomicRun) watch(ctx context.Context) (stop func()) {
	var stops []func()
	for _, p := range a.parts {
		stops = append(stops, p.tx.st.watch(ctx))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// commit ends all of them, and tells how.
func (a *atomicRun) commit(ctx context.Context) (outcome, error) {
	a.all(func(p *participant) { p.ask(ctx) })
	t := twophase.Transaction{ID: a.id, Anchor: a.parts[0], Ledger: a.parts[0].ledger}
	for _, p := range a.parts[1:] {
		t.Branches = append(t.Branches, twophase.TransactionBranch{Name: p.name, LedgerID: p.ledger.id, Live: p, Resource: p.ledger})
	}
	res := twophase.Commit(ctx, t)
	fail := &AtomicError{ID: string(res.ID), Err: res.Err, reg: a.reg}
	for _, b := range res.Pending {
		fail.Pending = append(fail.Pending, b.Name)
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
	cause := ofWhole(res.Err)
	if ctx.Err() != nil && !errors.Is(cause, ctx.Err()) {
		cause = errors.Join(ctx.Err(), cause)
	}
	return rolledBack, errorf("atomic over %s rolled back: %w", quotedList(a.names), cause)
}

// participant is one connection of an Atomic: twophase.Anchor and twophase.Branch. Its
// transaction is a Tx as any other until it ends.
type participant struct {
	run    *atomicRun
	name   string
	tx     *Tx
	ledger *ledger
	branch twophase.BranchID
	wrote  bool
}

func (p *participant) driverID() driver.BranchID {
	return driver.BranchID{Global: string(p.branch.ID), Qualifier: p.branch.Qualifier()}
}

// beginOn begins the transaction on a connection.
func (p *participant) beginOn(ctx context.Context, c *driver.Conn, o driver.TxOptions) error {
	if p.branch.Number == 0 {
		return c.BeginAnchor(ctx, o)
	}
	return c.BeginBranch(ctx, p.driverID(), o)
}

// ask finds out whether the transaction has written anything.
func (p *participant) ask(ctx context.Context) {
	st := p.tx.st
	p.wrote = true
	if st.lock(ctx) != nil {
		return
	}
	defer st.gate.Unlock()
	if st.ready() != nil {
		return
	}
	st.endLent()
	if wrote, err := st.conn.Wrote(ctx); err == nil {
		p.wrote = wrote
	}
}

// Wrote implements twophase.Participant.
func (p *participant) Wrote() bool { return p.wrote }

// step is the exchange of one command of the protocol on the transaction's connection.
type atomicStep struct {
	p    *participant
	do   func(ctx context.Context, c *driver.Conn) error
	ends func(err error) bool // whether the transaction is over by that, or its connection of no more use
	err  error                // of do, as the driver tells it
	went bool                 // it was not kept back by a hook
}

func (x *atomicStep) exchange(ctx context.Context, _ *place, _ *statement) (driver.Result, error) {
	st := x.p.tx.st
	x.went = true
	if x.err = st.lock(ctx); x.err != nil {
		return unknownRows, x.err
	}
	defer st.gate.Unlock()
	if x.err = st.ready(); x.err != nil {
		return unknownRows, x.err
	}
	st.endLent()
	x.err = x.do(ctx, st.conn)
	if x.ends(x.err) {
		st.end(nil)
	}
	return unknownRows, x.err
}

// send sends one command. It returns the error as callers see it, and as the driver
// tells it.
func (p *participant) send(ctx context.Context, op, text string, ends func(error) bool, do func(context.Context, *driver.Conn) error) (shown, raw error) {
	x := &atomicStep{p: p, do: do, ends: ends}
	shown = p.turn(ctx, op, text, x)
	if shown != nil && x.err == nil {
		x.err = shown
	}
	return shown, x.err
}

// turn is the turn of a step. What a hook panics with is kept for the caller of Atomic;
// the step itself is what it was or not sent, and the vote is lost.
func (p *participant) turn(ctx context.Context, op, text string, x *atomicStep) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		p.run.mu.Lock()
		defer p.run.mu.Unlock()
		if !p.run.panicked {
			p.run.panicked, p.run.panic = true, v
		}
		err = fmt.Errorf("a hook has panicked: %v", v)
		switch {
		case !x.went:
			err = &driver.NotSentError{Err: err}
			if x.ends(err) {
				p.tx.st.giveBack()
			}
		case x.err != nil || x.ends(nil):
			err = x.err
		default: // it was done, but it is a vote, which is lost
			err = &driver.UnansweredError{Err: err}
		}
	}()
	return p.tx.turn(ctx, op, text, x)
}

func always(error) bool     { return true }
func never(error) bool      { return false }
func failed(err error) bool { return err != nil }

// insert sends a row of the ledger.
func (p *participant) insert(ctx context.Context, op, text string, args ...any) error {
	shown, _ := p.send(ctx, op, text, never, func(ctx context.Context, c *driver.Conn) error {
		_, err := c.Exec(ctx, text, args)
		return err
	})
	return shown
}

// Decide implements twophase.Anchor.
func (p *participant) Decide(ctx context.Context, r twophase.Record) error {
	return p.insert(ctx, "decide", p.ledger.text.Decide, string(r.ID), writeBranches(r.Branches), int64(r.ID.Made()))
}

// Mark implements twophase.Branch.
func (p *participant) Mark(ctx context.Context, b twophase.BranchID) error {
	return p.insert(ctx, "mark", p.ledger.text.Mark, string(b.ID), int64(b.Number), int64(b.ID.Made()))
}

// Commit implements twophase.Participant.
func (p *participant) Commit(ctx context.Context) error {
	shown, raw := p.send(ctx, "commit", "COMMIT", always, func(ctx context.Context, c *driver.Conn) error { return c.Commit(ctx) })
	var unknown *driver.CommitUnknownError
	if errors.As(raw, &unknown) {
		return shown
	}
	return twophase.As(twophase.ErrRefused, shown) // what was not sent is rolled back with the connection
}

// Rollback implements twophase.Participant.
func (p *participant) Rollback(ctx context.Context) error {
	shown, _ := p.send(ctx, "rollback", "ROLLBACK", always, func(ctx context.Context, c *driver.Conn) error { return c.Rollback(ctx) })
	return shown
}

// Prepare implements twophase.Branch.
func (p *participant) Prepare(ctx context.Context, _ twophase.BranchID) error {
	shown, raw := p.send(ctx, "prepare", "PREPARE TRANSACTION", failed, func(ctx context.Context, c *driver.Conn) error { return c.PrepareBranch(ctx) })
	if raw != nil && driver.Classify(raw).Unanswered {
		return shown
	}
	return twophase.As(twophase.ErrRefused, shown)
}

// CommitPrepared implements twophase.Branch.
func (p *participant) CommitPrepared(ctx context.Context, b twophase.BranchID) error {
	return p.finish(ctx, b, true)
}

// RollbackPrepared implements twophase.Branch.
func (p *participant) RollbackPrepared(ctx context.Context, b twophase.BranchID) error {
	return p.finish(ctx, b, false)
}

// finish finishes the prepared branch: first on its own connection, which is given back,
// then by any.
func (p *participant) finish(ctx context.Context, b twophase.BranchID, commit bool) error {
	if p.tx.st.isDone() {
		return p.ledger.finish(ctx, b, commit)
	}
	op, text := "commit prepared", "COMMIT PREPARED"
	if !commit {
		op, text = "rollback prepared", "ROLLBACK PREPARED"
	}
	shown, raw := p.send(ctx, op, text, always, func(ctx context.Context, c *driver.Conn) error {
		if commit {
			return c.CommitPrepared(ctx, p.driverID())
		}
		return c.RollbackPrepared(ctx, p.driverID())
	})
	return meaning(shown, raw)
}

// meaning is what an answer to COMMIT PREPARED means for the protocol.
func meaning(shown, raw error) error {
	switch {
	case errors.Is(raw, driver.ErrBranchUnknown), errors.Is(raw, driver.ErrBranchRolledBack):
		return twophase.As(twophase.ErrNoSuch, shown)
	case errors.Is(raw, driver.ErrBranchHeld):
		return twophase.As(twophase.ErrHeld, shown)
	}
	return shown
}
