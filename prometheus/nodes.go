package dbfleetprometheus

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dbfleet/dbfleet"
)

// nodeMetrics are read off the nodes whenever metrics are collected.
type nodeMetrics struct {
	transactions, up                        *prometheus.Desc
	connections, most, waits, waited, ended *prometheus.Desc
}

func newNodeMetrics(o Options) nodeMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(o.Namespace, "", name), help, append([]string{"connection", "node"}, labels...), o.ConstLabels)
	}
	return nodeMetrics{
		transactions: desc("transactions", "Transactions that are open."),
		up:           desc("replica_up", "0 while reads leave the replica out because it did not answer, otherwise 1."),
		connections:  desc("pool_connections", "Connections of the pool by their state.", "role", "state"),
		most:         desc("pool_max_connections", "The largest number of open connections; none is told where there is no bound.", "role"),
		waits:        desc("pool_waits_total", "Requests that had to wait for a connection.", "role"),
		waited:       desc("pool_wait_seconds_total", "Time that requests have waited for a connection.", "role"),
		ended:        desc("pool_closed_total", "Connections that the pool's bounds have closed.", "role", "reason"),
	}
}

func (m *nodeMetrics) describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.transactions, m.up, m.connections, m.most, m.waits, m.waited, m.ended} {
		to <- d
	}
}

func (m *nodeMetrics) collect(to chan<- prometheus.Metric, nodes []dbfleet.NodeState) {
	for _, n := range nodes {
		tell := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(d, kind, value, append([]string{n.Connection, n.Node}, labels...)...)
		}
		role := string(n.Role)
		tell(m.transactions, prometheus.GaugeValue, float64(n.Transactions))
		if n.Role == dbfleet.RoleReplica {
			up := 1.0
			if n.Resting {
				up = 0
			}
			tell(m.up, prometheus.GaugeValue, up)
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
