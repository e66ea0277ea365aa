package twophase

import (
	"context"
	"errors"
	"fmt"
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
	c := &coordinator{t: t, o: chosen(ctx, options)}
	return c.run(ctx)
}

type coordinator struct {
	t       Transaction
	o       Options
	p       *protocol
	answers chan reply // there is room for one of each participant

	err error // the first that matters
	by  int
	bad []Incident
}

var errNoAnswer = errors.New("a participant ended the goroutine that called it")

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
	c.answers = make(chan reply, len(wrote))

	over := make(chan struct{})
	go c.drive(ctx, c.p.start(), over)
	<-over
	return c.result()
}

// drive sends commands, takes their answers, and goes on until the end, which over tells.
// A command has a goroutine of its own only where the answer to another one is not to wait
// for it. Where a participant ends the goroutine of drive itself, another one goes on.
func (c *coordinator) drive(ctx context.Context, do []command, over chan<- struct{}) {
	defer func() {
		if c.p.phase == ended {
			close(over)
		} else {
			go c.drive(ctx, nil, over) // the answer is there
		}
	}()
	vote, stop := context.WithCancel(ctx)
	defer stop()
	var rest context.Context // once there is no way back
	for c.p.phase != ended {
		if rest == nil && (c.p.phase > alone || c.p.phase == deciding && ctx.Err() == nil) {
			var cancel context.CancelFunc
			rest, cancel = context.WithTimeout(context.WithoutCancel(ctx), c.o.Bound)
			defer cancel()
		}
		under := ctx
		switch {
		case rest != nil:
			under = rest
		case c.p.phase == voting:
			under = vote
		}
		for i, d := range do {
			if i == len(do)-1 && (c.p.waiting == 1 || c.p.phase <= preparing) { // or all are waited for
				c.send(under, d, stop)
			} else {
				go c.send(under, d, stop)
			}
		}
		r := <-c.answers
		c.note(r)
		if rest != nil && rest.Err() != nil {
			c.p.expire()
		}
		do = c.p.next(r.command, r.answer)
	}
}

// send does a command and sends its answer. One that is not what was asked for ends the
// vote: the others may wait for locks.
func (c *coordinator) send(ctx context.Context, d command, stop func()) {
	r := reply{command: d, answer: unknown, err: errNoAnswer} // if the goroutine is ended from inside
	defer func() {
		c.answers <- r // first: it is the reason for what the others then answer
		if r.answer != done {
			stop()
		}
	}()
	defer func() {
		if v := recover(); v != nil {
			r.err = fmt.Errorf("%s: panic: %v", d.op, v)
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
	a, err := c.do(ctx, d)
	c.step(d, true)
	r.answer, r.err = a, err
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
		if c.p.decided && c.o.Committed != nil {
			c.o.Committed(c.t.ID)
			return done, nil
		}
		err = c.t.Ledger.Finish(ctx, c.decision(), []ID{c.t.ID})
	}
	return answerOf(err), err
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
