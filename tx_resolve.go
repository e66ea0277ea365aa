package dbfleet

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// CommitUnknownError is what Transaction returns when COMMIT was sent and no answer
// came: the transaction is committed, or it is not, or the server is still about to
// decide. It matches ErrCommitUnknown and ErrOutcomeUnknown. What was surely not sent, or
// what the server has answered, is never this error.
type CommitUnknownError struct {
	// Connection is the transaction's.
	Connection string
	// Err is why no answer came, a *QueryError.
	Err error

	marker *marker // nil without TxOptions.Resolvable
}

func (e *CommitUnknownError) Error() string {
	if e.Err == nil {
		return ErrCommitUnknown.Error()
	}
	return e.Err.Error()
}

// Unwrap returns why no answer came.
func (e *CommitUnknownError) Unwrap() error { return e.Err }

// Is matches ErrCommitUnknown and ErrOutcomeUnknown.
func (e *CommitUnknownError) Is(target error) bool {
	return target == ErrCommitUnknown || target == ErrOutcomeUnknown
}

// Resolve asks the database whether the transaction was committed, if it was begun with
// TxOptions.Resolvable. committed is true if all of it persists. If it is false without
// an error, nothing of it does, and nothing ever will: a server on which the transaction
// is still open can no longer commit it.
//
// While the transaction is open on the server, Resolve waits for its end as long as ctx
// allows. An error that is ErrOutcomeUnknown says that it is not known still: the database
// could not be asked, and may be asked again; or it cannot tell, since the transaction
// was not Resolvable, the connection by that name leads to another database by now, its
// table of outcomes was emptied, or six days have passed.
//
// The answer is that of the primary which the connection has now: of one that was
// promoted after the commit and has not got it, the answer is that nothing persists,
// which is what everybody finds there.
//
// It may be called again, by several goroutines, with the same answer. It runs outside of
// a transaction of ctx.
func (e *CommitUnknownError) Resolve(ctx context.Context) (committed bool, err error) {
	if e == nil {
		return false, errorf("CommitUnknownError is nil: %w", ErrOutcomeUnknown)
	}
	if err := checkContext(ctx, e.Connection); err != nil {
		return false, err
	}
	if e.marker == nil {
		return false, unresolved(e.Connection, errors.New("the transaction was not begun with TxOptions.Resolvable"))
	}
	return e.marker.resolve(ctx)
}

// unresolvedError says why an outcome is still unknown. It does not match what the cause
// matches by itself as the outcome of the transaction, such as ErrCommitUnknown.
type unresolvedError struct {
	connection string
	err        error
}

func unresolved(connection string, err error) error { return &unresolvedError{connection, err} }

func (e *unresolvedError) Error() string {
	return prefix + once("connection "+quoted(e.connection)+": the transaction's outcome is still unknown: "+e.err.Error())
}

func (e *unresolvedError) Unwrap() error { return e.err }

// Is matches ErrOutcomeUnknown.
func (e *unresolvedError) Is(target error) bool { return target == ErrOutcomeUnknown }

// marker is the row by which the outcome of a transaction can be asked for. It is written
// in the transaction, right before COMMIT. So it is there if, and only if, the rest is, in
// whatever copy of the database, which a transaction's number is not worth: after a
// failover it may be another transaction's. Where it is not there, a fence is set in its
// place: an open transaction that has the marker keeps that waiting, and one that has
// not can no longer write it.
type marker struct {
	reg        *Registry
	connection string
	id         string
	table      *outcomeTable
	since      time.Time
}

// resolvableFor is how long an outcome can be asked for: a day less than markers are kept.
const resolvableFor = (sqlgen.OutcomeDays - 1) * 24 * time.Hour

