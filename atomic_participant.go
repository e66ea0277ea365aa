package dbfleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/twophase"
)

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
func (p *participant) beginOn(ctx context.Context, c *driver.Conn, o driver.TxOptions, another driver.Another) error {
	if p.branch.Number == 0 {
		return c.BeginAnchor(ctx, o, another)
	}
	return c.BeginBranch(ctx, p.driverID(), o)
}

// holds says that the transaction's connection is not back yet, or is only being given back.
func (p *participant) holds() bool {
	st := p.tx.st
	if !st.gate.TryLock() {
		return true
	}
	defer st.gate.Unlock()
	return st.handle() != nil
}

// unsure says that nothing yet tells that the transaction has written anything. Until ask
// it counts as if it had.
func (p *participant) unsure() bool {
	p.wrote = true
	st := p.tx.st
	if !st.gate.TryLock() {
		return true
	}
	defer st.gate.Unlock()
	return st.ready() == nil && !st.conn.Changed()
}

// ask finds out whether the transaction has written anything.
func (p *participant) ask(ctx context.Context) {
	st := p.tx.st
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
	turn
	p    *participant
	do   func(ctx context.Context, c *driver.Conn) error
	ends func(err error) bool // whether the transaction is over by that, or its connection of no more use
	err  error                // of do, as the driver tells it
	went bool                 // it was not kept back by a hook
}

func (x *atomicStep) exchange(ctx context.Context, _ *place, s *statement) (driver.Result, error) {
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
	commits := s.op == "commit" || s.op == "commit prepared"
	var asks *whereabouts
	if commits {
		asks = st.asks()
	}
	x.err = x.do(ctx, st.conn)
	if x.err == nil && commits {
		st.learn(ctx, asks)
	}
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
// the step itself is what it was or not sent, and the vote is lost. A hook that ends the
// goroutine leaves no answer at all, which the protocol takes for one that was lost.
func (p *participant) turn(ctx context.Context, op, text string, x *atomicStep) (err error) {
	returned := false
	defer func() {
		v := recover()
		if returned {
			return
		}
		p.run.keep(v)
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
	err = p.tx.turn(ctx, op, text, &x.turn, x)
	returned = true
	return err
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
	if p.tx.st.handle() == nil {
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
