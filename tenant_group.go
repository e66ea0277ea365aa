package dbfleet

import (
	"context"
	"errors"
	"time"

	"github.com/dbfleet/dbfleet/internal/config"
	"github.com/dbfleet/dbfleet/internal/driver"
)

// connectionBudget is driver.Budget.
type connectionBudget = driver.Budget

// ErrUnknownTenant is what TenantsConfig.Connect returns for a tenant that there is not.
var ErrUnknownTenant = errors.New("dbfleet: unknown tenant")

// TenantsConfig describes databases of which each tenant has one; see Registry.AddTenants
// and ConnectionConfig.Tenants. Its bounds can be read from a file or the environment, under
// the keys below "tenants" of a connection, by the rules of [Config]; the functions are set
// in Go, after that:
//
//	config, err := dbfleet.ConfigFromEnv() // DB_SHOPS_DRIVER, DB_SHOPS_TENANTS_MAX_OPEN, …
//	config.Connections["shops"].Tenants.Connect = whereIs
//
// How a model keeps tenants apart in one database (ModelConfig.Tenant) is in no file: it
// belongs to the table and the struct of the program, and a key that somebody forgets would
// show the rows of all.
type TenantsConfig struct {
	// Driver is the kind of all databases. It is required by AddTenants; as
	// ConnectionConfig.Tenants it may be left out, and is the connection's.
	Driver Driver `json:"-" yaml:"-" mapstructure:"-" toml:"-"`
	// Connect tells where the database of a tenant is, when it is used for the first time,
	// or again after it was closed. An error is told to everybody who waits for it, and the
	// next use asks again; ErrUnknownTenant says that there is no such tenant. It is called
	// by a goroutine of its own, for one tenant once at a time and for different tenants at
	// once, with the values of the context that asks first, without its transactions, and
	// 10 seconds. A SQLite database in memory is refused: it would be gone when it is closed.
	// It is required by AddTenants; as ConnectionConfig.Tenants it may be left out where the
	// connection is a template. It is in no JSON.
	//
	// Tenants' names have no "/" and do not begin with a dot, so that one may stand in a
	// path: filepath.Join(folder, tenant+".db"). "{tenant}" in what it returns is replaced
	// as in a template, so that it may return a connection of the configuration with some
	// fields changed, or as it is for tenants that there are; Tenants of it has no meaning.
	Connect func(ctx context.Context, tenant string) (ConnectionConfig, error) `json:"-" yaml:"-" mapstructure:"-" toml:"-"`
	// MaxOpen is the largest number of open connections to the databases of all tenants
	// together; -1 is no bound. The bounds of each one's PoolConfig hold besides. Who finds
	// none free has idle connections of others closed, those first whose tenants were used
	// longest ago, and waits for AcquireTimeout of its tenant's pool in turn with all
	// others: then the error is an *AcquireTimeoutError that names the tenant and the
	// budget. While somebody waits, connections that are given back are closed. Databases of
	// which the last connection could not be made have half of it, together, to be asked
	// again.
	//
	// Defaults to 100.
	MaxOpen int `json:"max_open" yaml:"max_open" mapstructure:"max_open" toml:"max_open,omitzero"`
	// MaxTenants is of how many tenants the connections are kept open or ready; of those
	// that nobody uses the ones that were used longest ago are closed. Those in use may be
	// more.
	//
	// Defaults to 1000.
	MaxTenants int `json:"max_tenants" yaml:"max_tenants" mapstructure:"max_tenants" toml:"max_tenants,omitzero"`
	// IdleClose is after how long without use the connections of a tenant are closed, and
	// all that is known of it is forgotten; -1 is never. A statement that runs, a
	// transaction, a Conn, rows that are open and a *sql.Stmt that is not closed are uses.
	//
	// Defaults to 5 minutes.
	IdleClose time.Duration `json:"idle_close" yaml:"idle_close" mapstructure:"idle_close" toml:"idle_close,omitzero"`
}

// AddTenants registers a connection that is another database for each tenant, as Open and
// Add do one with ConnectionConfig.Tenants:
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
	if tenants.Connect == nil {
		f := config.NewFaults(name, "")
		f.Add("tenants.connect", "is missing: nobody tells where the tenants' databases are")
		_, more := ConnectionConfig{Driver: tenants.Driver, Tenants: &tenants}.prepareAll(name)
		for _, fault := range more {
			if !maybeElsewhere(fault) {
				f.Append(fault)
			}
		}
		return configError(f.List())
	}
	return r.Add(name, ConnectionConfig{Driver: tenants.Driver, Tenants: &tenants})
}

// nobodysDatabase is a configuration that nothing is opened by: what holds of a group of
// tenants before one is known.
func nobodysDatabase(d Driver) ConnectionConfig {
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
