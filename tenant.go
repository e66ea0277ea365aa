package dbfleet

import (
	"context"
	"errors"
	"strings"
)

var (
	// ErrNoTenant says that a table whose rows belong to tenants was asked for with a
	// context that has none. Nothing was sent. WithTenant gives it one.
	ErrNoTenant = errors.New("dbfleet: no tenant in the context")
	// ErrOtherTenant says that something belongs to another tenant than the context's: a
	// record that was to be written, the row that an upsert met, the transaction, or a
	// second WithTenant. Nothing of the other tenant was read or changed.
	ErrOtherTenant = errors.New("dbfleet: another tenant")
)

// WithTenant returns a context that is one tenant's: models with ModelConfig.Tenant read
// and write what is that tenant's with it, and nothing else.
//
//	ctx = dbfleet.WithTenant(ctx, "acme") // once, where a request comes in
//	list, err := orders.Where("state", "=", "open").Get(ctx)
//
// It is locked. A second WithTenant of another tenant inside of it, and AcrossTenants, give
// a context with which every statement fails with ErrOtherTenant: code that is called with
// the context cannot leave the tenant, only lose it by a context of its own, and without a
// tenant such a model is ErrNoTenant. The same tenant once more changes nothing. A
// transaction belongs to the tenant of the context that it was begun with; its statements
// fail with ErrOtherTenant when they are given the context of another one. So do the
// functions of AfterCommit get the tenant of their transaction.
//
// A tenant's name has 1 to 63 of the characters a to z, 0 to 9, "-", "_" and ".", of which
// the first is a letter or a digit. So no database holds two names for equal, whatever its
// collation, and names of files, schemas and connections can be made of them. Any other
// name is refused by each statement of the context, with ErrNoTenant.
//
// It panics if ctx is nil.
func WithTenant(ctx context.Context, tenant string) context.Context {
	mustHave("WithTenant", "context", ctx != nil)
	return askingFor(ctx, func(a *asked) {
		switch {
		case a.tenantFault != nil:
		case !isTenantName(tenant):
			a.tenant, a.across = "", false
			a.tenantFault = errorf("%w: %q is no name of a tenant, which has 1 to %d of the characters a to z, 0 to 9, \"-\", \"_\" and \".\" and begins with a letter or a digit",
				ErrNoTenant, tenant, maxTenantName)
		case a.tenant != "" && a.tenant != tenant:
			a.tenantFault = errorf("the context is locked to the tenant %q, and WithTenant asks for %q: %w", a.tenant, tenant, ErrOtherTenant)
		default:
			a.tenant, a.across = tenant, false
		}
	})
}

// AcrossTenants returns a context that is no tenant's, for what looks after all of them: a
// report, a migration, a support tool. Models whose rule has TenantOptions.Across see the
// rows of all tenants with it, and what is created must say whose it is; for all others it
// is a context without a tenant. WithTenant inside of it is one tenant's again.
//
// From a context of WithTenant no way leads to it: there its statements fail with
// ErrOtherTenant. It panics if ctx is nil.
func AcrossTenants(ctx context.Context) context.Context {
	mustHave("AcrossTenants", "context", ctx != nil)
	return askingFor(ctx, func(a *asked) {
		switch {
		case a.tenantFault != nil:
		case a.tenant != "":
			a.tenantFault = errorf("the context is locked to the tenant %q, which AcrossTenants would leave: %w", a.tenant, ErrOtherTenant)
		default:
			a.across = true
		}
	})
}

// TenantOf returns the tenant of a context, "" for none. Of a context with which every
// statement fails it is the tenant to which that was locked.
func TenantOf(ctx context.Context) string {
	if ctx == nil {
		return ""
	}
	return txsOf(ctx).wants().tenant
}

const maxTenantName = 63

func isTenantName(name string) bool {
	if name == "" || len(name) > maxTenantName {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case i > 0 && (c == '-' || c == '_' || c == '.'):
		default:
			return false
		}
	}
	return true
}

