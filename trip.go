package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// A verb is what a query can be asked to do. Each says where it goes, what is sent
// there, how the answer is taken, and what is left to do with it; trip.run takes
// the steps.
type verb interface {
	// to decides the connection.
	to() (destination, error)
	// writes says that the verb changes something, or locks.
	writes() bool
	// render fills in the statement for a place.
	render(p *place, s *statement) error
	exchange
	// finish does what is left once the answer is there.
	finish(ctx context.Context, p *place, res driver.Result) error
}

// trip is one verb of a query on its way. Verbs embed it: all that one trip needs
// is one allocation.
type trip struct {
	q         *query
	place     place
	statement statement
}

// run is the journey of every operation on a table.
func (t *trip) run(ctx context.Context, v verb) (driver.Result, error) {
	if err := t.route(ctx, v); err != nil { // 1 route: connection, transaction or role, reason
		return unknownRows, told(err)
	}
	defer t.place.leave()
	if err := t.locksInTx(); err != nil {
		return unknownRows, err
	}
	t.statement.table = t.q.src.table.Name
	if err := v.render(&t.place, &t.statement); err != nil { // 2 render: text and arguments
		if err = t.answered(ctx, v, err); err != nil {
			return unknownRows, t.located(err)
		}
	}
	res, err := t.place.send(ctx, &t.statement, v) // 3 run: node, hooks, failover; the answer is read
	if err != nil {
		return res, t.located(err)
	}
	return res, t.located(v.finish(ctx, &t.place, res)) // 4 map: relations, what the database made
}

// located is an error as callers see it, which tells the table of a column at fault.
func (t *trip) located(err error) error { return toldOf(err, t.q.src.table.Name) }

// route decides the trip's place. The caller must call leave, unless there is an
// error.
func (t *trip) route(ctx context.Context, v verb) error {
	if err := t.q.usable(); err != nil {
		return err
	}
	if _, changes := v.(changing); changes && t.q.shape != nil {
		return t.q.src.table.Fail(intoReads)
	}
	if t.q.src.reg.models.scoped.Load() && ctx != nil {
		if err := t.narrow(ctx, v); err != nil {
			return err
		}
	}
	to, err := v.to()
	if err != nil {
		return err
	}
	if err := t.q.src.reg.place(ctx, &t.place, to, t.q.wish(), v.writes()); err != nil {
		return err
	}
	err = t.q.src.table.CheckOn(t.place.e.dialect)
	if t.q.shape != nil && err == nil {
		err = t.q.src.table.CheckRowsOn(t.place.e.dialect, t.q.shape.plan)
	}
	if err != nil {
		t.place.leave()
		return err
	}
	if t.q.src.reg.owned.any() {
		if err := t.keptApart(v); err != nil {
			t.place.leave()
			return err
		}
	}
	t.place.holds(t.q.src)
	if t.q.src.relates != nil {
		t.watched(ctx, v)
	}
	return nil
}

// locksInTx refuses a lock that would end with its statement. A database without row
// locks says that itself.
func (t *trip) locksInTx() error {
	if t.place.tx != nil || t.q.q.Lock() == sqlgen.NoLock || !t.place.e.dialect.RowLocks {
		return nil
	}
	return &StatementError{Table: t.q.src.table.Name, Part: "lock", Reason: "outside of a transaction it would end with the statement; use Transaction"}
}

// to is where the query's own conditions lead.
func (t *trip) to() (destination, error) { return t.q.destination() }

// exchange sends a statement without rows.
func (t *trip) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	return execution{}.exchange(ctx, p, s)
}

func (t *trip) finish(context.Context, *place, driver.Result) error { return nil }
