package twophase

import (
	"fmt"
	"slices"
)

// A move leads from one world to the next.
type move struct {
	name string
	what fmt.Stringer
	to   *world
}

// String tells of a move; it is made only for the trace of a fault.
func (m move) String() string { return m.name + " " + m.what.String() }

func (r request) String() string {
	return fmt.Sprintf("%s %d of %d", r.command.op, r.branch, r.owner)
}

// place is a server or a recoverer.
type place int

func (p place) String() string { return fmt.Sprint(int(p)) }

// moves are all that may happen next.
func (w *world) moves() (next []move) {
	try := func(name string, what fmt.Stringer, do func(*world)) {
		to := w.clone()
		do(to)
		next = append(next, move{name, what, to})
	}
	fault := func(name string, what fmt.Stringer, do func(*world)) {
		if w.faults > 0 {
			try(name, what, func(to *world) {
				to.faults--
				to.harmed = true
				do(to)
			})
		}
	}
	for i, r := range w.requests {
		switch {
		case r.stage == answeredStage && r.orphan:
			try("forgotten:", r, func(to *world) { to.drop(i) })
		case r.stage == answeredStage:
			try("answer:", r, func(to *world) { to.deliver(i) })
		default:
			try("carried out:", r, func(to *world) { to.carry(i) })
			if r.orphan {
				try("lost:", r, func(to *world) { to.drop(i) })
			}
			if s := w.servers[r.to]; w.rules.clings && s.txn == txnPrepared && s.session == sessionCut &&
				(r.command.op == OpCommitPrepared || r.command.op == OpRollbackPrepared) {
				fault("said to be done:", r, func(to *world) { to.haunt(i) })
			}
			if r.command.op <= OpCommit {
				fault("refused:", r, func(to *world) { to.refuse(i) })
			}
		}
		if !r.orphan {
			fault("cut:", r, func(to *world) { to.cut(i) })
		}
	}
	for i := range w.rules.participants {
		s := w.servers[i]
		if s.session == sessionCut && !w.underway(i) {
			try("server notices the end of session", place(i), func(to *world) { to.endSession(i) })
		}
		if s.session == sessionUp && w.coordinator == running {
			fault("session killed", place(i), func(to *world) { to.endSession(i) })
		}
		fault("server crashes", place(i), func(to *world) { to.crashServer(i) })
	}
	if w.coordinator == running {
		fault("coordinator crashes", place(0), func(to *world) { to.crashCoordinator() })
	}
	for i := range w.rules.recoverers {
		switch w.recoveries[i].life {
		case idle:
			if w.traces() {
				try("recovery starts", place(i+1), func(to *world) { to.startRecovery(i) })
			}
		case running:
			fault("recoverer crashes", place(i+1), func(to *world) { to.crashRecoverer(i) })
		}
	}
	if w.rules.sweeps && w.row.finished && int(w.swept) < w.rules.participants {
		try("retention passes", place(w.swept), func(to *world) { to.sweep() })
	}
	if w.hands > 0 {
		w.meddle(func(name string, what fmt.Stringer, do func(*world)) {
			try(name, what, func(to *world) {
				to.hands--
				to.meddled = true
				do(to)
			})
		})
	}
	return next
}

// meddle is what people and failovers do.
func (w *world) meddle(try func(string, fmt.Stringer, func(*world))) {
	for i := 1; i < w.rules.participants; i++ {
		if w.servers[i].txn == txnPrepared {
			try("rolled back by hand, or lost by a failover", place(i), func(to *world) { to.servers[i].txn = txnAborted })
			try("committed by hand", place(i), func(to *world) {
				to.servers[i].txn, to.servers[i].marker = txnCommitted, to.servers[i].marked
			})
		}
	}
	if w.servers[0].txn == txnCommitted && w.row.there && !w.row.finished {
		try("a failover loses the decision", place(0), func(to *world) {
			to.servers[0].txn, to.row, to.unsaid = txnAborted, row{}, true
		})
	}
}

func (w *world) drop(i int) { w.requests = slices.Delete(w.requests, i, i+1) }

// deliver gives an answer to whoever waits for it.
func (w *world) deliver(i int) {
	r := w.requests[i]
	w.drop(i)
	if r.owner > 0 {
		w.recovered(int(r.owner-1), r)
		return
	}
	w.send(0, w.p.next(r.command, w.rules.mutant.hears(w.p.phase, r))...)
	if w.p.phase == ended {
		w.endCoordinator()
	}
}

