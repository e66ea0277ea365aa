package dbfleetprometheus

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dbfleet/dbfleet"
)

// nodeMetrics are read off the nodes whenever metrics are collected.
type nodeMetrics struct {
	transactions, up, turn, state, lag, lagKnown *prometheus.Desc
	connections, most, waits, waited, ended      *prometheus.Desc
	tenants, waiting                             *prometheus.Desc // of a group of tenants
}

// states are all that NodeState.State may be.
var states = []dbfleet.NodeCondition{
	dbfleet.ConditionUnknown, dbfleet.ConditionHealthy, dbfleet.ConditionSuspect, dbfleet.ConditionEjected, dbfleet.ConditionSlowStart,
}

// claim is 1 for what is so, and 0 for what is not.
func claim(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func newNodeMetrics(o Options) nodeMetrics {
	all := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(o.Namespace, "", name), help, labels, o.ConstLabels)
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return all(name, help, append([]string{"connection", "node"}, labels...)...)
	}
	return nodeMetrics{
		transactions: desc("transactions", "Transactions that are open."),
		up:           desc("replica_up", "0 while reads leave the replica out because it did not answer, otherwise 1."),
		turn:         desc("replica_in_turn", "1 while the replica takes its turn of reads, 0 while these leave it out because it does not answer, is doubted or lags."),
		state:        desc("node_state", "1 for the state that the node is in, 0 for the others. Only of nodes that are watched.", "state"),
		lag:          desc("replica_lag_seconds", "How far the replica is behind at most; none is told while that is not known."),
		lagKnown:     desc("replica_lag_known", "1 while it is known how far the replica is behind at most, otherwise 0."),
		connections:  desc("pool_connections", "Connections of the pool by their state.", "role", "state"),
		most:         desc("pool_max_connections", "The largest number of open connections; none is told where there is no bound.", "role"),
		waits:        desc("pool_waits_total", "Requests that had to wait for a connection.", "role"),
		waited:       desc("pool_wait_seconds_total", "Time that requests have waited for a connection.", "role"),
		ended:        desc("pool_closed_total", "Connections that the pool's bounds have closed.", "role", "reason"),
		tenants:      all("tenants", "Tenants whose connections are ready, or being opened.", "connection"),
		waiting:      all("tenants_waiting", "Requests that wait for one of the connections that all tenants share.", "connection"),
	}
}

func (m *nodeMetrics) describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.transactions, m.up, m.turn, m.state, m.lag, m.lagKnown, m.connections, m.most, m.waits, m.waited, m.ended, m.tenants, m.waiting} {
		to <- d
	}
}

func (m *nodeMetrics) collect(to chan<- prometheus.Metric, nodes []dbfleet.NodeState) {
	for _, n := range nodes {
		tell := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(d, kind, value, append([]string{n.Connection, n.Node}, labels...)...)
		}
		role := string(n.Role)
		if n.Tenants != nil && n.Role == dbfleet.RolePrimary {
			to <- prometheus.MustNewConstMetric(m.tenants, prometheus.GaugeValue, float64(n.Tenants.Tenants), n.Connection)
			to <- prometheus.MustNewConstMetric(m.waiting, prometheus.GaugeValue, float64(n.Tenants.Waiting), n.Connection)
		}
		tell(m.transactions, prometheus.GaugeValue, float64(n.Transactions))
		if n.Role == dbfleet.RoleReplica && n.Tenants == nil {
			tell(m.up, prometheus.GaugeValue, claim(!n.Resting))
			tell(m.turn, prometheus.GaugeValue, claim(n.InTurn))
			tell(m.lagKnown, prometheus.GaugeValue, claim(n.LagKnown))
			if n.LagKnown {
				tell(m.lag, prometheus.GaugeValue, n.Lag.Seconds())
			}
		}
		if n.State != "" {
			for _, s := range states {
				tell(m.state, prometheus.GaugeValue, claim(n.State == s), strings.ReplaceAll(string(s), " ", "_"))
			}
		}
		tell(m.connections, prometheus.GaugeValue, float64(n.Pool.InUse), role, "in_use")
		tell(m.connections, prometheus.GaugeValue, float64(n.Pool.Idle), role, "idle")
		if n.Pool.MaxOpenConnections > 0 {
			tell(m.most, prometheus.GaugeValue, float64(n.Pool.MaxOpenConnections), role)
		}
		tell(m.waits, prometheus.CounterValue, float64(n.Pool.WaitCount), role)
		tell(m.waited, prometheus.CounterValue, n.Pool.WaitDuration.Seconds(), role)
		tell(m.ended, prometheus.CounterValue, float64(n.Pool.MaxIdleClosed), role, "max_idle")
		tell(m.ended, prometheus.CounterValue, float64(n.Pool.MaxIdleTimeClosed), role, "max_idle_time")
		tell(m.ended, prometheus.CounterValue, float64(n.Pool.MaxLifetimeClosed), role, "max_lifetime")
	}
}
