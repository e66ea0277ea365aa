package dbfleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/twophase"
)

// members are what a round of questions to all connections has found.
type members struct {
	list    []twophase.Member // the databases that take part in atomic commits
	without map[string]error  // the connections that answer and show no ledger: nil, or why there may be one
}

// members are the databases of the registry that take part in atomic commits, which have
// the library's ledger. Those that do not answer in half of the time are told in the error.
// What this process has committed until now is closed there.
func (r *Registry) members(ctx context.Context) (m members, err error) {
	ctx, cancel := twophase.Share(ctx)
	defer cancel()
	var mu sync.Mutex
	var group sync.WaitGroup
	m.without = map[string]error{}
	for _, name := range r.Names() {
		group.Go(func() {
			l, ledgerErr := r.ledgerOf(ctx, name)
			if l != nil {
				l.closeNow(ctx)
				l.refound(ctx)
			}
			mu.Lock()
			defer mu.Unlock()
			var hidden *hiddenLedger
			switch {
			case errors.As(ledgerErr, &hidden):
				m.without[name] = errorf("connection %q: %w", name, hidden)
			case ledgerErr != nil:
				err = errors.Join(err, errorf("connection %q: %w", name, ledgerErr))
			case l == nil:
				m.without[name] = nil
			default:
				m.list = append(m.list, twophase.Member{Name: name, LedgerID: l.id, Resource: l, Ledger: l})
			}
		})
	}
	group.Wait()
	slices.SortFunc(m.list, func(a, b twophase.Member) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return m, err
}

// ledgerOf is the ledger of a connection, nil if it has none.
func (r *Registry) ledgerOf(ctx context.Context, name string) (*ledger, error) {
	e, err := r.use(name)
	if err != nil {
		return nil, err
	}
	defer e.leave()
	return e.knownLedger(ctx, false)
}

// hiddenLedger says that a database may have a ledger that the account does not see. It
// is told where something in doubt needs one: elsewhere most databases have none.
type hiddenLedger struct{ err error }

func (e *hiddenLedger) Error() string { return e.err.Error() }
func (e *hiddenLedger) Unwrap() error { return e.err }

// hidden is an error if there may be a ledger that the account does not see.
func (l *ledger) hidden(ctx context.Context, c *driver.Conn) error {
	if l.text.Hidden == "" {
		return nil
	}
	schema, err := l.value(ctx, c, l.text.Hidden)
	switch {
	case schema != "":
		if kind, err := l.value(ctx, c, l.text.Durable); kind != "" || absent(err) != nil {
			return err // it has just been made
		}
		return &hiddenLedger{errorf("the table %s is in the schema %q, which the account does not see: set its search_path, or grant USAGE", dialect.LedgerTable, schema)}
	case absent(err) == nil:
		return nil
	case driver.Classify(err).Class == driver.Auth:
		return &hiddenLedger{err}
	}
	return err
}

// unseen are the connections that may have a ledger which the account does not see.
func (m members) unseen() (err error) {
	for _, hidden := range m.without {
		err = errors.Join(err, hidden)
	}
	return err
}

// strangers is unseen if one of the databases has a prepared branch that no ledger here
// decides. It asks only if there may be one that is not seen.
func (m members) strangers(ctx context.Context) error {
	unseen := m.unseen()
	if unseen == nil {
		return nil
	}
	ctx, cancel := twophase.Share(ctx)
	defer cancel()
	for _, one := range m.list {
		list, _ := one.Resource.Prepared(ctx) // whoever asks next tells the error
		for _, p := range list {
			known := func(home twophase.Member) bool { return home.LedgerID == p.Branch.ID.Ledger() }
			if !slices.ContainsFunc(m.list, known) {
				return errorf("atomic %s is prepared on connection %q, and its ledger is not seen: %w", p.Branch.ID, one.Name, unseen)
			}
		}
	}
	return nil
}

// anew are the branches of commits that are not over whose connections have another ledger
// than they had: it was dropped and made anew, with the markers that prove what is committed.
// The ledger of the commit says nothing of it, for in another process the connection's name
// may lead to the branch.
func anew(list []twophase.Member, away []twophase.Away) (found []twophase.Incident) {
	for _, a := range away {
		if slices.ContainsFunc(list, func(m twophase.Member) bool { return m.Name == a.Branch.Name }) {
			branch := twophase.BranchID{ID: a.ID, Number: a.Branch.Number}
			found = append(found, twophase.Incident{Branch: branch, Name: a.Branch.Name, Breach: twophase.Lost})
		}
	}
	return found
}

// missing tells of branches at connections of the registry that show no ledger, and do not
// when they are asked once more (before its first record each has one), or that have another.
func (r *Registry) missing(ctx context.Context, m members, away []twophase.Away) (err error) {
	ctx, cancel := twophase.Share(ctx)
	defer cancel()
	for _, i := range anew(m.list, away) {
		err = errors.Join(err, errorf("atomic %s has a branch on connection %q: the table %s there was made anew since, or the connection leads to another database, so nothing proves that the branch is committed: look for its rows, put right what is missing, and call Acknowledge with this id", i.Branch.ID, i.Name, dialect.LedgerTable))
	}
	again := map[string]error{}
	for _, a := range away {
		name := a.Branch.Name
		if _, ok := m.without[name]; !ok { // it did not answer, which is told, or is of another registry
			continue
		}
		why, asked := again[name]
		if !asked {
			var l *ledger
			if l, why = r.ledgerOf(ctx, name); l == nil && why == nil {
				why = fmt.Errorf("it has no table %s any more", dialect.LedgerTable)
			}
			again[name] = why
		}
		if why != nil {
			err = errors.Join(err, errorf("atomic %s has a branch on connection %q: %w", a.ID, name, why))
		}
	}
	return err
}
