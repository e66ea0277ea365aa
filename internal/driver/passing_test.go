//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// passing is a context whose deadline passes upon an event instead of a time, so that a
// machine that stands still ends nothing before it has begun.
type passing struct {
	context.Context
	once sync.Once
	over chan struct{}
	at   time.Time // when it passed; to be read when it has
}

func newPassing(t testing.TB) *passing {
	return &passing{Context: t.Context(), over: make(chan struct{})}
}

// pass lets the deadline pass. It may be called more than once.
func (p *passing) pass() {
	p.once.Do(func() {
		p.at = time.Now()
		close(p.over)
	})
}

// passAfter lets it pass so long after an event, unless the test is over before.
func (p *passing) passAfter(event <-chan struct{}, d time.Duration) {
	go func() {
		select {
		case <-event:
			time.AfterFunc(d, p.pass)
		case <-p.Context.Done():
		}
	}()
}

// passOnceRuns lets it pass when the server works on a statement that has a text.
func (p *passing) passOnceRuns(t testing.TB, db dbtest.Database, text string) {
	query := "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = '" + db.Name + "' AND state = 'active' AND query LIKE '%" + text + "%'"
	if db.Dialect == "mysql" {
		query = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = '" + db.Name + "' AND info LIKE '%" + text + "%'"
	}
	go func() {
		for n := 0; n == 0; {
			if err := db.Server.Admin().QueryRowContext(p.Context, query).Scan(&n); err != nil {
				return // the test is over
			}
			<-time.After(2 * time.Millisecond)
		}
		p.pass()
	}()
}

// Done implements context.Context.
func (p *passing) Done() <-chan struct{} { return p.over }

// Err implements context.Context.
func (p *passing) Err() error {
	select {
	case <-p.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}
