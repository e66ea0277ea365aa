package twophase

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// atOnce is how many transactions Recover settles at the same time: a fence that is held
// off waits a moment.
const atOnce = 8

// looksPerSlot is how often Recover looks at a branch before it leaves it to a later
// recovery.
const looksPerSlot = 4

// A Report is what Recover has found and done.
type Report struct {
	Committed  []BranchID // branches that it committed
	RolledBack []BranchID // branches that it rolled back
	Settled    int        // records closed because every branch is verified
	Alive      []ID       // left alone: the coordinator holds the decision
	Pending    []ID       // could not be settled now
	Outlived   []BranchID // prepared, but the ledger may have forgotten the decision: a person must decide
	Incidents  []Incident // recorded, now or before
	Forgotten  int        // records deleted after their retention
	Away       []Away     // branches of open records whose databases are none of the members'
}

// Away is a branch of a commit that is not over, in a database that none of the members has.
type Away struct {
	ID     ID
	Branch BranchRef
}

// away are the branches of a record that are at none of the members.
func away(id ID, branches []BranchRef, find func(LedgerID) int) (list []Away) {
	for _, b := range branches {
		if find(b.Ledger) < 0 {
			list = append(list, Away{ID: id, Branch: b})
		}
	}
	return list
}

// Recover finishes what coordinators left behind in the members' databases. It touches
// only transactions that a ledger of one of the members decides. It may run beside
// coordinators and other recoverers, in any process.
//
// What it cannot reach is in the error, joined, and does not keep it from the rest.
func Recover(ctx context.Context, members []Member, options ...Options) (Report, error) {
	r := &recoverer{members: members, silent: make([]bool, len(members)), o: chosen(ctx, options)}
	for _, id := range r.found(ctx) {
		if ctx.Err() != nil {
			break
		}
		r.soon(func() { r.settle(ctx, id) })
	}
	r.all.Wait()
	if r.o.Retention > 0 {
		r.forget(ctx)
	}
	return r.report, errors.Join(append(r.errs, context.Cause(ctx))...)
}

type recoverer struct {
	members []Member
	silent  []bool // those that have not answered in time when they were asked first
	o       Options

	all  sync.WaitGroup
	free chan struct{}

	mu     sync.Mutex // protects following fields
	report Report
	errs   []error
}

// soon calls settle in a goroutine when fewer than atOnce are running.
func (r *recoverer) soon(settle func()) {
	if r.free == nil {
		r.free = make(chan struct{}, atOnce)
	}
	r.free <- struct{}{}
	r.all.Go(func() {
		defer func() { <-r.free }()
		settle()
	})
}

