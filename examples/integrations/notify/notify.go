// Package notify waits for the notifications of PostgreSQL, on one connection that
// DB.Conn lends for as long as that takes. Count it in Pool.MaxOpen. When it is
// given back it listens no more.
package notify

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"

	"github.com/dbfleet/dbfleet"
)

// Listen calls heard with the payload of each notification on a channel, until ctx
// ends or heard fails. First, when nothing can be missed any more, it calls begin:
// the place to read what was written before.
//
// A connection that breaks ends it with ErrConnection: call it again.
func Listen(ctx context.Context, db *dbfleet.DB, channel string, begin func(context.Context) error, heard func(payload string) error) error {
	return db.Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
		return c.Raw(func(driverConn any) error {
			conn := driverConn.(*pgx.Conn)
			if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
				return err
			}
			if err := begin(ctx); err != nil {
				return err
			}
			for {
				n, err := conn.WaitForNotification(ctx)
				if err != nil {
					return err
				}
				if err := heard(n.Payload); err != nil {
					return err
				}
			}
		})
	})
}

// Notify tells all who listen on a channel. In a transaction they are told when it
// commits.
func Notify(ctx context.Context, on interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}, channel, payload string) error {
	_, err := on.ExecContext(ctx, "SELECT pg_notify($1, $2)", channel, payload)
	return err
}
