package driver

import (
	"context"
)

// Ping asks the server for an answer on this connection.
func (c *Conn) Ping(ctx context.Context) error { return c.sc.PingContext(ctx) }
