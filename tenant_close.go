package dbfleet

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
)

// CloseTenant closes the connections to one tenant's database of a connection of AddTenants
// now, for a program that moves or deletes it, where IdleClose would come too late. First
// TenantsConfig.Connect is to know the new place, or that there is no such tenant:
//
//	err := places.Update(ctx, "acme", newServer) // what Connect reads
//	err = registry.CloseTenant(ctx, "shops", "acme")
//
// What starts from now on asks Connect again and uses what that tells: the tenant is not
// locked out. Calls that are just waiting for Connect ask it once more, and do not use what
// it answered before. What is running, a transaction, a Conn or open rows, goes on with the
// old database to its end. The call waits for that until ctx ends, and cuts off what still
// runs then, as Remove does; the error is the context's then, and the tenant is closed all
// the same. When it has returned, no connection of the library's to the old database is
// open, and it can be dropped. A *sql.Stmt of the tenant's fails afterwards.
//
// A tenant that is not open is no error: Connect is not asked. Nor need it be one that there
// is; a name that no tenant can have is ErrNoTenant. The error is an
// *UnknownConnectionError or ErrClosed as that of Remove, and another one for a connection
// that is not of AddTenants. In the function of a transaction on the tenant's database it
// is ErrBusy with its context: it would wait for its caller. It may be called by several
// goroutines at once.
func (r *Registry) CloseTenant(ctx context.Context, name, tenant string) error {
	if err := cmp.Or(r.usable(), checkContext(ctx, name)); err != nil {
		return err
	}
	e, err := r.lookup(name)
	switch {
	case err != nil:
		return err
	case e.tenants == nil:
		return errorf("connection %q has no tenants; AddTenants makes one that has", name)
	case !isTenantName(tenant):
		return errorf("connection %q: CloseTenant: %w: %q is no name of a tenant", name, ErrNoTenant, tenant)
	}
	g := e.tenants
	tx, _ := txsOf(ctx).txFor(r, g.name+"/"+tenant) // whatever else the context is about
	if err := waitsFor(tx, "CloseTenant", g.name+"/"+tenant); err != nil {
		return err
	}
	return g.closeTenant(ctx, tenant)
}

// closeTenant closes what is open of a tenant, also what others are closing.
func (g *tenantGroup) closeTenant(ctx context.Context, tenant string) error {
	g.mu.Lock()
	if t := g.open[tenant]; t != nil {
		delete(g.open, tenant)
		if t.e == nil {
			t.outdated = true
		} else {
			g.leaving[t.e] = true
		}
	}
	list := slices.DeleteFunc(slices.Collect(maps.Keys(g.leaving)), func(e *entry) bool { return e.tenant != tenant })
	g.mu.Unlock()
	var err error
	for _, e := range list {
		err = errors.Join(err, g.closeLeaving(ctx, e))
	}
	return err
}

// closeLeaving closes an entry that is in leaving.
func (g *tenantGroup) closeLeaving(ctx context.Context, e *entry) error {
	err := e.close(ctx)
	g.sums.count(e)
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.leaving, e)
	return err
}
