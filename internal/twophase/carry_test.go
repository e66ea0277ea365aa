package twophase

import "strconv"

// carry lets a server carry out a request, or one half of a look.
func (w *world) carry(i int) {
	r := &w.requests[i]
	at := int(r.to)
	s := &w.servers[at]
	second := r.stage == 1
	r.stage = answeredStage
	if onSession(r.command.op) && s.session == sessionOver {
		r.answer = unknown
		return
	}
	switch r.command.op {
	case OpDecide:
		r.answer = refused
		if s.txn == txnOpen && (!w.row.there || w.rules.mutant == decideOverwrites) {
			r.answer = done
			w.lease = w.rules.mutant != noLease && w.rules.mutant != decideOverwrites
		}
	case OpMark:
		r.answer = refused
		if s.txn == txnOpen {
			s.marked, r.answer = true, done
		}
	case OpPrepare:
		r.answer = refused
		if s.txn == txnOpen {
			s.txn, r.answer = txnPrepared, done
		}
	case OpCommit:
		w.commitAnchor(r, s)
	case OpRollback:
		r.answer = done
		w.abort(at)
	case OpCommitPrepared, OpRollbackPrepared:
		w.finishPrepared(r, s)
	case OpLook:
		w.look(r, s, second)
	case OpFence:
		w.fence(r)
	case OpIncident:
		w.incident(r)
	case OpFinish:
		r.answer = done
		if w.row.there && (w.row.decision == r.closes || w.rules.mutant == blindFinish) && w.row.incidents == 0 {
			w.row.finished = true
			w.verifyFinished(r.closes)
		}
	}
}

func (w *world) commitAnchor(r *request, s *server) {
	r.answer = refused
	if s.txn != txnOpen {
		return
	}
	if w.row.there && w.rules.mutant != decideOverwrites { // only without a lease
		w.abort(0)
		return
	}
	s.txn, w.lease, r.answer = txnCommitted, false, done
	w.row = row{there: true, decision: ToCommit}
}

func (w *world) finishPrepared(r *request, s *server) {
	r.answer = noSuch
	own := r.owner == 0 && (s.session == sessionUp || r.orphan && s.session == sessionCut)
	if s.txn != txnPrepared || w.rules.clings && !own && s.session != sessionOver {
		return
	}
	s.txn = txnAborted
	if own || !w.rules.clings || w.rules.mutant == believes {
		r.answer = done
	}
	if r.command.op == OpCommitPrepared {
		s.txn, s.marker = txnCommitted, s.marked
	}
}

// look reads the list, and in a second step the marker.
func (w *world) look(r *request, s *server, second bool) {
	list := second == (w.rules.mutant == markerFirst)
	switch {
	case list && s.txn == txnPrepared:
		r.answer = listed
	case !list && s.marker:
		r.answer = marked
	case second:
		r.answer = gone
	default:
		r.stage = 1
	}
}

func (w *world) fence(r *request) {
	blind := w.rules.mutant == noFence || w.rules.mutant == recovererLooksUp && r.owner > 0
	switch {
	case w.row.there && w.row.decision == ToCommit:
		r.answer = commit
	case w.row.there, blind:
		r.answer = abort
	case w.lease:
		r.answer = held
	case w.horizon && w.rules.mutant != noHorizon:
		r.answer = forgotten
	default:
		r.answer, w.row = abort, row{there: true, decision: ToAbort}
	}
	r.found = w.row
}

// verifyFinished checks that a record is finished no sooner than all branches are. After
// an abort a person may be quicker: that is found later, by the marker.
func (w *world) verifyFinished(meant Decision) {
	if w.row.decision != meant {
		w.blame("the record of another decision is finished")
	}
	for i := 1; i < w.rules.participants; i++ {
		if s := w.servers[i]; w.row.decision == ToCommit && s.txn != txnCommitted || w.row.decision == ToAbort && s.txn == txnCommitted && !w.meddled {
			w.blame("a record is finished, and branch %d is in state %d", i, s.txn)
		}
	}
}

func (w *world) incident(r *request) {
	r.answer = noSuch
	switch {
	case !w.row.there && w.horizon && w.rules.mutant != blindIncident:
		return
	case !w.row.there:
		w.row = row{there: true, decision: ToAbort}
	case w.row.finished && w.row.decision == ToCommit && w.rules.mutant != blindIncident:
		return
	}
	w.row.finished = false
	w.row.incidents |= 1 << r.branch
	r.answer = done
}

// abort ends an open transaction.
func (w *world) abort(at int) {
	if w.servers[at].txn == txnOpen {
		w.servers[at].txn = txnAborted
		if at == 0 {
			w.lease = false
		}
	}
}

// record is a row as a fence returns it.
func (w *world) record(found row) Record {
	r := Record{Decision: found.decision, Finished: found.finished}
	for n := 1; n < w.rules.participants; n++ {
		if r.Decision == ToCommit {
			r.Branches = append(r.Branches, BranchRef{Number: n, Ledger: LedgerID(strconv.Itoa(n))})
		}
		if found.incidents&(1<<n) != 0 {
			r.Incidents = append(r.Incidents, Incident{Branch: BranchID{Number: n}})
		}
	}
	return r
}

func memberOf(l LedgerID) int {
	n, _ := strconv.Atoi(string(l))
	return n - 1
}
