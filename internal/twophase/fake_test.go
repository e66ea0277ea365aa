package twophase

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

var (
	errDown   = errors.New("connection refused")
	errNoVote = errors.New("a constraint does not hold")
)

// database is a server of the tests: Resource and Ledger, and by begin also the
// participants of transactions.
type database struct {
	name string
	id   LedgerID

	mu       sync.Mutex  // protects following fields
	down     bool        // nothing is answered any more
	mute     map[Op]bool // what is never answered
	calls    []string
	rows     []string // what transactions have written
	prepared map[BranchID]string
	marks    map[BranchID]bool
	records  map[ID]Record
	leases   map[ID]bool
	horizon  uint32
	fail     map[Op]error // by what is asked for; in its place
	lose     map[Op]bool  // done, and the answer is lost; once
	unsure   bool         // what is said of prepared transactions proves nothing, as on MariaDB
	ghosts   bool         // and is not true
}

func newDatabase(name string) *database {
	return &database{
		name: name, id: NewLedgerID(), prepared: map[BranchID]string{}, marks: map[BranchID]bool{},
		records: map[ID]Record{}, leases: map[ID]bool{}, fail: map[Op]error{}, lose: map[Op]bool{}, mute: map[Op]bool{},
	}
}

// ask does something on the server, if it is there.
func (d *database) ask(ctx context.Context, op Op, do func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, op.String())
	if d.mute[op] {
		d.mu.Unlock()
		<-ctx.Done()
		d.mu.Lock()
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case d.down:
		return errDown
	case d.fail[op] != nil:
		return d.fail[op]
	}
	err := do()
	if d.lose[op] {
		delete(d.lose, op)
		return errDown
	}
	return err
}

func (d *database) set(down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = down
}

func (d *database) Prepared(ctx context.Context) (list []Prepared, err error) {
	err = d.ask(ctx, OpList, func() error {
		for b := range d.prepared {
			list = append(list, Prepared{Branch: b})
		}
		return nil
	})
	return list, err
}

func (d *database) Marked(ctx context.Context, id ID) (numbers []int, err error) {
	err = d.ask(ctx, OpLook, func() error {
		for b := range d.marks {
			if b.ID == id {
				numbers = append(numbers, b.Number)
			}
		}
		return nil
	})
	return numbers, err
}

