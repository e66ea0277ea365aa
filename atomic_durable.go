package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// loses are the settings of the server, as name=value, with which it may lose in a crash
// what it has acknowledged.
func (l *ledger) loses(ctx context.Context) (settings []string, err error) {
	if l.text.Loses == "" {
		return nil, nil
	}
	err = l.on(ctx, func(c *driver.Conn) error {
		rows, err := l.rows(ctx, c, l.text.Loses)
		for _, row := range rows {
			settings = append(settings, textOf(row[0]))
		}
		return err
	})
	return settings, err
}

// knownLosses are those of a database of which this process knows that it takes part in
// atomic commits; none if it does not answer, which its nodes tell.
func (e *entry) knownLosses(ctx context.Context) []string {
	l := e.decides.Load()
	if l == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(besideTx(ctx), doubtTimeout)
	defer cancel()
	settings, err := l.loses(ctx)
	if err != nil {
		return nil
	}
	return settings
}