func (w *world) recovered(i int, r request) {
	s := w.recoveries[i].s
	var do command
	var more bool
	a := w.rules.mutant.hears(completing, r)
	if r.command.op == OpFence {
		do, more = s.decidedBy(a, w.record(r.found))
	} else {
		number := r.command.number
		if r.command.op == OpLook && (a == listed || a == marked) {
			number = int(r.to)
		}
		do, more = s.next(r.command, a, number)
	}
	if more {
		w.send(int8(i+1), do)
		return
	}
	w.recoveries[i].life = over
}

// cut loses the answer to a request, which may still be carried out.
func (w *world) cut(i int) {
	r := w.requests[i]
	if onSession(r.command.op) || r.owner == 0 && (r.command.op == OpCommitPrepared || r.command.op == OpRollbackPrepared) {
		if s := &w.servers[int(r.to)]; s.session == sessionUp {
			s.session = sessionCut
		}
	}
	if r.stage != answeredStage && r.command.op != OpLook {
		r.orphan = true
		w.requests = append(w.requests, r)
	}
	w.requests[i].stage, w.requests[i].answer = answeredStage, unknown
	w.deliver(i)
}

// haunt answers a request to finish a branch without having done it.
func (w *world) haunt(i int) {
	r := &w.requests[i]
	w.servers[r.to].txn = txnGhost
	w.meddled, w.unsaid = true, true // an incident may stay
	r.stage, r.answer = answeredStage, noSuch
	if w.rules.mutant == believes {
		r.answer = done
	}
}

func (w *world) refuse(i int) {
	r := &w.requests[i]
	if w.servers[int(r.to)].session == sessionUp {
		w.abort(int(r.to))
		r.stage, r.answer = answeredStage, refused
	}
}

// underway says whether a request is still on its way over a session.
func (w *world) underway(at int) bool {
	return slices.ContainsFunc(w.requests, func(r request) bool {
		return r.stage != answeredStage && onSession(r.command.op) && int(r.to) == at
	})
}

func (w *world) endSession(at int) {
	w.servers[at].session = sessionOver
	w.abort(at)
}

func (w *world) crashServer(at int) {
	w.endSession(at)
	w.exorcise(at)
	for i := len(w.requests) - 1; i >= 0; i-- {
		r := &w.requests[i]
		switch {
		case int(r.to) != at:
		case r.orphan:
			w.drop(i)
		default:
			r.stage, r.answer = answeredStage, unknown
		}
	}
}

// exorcise is what a start of the server does to a ghost.
func (w *world) exorcise(at int) {
	if w.servers[at].txn == txnGhost {
		w.servers[at].txn = txnPrepared
	}
}

// abandon leaves requests to themselves.
func (w *world) abandon(owner int8) {
	for i := len(w.requests) - 1; i >= 0; i-- {
		r := &w.requests[i]
		if r.owner != owner || r.orphan {
			continue
		}
		if r.stage == answeredStage || r.command.op == OpLook {
			w.drop(i)
			continue
		}
		r.orphan = true
	}
}

func (w *world) crashCoordinator() {
	w.coordinator = crashed
	w.abandon(0)
	w.closeSessions()
}

func (w *world) closeSessions() {
	for i := range w.servers {
		if w.servers[i].session == sessionUp {
			w.servers[i].session = sessionCut
		}
	}
}

func (w *world) crashRecoverer(i int) {
	w.abandon(int8(i + 1))
	w.recoveries[i].life = crashed
}

// traces says whether a recovery would find the transaction.
func (w *world) traces() bool {
	for i := 1; i < w.rules.participants; i++ {
		explained := w.row.there && (w.row.decision == ToCommit || w.row.incidents != 0) || w.rules.mutant == noAudit
		if w.servers[i].txn == txnPrepared || w.servers[i].marker && !explained {
			return true
		}
	}
	return w.row.there && !w.row.finished
}

func (w *world) startRecovery(i int) {
	s, do := newSettlement("", w.rules.participants-1, memberOf, looksPerSlot)
	w.recoveries[i] = recovery{life: running, s: s}
	w.send(int8(i+1), do)
}

// sweep does the next part of what the end of the retention brings.
func (w *world) sweep() {
	w.swept++
	if at := int(w.swept); at < w.rules.participants {
		w.servers[at].marker = false
		return
	}
	w.horizon = w.horizon || w.row.decision == ToCommit
	w.row = row{}
}