// found collects the transactions that are not finished: those of prepared branches,
// those of open records, and those of committed markers that have no record. It asks all
// members at once, and leaves one that does not answer in time to a later recovery.
func (r *recoverer) found(outer context.Context) (ids []ID) {
	ctx, cancel := Share(outer)
	defer cancel()
	seen := map[ID]bool{}
	add := func(id ID) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !seen[id] && r.find(id.Ledger()) >= 0 {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	var group sync.WaitGroup
	for i, m := range r.members {
		group.Go(func() { r.silent[i] = !r.foundAt(ctx, m, add) && ctx.Err() != nil && outer.Err() == nil })
	}
	group.Wait()
	return ids
}

// foundAt is found of one member. It says whether that told of its branches and records.
func (r *recoverer) foundAt(ctx context.Context, m Member, add func(ID)) (told bool) {
	r.step(OpList, 0, 0, false)
	list, listErr := m.Resource.Prepared(ctx)
	r.step(OpList, 0, 0, true)
	r.fail(m.Name, OpList, listErr)
	for _, p := range list {
		add(p.Branch.ID)
	}
	r.step(OpOpen, 0, 0, false)
	records, openErr := m.Ledger.Open(ctx)
	r.step(OpOpen, 0, 0, true)
	r.fail(m.Name, OpOpen, openErr)
	for _, record := range records {
		add(record.ID)
	}
	r.step(OpAudit, 0, 0, false)
	missing, err := r.audit(ctx, m)
	r.step(OpAudit, 0, 0, true)
	r.fail(m.Name, OpAudit, err)
	for _, id := range missing {
		add(id)
	}
	return listErr == nil && openErr == nil
}

// find returns the member that has the ledger; -1 if there is none.
func (r *recoverer) find(ledger LedgerID) int {
	return slices.IndexFunc(r.members, func(m Member) bool { return ledger != "" && m.LedgerID == ledger })
}

// settle brings one transaction to its end.
func (r *recoverer) settle(ctx context.Context, id ID) {
	home := r.members[r.find(id.Ledger())]
	defer func() {
		if v := recover(); v != nil {
			r.fail(home.Name, OpFence, fmt.Errorf("panic: %v", v))
		}
	}()
	s, do := newSettlement(id, len(r.members), r.find, looksPerSlot)
	if r.silent[r.find(id.Ledger())] {
		r.tell(ctx, s, Record{})
		return
	}
	r.step(do.op, 0, 0, false)
	a, record, err := fence(ctx, home.Ledger, id)
	r.step(do.op, 0, 0, true)
	if a == unknown {
		r.fail(home.Name, do.op, err)
	}
	do, more := s.decidedBy(a, record)
	for more {
		var number int
		a, number = r.do(ctx, home, s, do)
		do, more = s.next(do, a, number)
	}
	r.tell(ctx, s, record)
}

// do is the one place where commands of a recovery become calls. number is that of the
// branch that was found.
func (r *recoverer) do(ctx context.Context, home Member, s *settlement, d command) (a answer, number int) {
	here := home
	if d.op != OpFinish {
		at := s.slots[d.at].member
		if here = r.members[at]; r.silent[at] {
			return unknown, d.number
		}
	}
	b := BranchID{ID: s.id, Number: d.number}
	number = d.number
	r.step(d.op, d.number, d.attempt, false)
	var err error
	switch d.op {
	case OpLook:
		a, number, err = look(ctx, here.Resource, b)
	case OpCommitPrepared:
		err = here.Resource.CommitPrepared(ctx, b)
		a = answerOf(err)
	case OpRollbackPrepared:
		err = here.Resource.RollbackPrepared(ctx, b)
		a = answerOf(err)
	case OpIncident:
		err = home.Ledger.Incident(ctx, s.incident(b, here.Name))
		a = answerOf(err)
	case OpFinish:
		err = home.Ledger.Finish(ctx, s.decision, []ID{s.id})
		a = answerOf(err)
	}
	r.step(d.op, d.number, d.attempt, true)
	if a == unknown || a == refused {
		r.fail(here.Name, d.op, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case d.op == OpIncident && a == done:
		r.report.Incidents = append(r.report.Incidents, s.incident(b, here.Name))
	case d.op == OpCommitPrepared && a == done, d.op == OpLook && a == marked && s.unproved == b:
		r.report.Committed = append(r.report.Committed, b)
	case d.op == OpRollbackPrepared && a == done, d.op == OpLook && a == gone && s.unproved.ID != "" && s.decision == ToAbort:
		r.report.RolledBack = append(r.report.RolledBack, cmp.Or(s.unproved, b))
	}
	s.unproved = BranchID{}
	if errors.Is(err, ErrUnproved) {
		s.unproved = b
	}
	return a, number
}

// tell reports how the settlement of a transaction ended.
func (r *recoverer) tell(ctx context.Context, s *settlement, record Record) {
	var prepared []BranchID
	if s.fate == outlived {
		prepared = r.stillPrepared(ctx, s.id)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Incidents = append(r.report.Incidents, record.Incidents...)
	r.report.Outlived = append(r.report.Outlived, prepared...)
	if !record.Finished {
		r.report.Away = append(r.report.Away, away(s.id, record.Branches, r.find)...)
	}
	switch {
	case s.fate == alive:
		r.report.Alive = append(r.report.Alive, s.id)
	case s.pending || s.fate == unsettled:
		r.report.Pending = append(r.report.Pending, s.id)
	case s.fate == settled:
		r.report.Settled++
	}
}

// stillPrepared lists the branches of a transaction whose record may be forgotten: most
// likely another recoverer has finished them since they were listed first.
func (r *recoverer) stillPrepared(ctx context.Context, id ID) (branches []BranchID) {
	for _, m := range r.members {
		list, err := m.Resource.Prepared(ctx)
		r.fail(m.Name, OpList, err)
		for _, p := range list {
			if p.Branch.ID == id && !slices.Contains(branches, p.Branch) {
				branches = append(branches, p.Branch)
			}
		}
	}
	return branches
}

func (r *recoverer) step(op Op, number, attempt int, after bool) {
	if r.o.Step != nil {
		r.o.Step(Step{After: after, Op: op, Number: number, Attempt: attempt})
	}
}

func (r *recoverer) fail(name string, op Op, err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, fmt.Errorf("connection %q: %s: %w", name, op, err))
}
