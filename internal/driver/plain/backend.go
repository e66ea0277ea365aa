package plain

import (
	"context"
	sqldriver "database/sql/driver"
	"io"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// NewBackend opens sessions from a connector that keep so many statements each.
func NewBackend(c sqldriver.Connector, cache int) *Backend {
	return &Backend{connector: c, cache: cache}
}

// Backend opens plain sessions from a connector.
type Backend struct {
	connector sqldriver.Connector
	cache     int
}

// Open implements session.Backend.
func (b *Backend) Open(ctx context.Context, _ string) (session.Session, error) {
	dc, err := b.connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return New(dc, b.cache), nil
}

// Close implements session.Backend.
func (b *Backend) Close() error {
	if c, ok := b.connector.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
