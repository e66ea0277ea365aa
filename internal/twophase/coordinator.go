package twophase

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Transaction is what Commit ends: open transactions on several databases.
type Transaction struct {
	ID       ID
	Anchor   Anchor
	Ledger   Ledger // of the anchor's database
	Branches []TransactionBranch
}

// A TransactionBranch is one participant that is not the anchor. The first of
// Transaction.Branches has number 1.
type TransactionBranch struct {
	Name     string
	LedgerID LedgerID
	Live     Branch
	Resource Resource
}

// Options are the settings of Commit and Recover.
type Options struct {
	// Bound is how long Commit goes on once the COMMIT of the anchor is sent or a
	// rollback has begun, whatever becomes of its context.
	//
	// Defaults to 5 s.
	Bound time.Duration

	// Retention is how long Recover leaves finished records and their markers: longer
	// than a replica is ever behind that may be promoted, and than anyone asks for an ID.
	//
	// Defaults to 7 days; -1 keeps them for ever.
	Retention time.Duration

	// Step, if set, is called before and after each command, at once by several
	// goroutines. Tests stop the process in it.
	Step func(Step)

	// Finished, if set, is told the ID of a transaction that is verified at every
	// branch, and Commit does not close its record: whoever takes it may close many at
	// once with Ledger.Finish, or leave it to a recoverer.
	Finished func(Decision, ID)

	wait func(ctx context.Context, attempt int) // before a repetition; for tests
}

func (o Options) withDefaults() Options {
	if o.Bound == 0 {
		o.Bound = 5 * time.Second
	}
	if o.Retention == 0 {
		o.Retention = 7 * 24 * time.Hour
	}
	if o.wait == nil {
		o.wait = backOff
	}
	return o
}

// A Step is a moment in the life of a coordinator or a recoverer: just before a command
// is sent, or just after its answer has come.
type Step struct {
	After   bool
	Op      Op
	Number  int // the branch, 0 for the anchor and for ledgers; in a recovery 0 if it is any
	Attempt int // counts from 0
}

// String is like "before prepare 1", "after commit 0", "before commit prepared 2 again".
func (s Step) String() string {
	when, again := "before", ""
	if s.After {
		when = "after"
	}
	if s.Attempt > 0 {
		again = " again"
	}
	return fmt.Sprintf("%s %s %d%s", when, s.Op, s.Number, again)
}

// Result is how Commit ended.
type Result struct {
	Outcome Outcome

	// ID is what a ledger or an operator may be asked for; empty where no more than one
	// participant wrote, since nothing is recorded then.
	ID ID

	// Err is the first error that stood in the way, nil if the outcome is Committed. By
	// is the participant that it came from: 0 is the anchor.
	Err error
	By  int

	Pending   []BranchRef // branches that may still be prepared
	Incidents []Incident
}

// Commit ends the transactions of all participants, all or none, and returns how. It
// returns when each of its calls has returned; a participant that panics has failed. After
// Unknown and where branches are pending, participants are left as they are, and hold no
// connection.
//
// The context bounds the vote, and the commit of a participant that alone wrote. From the
// COMMIT of the anchor on, or from the first ROLLBACK, Options.Bound does.
func Commit(ctx context.Context, t Transaction, options ...Options) Result {
	var o Options
	if len(options) > 0 {
		o = options[0]
	}
	c := &coordinator{t: t, o: o.withDefaults(), answers: make(chan reply)}
	return c.run(ctx)
}

type coordinator struct {
	t       Transaction
	o       Options
	p       *protocol
	answers chan reply

	err error // the first that matters
	by  int
	bad []Incident
}

type reply struct {
	command
	answer
	err error
}

func (c *coordinator) run(ctx context.Context) Result {
	wrote := make([]bool, 1+len(c.t.Branches))
	wrote[0] = c.t.Anchor.Wrote()
	for i, b := range c.t.Branches {
		wrote[1+i] = b.Live.Wrote()
	}
	c.p = newProtocol(wrote, 0)

	vote, stop := context.WithCancel(ctx)
	defer stop()
	var rest context.Context // once there is no way back
	for do := c.p.start(); ; {
		if rest == nil && (c.p.phase > alone || c.p.phase == deciding && ctx.Err() == nil) {
			var cancel context.CancelFunc
			rest, cancel = context.WithTimeout(context.WithoutCancel(ctx), c.o.Bound)
			defer cancel()
		}
		for _, d := range do {
			under := vote
			if rest != nil {
				under = rest
			}
			go c.send(under, d)
		}
		if c.p.phase == ended {
			break
		}
		r := <-c.answers
		c.note(r)
		if r.answer != done && c.p.phase == voting {
			stop() // the others may wait for locks
		}
		if rest != nil && rest.Err() != nil {
			c.p.expire()
		}
		do = c.p.next(r.command, r.answer)
	}
	return c.result()
}

// send does a command and sends its answer.
func (c *coordinator) send(ctx context.Context, d command) {
	r := reply{command: d}
	defer func() { c.answers <- r }()
	defer func() {
		if v := recover(); v != nil {
			r.answer, r.err = unknown, fmt.Errorf("%s: panic: %v", d.op, v)
		}
	}()
	if d.attempt > 0 {
		c.o.wait(ctx, d.attempt)
	}
	if d.op == OpCommit && ctx.Err() != nil { // it is not sent, so it is no riddle
		r.answer, r.err = refused, context.Cause(ctx)
		return
	}
	c.step(d, false)
	r.answer, r.err = c.do(ctx, d)
	c.step(d, true)
}

