package dbfleet

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/dbfleet/dbfleet/internal/config"
)

// validate notes the faults of r, to which defaults have been applied.
func (r ReadsConfig) validate(f *config.Faults) {
	if !slices.Contains([]Balance{BalanceRoundRobin, BalanceWeighted, BalanceRandom, BalanceLeastInFlight, BalanceLatency}, r.Balance) {
		f.Add("reads.balance", "is not %s, %s, %s, %s or %s", BalanceRoundRobin, BalanceWeighted, BalanceRandom, BalanceLeastInFlight, BalanceLatency)
	}
	if !slices.Contains([]Fallback{FallbackPrimary, FallbackError, FallbackStale}, r.WhenStale) {
		f.Add("reads.when_stale", "is not %s, %s or %s", FallbackPrimary, FallbackError, FallbackStale)
	}
	if strings.ContainsFunc(r.Zone, unicode.IsControl) {
		f.Add("reads.zone", "has a control character")
	}
	if r.PrimaryReads < config.Unbounded {
		f.Add("reads.primary_reads", "is negative: only -1 has a meaning")
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"max_lag", r.MaxLag}, {"stale_limit", r.StaleLimit}, {"min_wait", r.MinWait}, {"max_wait", r.MaxWait},
		{"probe_interval", r.ProbeInterval}, {"hedge_after", r.HedgeAfter}, {"discover_every", r.DiscoverEvery},
	} {
		switch often := d.key == "probe_interval" || d.key == "discover_every"; {
		case d.value < 0:
			f.Add("reads."+d.key, "must not be negative")
		case d.value > longestReads:
			f.Add("reads."+d.key, "is %v, more than %v", d.value, longestReads)
		case often && d.value > 0 && d.value < minEvery:
			f.Add("reads."+d.key, "is %v, less than %v", d.value, minEvery)
		}
	}
	if r.MinWait > r.MaxWait && r.MaxWait > 0 {
		f.Add("reads.min_wait", "is %v, more than max_wait, which is %v", r.MinWait, r.MaxWait)
	}
	if r.StaleLimit > 0 && r.StaleLimit < r.MaxLag {
		f.Add("reads.stale_limit", "is %v, less than max_lag, which is %v: nothing would be left for it to allow", r.StaleLimit, r.MaxLag)
	}
	if r.StaleLimit > 0 && r.WhenStale != FallbackStale {
		f.Add("reads.stale_limit", "is set, but when_stale is %s, not %s", shortWord(string(r.WhenStale)), FallbackStale)
	}
}

const (
	// minEvery is how often nodes are asked at most.
	minEvery = 10 * time.Millisecond
	// longestReads bounds the durations of ReadsConfig, multiples of which are added up.
	longestReads = 365 * 24 * time.Hour
)

// shortWord is a word of a configuration as an error may show it.
func shortWord(s string) string { return fmt.Sprintf("%.20q", s) }

// validateHosts notes the faults of the servers that may be the primary.
func (c ConnectionConfig) validateHosts(f *config.Faults) {
	if len(c.Hosts) > 0 && c.Socket != "" {
		f.Add("hosts", "is set beside socket, which names the one primary")
	}
	seen := map[string]string{}
	if c.Host != "" {
		seen[serverAt(c.Host, c.Port)] = "host"
	}
	for i, address := range c.Hosts {
		host, port, err := config.SplitAddress(address, c.Port)
		if err != nil {
			f.Add("hosts", "number %d %v", i+1, err)
			continue
		}
		if first, ok := seen[serverAt(host, port)]; ok {
			f.Add("hosts", "number %d (%s) is the same as %s", i+1, address, first)
			continue
		}
		seen[serverAt(host, port)] = fmt.Sprintf("number %d (%s)", i+1, address)
	}
}

// serverAt tells whether two addresses are the same one.
func serverAt(host string, port int) string {
	return fmt.Sprintf("[%s]:%d", strings.ToLower(host), port)
}

