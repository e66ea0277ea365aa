package dbfleet

import (
	"context"
	"strings"

	"github.com/dbfleet/dbfleet/internal/table"
)

// A tenant's table in its schema.

// hasSchemas refuses the rule of schemas where there are none.
func (s *source) hasSchemas() error {
	if !s.tenant.schemas {
		return nil
	}
	if strings.Contains(s.table.Name, ".") {
		return errorf("TenantBySchema names the schema, and so does the table %q", s.table.Name)
	}
	if s.shard != nil {
		return nil // told by the database
	}
	name := s.reg.nameOr(s.connection)
	if e, err := s.reg.lookup(name); err == nil && e.dialect.Name == string(SQLite) {
		return errorf("connection %q: SQLite has no schemas for TenantBySchema; give each tenant a file by AddTenants", name)
	}
	return nil
}

// maxSchemas is how many tenants' tables a model keeps, with the texts of their inserts.
const maxSchemas = 256

// in is the table of a tenant.
func (t *ownedTable) in(tenant string) *table.Table {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.tables[tenant]; known != nil {
		return known
	}
	if t.tables == nil || len(t.tables) >= maxSchemas {
		t.tables = map[string]*table.Table{}
	}
	made := t.make(t.prefix + tenant + "." + t.table.Name)
	t.tables[tenant] = made
	return made
}

// inSchema is the query whose source writes records into the table of the context's tenant,
// where each has one.
func (q *query) inSchema(ctx context.Context) (*query, error) {
	if q.usable() != nil || q.src.tenant == nil || !q.src.tenant.schemas || ctx == nil {
		return q, nil //nolint:nilerr // what is wrong is told on the way
	}
	a := txsOf(ctx).wants()
	if _, _, err := q.src.tenant.tenant(a); err != nil {
		return q, err
	}
	src := *q.src
	src.table = q.src.tenant.in(a.tenant)
	next := q.next()
	next.src = &src
	return next, nil
}

// named is a table as the context's tenant has it, where each has one in a schema.
func (c *inspection) named(ctx context.Context, connection, name string) (string, error) {
	t := c.reg.owned.of(c.reg.homeOf(connection), name)
	if t == nil || !t.schemas || strings.Contains(name, ".") {
		return name, nil
	}
	a := txsOf(ctx).wants()
	if _, _, err := t.tenant(a); err != nil {
		return "", err
	}
	return t.in(a.tenant).Name, nil
}

// told is a finding with the names that the context's tenant has for its place.
func (c *inspection) told(ctx context.Context, f Finding) Finding {
	if name, err := c.named(ctx, f.Connection, f.Table); err == nil {
		f.Table = name
	}
	if name, err := c.reg.connectionFor(txsOf(ctx).wants(), f.Connection); err == nil {
		f.Connection = name
	}
	return f
}
