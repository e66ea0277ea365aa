package dbfleet

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// ownedTable is a table whose rows belong to tenants.
type ownedTable struct {
	*tenantRule
	table *table.Table // of the model that said so

	make func(name string) *table.Table // the same with another name

	mu     sync.Mutex              // protects tables
	tables map[string]*table.Table // by tenant, those in their schemas; the last ones
}

// ownedTables are the tables of a registry whose rows belong to tenants. They are read
// without a lock. There are as many as tables in the program's text.
type ownedTables struct {
	mu   sync.Mutex // serialises changes
	list atomic.Pointer[map[ownedKey]*ownedTable]
}

// ownedKey is a table of a connection, or of all of a sharded model; of no connection it
// is one of any.
type ownedKey struct {
	connection, table string
	sharded           bool
}

// ownedName is the name of a table as databases compare it, without its schema.
func ownedName(name string) string {
	return strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
}

// any says that there is one.
func (l *ownedTables) any() bool { return l.list.Load() != nil }

// anywhere says that a table of that name has rows of tenants on some connection.
func (l *ownedTables) anywhere(name string) bool {
	list := l.list.Load()
	return list != nil && (*list)[ownedKey{table: ownedName(name)}] != nil
}

func (l *ownedTables) of(connection, name string) *ownedTable {
	list := l.list.Load()
	if list == nil {
		return nil
	}
	at := ownedKey{connection: connection, table: ownedName(name)}
	if t := (*list)[at]; t != nil {
		return t
	}
	return (*list)[ownedKey{table: at.table, sharded: true}]
}

// holds notes that the rows of a table belong to tenants on a connection, or sharded on
// all of them.
func (l *ownedTables) holds(connection string, t *ownedTable, sharded bool) error {
	at := ownedKey{connection, ownedName(t.table.Name), sharded}
	l.mu.Lock()
	defer l.mu.Unlock()
	next := map[ownedKey]*ownedTable{}
	if list := l.list.Load(); list != nil {
		if known := (*list)[at]; known != nil {
			if known.column != t.column || known.across != t.across || known.prefix != t.prefix || known.schemas != t.schemas {
				return errorf("another model of table %q has another rule", t.table.Name)
			}
			return nil
		}
		for k, v := range *list {
			next[k] = v
		}
	}
	next[at] = t
	if any := (ownedKey{table: at.table}); next[any] == nil {
		next[any] = t
	}
	l.list.Store(&next)
	return nil
}

// isOwned says whether rows of the query's table may belong to tenants, so that texts that
// are kept do not do.
func (q *query) isOwned() bool { return q.src.reg.owned.anywhere(q.src.table.Name) }

// ownedOn is the rule for the query's table on a connection, nil for none.
func (q *query) ownedOn(connection string) *ownedTable {
	owned := &q.src.reg.owned
	if !owned.any() {
		return nil
	}
	connection = q.src.reg.homeOf(connection)
	if q.src.tenant != nil && owned.of(connection, q.src.table.Name) == nil {
		_ = owned.holds(connection, q.src.tenant, false) // a connection named on the call
	}
	return owned.of(connection, q.src.table.Name)
}

// tenant is whose rows of the table a context may see; nil with across for all.
func (t *ownedTable) tenant(a *asked) (of *table.Tenant, across bool, err error) {
	switch {
	case a.tenantFault != nil:
		return nil, false, a.tenantFault
	case a.across && t.across:
		return nil, true, nil
	case a.across:
		return nil, false, errorf("table %q: a context of AcrossTenants, which the table's TenantRule does not allow: %w", t.table.Name, ErrNoTenant)
	case a.tenant == "":
		return nil, false, errorf("table %q: %w", t.table.Name, ErrNoTenant)
	}
	if t.schemas {
		if strings.Contains(a.tenant, ".") {
			err = errorf("table %q: the tenant %q has a dot in its name, which a schema has not: %w", t.table.Name, a.tenant, ErrNoTenant)
		}
		return nil, false, err
	}
	of, err = t.table.TenantOf(a.tenant)
	return of, false, err
}

// tenantView is what of tables of tenants the statements of a place see.
type tenantView struct {
	reg   *Registry
	e     *entry
	asked *asked // by the context
}

// ownersAt tells whose rows the statements of a place see; nil if no table is of tenants.
func (r *Registry) ownersAt(p *place) func(table string) (*sqlgen.Owner, error) {
	if !r.owned.any() {
		return nil
	}
	return (&tenantView{r, p.e, p.wants()}).owner
}

