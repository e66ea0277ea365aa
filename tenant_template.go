package dbfleet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet/internal/config"
)

// A connection whose fields are those of each tenant's.

// tenantMark stands for the tenant's name in a template.
const tenantMark = "{tenant}"

const reasonShared = "has no " + tenantMark + ": all tenants would share what it names (TenantsConfig.Connect may tell another one for each)"

// forTenant returns a copy of a template with a tenant's name.
func (c ConnectionConfig) forTenant(tenant string) ConnectionConfig {
	c.Tenants = nil
	c.Hosts, c.ReadHosts, c.Replicas = slices.Clone(c.Hosts), slices.Clone(c.ReadHosts), cloneReplicas(c.Replicas)
	put := func(list ...*string) {
		for _, s := range list {
			*s = strings.ReplaceAll(*s, tenantMark, tenant)
		}
	}
	params := func(of map[string]string) map[string]string {
		out := make(map[string]string, len(of))
		for name, value := range of {
			put(&value)
			out[name] = value
		}
		return out
	}
	put(&c.Database, &c.Username, &c.Host, &c.Socket)
	for i := range c.Hosts {
		put(&c.Hosts[i])
	}
	for i := range c.ReadHosts {
		put(&c.ReadHosts[i])
	}
	for i := range c.Replicas {
		put(&c.Replicas[i].Host)
		c.Replicas[i].Params = params(c.Replicas[i].Params)
	}
	c.Params = params(c.Params)
	return c
}

// validateTenants is validate for a connection that is another database for each tenant.
func (c ConnectionConfig) validateTenants(name string, f *config.Faults) {
	of := config.NewFaults(name, c.envPrefix)
	c.forTenant("t").validate(name, of)
	if c.Tenants.Connect == nil {
		c.keepsTenantsApart(of)
	}
	for _, fault := range of.List() {
		if c.Tenants.Connect == nil || !maybeElsewhere(fault) {
			f.Append(fault)
		}
	}
	t := c.Tenants
	if t.Driver != "" && t.Driver != c.Driver {
		f.Add("driver", "is %s, and TenantsConfig.Driver %.60q", c.Driver, string(t.Driver))
	}
	if t.MaxOpen < config.Unbounded {
		f.Add("tenants.max_open", "is negative: only -1 has a meaning")
	}
	if t.MaxTenants < 0 {
		f.Add("tenants.max_tenants", "must be positive")
	}
	validDuration(f, "tenants.idle_close", t.IdleClose)
}

// keepsTenantsApart notes each node of a template that all tenants would share.
func (c ConnectionConfig) keepsTenantsApart(f *config.Faults) {
	if c.Connector != nil {
		f.Add("connector", "is set beside tenants, who would share it")
		return
	}
	type named struct{ key, text string }
	nodes := []named{{"host", c.Host}, {"socket", c.Socket}}
	for _, host := range c.Hosts {
		nodes = append(nodes, named{"hosts", host})
	}
	if c.Driver == SQLite {
		nodes = []named{{"database", c.Database}}
	}
	for _, host := range c.ReadHosts {
		nodes = append(nodes, named{"read_hosts", host})
	}
	for _, r := range c.Replicas {
		nodes = append(nodes, named{"replicas", r.Host})
	}
	nodes = slices.DeleteFunc(nodes, func(n named) bool { return n.text == "" })
	apart := func(n named) bool { return strings.Contains(n.text, tenantMark) }
	if c.Driver != SQLite {
		switch {
		case strings.Contains(c.Database, tenantMark):
			return // whichever server it is
		case !slices.ContainsFunc(nodes, apart):
			if c.Database != "" {
				f.Add("database", reasonShared)
			}
			return
		}
	}
	if c.Discover != nil {
		f.Add("discover", "is set, and what it finds would be shared by all tenants: put %s into database", tenantMark)
	}
	for _, n := range nodes {
		if !apart(n) {
			f.Add(n.key, reasonShared)
		} else if journal := journalOfAnother(n.text); c.Driver == SQLite && journal != "" {
			f.Add(n.key, "has nothing behind %s that would keep one tenant's file from being another's, called by its name and %q: put .db behind it", tenantMark, journal)
		}
	}
}

// journalOfAnother is the end of a file's name by which one tenant's database could be the
// file that SQLite keeps beside another's, as "a-wal" is beside "a". The mark is in the path.
func journalOfAnother(path string) string {
	behind := path[strings.LastIndex(path, tenantMark)+len(tenantMark):]
	for _, end := range []string{"-wal", "-shm", "-journal"} {
		if strings.HasSuffix(behind+end, behind) {
			return end
		}
	}
	return ""
}

// ofTemplate is the connection of a tenant by the template of the group.
func (g *tenantGroup) ofTemplate(tenant string) (ConnectionConfig, error) {
	c := g.template
	if c.Driver != SQLite {
		return c, nil
	}
	file := c.forTenant(tenant).Database
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("%w: it has no file", ErrUnknownTenant)
	}
	return c, nil // what else is wrong is told by whoever opens it
}