// validateReplicas notes the faults of ReadHosts and Replicas.
func (c ConnectionConfig) validateReplicas(f *config.Faults) {
	list := c.allReplicas()
	if c.Driver == SQLite && c.Database == ":memory:" && len(list) > 0 {
		c.faultOfList(f, "is set, but a database in memory has no copies in files")
		return
	}
	names := map[string]int{}
	for i := range c.Hosts { // as their nodes are called
		names[fmt.Sprintf("host-%d", i+2)] = -1
	}
	seen := map[string]int{} // 1 and up
	if c.Driver == SQLite {
		seen[filepath.Clean(c.Database)] = 0
	}
	for i, r := range list {
		at, reason := c.replicaAt(r.Host)
		first, known := seen[at]
		switch {
		case reason != "":
			c.faultOfReplica(f, i, "%s", reason)
		case known && first == 0:
			c.faultOfReplica(f, i, "(%s) is the database itself", r.Host)
		case known:
			c.faultOfReplica(f, i, "(%s) is the same as %s (%s)", r.Host, c.numberOf(i, first-1), list[first-1].Host)
		default:
			seen[at] = i + 1
		}
		switch other, taken := names[r.Name]; {
		case taken && other < 0:
			c.faultOfReplica(f, i, "has the name of one of hosts (%s)", shortWord(r.Name))
		case taken:
			c.faultOfReplica(f, i, "has the same name as %s (%s)", c.numberOf(i, other), shortWord(r.Name))
		default:
			names[r.Name] = i
		}
		c.validateReplica(i, r, f)
	}
}

// replicaAt is where a replica is, or what is wrong with its host.
func (c ConnectionConfig) replicaAt(host string) (at, reason string) {
	if c.Driver == SQLite {
		switch {
		case host == "":
			reason = "is empty"
		case host == ":memory:":
			reason = "is a database in memory, not a file"
		case strings.ContainsRune(host, 0), strings.HasSuffix(host, "/"):
			reason = "is no path of a file"
		}
		return filepath.Clean(host), reason
	}
	name, port, err := config.SplitAddress(host, c.Port)
	if err != nil {
		return "", err.Error()
	}
	return serverAt(name, port), ""
}

// validateReplica notes what is wrong with number i of allReplicas besides its address.
func (c ConnectionConfig) validateReplica(i int, r ReplicaConfig, f *config.Faults) {
	inner := config.NewFaults("", "")
	switch {
	case strings.ContainsFunc(r.Name, unicode.IsControl):
		inner.Add("name", "has a control character")
	case strings.Contains(r.Name, "/"): // routes and figures put it behind the connection's name and a slash
		inner.Add("name", "has a slash")
	case strings.TrimSpace(r.Name) != r.Name:
		inner.Add("name", "begins or ends with a space")
	}
	if strings.ContainsFunc(r.Zone, unicode.IsControl) {
		inner.Add("zone", "has a control character")
	}
	if r.Weight != 0 && (r.Weight < 1 || r.Weight > maxWeight) {
		inner.Add("weight", "must be between 1 and %d", maxWeight)
	}
	if r.Pool != nil {
		r.Pool.withDefaults().validate("pool.", inner)
	}
	if c.Connector != nil && len(r.Params) > 0 {
		inner.Add("params", "is set beside connector, which stands in the server's place")
	}
	config.CheckParams(string(c.Driver), r.Params, inner)
	for _, fault := range inner.List() {
		c.faultOfReplica(f, i, "has a fault: %s %s", fault.Key, fault.Reason)
	}
}

const maxWeight = 1000

// faultOfReplica notes a fault of one of allReplicas, counted from 0.
func (c ConnectionConfig) faultOfReplica(f *config.Faults, i int, reason string, args ...any) {
	key, n := "read_hosts", i+1
	if i >= len(c.ReadHosts) {
		key, n = "replicas", i+1-len(c.ReadHosts)
	}
	f.Add(key, "number %d "+reason, append([]any{n}, args...)...)
}

// faultOfList notes a fault of the list that is set.
func (c ConnectionConfig) faultOfList(f *config.Faults, reason string) {
	if len(c.ReadHosts) > 0 {
		f.Add("read_hosts", "%s", reason)
	}
	if len(c.Replicas) > 0 {
		f.Add("replicas", "%s", reason)
	}
}

// numberOf names one of allReplicas in a fault of number i.
func (c ConnectionConfig) numberOf(i, other int) string {
	switch own := len(c.ReadHosts); {
	case other >= own:
		return fmt.Sprintf("number %d", other+1-own)
	case i >= own:
		return fmt.Sprintf("number %d of read_hosts", other+1)
	}
	return fmt.Sprintf("number %d", other+1)
}
