package twophase

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
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

// AwayFrom are the branches of a record that is not finished at none of the members.
func AwayFrom(members []Member, record Record) []Away {
	if record.Finished {
		return nil
	}
	return away(record.ID, record.Branches, (&recoverer{members: members}).find)
}

// Recover finishes what coordinators left behind in the members' databases. It touches
// only transactions that a ledger of one of the members decides. It may run beside
// coordinators and other recoverers, in any process.
//
// What it cannot reach is in the error, joined, and does not keep it from the rest.
func Recover(ctx context.Context, members []Member, options ...Options) (Report, error) {
	r := &recoverer{members: members, silent: make([]atomic.Bool, len(members)), o: chosen(ctx, options)}
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
	silent  []atomic.Bool // those that have not answered in time
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
		group.Go(func() { r.silent[i].Store(!r.foundAt(ctx, m, add) && ctx.Err() != nil && outer.Err() == nil) })
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

// ask calls f, one command to a member, with a share of the time. A member that does not answer
// within that is asked nothing more: it has fallen silent since it was asked first, and the
// others are not to wait for it again and again.
func (r *recoverer) ask(outer context.Context, member int, f func(ctx context.Context) error) error {
	ctx, cancel := Share(outer)
	defer cancel()
	err := f(ctx)
	if err != nil && ctx.Err() != nil && outer.Err() == nil {
		r.silent[member].Store(true)
	}
	return err
}

// find returns the member that has the ledger; -1 if there is none.
func (r *recoverer) find(ledger LedgerID) int {
	return slices.IndexFunc(r.members, func(m Member) bool { return ledger != "" && m.LedgerID == ledger })
}

// settle brings one transaction to its end.
func (r *recoverer) settle(ctx context.Context, id ID) {
	at := r.find(id.Ledger())
	home := r.members[at]
	defer func() {
		if v := recover(); v != nil {
			r.fail(home.Name, OpFence, fmt.Errorf("panic: %v", v))
		}
	}()
	s, do := newSettlement(id, len(r.members), r.find, looksPerSlot)
	if r.silent[at].Load() {
		r.tell(ctx, s, Record{})
		return
	}
	var a answer
	var record Record
	r.step(do.op, 0, 0, false)
	err := r.ask(ctx, at, func(ctx context.Context) (err error) {
		a, record, err = fence(ctx, home.Ledger, id)
		return err
	})
	r.step(do.op, 0, 0, true)
	if a == unknown {
		r.fail(home.Name, do.op, err)
	}
	do, more := s.decidedBy(a, record)
	for more {
		var number int
		a, number = r.do(ctx, at, s, do)
		do, more = s.next(do, a, number)
	}
	r.tell(ctx, s, record)
}

// do is the one place where commands of a recovery become calls. number is that of the
// branch that was found, home the member whose ledger decides.
func (r *recoverer) do(ctx context.Context, home int, s *settlement, d command) (a answer, number int) {
	at, asked := home, home
	if d.op != OpFinish {
		at = s.slots[d.at].member
	}
	if d.op != OpIncident {
		asked = at
	}
	if r.silent[at].Load() || r.silent[asked].Load() {
		return unknown, d.number
	}
	here, ledger := r.members[at], r.members[home].Ledger
	b := BranchID{ID: s.id, Number: d.number}
	number = d.number
	r.step(d.op, d.number, d.attempt, false)
	err := r.ask(ctx, asked, func(ctx context.Context) (err error) {
		switch d.op {
		case OpLook:
			a, number, err = look(ctx, here.Resource, b)
			return err
		case OpCommitPrepared:
			err = here.Resource.CommitPrepared(ctx, b)
		case OpRollbackPrepared:
			err = here.Resource.RollbackPrepared(ctx, b)
		case OpIncident:
			err = ledger.Incident(ctx, s.incident(b, here.Name))
		case OpFinish:
			err = ledger.Finish(ctx, s.decision, []ID{s.id})
		}
		a = answerOf(err)
		return err
	})
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
	for i, m := range r.members {
		if r.silent[i].Load() { // which is told already
			continue
		}
		var list []Prepared
		err := r.ask(ctx, i, func(ctx context.Context) (err error) {
			list, err = m.Resource.Prepared(ctx)
			return err
		})
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
