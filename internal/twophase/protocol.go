package twophase

// A command is what a machine wants to be done. at is a participant (0 is the anchor)
// or, in a recovery, a slot.
type command struct {
	op      Op
	at      int
	attempt int // counts from 0
	number  int // in a recovery, of the branch
}

// phase is a state of the protocol; doc.go draws it.
type phase int8

const (
	voting     phase = iota // release, decide, mark
	preparing               // prepare
	deciding                // commit of the anchor
	alone                   // commit of the one participant that wrote
	asking                  // fence, because the answer to the commit was lost
	completing              // commit prepared
	undoing                 // rollback, rollback prepared
	closing                 // finish
	ended
)

// standing is what the coordinator knows of one participant.
type standing int8

const (
	open     standing = iota // its transaction is open, or over without having committed
	prepared                 // verified
	doubtful                 // the answer to PREPARE was lost
	finished                 // as decided
	broken                   // contrary to the decision
)

// protocol is the coordinator as a state machine. It does nothing by itself: start and
// next return commands, which may be done at the same time, and each is answered by one
// call of next.
type protocol struct {
	wrote    []bool // by participant
	maxTries int    // of a command that is repeated; 0 is no limit

	phase    phase
	waiting  int  // commands without an answer
	voteLost bool // someone cannot commit
	decided  bool // to commit
	fenced   bool // the ledger has an abort
	expired  bool // nothing is repeated any more
	stand    []standing
	outcome  Outcome
}

func newProtocol(wrote []bool, maxTries int) *protocol {
	return &protocol{wrote: wrote, maxTries: maxTries, stand: make([]standing, len(wrote))}
}

// writers counts the participants that wrote, and returns the last of them.
func (p *protocol) writers() (n, last int) {
	for i, w := range p.wrote {
		if w {
			n, last = n+1, i
		}
	}
	return n, last
}

// start returns the first commands. Participants that have only read are released
// before the vote: if one of them cannot commit (PostgreSQL's serializable readers),
// what the others wrote may rest on what it read.
func (p *protocol) start() []command {
	writers, _ := p.writers()
	var do []command
	for i, w := range p.wrote {
		switch {
		case writers > 1 && i == 0:
			do = append(do, command{op: OpDecide})
		case !w:
			do = append(do, command{op: OpRelease, at: i})
		case writers > 1:
			do = append(do, command{op: OpMark, at: i})
		}
	}
	if len(do) == 0 { // one participant, which wrote
		return p.voted()
	}
	return p.ask(do...)
}

// ask notes that answers are to come.
func (p *protocol) ask(do ...command) []command {
	p.waiting += len(do)
	return do
}

// expire says that the time for repetitions is over.
func (p *protocol) expire() { p.expired = true }

// next takes the answer to a command, and returns what is to be done now. When phase is
// ended, outcome is the result.
func (p *protocol) next(c command, a answer) []command {
	p.waiting--
	switch p.phase {
	case voting:
		if a != done {
			p.voteLost = true
		} else if c.op == OpRelease {
			p.stand[c.at] = finished
		}
		return p.barrier(p.voted)
	case preparing:
		switch a {
		case done:
			p.stand[c.at] = prepared
		case refused:
			p.voteLost = true
		default:
			p.stand[c.at], p.voteLost = doubtful, true
		}
		return p.barrier(p.prepared)
	case alone:
		return p.endedAlone(c, a)
	case deciding:
		return p.answered(a)
	case asking:
		return p.told(c, a)
	case completing:
		return p.completed(c, a)
	case undoing:
		return p.undone(c, a)
	}
	p.phase = ended // closing
	return nil
}

// barrier goes on when all commands are answered.
func (p *protocol) barrier(on func() []command) []command {
	if p.waiting > 0 {
		return nil
	}
	return on()
}

// voted ends the first round. The decision's row stands now, uncommitted: only from here
// on may a branch be prepared.
func (p *protocol) voted() []command {
	if p.voteLost {
		return p.undo()
	}
	writers, last := p.writers()
	switch writers {
	case 0:
		p.phase, p.outcome = ended, Committed
		return nil
	case 1:
		p.phase = alone
		return p.ask(command{op: OpCommit, at: last})
	}
	p.phase = preparing
	var do []command
	for i := 1; i < len(p.wrote); i++ {
		if p.wrote[i] {
			do = append(do, command{op: OpPrepare, at: i})
		}
	}
	return p.ask(do...)
}

func (p *protocol) prepared() []command {
	if p.voteLost {
		return p.undo()
	}
	p.phase = deciding
	return p.ask(command{op: OpCommit})
}

