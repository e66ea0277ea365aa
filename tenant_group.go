package dbfleet

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/dbfleet/dbfleet/internal/config"
	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
)

// connectionBudget is driver.Budget.
type connectionBudget = driver.Budget

// ErrUnknownTenant is what TenantsConfig.Connect returns for a tenant that there is not.
var ErrUnknownTenant = errors.New("dbfleet: unknown tenant")

// TenantsConfig describes databases of which each tenant has one; see Registry.AddTenants.
type TenantsConfig struct {
	// Driver is the kind of all databases. Required.
	Driver Driver
	// Connect tells where the database of a tenant is, when it is used for the first time,
	// or again after it was closed. An error is told to everybody who waits for it, and the
	// next use asks again; ErrUnknownTenant says that there is no such tenant. It is called
	// by a goroutine of its own, for one tenant once at a time and for different tenants at
	// once, with the values of the context that asks first, without its transactions, and
	// 10 seconds. A SQLite database in memory is refused: it would be gone when it is closed.
	// Required.
	//
	// Tenants' names have no "/" and do not begin with a dot, so that one may stand in a
	// path: filepath.Join(folder, tenant+".db").
	Connect func(ctx context.Context, tenant string) (ConnectionConfig, error)
	// MaxOpen is the largest number of open connections to the databases of all tenants
	// together; -1 is no bound. The bounds of each one's PoolConfig hold besides. Who finds
	// none free has idle connections of others closed, those first whose tenants were used
	// longest ago, and waits for AcquireTimeout of its tenant's pool in turn with all
	// others: then the error is an *AcquireTimeoutError that names the tenant and the
	// budget. While somebody waits, connections that are given back are closed.
	//
	// Defaults to 100.
	MaxOpen int
	// MaxTenants is of how many tenants the connections are kept open or ready; of those
	// that nobody uses the ones that were used longest ago are closed. Those in use may be
	// more.
	//
	// Defaults to 1000.
	MaxTenants int
	// IdleClose is after how long without use the connections of a tenant are closed, and
	// all that is known of it is forgotten; -1 is never. A statement that runs, a
	// transaction, a Conn, rows that are open and a *sql.Stmt that is not closed are uses.
	//
	// Defaults to 5 minutes.
	IdleClose time.Duration
}

// prepared returns a copy with defaults, or all faults.
func (c TenantsConfig) prepared(name string) (TenantsConfig, *dialect.Dialect, error) {
	f := config.NewFaults(name, "")
	d, ok := config.Dialect(string(c.Driver))
	if !ok {
		f.Add("driver", "%v", config.UnknownDriver(string(c.Driver)))
	}
	if c.Connect == nil {
		f.Add("connect", "is missing: nobody tells where the tenants' databases are")
	}
	c.MaxOpen, c.MaxTenants, c.IdleClose = cmp.Or(c.MaxOpen, 100), cmp.Or(c.MaxTenants, 1000), cmp.Or(c.IdleClose, 5*time.Minute)
	if c.MaxOpen < config.Unbounded {
		f.Add("max_open", "is %d; -1 is no bound", c.MaxOpen)
	}
	if c.MaxTenants < 0 {
		f.Add("max_tenants", "is %d", c.MaxTenants)
	}
	if c.IdleClose < config.Unbounded {
		f.Add("idle_close", "is %s; -1 is never", c.IdleClose)
	}
	c.Driver = c.Driver.canonical()
	return c, d, configError(f.List())
}

// AddTenants registers a connection that is another database for each tenant:
//
//	err := registry.AddTenants("shops", dbfleet.TenantsConfig{
//		Driver: dbfleet.SQLite,
//		Connect: func(ctx context.Context, tenant string) (dbfleet.ConnectionConfig, error) {
//			return dbfleet.ConnectionConfig{Database: filepath.Join(folder, tenant+".db")}, nil
//		},
//		MaxOpen: 200,
//	})
//	orders := dbfleet.MustModel[Order](registry, dbfleet.ModelConfig{Table: "orders", Connection: "shops"})
//	list, err := orders.Query().Get(dbfleet.WithTenant(ctx, "acme")) // of shops/acme
//
// Whatever names the connection (models, DB, Transaction, hooks) means the database of the
// context's tenant: opened when it is used, once however many ask at once, and closed when
// it was not used for IdleClose. Without a tenant in the context the error is ErrNoTenant,
// and nothing is sent. Routes, errors and hooks call it by both names, "shops/acme"; a
// handle of that name serves the contexts of that tenant only, with all others it is
// ErrOtherTenant or ErrNoTenant. Hooks are those of all tenants.
//
// Pool and ReplicaPool, which take no context, lend nothing of it. An Atomic of several
// connections, and ones of AcrossTenants, do not take it. Replace and SetReplicas of it are
// refused. Names, Health and Stats leave tenants out, which may be thousands: see
// TenantsStats. Remove and the registry's end close all of them, as other connections.
//
// The error is a *ConfigError for each fault, also of a name that is taken, or ErrClosed.
func (r *Registry) AddTenants(name string, tenants TenantsConfig) error {
	if err := r.usable(); err != nil {
		return err
	}
	tenants, d, err := tenants.prepared(name)
	if err != nil {
		return err
	}
	g := newTenantGroup(r, name, tenants, d)
	_, err = r.putAs(name, templateOf(tenants.Driver), func(old *entry) error {
		if old != nil {
			return &ConfigError{Connection: name, Reason: "the name is taken"}
		}
		return nil
	}, g)
	return err
}

// templateOf is a configuration that nothing is opened by: what holds of a group of tenants
// before one is known.
func templateOf(d Driver) ConnectionConfig {
	if d == SQLite {
		return ConnectionConfig{Driver: d, Database: ":memory:"}
	}
	return ConnectionConfig{Driver: d, Host: "localhost", Database: "tenants", Username: "nobody"}
}

// TenantsStats are figures of a connection of AddTenants.
type TenantsStats struct {
	// Tenants is how many tenants' connections are ready, or being opened.
	Tenants int
	// Open, InUse and Idle are connections of all tenants.
	Open, InUse, Idle int
	// MaxOpen is the bound of Open, -1 for none; Waiting is how many callers wait for it.
	MaxOpen, Waiting int
}

// TenantsStats returns the figures of a connection of AddTenants. It is an error that there
// is none of that name. It looks at each open pool once.
func (r *Registry) TenantsStats(name string) (TenantsStats, error) {
	e, err := r.lookup(name)
	if err != nil {
		return TenantsStats{}, err
	}
	if e.tenants == nil {
		return TenantsStats{}, errorf("connection %q has no tenants; AddTenants makes one that has", name)
	}
	return e.tenants.stats(), nil
}
