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
// connection. doubted says that the pool's last dial has failed.
func (p *Pool) takeBudget(ctx, outer context.Context, a *acquireCtx, doubted bool) error {
	if p.budget == nil {
		return nil
	}
	late := &AcquireTimeoutError{Node: p.node, Budget: p.budget.Size()}
	if a != nil {
		late.Wait = a.wait
	}
	if p.budget.TryTake(doubted) {
		return nil
	}
	p.budgetWaits.Add(1)
	began := time.Now()
	defer func() { p.budgetWaited.Add(int64(time.Since(began))) }()
	patience, end := after(late.Wait)
	defer end()
	p.unmade.Add(1)
	defer p.unmade.Add(-1)
	switch p.budget.Take(ctx.Done(), patience, doubted) {
	case 0:
		return nil
	case 1:
		if outer.Err() == nil {
			return p.connectError(outer, ctx, ctx.Err())
		}
		late.Err = outer.Err()
	}
	late.Stats = p.Stats()
	return late
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
	if p.db.Stats().Idle == 0 {
		return false
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
