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
