package twophase

import "slices"

// settlement is the recovery of one transaction as a state machine, which does one thing
// at a time:
//
//	fence ──► for each slot: look ──► commit or roll back what is prepared ──► finish
//
// The order of the reads makes it right. The decision is read first: all branches of a
// commit were prepared before it could be. A slot is looked at after that, and its
// marker after the list of what is prepared: a branch that is not listed any more is
// over, so its marker is there by then or never.
type settlement struct {
	id       ID
	members  int
	find     func(LedgerID) int // the member that has the ledger; -1 if there is none
	maxTries int                // of a slot: looks

	fate     fate
	decision Decision
	finished bool // the record was closed when it was read
	slots    []slot
	at       int
	breached []int // branches with incidents
	pending  bool
	unproved BranchID // what was finished by the word of its server alone
}

// fate is how the recovery of one transaction ended.
type fate int8

const (
	unsettled   fate = iota // something could not be reached; another recoverer goes on
	settled                 // verified at every branch
	alive                   // its coordinator lives
	outlived                // the ledger may have forgotten it
	contravened             // with an incident
)

// A slot is a place where a branch may be: a branch of a commit, or any branch at one
// member, for an abort, whose record knows no branches.
type slot struct {
	member int
	number int // 0 is any
	tries  int
}

// newSettlement begins with a fence. It answers for records that are open, too: there it
// finds the decision.
func newSettlement(id ID, members int, find func(LedgerID) int, maxTries int) (*settlement, command) {
	return &settlement{id: id, members: members, find: find, maxTries: maxTries}, command{op: OpFence}
}

// decidedBy takes the answer to the fence.
func (s *settlement) decidedBy(a answer, r Record) (do command, more bool) {
	switch a {
	case commit, abort:
	case held:
		s.fate = alive
		return do, false
	case forgotten:
		s.fate = outlived
		return do, false
	default:
		return do, false
	}
	s.decision, s.finished = r.Decision, r.Finished
	for _, i := range r.Incidents {
		s.breached = append(s.breached, i.Branch.Number)
	}
	for _, b := range r.Branches {
		s.slots = append(s.slots, slot{member: s.find(b.Ledger), number: b.Number})
	}
	if len(r.Branches) == 0 {
		for m := range s.members {
			s.slots = append(s.slots, slot{member: m})
		}
	}
	return s.resume()
}

// next takes the answer to a command about the present slot. number is that of the
// branch that was found, for a slot of any.
func (s *settlement) next(c command, a answer, number int) (do command, more bool) {
	if c.op == OpFinish {
		if a == done {
			s.fate = settled
		}
		return do, false
	}
	here := &s.slots[s.at]
	do = command{at: s.at, number: number}
	switch c.op {
	case OpLook:
		switch {
		case a == unknown:
			return s.leave()
		case a == listed && s.decision == ToCommit:
			do.op = OpCommitPrepared
			return do, true
		case a == listed:
			do.op = OpRollbackPrepared
			return do, true
		case (a == marked) == (s.decision == ToCommit):
			return s.advance()
		case slices.Contains(s.breached, number):
			return s.advance()
		case s.decision == ToCommit && s.finished: // it was verified, and its marker deleted since
			return s.advance()
		}
		do.op = OpIncident
		return do, true
	case OpIncident:
		switch a {
		case done:
			s.breached = append(s.breached, number)
			return s.advance()
		case noSuch: // someone has verified and closed it
			return s.advance()
		}
		return s.leave()
	}
	// CommitPrepared or RollbackPrepared.
	if a == done && here.number != 0 {
		return s.advance()
	}
	if here.tries++; here.tries >= s.maxTries || a != done && a != noSuch {
		return s.leave()
	}
	do.op = OpLook // was it someone else who finished it, or is it held; are there more
	do.number = here.number
	return do, true
}

// leave goes on behind a slot that is not settled.
func (s *settlement) leave() (do command, more bool) {
	s.pending = true
	return s.advance()
}

func (s *settlement) advance() (do command, more bool) {
	s.at++
	return s.resume()
}

// resume looks at the present slot, or ends.
func (s *settlement) resume() (do command, more bool) {
	for s.at < len(s.slots) && s.slots[s.at].member < 0 {
		s.pending = true // its database is not one of ours
		s.at++
	}
	switch {
	case s.at < len(s.slots):
		return command{op: OpLook, at: s.at, number: s.slots[s.at].number}, true
	case len(s.breached) > 0:
		s.fate = contravened
	case s.pending:
	case s.finished:
		s.fate = settled
	default:
		return command{op: OpFinish}, true
	}
	return do, false
}

func (s *settlement) incident(b BranchID, name string) Incident {
	i := Incident{Branch: b, Name: name, Breach: Contradicting}
	if s.decision == ToCommit {
		i.Breach = Lost
	}
	return i
}