// TenantRule says how a model keeps tenants apart. It is sealed: TenantByColumn and
// TenantBySchema make one.
type TenantRule interface {
	fault() string
	rule() *tenantRule
}

// TenantOptions say more of a TenantRule.
type TenantOptions struct {
	// Across lets contexts of AcrossTenants see the rows of all tenants.
	//
	// Defaults to false: nobody sees them.
	Across bool
}

// TenantByColumn keeps the rows of all tenants in one table, and has a column tell whose
// each of them is: a text, an integer or a UUID that is the tenant's name.
//
//	orders, err := dbfleet.NewModel[Order](registry, dbfleet.ModelConfig{Table: "orders", Tenant: dbfleet.TenantByColumn("tenant_id")})
//
// The rule is the table's, on the connection of the model. Every statement there that the
// library writes has the condition that rows are the tenant's: reads, counts and other
// aggregates, Update, Increment and Delete, Save and whatever else writes or deletes one
// record, relations, and the table in a subquery, a union, a CTE, in WhereHas and where
// Join, LeftJoin and CrossJoin name it, for an Update and a Delete too. It holds for every model of the table, also one
// without the rule, and for DB.Table; no condition, WithoutScope or WithDeleted takes it
// away. A condition of the caller's is put in parentheses, a raw part that names such a
// table (other than before a column), or whose parentheses do not match, is refused.
//
// What is created is the tenant's: the field of the column, or the column of a Row, is set.
// A record that names another tenant is ErrOtherTenant before anything is written, also one
// that is saved or deleted. The column cannot be set by an update. An upsert that meets the
// row of another tenant, by whatever unique key, is ErrOtherTenant and leaves it, and all
// others of the call, as they are. To Create such a row is ErrUnique: unique keys that each
// tenant has for itself have the column among theirs.
//
// Whole statements are the caller's affair: Select and squirrel statements on a model of
// the table are refused, since nothing can be added to them; ExecContext, QueryContext,
// Conn and Pool of the connection send what they are given.
func TenantByColumn(column string, options ...TenantOptions) TenantRule {
	o, err := atMostOne(options)
	return &tenantRule{column: column, across: o.Across, err: err}
}

// TenantBySchema gives each tenant a table of its own, in a schema of PostgreSQL or a
// database of MySQL's server that is called by prefix and the tenant's name. The table has
// the same columns in all of them; the connection's account may use them all.
//
//	Tenant: dbfleet.TenantBySchema("shop_") // "shop_acme"."orders"
//
// Statements name the schema, so that no session has a search_path of one tenant when the
// next one comes, and no prepared statement is another tenant's. The rule is the table's as
// that of TenantByColumn is, wherever the library writes its name; raw parts that name it,
// and whole statements on the model, are refused. A query that names a schema itself must
// name the tenant's. A tenant whose name has a "." is refused, and so is AcrossTenants: one
// statement has one tenant. CreateTable makes the table of the context's tenant in its
// schema, which must be there. Registry.Check looks at those of the context's tenant.
//
// SQLite has no schemas of a server: NewModel refuses it. There each tenant has a file; see
// Registry.AddTenants.
func TenantBySchema(prefix string) TenantRule { return &tenantRule{prefix: prefix, schemas: true} }

type tenantRule struct {
	column  string
	prefix  string // of schemas
	schemas bool   // each tenant has one
	across  bool
	err     error
}

func (t *tenantRule) rule() *tenantRule { return t }

// fault says what is wrong with the rule, "" for nothing.
func (t *tenantRule) fault() string {
	switch {
	case t == nil:
		return "the rule is nil"
	case t.err != nil:
		return t.err.Error()
	case t.schemas && t.prefix != "" && (!isTenantName(t.prefix) || strings.Contains(t.prefix, ".")):
		return "the prefix " + quoted(t.prefix) + " given to TenantBySchema has other characters than a to z, 0 to 9, \"-\" and \"_\""
	case t.schemas:
		return ""
	case t.column == "":
		return "TenantByColumn names no column"
	}
	return ""
}