func (c *coordinator) step(d command, after bool) {
	if c.o.Step != nil {
		c.o.Step(Step{After: after, Op: d.op, Number: d.at, Attempt: d.attempt})
	}
}

// do is the one place where commands become calls.
func (c *coordinator) do(ctx context.Context, d command) (answer, error) {
	var one Participant = c.t.Anchor
	var b *TransactionBranch
	if d.at > 0 {
		b = &c.t.Branches[d.at-1]
		one = b.Live
	}
	id := BranchID{ID: c.t.ID, Number: d.at}
	var err error
	switch d.op {
	case OpRelease, OpCommit:
		err = one.Commit(ctx)
	case OpRollback:
		err = one.Rollback(ctx)
	case OpDecide:
		err = c.t.Anchor.Decide(ctx, Record{ID: c.t.ID, Decision: ToCommit, Branches: c.branches()})
	case OpMark:
		err = b.Live.Mark(ctx, id)
	case OpPrepare:
		err = b.Live.Prepare(ctx, id)
	case OpCommitPrepared:
		err = b.Live.CommitPrepared(ctx, id)
	case OpRollbackPrepared:
		err = b.Live.RollbackPrepared(ctx, id)
	case OpLook:
		a, _, err := look(ctx, b.Resource, id)
		return a, err
	case OpFence:
		a, _, err := fence(ctx, c.t.Ledger, c.t.ID)
		return a, err
	case OpIncident:
		err = c.t.Ledger.Incident(ctx, c.incident(d.at))
	case OpFinish:
		if c.o.Finished != nil {
			c.o.Finished(c.decision(), c.t.ID)
			return done, nil
		}
		err = c.t.Ledger.Finish(ctx, c.decision(), []ID{c.t.ID})
	}
	return answerOf(err), err
}

// look asks whether a branch is prepared, and if it is not, whether it is committed. The
// order matters: what is not listed any more is over. A number of 0 stands for any
// branch of the transaction; it returns the one that it found.
func look(ctx context.Context, r Resource, b BranchID) (answer, int, error) {
	list, err := r.Prepared(ctx)
	if err != nil {
		return unknown, 0, err
	}
	for _, p := range list {
		if p.Branch.ID == b.ID && (b.Number == 0 || p.Branch.Number == b.Number) {
			return listed, p.Branch.Number, nil
		}
	}
	marks, err := r.Marked(ctx, b.ID)
	if err != nil {
		return unknown, 0, err
	}
	for _, number := range marks {
		if b.Number == 0 || number == b.Number {
			return marked, number, nil
		}
	}
	return gone, b.Number, nil
}

// fence asks a ledger so that its answer stands.
func fence(ctx context.Context, l Ledger, id ID) (answer, Record, error) {
	r, err := l.Fence(ctx, id)
	switch {
	case errors.Is(err, ErrHeld):
		return held, r, err
	case errors.Is(err, ErrForgotten):
		return forgotten, r, err
	case err != nil:
		return unknown, r, err
	case r.Decision == ToCommit:
		return commit, r, nil
	}
	return abort, r, nil
}

// branches are those that will be prepared.
func (c *coordinator) branches() (list []BranchRef) {
	for i := range c.t.Branches {
		if c.p.wrote[1+i] {
			list = append(list, c.ref(1+i))
		}
	}
	return list
}

func (c *coordinator) decision() Decision {
	if c.p.decided {
		return ToCommit
	}
	return ToAbort
}

func (c *coordinator) ref(number int) BranchRef {
	b := c.t.Branches[number-1]
	return BranchRef{Number: number, Name: b.Name, Ledger: b.LedgerID}
}

func (c *coordinator) incident(number int) Incident {
	i := Incident{Branch: BranchID{ID: c.t.ID, Number: number}, Name: c.t.Branches[number-1].Name, Breach: Lost}
	if !c.p.decided {
		i.Breach = Contradicting
	}
	return i
}

// note keeps the error that explains the outcome: the first one of the vote or of the
// decision. Those of repetitions explain what is pending.
func (c *coordinator) note(r reply) {
	if r.err != nil && r.op != OpRollback && r.op != OpFinish && c.err == nil {
		c.err, c.by = r.err, r.at
	}
	if r.op == OpIncident && (r.answer == done || !c.p.decided) {
		c.bad = append(c.bad, c.incident(r.at))
	}
}

func (c *coordinator) result() Result {
	r := Result{Outcome: c.p.outcome, Incidents: c.bad}
	if c.p.outcome != Committed {
		r.Err, r.By = c.err, c.by
	}
	for _, i := range c.p.pending() {
		if c.p.outcome != Unknown {
			r.Pending = append(r.Pending, c.ref(i))
		}
	}
	if n, _ := c.p.writers(); n > 1 {
		r.ID = c.t.ID
	}
	return r
}

// backOff waits 10 ms, then twice as long each time, half a second at most.
func backOff(ctx context.Context, attempt int) {
	timer := time.NewTimer(min(10*time.Millisecond<<min(attempt-1, 10), 500*time.Millisecond))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