// owner is for sqlgen.Env.
func (v *tenantView) owner(name string) (*sqlgen.Owner, error) {
	t := v.reg.owned.of(v.e.home(), name)
	if t == nil {
		return nil, nil
	}
	of, across, err := t.tenant(v.asked)
	if err != nil || across {
		return nil, err
	}
	if t.schemas {
		schema := t.prefix + v.asked.tenant
		if of, _, named := strings.Cut(name, "."); named && name != schema+"."+t.table.Name {
			return nil, errorf("table %q: the query names the schema %q, and that of tenant %q is %q: %w", t.table.Name, of, v.asked.tenant, schema, ErrOtherTenant)
		}
		return &sqlgen.Owner{Schema: schema}, nil
	}
	args, err := t.table.TenantArgs(of, v.e.dialect)
	return &sqlgen.Owner{Column: t.column, Args: args}, err
}

// wants is what the context of the place's statement asks for.
func (p *place) wants() *asked {
	if p.asked == nil {
		return &askedNothing
	}
	return p.asked
}

// carrying is what a verb is that writes records.
type carrying interface {
	// carried are the records; inserted says that they become rows.
	carried() (records rowmap.Records, inserted bool)
}

func (v *insertion) carried() (rowmap.Records, bool) { return v.records, true }

func (v *upsertion) carried() (rowmap.Records, bool) { return v.records, true }

func (v *saving) carried() (rowmap.Records, bool) { return rowmap.One(v.record), false }

func (v *deletion) carried() (rowmap.Records, bool) { return rowmap.One(v.record), false }

// keptApart refuses what would leave the tenant of the place's context: the last look
// before a statement is written.
func (t *trip) keptApart(v verb) error {
	owned := t.q.ownedOn(t.place.e.home())
	if owned == nil {
		return nil
	}
	of, _, err := owned.tenant(t.place.wants())
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case *statementExec:
		return wholeOfTenants(owned)
	case interface{ whole() bool }:
		if v.whole() {
			return wholeOfTenants(owned)
		}
	case carrying:
		records, inserted := v.carried()
		if inserted && t.q.src.tenant == nil {
			return owned.table.Fail("its rows belong to tenants, and the model %s, which has no Tenant, makes none", t.q.src.table.Model)
		}
		for i := range records.N {
			if err := t.q.carries(records.At(i), of, inserted); err != nil {
				return oneOfSeveral(records.N, i, err)
			}
		}
	}
	return nil
}

func (v *selection) whole() bool { return v.stmt != nil }

func wholeOfTenants(owned *ownedTable) error {
	return owned.table.Fail("its rows belong to tenants, and a whole statement cannot be narrowed; send it by the connection's own handle")
}

func oneOfSeveral(n, i int, err error) error {
	if n > 1 {
		return recordError(i, err)
	}
	return err
}

// carries refuses a record of another tenant. Without a tenant the record must say whose it
// is. exact says that it must in any case.
func (q *query) carries(record any, of *table.Tenant, exact bool) error {
	if q.src.tenant == nil || q.src.tenant.schemas {
		return nil
	}
	t := q.src.table
	in := t.TenantIn(record)
	switch {
	case of == nil && in == "" && exact:
		return t.Fail("the record does not say whose it is in column %q, which a context of AcrossTenants does not tell", t.TenantColumn())
	case of == nil, in == "" && !exact, in == of.Name():
		return nil
	}
	return errorf("table %q: the record names another tenant in column %q than %q, the context's: %w", t.Name, t.TenantColumn(), of.Name(), ErrOtherTenant)
}

// errTheirRow says that an upsert met a row of another tenant or, by owner, shard key.
func (q *query) errTheirRow(owner string) error {
	if q.isShardKey(owner) {
		return errorf("table %q: the key is that of a row with another shard key in column %q; nothing was written: %w", q.src.table.Name, owner, ErrUnique)
	}
	return errorf("table %q: the key is that of another tenant's row; nothing was written: %w", q.src.table.Name, ErrOtherTenant)
}

// theirRow is an error of an upsert that keeps to the rows of one owner.
func (q *query) theirRow(owner string, err error) error {
	var refused *QueryError
	if owner != "" && errors.As(err, &refused) && refused.Code == sqlgen.OtherOwner {
		return errorf("%w (%w)", q.errTheirRow(owner), err)
	}
	return err
}

// keepsApart takes the rule of a model.
func (s *source) keepsApart(rule TenantRule, c table.Config) error {
	if rule == nil {
		return nil
	}
	s.tenant = &ownedTable{tenantRule: rule.rule(), table: s.table, make: func(name string) *table.Table {
		c.Name = name
		t, _ := table.New(c, s.table.Plan)
		return t
	}}
	if err := s.hasSchemas(); err != nil {
		return err
	}
	if s.shard != nil {
		return s.reg.owned.holds("", s.tenant, true)
	}
	return s.reg.owned.holds(s.reg.nameOr(s.connection), s.tenant, false)
}
