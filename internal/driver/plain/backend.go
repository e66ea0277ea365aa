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
	s := New(dc, b.cache)
	_, execs := dc.(sqldriver.ExecerContext)
	_, queries := dc.(sqldriver.QueryerContext)
	// As database/sql does: what takes texts gets them.
	s.Direct = func(_ string, _ int, rows bool) bool { return rows && queries || !rows && execs }
	return s, nil
}

// Close implements session.Backend.
func (b *Backend) Close() error {
	if c, ok := b.connector.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