// resolve asks for the outcome.
func (m *marker) resolve(ctx context.Context) (committed bool, err error) {
	if time.Since(m.since) > resolvableFor {
		return false, unresolved(m.connection, errors.New("it is too long ago: its marker may be deleted"))
	}
	var p place
	if err := m.reg.place(OutsideTx(ctx), &p, destination{m.connection, "the connection of the transaction"}, &wish{primary: true}, false); err != nil {
		return false, unresolved(m.connection, err)
	}
	defer p.leave()
	for attempt := 0; ; attempt++ {
		committed, known, err := m.ask(ctx, p)
		switch {
		case known:
			return committed, nil
		case err != nil && !IsRetryable(err):
			return false, unresolved(m.connection, err)
		}
		if !pause(ctx, min(attempt, maxRetries)) {
			return false, unresolved(m.connection, errors.Join(cmp.Or(ctx.Err(), context.DeadlineExceeded), err))
		}
	}
}

var errOtherDatabase = errors.New("its table " + sqlgen.OutcomeTable + " is another one, or was emptied")

// ask asks once. known is false without an error if the marker has gone between two
// statements, with its transaction.
func (m *marker) ask(ctx context.Context, p place) (committed, known bool, err error) {
	s := statement{op: "outcomes", text: m.table.texts.Fence, args: []any{m.id, m.table.identity}, write: true}
	to := p
	res, err := to.send(ctx, &s, execution{})
	if err != nil {
		return false, false, err
	}
	if res.RowsAffected > 0 {
		return false, true, nil
	}
	to = p
	states, err := m.table.read(ctx, &to, m.id)
	switch {
	case err != nil:
		return false, false, err
	case states[sqlgen.OutcomeIdentity] != m.table.identity:
		p.e.outcomes.table.CompareAndSwap(m.table, nil)
		return false, false, errOtherDatabase
	}
	state := states[m.id]
	return state == sqlgen.OutcomeDone, state != "", nil
}

// errNotCommitted is why a transaction is lost whose outcome was unknown and was asked for.
var errNotCommitted = errors.New("the answer to COMMIT was lost, and the database says that nothing was committed")

// resolveTime bounds how long Transaction itself asks for an outcome, within its context.
const resolveTime = 5 * time.Second

// settled is the error of COMMIT as Transaction returns it. The outcome of a transaction
// that is Resolvable is asked for at once.
func (st *txState) settled(ctx context.Context, err error) error {
	if err == nil {
		st.marker.forget(ctx, st)
		return nil
	}
	var q *QueryError
	if !errors.Is(err, ErrCommitUnknown) || !errors.As(err, &q) {
		return err
	}
	e := &CommitUnknownError{Connection: st.e.name, Err: err, marker: st.marker}
	if st.marker == nil || ctx.Err() != nil {
		return e
	}
	asking, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	for attempt := 0; ; attempt++ {
		committed, resolveErr := st.marker.resolve(asking)
		switch {
		case resolveErr == nil && committed:
			return nil
		case resolveErr == nil:
			lost := *q
			lost.Err, lost.class, lost.cause, lost.unknown, lost.text = errNotCommitted, driver.TxLost, driver.Connection, false, ""
			return &lost
		case !errors.Is(resolveErr, ErrConnection) || !pause(asking, min(attempt, maxRetries)):
			return e
		}
	}
}

// mark leaves the transaction's marker in it.
func (st *txState) mark(ctx context.Context) error {
	if st.marker == nil {
		return nil
	}
	s := statement{op: "outcomes", text: st.marker.table.texts.Mark, args: []any{st.marker.id}, write: true}
	_, err := st.place().send(ctx, &s, (*marking)(st))
	if errors.Is(err, ErrUndefined) { // it was dropped, or another server serves now
		st.e.outcomes.table.CompareAndSwap(st.marker.table, nil)
	}
	return err
}

// marking is the exchange of the marker.
type marking txState

func (x *marking) exchange(ctx context.Context, _ *place, s *statement) (driver.Result, error) {
	st := (*txState)(x)
	if err := st.lock(ctx); err != nil {
		return unknownRows, err
	}
	defer st.gate.Unlock()
	if err := st.ready(); err != nil {
		return unknownRows, err
	}
	st.endLent()
	return st.conn.Exec(ctx, s.text, s.args)
}
