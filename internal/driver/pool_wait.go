package driver

import "context"

// RefuseWaits has the pool ask inVain before it looks for a connection, if it may have
// only one, or its budget has only one: an error says that who asks with ctx has that one
// and gives it back later. It is called before the pool is used, once. Statements of PrepareContext are not
// asked about when they are run: database/sql takes their connections.
func (p *Pool) RefuseWaits(inVain func(ctx context.Context) error) {
	if p.db.Stats().MaxOpenConnections == 1 || p.budget != nil && p.budget.Size() == 1 {
		p.inVain = inVain
	}
}

// waitsInVain is the error of a wait that cannot end well, nil for any other.
func (p *Pool) waitsInVain(ctx context.Context) error {
	if p.inVain == nil {
		return nil
	}
	if err := p.inVain(ctx); err != nil {
		return &NotSentError{Err: ownError{err}}
	}
	return nil
}

// ownError is ErrBusy of a pool whose only connection is the caller's own.
type ownError struct{ err error }

func (e ownError) Error() string        { return e.err.Error() }
func (e ownError) Unwrap() error        { return e.err }
func (e ownError) Is(target error) bool { return target == ErrBusy }
