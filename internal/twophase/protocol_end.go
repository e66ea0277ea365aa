package twophase

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
