package dbfleet

import (
	"context"
	"strings"
)

// groupOf is the group of tenants that a connection's name belongs to, and the tenant that
// it names, "" for the context's; nil for any other connection.
func (r *Registry) groupOf(name string) (g *tenantGroup, tenant string) {
	if r == nil || !r.grouped.Load() {
		return nil, ""
	}
	if e, ok := r.entries.find(name); ok {
		return e.tenants, ""
	}
	for at := len(name); ; {
		if at = strings.LastIndexByte(name[:at], '/'); at < 0 {
			return nil, ""
		}
		if e, ok := r.entries.find(name[:at]); ok && e.tenants != nil {
			return e.tenants, name[at+1:]
		}
	}
}

// tenantOn is whose database a context means by a connection; g is nil where that is no
// group's.
func (r *Registry) tenantOn(a *asked, name string) (g *tenantGroup, tenant string, err error) {
	g, named := r.groupOf(name)
	switch {
	case g == nil:
		return nil, "", nil
	case a.tenantFault != nil:
		return g, "", a.tenantFault
	case a.tenant == "":
		return g, "", errorf("connection %q is another database for each tenant: %w", name, ErrNoTenant)
	case named != "" && named != a.tenant:
		return g, "", errorf("connection %q is not the tenant %q's, which is the context's: %w", name, a.tenant, ErrOtherTenant)
	}
	return g, a.tenant, nil
}

// connectionFor is what a connection is called for a context: "shops/acme" for "shops".
func (r *Registry) connectionFor(a *asked, name string) (string, error) {
	g, tenant, err := r.tenantOn(a, name)
	if g == nil || err != nil {
		return name, err
	}
	return g.name + "/" + tenant, nil
}

// homeOf is what models call a connection: "shops" for "shops/acme".
func (r *Registry) homeOf(name string) string {
	if g, _ := r.groupOf(name); g != nil {
		return g.name
	}
	return name
}

// home is homeOf for the entry's own name.
func (e *entry) home() string {
	if e.of != nil {
		return e.of.name
	}
	return e.name
}

// serves says whether the entry is what a context means by the name of a connection, also
// when that is not in the registry any more.
func (e *entry) serves(a *asked, name string) bool {
	return e.name == name || e.of != nil && e.of.name == name && e.tenant == a.tenant
}

// useFor is use for a context, whose tenant's database it is where each has one.
func (r *Registry) useFor(ctx context.Context, name string) (*entry, error) {
	if !r.grouped.Load() {
		return r.use(name)
	}
	g, tenant, err := r.tenantOn(txsOf(ctx).wants(), name)
	switch {
	case err != nil:
		return nil, err
	case g != nil:
		return g.use(ctx, tenant)
	}
	return r.use(name)
}

// oneForAll refuses what has no tenant to choose a database by.
func (e *entry) oneForAll(method string) error {
	if e.tenants == nil {
		return nil
	}
	return errorf("connection %q is another database for each tenant, which %s does not tell: %w", e.name, method, ErrNoTenant)
}

// apart refuses names that a connection and a tenant of a group would share; group says
// that the name is to be one's. Whoever changes the entries calls it.
func (r *Registry) apart(name string, old *entry, group bool) error {
	switch {
	case old != nil && old.tenants != nil:
		return &ConfigError{Connection: name, Reason: "is another database for each tenant; Remove it, and add it anew"}
	case old != nil && group:
		return &ConfigError{Connection: name, Key: "tenants", Reason: "is set, and what is replaced is one database; Remove it, and add it anew"}
	}
	if of, tenant := r.groupOf(name); of != nil && tenant != "" {
		return &ConfigError{Connection: name, Reason: "is the name of a tenant's database, of " + quoted(of.name)}
	}
	if !group {
		return nil
	}
	for _, other := range r.known() {
		if strings.HasPrefix(other, name+"/") {
			return &ConfigError{Connection: name, Reason: "begins the name of the connection " + quoted(other) + ", as it will those of tenants"}
		}
	}
	return nil
}
