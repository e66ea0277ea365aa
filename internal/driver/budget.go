package driver

import (
	"context"
	"database/sql"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Budget is session.Budget.
type Budget = session.Budget

// NewBudget is session.NewBudget.
func NewBudget(size int, room func() bool) *Budget { return session.NewBudget(size, room) }

// takeBudget waits until the budget, of which the pool is one of several, has room for a
// connection. doubted says that the pool's last dial has failed, left that a connection that
// was left is there instead.
func (p *Pool) takeBudget(ctx context.Context, w *dialWait, doubted bool) (left bool, err error) {
	late := &AcquireTimeoutError{Node: p.node, Budget: p.budget.Size(), Wait: w.bound()}
	p.budgetWaits.Add(1)
	began := time.Now()
	defer func() { p.budgetWaited.Add(int64(time.Since(began))) }()
	p.unmade.Add(1)
	defer p.unmade.Add(-1)
	switch p.budget.Take(ctx.Done(), w.waits(), w.came, doubted) {
	case 0:
		return false, nil
	case 1:
		if w.outer.Err() == nil {
			return false, p.connectError(w.outer, ctx, ctx.Err())
		}
		late.Err = w.outer.Err()
	case 3:
		return true, nil
	}
	late.Stats = p.Stats()
	return false, late
}

// Stats are the figures of the pool, without the connections that wait for the budget to be
// made: database/sql counts these as open and in use. Their waits are among the others.
func (p *Pool) Stats() sql.DBStats {
	stats, unmade := p.db.Stats(), int(p.unmade.Load())
	stats.OpenConnections = max(stats.OpenConnections-unmade, 0)
	stats.InUse = max(stats.InUse-unmade, 0)
	stats.WaitCount += p.budgetWaits.Load()
	stats.WaitDuration += time.Duration(p.budgetWaited.Load())
	return stats
}

// CloseIdle closes the connections that nobody uses, and says whether there were any.
func (p *Pool) CloseIdle() bool {
	closed := p.left.close(func(*dial) bool { return true })
	closed = p.left.makeWay(true) || closed
	if p.db.Stats().Idle == 0 {
		return closed
	}
	p.keeping.Lock()
	defer p.keeping.Unlock()
	p.db.SetMaxIdleConns(0)
	p.db.SetMaxIdleConns(p.maxIdle)
	return true
}

// KeepIdle bounds the connections that are kept while nobody uses them.
func (p *Pool) KeepIdle(n int) {
	p.keeping.Lock()
	defer p.keeping.Unlock()
	p.maxIdle = n
	p.db.SetMaxIdleConns(n)
}
