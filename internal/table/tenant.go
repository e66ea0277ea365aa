package table

import (
	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// checkTenant refuses a column that does not tell tenants apart for certain.
func (t *Table) checkTenant(i int, fault func(key, reason string, err error)) int {
	f := t.Plan.Field(i)
	switch f.Kind {
	case rowmap.Int, rowmap.Uint, rowmap.String, rowmap.UUID:
	default:
		fault("Tenant", "column "+quote(f.Column)+" is a "+f.Type+", not a text, an integer or a UUID", nil)
	}
	if t.generated[i] || t.optional[i] {
		fault("Tenant", "column "+quote(f.Column)+" is one of Generated or Defaults, and a new row has its tenant from the context", nil)
	}
	return i
}

// TenantColumn is the column that says whose row it is, "" without one.
func (t *Table) TenantColumn() string { return t.columnOr(t.tenant) }

// A Tenant is a tenant's name as the table's column has it.
type Tenant struct {
	name  string
	value any
}

// TenantOf is the tenant of that name, which must be the only text of its value: 007 is
// no number, since 7 is the same one.
func (t *Table) TenantOf(name string) (*Tenant, error) {
	value, err := t.Fit(t.tenant, name)
	if err != nil {
		return nil, &rowmap.ColumnError{Table: t.Name, Column: t.Column(t.tenant), Err: err}
	}
	if text := tenantText(value); text != name {
		return nil, t.Fail("the tenant %q is not a value of column %q as that writes it, %q", name, t.Column(t.tenant), text)
	}
	return &Tenant{name, value}, nil
}

// TenantArgs are the tenant as arguments: one for each form in which the column may hold it.
func (t *Table) TenantArgs(of *Tenant, d *dialect.Dialect) ([]any, error) {
	arg, err := t.Operand(t.tenant, of.value, d)
	if err != nil {
		return nil, &rowmap.ColumnError{Table: t.Name, Column: t.Column(t.tenant), Err: err}
	}
	args := []any{arg}
	if other := t.Other(t.tenant, of.value, arg, d); other != nil {
		args = append(args, other)
	}
	return args, nil
}

// Value is the tenant as a value of the column.
func (of *Tenant) Value() any { return of.value }

// Name is the tenant's name.
func (of *Tenant) Name() string { return of.name }

// Is says whether a value is that tenant's.
func (of *Tenant) Is(value any) bool { return tenantText(value) == of.name }

// TenantIn is whose a record says it is, "" if it says nothing.
func (t *Table) TenantIn(record any) string {
	if t.Plan.IsZero(t.tenant, record) {
		return ""
	}
	return tenantText(t.Plan.Value(t.tenant, record))
}

// SetTenant makes a record the tenant's.
func (t *Table) SetTenant(record any, of *Tenant) error {
	return t.Plan.Set(t.tenant, record, of.value)
}

func tenantText(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	var text string
	if rowmap.Convert(&text, value) != nil {
		return ""
	}
	return text
}