func (d *database) Marks(ctx context.Context, after ID) (ids []ID, err error) {
	err = d.ask(ctx, OpAudit, func() error {
		for b := range d.marks {
			if b.ID > after {
				ids = append(ids, b.ID)
			}
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		ids = ids[:min(3, len(ids))]
		return nil
	})
	return ids, err
}

func (d *database) Unmark(ctx context.Context, ids []ID) error {
	return d.ask(ctx, OpForget, func() error {
		for b := range d.marks {
			if slices.Contains(ids, b.ID) {
				delete(d.marks, b)
			}
		}
		return nil
	})
}

func (d *database) CommitPrepared(ctx context.Context, b BranchID) error {
	return d.ask(ctx, OpCommitPrepared, func() error {
		row, ok := d.prepared[b]
		if !ok {
			return As(ErrNoSuch, errors.New("42704"))
		}
		delete(d.prepared, b)
		if !d.ghosts {
			d.rows, d.marks[b] = append(d.rows, row), true
		}
		return d.said()
	})
}

func (d *database) RollbackPrepared(ctx context.Context, b BranchID) error {
	return d.ask(ctx, OpRollbackPrepared, func() error {
		if _, ok := d.prepared[b]; !ok {
			return As(ErrNoSuch, errors.New("42704"))
		}
		delete(d.prepared, b)
		return d.said()
	})
}

func (d *database) said() error {
	if d.unsure {
		return ErrUnproved
	}
	return nil
}

func (d *database) Fence(ctx context.Context, id ID) (r Record, err error) {
	err = d.ask(ctx, OpFence, func() error {
		var ok bool
		switch r, ok = d.records[id]; {
		case ok:
		case d.leases[id]:
			return As(ErrHeld, errors.New("55P03"))
		case id.Made() <= d.horizon:
			return ErrForgotten
		default:
			r = Record{ID: id, Decision: ToAbort}
			d.records[id] = r
		}
		return nil
	})
	return r, err
}

func (d *database) Read(ctx context.Context, ids []ID) (list []Record, err error) {
	err = d.ask(ctx, OpAudit, func() error {
		for _, id := range ids {
			if r, ok := d.records[id]; ok {
				list = append(list, r)
			}
		}
		return nil
	})
	return list, err
}

func (d *database) Open(ctx context.Context) (list []Record, err error) {
	err = d.ask(ctx, OpOpen, func() error {
		for _, r := range d.records {
			if !r.Finished {
				list = append(list, r)
			}
		}
		return nil
	})
	return list, err
}

func (d *database) Finish(ctx context.Context, decision Decision, ids []ID) error {
	return d.ask(ctx, OpFinish, func() error {
		for _, id := range ids {
			if r, ok := d.records[id]; ok && r.Decision == decision && len(r.Incidents) == 0 {
				r.Finished = true
				d.records[id] = r
			}
		}
		return nil
	})
}

func (d *database) Incident(ctx context.Context, i Incident) error {
	return d.ask(ctx, OpIncident, func() error {
		r, ok := d.records[i.Branch.ID]
		switch {
		case !ok && i.Branch.ID.Made() <= d.horizon, r.Finished && r.Decision == ToCommit:
			return ErrSettled
		case !ok:
			r = Record{ID: i.Branch.ID, Decision: ToAbort}
		}
		r.Finished = false
		if !slices.Contains(r.Incidents, i) {
			r.Incidents = append(slices.Clone(r.Incidents), i)
		}
		d.records[i.Branch.ID] = r
		return nil
	})
}

// Old takes everything that is finished for old.
func (d *database) Old(ctx context.Context, _ time.Duration) (list []Record, err error) {
	err = d.ask(ctx, OpForget, func() error {
		for _, r := range d.records {
			if r.Finished {
				list = append(list, r)
			}
		}
		return nil
	})
	return list, err
}

func (d *database) Forget(ctx context.Context, ids []ID) error {
	return d.ask(ctx, OpForget, func() error {
		for _, id := range ids {
			if d.records[id].Decision == ToCommit {
				d.horizon = max(d.horizon, id.Made())
			}
			delete(d.records, id)
		}
		return nil
	})
}

// live is a participant: a transaction that has written one row, or has only read.
type live struct {
	*database
	row    string
	open   bool
	record Record
	lease  bool
}

func (d *database) begin(row string) *live { return &live{database: d, row: row, open: true} }

func (l *live) Wrote() bool { return l.row != "" }

func (l *live) end() {
	l.open = false
	if l.lease {
		delete(l.leases, l.record.ID)
	}
}

// disconnect is what the server does when the process behind the session has died.
func (l *live) disconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end()
}

func (l *live) Commit(ctx context.Context) error {
	op := OpCommit
	if !l.Wrote() && !l.lease {
		op = OpRelease
	}
	return l.ask(ctx, op, func() error {
		if !l.open {
			return As(ErrRefused, errors.New("no transaction"))
		}
		if l.lease {
			l.records[l.record.ID] = l.record
		}
		if l.row != "" {
			l.rows = append(l.rows, l.row)
		}
		l.end()
		return nil
	})
}

func (l *live) Rollback(ctx context.Context) error {
	return l.ask(ctx, OpRollback, func() error {
		l.end()
		return nil
	})
}

func (l *live) Decide(ctx context.Context, r Record) error {
	return l.ask(ctx, OpDecide, func() error {
		if _, ok := l.records[r.ID]; ok || !l.open {
			return errNoVote
		}
		l.record, l.lease, l.leases[r.ID] = r, true, true
		return nil
	})
}

func (l *live) Mark(ctx context.Context, b BranchID) error {
	return l.ask(ctx, OpMark, func() error { return nil })
}

func (l *live) Prepare(ctx context.Context, b BranchID) error {
	return l.ask(ctx, OpPrepare, func() error {
		if !l.open {
			return As(ErrRefused, errors.New("no transaction"))
		}
		l.end()
		l.prepared[b] = l.row
		return nil
	})
}
