package dbfleetotel

import (
	"context"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/dbfleet/dbfleet"
)

// ObservePools tells the figures of every node's pool whenever metrics are
// collected. No database is asked. stop ends that; it is to be called before the
// registry is forgotten. Of the options only MeterProvider and Attributes are used.
func ObservePools(registry *dbfleet.Registry, options ...Options) (stop func() error, err error) {
	if registry == nil {
		return nil, fmt.Errorf("dbfleetotel: ObservePools: the registry is nil")
	}
	if err := usable(registry); err != nil {
		return nil, err
	}
	o := withDefaults("ObservePools", options)
	meter := o.MeterProvider.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
	p := &pools{registry: registry, more: o.Attributes}
	var all []metric.Observable
	keep := func(i metric.Observable, failure error) {
		all = append(all, i)
		if err == nil {
			err = failure
		}
	}
	count := func(name, unit, description string) (i metric.Int64ObservableUpDownCounter) {
		i, failure := meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		keep(i, failure)
		return i
	}
	p.count = count("db.client.connection.count", "{connection}", "The number of connections in the state.")
	p.max = count("db.client.connection.max", "{connection}", "The largest number of open connections; none is told where there is no bound.")
	p.transactions = count("dbfleet.transactions", "{transaction}", "Transactions that are open.")
	p.resting = count("dbfleet.node.resting", "{node}", "1 while reads leave the replica out because it did not answer.")
	p.inTurn = count("dbfleet.node.in_turn", "{node}", "1 while the replica takes its turn of reads, 0 while these leave it out because it does not answer, is doubted or lags.")
	p.tenants = count("dbfleet.tenants", "{tenant}", "Tenants whose connections are ready, or being opened.")
	p.waiting = count("dbfleet.tenants.waiting", "{request}", "Requests that wait for one of the connections that all tenants share.")
	p.state = count("dbfleet.node.state", "{node}", "1 for the state that the node is in, 0 for the others. Only of nodes that are watched.")
	p.lagKnown = count("dbfleet.node.lag_known", "{node}", "1 while it is known how far the replica is behind at most, otherwise 0.")
	var failure error
	p.lag, failure = meter.Float64ObservableGauge("dbfleet.node.lag", metric.WithUnit("s"), metric.WithDescription("How far the replica is behind at most; none is told while that is not known."))
	keep(p.lag, failure)
	p.waits, failure = meter.Int64ObservableCounter("dbfleet.pool.waits", metric.WithUnit("{request}"), metric.WithDescription("Requests that had to wait for a connection."))
	keep(p.waits, failure)
	p.waited, failure = meter.Float64ObservableCounter("dbfleet.pool.wait_time", metric.WithUnit("s"), metric.WithDescription("Time that requests have waited for a connection."))
	keep(p.waited, failure)
	if err != nil {
		return nil, fmt.Errorf("dbfleetotel: ObservePools: %w", err)
	}
	registration, err := meter.RegisterCallback(p.observe, all...)
	if err != nil {
		return nil, fmt.Errorf("dbfleetotel: ObservePools: %w", err)
	}
	return registration.Unregister, nil
}

type pools struct {
	registry                          *dbfleet.Registry
	more                              []attribute.KeyValue
	count, max, transactions, resting metric.Int64ObservableUpDownCounter
	inTurn, state, lagKnown           metric.Int64ObservableUpDownCounter
	tenants, waiting                  metric.Int64ObservableUpDownCounter
	lag                               metric.Float64ObservableGauge
	waits                             metric.Int64ObservableCounter
	waited                            metric.Float64ObservableCounter
}

func (p *pools) observe(_ context.Context, o metric.Observer) error {
	for _, n := range p.registry.Nodes() {
		attributes := append([]attribute.KeyValue{
			semconv.DBClientConnectionPoolName(n.Node), systemOf(n.Driver),
			attribute.String("dbfleet.connection", n.Connection), attribute.String("dbfleet.node", n.Node), attribute.String("dbfleet.role", string(n.Role)),
		}, p.more...)
		of := func(more ...attribute.KeyValue) metric.MeasurementOption {
			return metric.WithAttributes(append(attributes[:len(attributes):len(attributes)], more...)...)
		}
		o.ObserveInt64(p.count, int64(n.Pool.InUse), of(semconv.DBClientConnectionStateUsed))
		o.ObserveInt64(p.count, int64(n.Pool.Idle), of(semconv.DBClientConnectionStateIdle))
		if n.Pool.MaxOpenConnections > 0 {
			o.ObserveInt64(p.max, int64(n.Pool.MaxOpenConnections), of())
		}
		o.ObserveInt64(p.waits, n.Pool.WaitCount, of())
		o.ObserveFloat64(p.waited, n.Pool.WaitDuration.Seconds(), of())
		o.ObserveInt64(p.transactions, int64(n.Transactions), of())
		if n.Tenants != nil {
			if n.Role == dbfleet.RolePrimary {
				group := metric.WithAttributes(append([]attribute.KeyValue{systemOf(n.Driver), attribute.String("dbfleet.connection", n.Connection)}, p.more...)...)
				o.ObserveInt64(p.tenants, int64(n.Tenants.Tenants), group)
				o.ObserveInt64(p.waiting, int64(n.Tenants.Waiting), group)
			}
			continue
		}
		o.ObserveInt64(p.resting, claim(n.Resting), of())
		if n.Role == dbfleet.RoleReplica {
			o.ObserveInt64(p.inTurn, claim(n.InTurn), of())
			o.ObserveInt64(p.lagKnown, claim(n.LagKnown), of())
			if n.LagKnown {
				o.ObserveFloat64(p.lag, n.Lag.Seconds(), of())
			}
		}
		if n.State != "" {
			for _, s := range states {
				o.ObserveInt64(p.state, claim(n.State == s), of(attribute.String("dbfleet.node.state", strings.ReplaceAll(string(s), " ", "_"))))
			}
		}
	}
	return nil
}

// states are all that NodeState.State may be.
var states = []dbfleet.NodeCondition{
	dbfleet.ConditionUnknown, dbfleet.ConditionHealthy, dbfleet.ConditionSuspect, dbfleet.ConditionEjected, dbfleet.ConditionSlowStart,
}

// claim is 1 for what is so, and 0 for what is not.
func claim(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// usable returns what is wrong with a registry that nobody opened.
func usable(registry *dbfleet.Registry) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("dbfleetotel: ObservePools: %v", r)
		}
	}()
	registry.Nodes()
	return nil
}
