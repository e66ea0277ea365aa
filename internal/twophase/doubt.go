package twophase

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Standing is where a transaction that is not over stands.
type Standing int8

const (
	// Undecided says that it has prepared branches and no decision that can be read. Its
	// coordinator lives, or is gone and the next recovery rolls it back.
	Undecided Standing = iota
	// Committing says that it is decided to commit, and not verified at every branch.
	Committing
	// Aborting is the same for a decision to roll back.
	Aborting
	// Breached says that it has incidents, which stay until a person has dealt with them.
	Breached
)

var standingNames = [...]string{"undecided", "committing", "aborting", "breached"}

func (s Standing) String() string { return standingNames[s] }

// A Doubt is one transaction that is not over.
type Doubt struct {
	ID       ID
	Standing Standing
	// Since is when the oldest of it that tells its time was written: the record, or a
	// prepared branch; else when the ID was drawn, by the coordinator's clock.
	Since     time.Time
	Anchor    string     // the connection whose ledger decides
	Prepared  []Prepared // branches that are listed, and hold their locks
	Branches  []BranchRef
	Away      []Away // of them those at none of the members
	Incidents []Incident
}

// InDoubt lists the transactions of the members' ledgers that are not over. It changes
// nothing and waits for no lock. What it cannot reach is in the error, joined, and does
// not keep it from the rest.
func InDoubt(ctx context.Context, members []Member) ([]Doubt, error) {
	var errs []error
	var list []*Doubt
	r := &recoverer{members: members}
	byID := map[ID]*Doubt{}
	doubt := func(id ID) *Doubt {
		home := r.find(id.Ledger())
		if home < 0 {
			return nil
		}
		if byID[id] == nil {
			byID[id] = &Doubt{ID: id, Anchor: members[home].Name}
			list = append(list, byID[id])
		}
		return byID[id]
	}
	at := listAll(ctx, members)
	for i, m := range members {
		if err := at[i].preparedErr; err != nil {
			errs = append(errs, fmt.Errorf("connection %q: %s: %w", m.Name, OpList, err))
		}
		for _, p := range at[i].prepared {
			if d := doubt(p.Branch.ID); d != nil && !d.lists(p.Branch) {
				p.Name = m.Name
				d.Prepared = append(d.Prepared, p)
				d.since(p.Since)
			}
		}
	}
	for i, m := range members {
		if err := at[i].openErr; err != nil {
			errs = append(errs, fmt.Errorf("connection %q: %s: %w", m.Name, OpOpen, err))
		}
		for _, record := range at[i].open {
			if d := doubt(record.ID); d != nil {
				d.read(record)
			}
		}
	}
	var out []Doubt
	ctx, cancel := Share(ctx)
	defer cancel()
	for _, d := range list {
		if len(d.Branches) == 0 && d.Standing == Undecided { // perhaps finished, and prepared again by a failover
			records, err := members[r.find(d.ID.Ledger())].Ledger.Read(ctx, []ID{d.ID})
			if err != nil {
				errs = append(errs, fmt.Errorf("connection %q: %w", d.Anchor, err))
			}
			for _, record := range records {
				d.read(record)
			}
		}
		d.Away = away(d.ID, d.Branches, r.find)
		if d.Since.IsZero() {
			d.Since = time.Unix(int64(d.ID.Made()), 0)
		}
		out = append(out, *d)
	}
	return out, errors.Join(errs...)
}

// listing is what one member has told.
type listing struct {
	prepared             []Prepared
	open                 []Record
	preparedErr, openErr error
}

// listAll asks all members at once: each first for what is prepared, then for what is decided.
func listAll(ctx context.Context, members []Member) []listing {
	ctx, cancel := Share(ctx)
	defer cancel()
	at := make([]listing, len(members))
	var group sync.WaitGroup
	for i, m := range members {
		group.Go(func() {
			at[i].prepared, at[i].preparedErr = m.Resource.Prepared(ctx)
			at[i].open, at[i].openErr = m.Ledger.Open(ctx)
		})
	}
	group.Wait()
	return at
}

func (d *Doubt) lists(b BranchID) bool {
	for _, p := range d.Prepared {
		if p.Branch == b {
			return true
		}
	}
	return false
}

// read takes over what the ledger knows.
func (d *Doubt) read(r Record) {
	d.Branches, d.Incidents = r.Branches, r.Incidents
	d.since(r.Since)
	switch {
	case len(r.Incidents) > 0:
		d.Standing = Breached
	case r.Decision == ToCommit:
		d.Standing = Committing
	default:
		d.Standing = Aborting
	}
}

func (d *Doubt) since(t time.Time) {
	if !t.IsZero() && (d.Since.IsZero() || t.Before(d.Since)) {
		d.Since = t
	}
}
