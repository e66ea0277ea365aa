package plain

import (
	"context"
	sqldriver "database/sql/driver"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// InsertTold implements session.IDTeller for a driver of which nothing is known: it
// is believed. What knows its database does better.
func (p *Session) InsertTold(ctx context.Context, in *session.ToldInsert, args []sqldriver.NamedValue) (session.Result, bool, error) {
	res, err := p.Exec(ctx, in.Text, args)
	return res, true, err
}

// Returns implements session.IDTeller.
func (p *Session) Returns() bool { return false }

// Changes implements session.IDTeller.
func (p *Session) Changes() int64 { return 0 }
