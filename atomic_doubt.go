package dbfleet

import (
	"context"
	"errors"
	"time"

	"github.com/dbfleet/dbfleet/internal/twophase"
)

// InDoubt is an atomic commit that is not over.
type InDoubt struct {
	ID string `json:"id"`
	// Anchor is the connection whose database decides.
	Anchor string `json:"anchor"`
	// Decided says that the decision is made: to commit if Commits, else to roll back.
	// Without one, its process is alive, or the next recovery rolls it back.
	Decided bool `json:"decided"`
	Commits bool `json:"commits"`
	// Prepared are the connections on which it is prepared, and holds its locks.
	Prepared []string `json:"prepared,omitempty"`
	// Since is when it began, as far as the databases tell.
	Since time.Time `json:"since"`
	// Incidents are what a person must deal with.
	Incidents []Incident `json:"incidents,omitempty"`
}

// InDoubt lists the atomic commits that are not over, in the databases of this registry.
// It changes nothing and waits for no lock. What it could not reach is in the error, and
// does not keep it from the rest.
func (r *Registry) InDoubt(ctx context.Context) ([]InDoubt, error) {
	if err := r.usable(); err != nil {
		return nil, err
	}
	if err := checkContext(ctx, ""); err != nil {
		return nil, errorf("InDoubt: %w", err)
	}
	ctx = besideTx(ctx)
	m, unreached := r.members(ctx)
	unseen := m.strangers(ctx)
	list, away, err := doubts(ctx, m.list)
	return list, told(errors.Join(unreached, unseen, r.missing(ctx, m, away), err))
}

// doubts are those of some databases, and their branches that are at none of these.
func doubts(ctx context.Context, members []twophase.Member) (list []InDoubt, away []twophase.Away, err error) {
	doubts, err := twophase.InDoubt(ctx, members)
	list = make([]InDoubt, len(doubts))
	for i, d := range doubts {
		one := InDoubt{ID: string(d.ID), Anchor: d.Anchor, Since: d.Since, Incidents: incidents(append(d.Incidents, anew(members, d.Away)...))}
		one.Decided = d.Standing != twophase.Undecided
		one.Commits = d.Standing == twophase.Committing || d.Standing == twophase.Breached && len(d.Branches) > 0
		for _, p := range d.Prepared {
			name := p.Name // of several databases of one server the first
			for _, b := range d.Branches {
				if b.Number == p.Branch.Number {
					name = b.Name
				}
			}
			one.Prepared = append(one.Prepared, name)
		}
		list[i], away = one, append(away, d.Away...)
	}
	return list, away, err
}

// Incident tells of a part of an atomic commit that was finished contrary to its
// decision, by a person, a failover or a restored backup.
type Incident struct {
	ID         string `json:"id"`
	Connection string `json:"connection"`
	// Lost: it was to be committed, and is not there any more, or nothing proves any more
	// that it is: the table dbfleet_ledger of its connection was emptied or made anew.
	// Otherwise it was to be rolled back, and is committed.
	Lost bool `json:"lost"`
}

func incidents(list []twophase.Incident) (out []Incident) {
	for _, i := range list {
		out = append(out, Incident{ID: string(i.Branch.ID), Connection: i.Name, Lost: i.Breach == twophase.Lost})
	}
	return out
}

// Acknowledge says that a person has dealt with the incidents of an atomic commit, which
// InDoubt shows no longer then. It changes nothing else, and nothing of a commit that has
// none, which goes on. An ID that none of the databases knows is ErrNotFound. It fails
// while one of the databases does not answer.
func (r *Registry) Acknowledge(ctx context.Context, id string) error {
	if err := r.usable(); err != nil {
		return err
	}
	if err := checkContext(ctx, ""); err != nil {
		return errorf("Acknowledge: %w", err)
	}
	parsed, ok := twophase.ParseID(id)
	if !ok {
		return errorf("Acknowledge: %q is not the ID of an atomic commit", id)
	}
	ctx = besideTx(ctx)
	all, err := r.members(ctx)
	if err != nil {
		return err
	}
	for _, m := range all.list {
		if m.LedgerID != parsed.Ledger() {
			continue
		}
		l := m.Ledger.(*ledger)
		records, err := l.Read(ctx, []twophase.ID{parsed})
		switch {
		case err != nil:
			return told(err)
		case len(records) == 0:
			return notFound{"atomic " + id}
		case len(records[0].Incidents) == 0:
			if len(anew(all.list, twophase.AwayFrom(all.list, records[0]))) == 0 {
				return nil // its markers are still needed
			}
			return told(l.Finish(ctx, records[0].Decision, []twophase.ID{parsed}))
		}
		for _, b := range all.list { // or else the markers of an abort would be found again
			if err := b.Resource.Unmark(ctx, []twophase.ID{parsed}); err != nil {
				return told(err)
			}
		}
		return told(l.acknowledge(ctx, parsed))
	}
	if unseen := all.unseen(); unseen != nil {
		return unseen
	}
	return notFound{"atomic " + id}
}

// doubtTimeout bounds how long Health waits for what is in doubt.
const doubtTimeout = time.Second

// knownDoubts are the atomic commits that are not over, in the databases of which this
// process knows that they take part.
func (r *Registry) knownDoubts(ctx context.Context) []InDoubt {
	var members []twophase.Member
	r.entries.all(func(name string, e *entry) {
		if l := e.decides.Load(); l != nil {
			members = append(members, twophase.Member{Name: name, LedgerID: l.id, Resource: l, Ledger: l})
		}
	})
	if len(members) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(besideTx(ctx), doubtTimeout)
	defer cancel()
	for _, m := range members {
		m.Ledger.(*ledger).closeNow(ctx)
	}
	list, _, _ := doubts(ctx, members) // a database that does not answer is told by its nodes
	return list
}
