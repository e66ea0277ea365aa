package dbfleet

import (
	"context"
	"errors"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// maxDetached is how many rows one statement of Sync deletes, each by its primary key.
const maxDetached = 1000

// sync deletes those of a parent's rows, which q finds, that refer to none of the children,
// into *gone, a *[]J, and attaches those that are missing.
//
//go:noinline
func (p *pivot) sync(ctx context.Context, q *query, gone any, a attaching, fault error) (attached []int, err error) {
	others, to, err := p.doomed(ctx, q, a, fault, p.others)
	if err == nil {
		a.old, err = q.readsOld(ctx, to.connection)
	}
	if err != nil {
		return nil, told(err)
	}
	err = q.atomicUnlessDeadlocked(ctx, to.connection, true, func(ctx context.Context) error {
		rowmap.Clear(gone)
		if err := others.get(ctx, gone); err != nil {
			return err
		}
		if err := p.deleteAll(ctx, to, p.model.src.table.Plan.Records(gone)); err != nil || a.children.N == 0 {
			attached = nil
			return err
		}
		var err error
		attached, err = p.attachAt(ctx, p.rows.queryFor(a.parent, false), to, a)
		return err
	})
	return attached, told(err)
}

// doomed is the query for those of a parent's rows, which q finds, that are to be deleted,
// and where they are.
func (p *pivot) doomed(ctx context.Context, q *query, a attaching, fault error, which func(q *query, children rowmap.Records) (*query, error)) (*query, destination, error) {
	if err := errors.Join(fault, q.usable()); err != nil {
		return nil, destination{}, err
	}
	if ctx == nil {
		return nil, destination{}, noContext("")
	}
	if err := p.saved(a); err != nil {
		return nil, destination{}, err
	}
	to, err := q.destination()
	if err != nil {
		return nil, destination{}, err
	}
	e, err := q.entryAt(ctx, to.connection)
	if err != nil {
		return nil, destination{}, err
	}
	rows, err := which(q.named(to.connection), a.children)
	if err != nil {
		return nil, destination{}, err
	}
	if e.dialect.RowLocks {
		rows.q = rows.q.WithLock(sqlgen.ForUpdate)
		for _, column := range p.model.src.table.KeyNames() { // in which all callers lock them
			rows.q.AddOrder(sqlgen.Order{Column: column})
		}
	}
	return rows, to, nil
}

// toggle attaches the children that have no row, and deletes those of the parent's rows,
// which q finds, that refer to the others, into *gone, a *[]J.
//
//go:noinline
func (p *pivot) toggle(ctx context.Context, q *query, gone any, a attaching, fault error) (attached []int, err error) {
	theirs, to, err := p.doomed(ctx, q, a, fault, p.those)
	if err == nil {
		a.old, err = q.readsOld(ctx, to.connection)
	}
	if err != nil || a.children.N == 0 {
		return nil, told(err)
	}
	err = q.atomicUnlessDeadlocked(ctx, to.connection, true, func(ctx context.Context) error {
		rowmap.Clear(gone)
		if err := theirs.get(ctx, gone); err != nil {
			return err
		}
		var err error
		if attached, err = p.attachAt(ctx, p.rows.queryFor(a.parent, false), to, a); err != nil {
			return err
		}
		return p.deleteAll(ctx, to, p.model.src.table.Plan.Records(gone))
	})
	return attached, told(err)
}

// those is the query for the rows of q that refer to one of the children.
func (p *pivot) those(q *query, children rowmap.Records) (*query, error) {
	back := p.to.reversed(q)
	keys, err := back.collect(children)
	if err != nil {
		return nil, err
	}
	parts := keys.Parts()
	conds := make([]sqlgen.Cond, len(parts))
	for i, part := range parts {
		if conds[i] = back.among(part); i > 0 {
			conds[i] = conds[i].Or()
		}
	}
	return q.rowsAlone().where(sqlgen.Group(conds...)), nil
}

// others is the query for the rows of q that refer to none of the children.
func (p *pivot) others(q *query, children rowmap.Records) (*query, error) {
	back := p.to.reversed(q)
	keys, err := back.collect(children)
	if err != nil {
		return nil, err
	}
	next := q.rowsAlone()
	for _, part := range keys.Parts() {
		next = next.where(sqlgen.Not(back.among(part)))
	}
	for _, column := range back.columns() {
		next = next.compare(false, column, sqlgen.IsNot, nil)
	}
	return next, nil
}

// deleteAll deletes rows by their primary keys.
func (p *pivot) deleteAll(ctx context.Context, to destination, rows rowmap.Records) error {
	t := p.model.src.table
	for first := 0; first < rows.N; first += maxDetached {
		keys := make([]any, 0, maxDetached)
		for i := first; i < min(first+maxDetached, rows.N); i++ {
			var key []any
			for _, f := range t.Key() {
				key = append(key, t.Plan.Value(f, rows.At(i)))
			}
			if len(key) == 1 {
				keys = append(keys, key[0])
			} else {
				keys = append(keys, key)
			}
		}
		among, err := p.model.named(to.connection).amongKeys(keys)
		if err != nil {
			return err
		}
		if _, err := among.rowsAlone().deleteRows(ctx); err != nil {
			return err
		}
	}
	return nil
}

// atomicUnlessDeadlocked is atomic that begins anew after a deadlock with others who change
// the same pivot, unless it is part of a transaction of the caller's. MySQL locks the gaps
// between rows, too, so that no order of the rows keeps it from deadlocks.
func (q *query) atomicUnlessDeadlocked(ctx context.Context, connection string, several bool, fn func(ctx context.Context) error) error {
	for attempt := 0; ; attempt++ {
		err := q.atomic(ctx, connection, several, fn)
		switch {
		case err == nil, attempt == maxRetries, !errors.Is(err, ErrDeadlock), !allUndone(err):
			return err
		case q.joins(ctx, connection), !pause(ctx, attempt):
			return err
		}
	}
}

// joins says that what is sent on the connection is part of a transaction of the caller's.
func (q *query) joins(ctx context.Context, connection string) bool {
	return q.wish().tx != nil || txOf(ctx, q.src.reg, connection) != nil
}
