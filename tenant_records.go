package dbfleet

import (
	"context"
	"maps"
	"strings"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// New rows and their tenants.

// ownRecords makes records the tenant's whose context it is, and refuses those of others.
// It is called before the callbacks of the records and after them.
func (q *query) ownRecords(ctx context.Context, records rowmap.Records) error {
	if q.src.tenant == nil || ctx == nil {
		return nil // what is missing is told on the way
	}
	of, across, err := q.src.tenant.tenant(txsOf(ctx).wants())
	if err != nil || q.src.tenant.schemas {
		return err
	}
	for i := range records.N {
		record := records.At(i)
		if err := q.ownRecord(record, of, across); err != nil {
			return oneOfSeveral(records.N, i, err)
		}
	}
	return nil
}

func (q *query) ownRecord(record any, of *table.Tenant, across bool) error {
	if err := q.carries(record, of, across); err != nil || across {
		return err
	}
	return q.src.table.SetTenant(record, of)
}

// ownRow is the row with its tenant.
func (q *query) ownRow(ctx context.Context, connection string, row map[string]any) (map[string]any, error) {
	owned := q.ownedOn(connection)
	if owned == nil || ctx == nil {
		return row, nil
	}
	of, across, err := owned.tenant(txsOf(ctx).wants())
	if err != nil {
		return nil, err
	}
	if owned.schemas {
		return row, nil
	}
	for c := range row {
		if c != owned.column && strings.EqualFold(c, owned.column) {
			return nil, owned.table.Fail("the row has the column %q, and the one that says whose it is is %q", c, owned.column)
		}
	}
	given, has := row[owned.column]
	switch {
	case across && !has:
		return nil, owned.table.Fail("the row does not say whose it is in column %q, which a context of AcrossTenants does not tell", owned.column)
	case across:
		return row, nil
	case has && !of.Is(given):
		return nil, errorf("table %q: the row names another tenant in column %q than %q, the context's: %w", owned.table.Name, owned.column, of.Name(), ErrOtherTenant)
	}
	row = maps.Clone(row)
	if row == nil {
		row = map[string]any{}
	}
	row[owned.column] = of.Value()
	return row, nil
}

// ownSet is the tenant of all rows of an InsertFrom, nil for a table of nobody's.
func (q *query) ownSet(ctx context.Context, connection string, columns []string) ([]sqlgen.Set, error) {
	owned := q.ownedOn(connection)
	if owned == nil || ctx == nil {
		return nil, nil
	}
	of, across, err := owned.tenant(txsOf(ctx).wants())
	if err != nil || across || owned.schemas {
		return nil, err
	}
	for _, c := range columns {
		if strings.EqualFold(c, owned.column) {
			return nil, owned.table.Fail("InsertFrom has the column %q, which says whose row it is; leave it out, the context tells it", c)
		}
	}
	return []sqlgen.Set{{Column: owned.column, Value: of.Value()}}, nil
}