// endedAlone takes the answer to the only commit.
func (p *protocol) endedAlone(c command, a answer) []command {
	switch a {
	case done:
		p.stand[c.at], p.phase, p.outcome = finished, ended, Committed
	case refused:
		return p.undo()
	default:
		p.phase, p.outcome = ended, Unknown
	}
	return nil
}

// answered takes the answer to the commit of the anchor.
func (p *protocol) answered(a answer) []command {
	switch a {
	case done:
		return p.complete()
	case refused:
		return p.undo()
	}
	p.phase = asking
	return p.ask(command{op: OpFence})
}

// told takes the answer of the ledger. A fence that was answered settles it, whichever
// way; nothing else may be believed: that no record is there does not prove that the
// COMMIT is not still on its way.
func (p *protocol) told(c command, a answer) []command {
	switch a {
	case commit:
		return p.complete()
	case abort:
		p.fenced = true
		return p.undo()
	case forgotten:
		p.phase, p.outcome = ended, Unknown
		return nil
	}
	if again, ok := p.again(c); ok {
		return p.ask(again)
	}
	p.phase, p.outcome = ended, Unknown
	return nil
}

// again is the command once more, if there is time.
func (p *protocol) again(c command) (command, bool) {
	c.attempt++
	return c, !p.expired && (p.maxTries == 0 || c.attempt < p.maxTries)
}

// complete commits the branches. Nothing stops it but the end of its time.
func (p *protocol) complete() []command {
	p.phase, p.decided, p.stand[0] = completing, true, finished
	var do []command
	for i := range p.stand {
		if p.stand[i] == prepared {
			do = append(do, command{op: OpCommitPrepared, at: i})
		}
	}
	return p.ask(do...)
}

func (p *protocol) completed(c command, a answer) []command {
	switch {
	case a == done && c.op == OpCommitPrepared, a == marked:
		p.stand[c.at] = finished
	case a == gone:
		return p.ask(command{op: OpIncident, at: c.at})
	case c.op == OpIncident && a == noSuch: // someone has verified and closed it, long ago
		p.stand[c.at] = finished
	case c.op == OpIncident && a == done:
		p.stand[c.at] = broken
	default: // an incident that is not recorded may be none: the record may be closed
		return p.tryAgain(c, a, OpCommitPrepared)
	}
	return p.barrier(p.close)
}

// tryAgain repeats what was not settled. An unknown branch is looked for: to be unknown
// proves nothing.
func (p *protocol) tryAgain(c command, a answer, finish Op) []command {
	switch {
	case c.op == finish && a == noSuch:
		c.op = OpLook
		return p.ask(c)
	case c.op == OpLook && a == listed:
		c.op = finish
	}
	if again, ok := p.again(c); ok {
		return p.ask(again)
	}
	return p.barrier(p.close) // it stays prepared
}

// undo rolls back whatever is left.
func (p *protocol) undo() []command {
	p.phase = undoing
	var do []command
	for i := range p.stand {
		switch p.stand[i] {
		case open:
			do = append(do, command{op: OpRollback, at: i})
		case prepared, doubtful:
			do = append(do, command{op: OpRollbackPrepared, at: i})
		}
	}
	if len(do) == 0 {
		return p.close()
	}
	return p.ask(do...)
}

func (p *protocol) undone(c command, a answer) []command {
	switch {
	case c.op == OpRollback, a == done && c.op == OpRollbackPrepared, a == gone:
		p.stand[c.at] = finished
	case a == marked:
		return p.ask(command{op: OpIncident, at: c.at})
	case c.op == OpIncident:
		p.stand[c.at] = broken
	default:
		return p.tryAgain(c, a, OpRollbackPrepared)
	}
	return p.barrier(p.close)
}

// close tells the outcome, and closes the record if all is verified.
func (p *protocol) close() []command {
	pending := len(p.pending()) > 0
	p.phase, p.outcome = closing, RolledBack
	switch {
	case p.anyBroken():
		p.phase, p.outcome = ended, Mixed
		return nil
	case p.decided && pending:
		p.phase, p.outcome = ended, CommittedPending
		return nil
	case p.decided:
		p.outcome = Committed
	case pending || !p.fenced: // nothing to close
		p.phase = ended
		return nil
	}
	return p.ask(command{op: OpFinish})
}

// pending are the participants that may still be prepared.
func (p *protocol) pending() (which []int) {
	for i, s := range p.stand {
		if s == prepared || s == doubtful {
			which = append(which, i)
		}
	}
	return which
}

func (p *protocol) anyBroken() bool {
	for _, s := range p.stand {
		if s == broken {
			return true
		}
	}
	return false
}
