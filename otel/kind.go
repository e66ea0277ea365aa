package dbfleetotel

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/dbfleet/dbfleet"
)

// A kind of statements has the same name and attributes, but for texts and outcomes.
type kind struct {
	name       string
	attributes []attribute.KeyValue // of spans, clipped
	counted    []attribute.KeyValue // of measurements, clipped
	measured   metric.MeasurementOption
}

// kinds keeps kinds that were made before. It is safe for concurrent use.
type kinds struct {
	known sync.Map // kindKey to *kind
	n     atomic.Int64
}

// maxKinds bounds what is kept, should a program make up names of tables.
const maxKinds = 10_000

type kindKey struct {
	driver                       dbfleet.Driver
	database, address, table, op string
	connection, node, shard      string
	role                         dbfleet.Role
}

func (s *kinds) of(e *dbfleet.QueryEvent, more []attribute.KeyValue) *kind {
	key := kindKey{
		driver: e.Driver, database: e.Database, address: e.Address, table: e.Table, op: e.Op,
		connection: e.Route.Connection, node: e.Route.Node, shard: e.Route.Shard, role: e.Route.Role,
	}
	if k, ok := s.known.Load(key); ok {
		return k.(*kind)
	}
	k := newKind(e, more)
	if s.n.Load() < maxKinds {
		s.known.Store(key, k)
		s.n.Add(1)
	}
	return k
}

func newKind(e *dbfleet.QueryEvent, more []attribute.KeyValue) *kind {
	attributes := attributesOf(e, more, false)
	k := &kind{attributes: attributes, counted: attributes}
	if connection, _ := e.Route.CountedAs(); connection != e.Route.Connection {
		k.counted = attributesOf(e, more, true)
	}
	target := e.Table
	if target == "" {
		target = e.Database
	}
	k.name = strings.TrimSpace(operationOf(e.Op) + " " + target)
	k.measured = metric.WithAttributeSet(attribute.NewSet(slices.Clone(k.counted)...))
	return k
}

// attributesOf are those of a statement, or of what is counted of it where that is a
// tenant's: thousands of databases are counted together.
func attributesOf(e *dbfleet.QueryEvent, more []attribute.KeyValue, group bool) []attribute.KeyValue {
	attributes := append(slices.Clone(more), systemOf(e.Driver))
	add := func(key attribute.Key, value string) {
		if value != "" {
			attributes = append(attributes, key.String(value))
		}
	}
	connection, node := e.Route.Connection, e.Route.Node
	if group {
		connection, node = e.Route.CountedAs()
	} else {
		add(semconv.DBNamespaceKey, e.Database)
		attributes = append(attributes, serverOf(e.Address)...)
	}
	add(semconv.DBCollectionNameKey, e.Table)
	add(semconv.DBOperationNameKey, operationOf(e.Op))
	add("dbfleet.connection", connection)
	add("dbfleet.node", node)
	add("dbfleet.role", string(e.Route.Role))
	add("dbfleet.shard", e.Route.Shard)
	return slices.Clip(attributes)
}

func systemOf(d dbfleet.Driver) attribute.KeyValue {
	switch d {
	case dbfleet.Postgres:
		return semconv.DBSystemNamePostgreSQL
	case dbfleet.MySQL:
		return semconv.DBSystemNameMySQL
	case dbfleet.SQLite:
		return semconv.DBSystemNameSQLite
	}
	return semconv.DBSystemNameOtherSQL
}

// operationOf is "" for texts of the caller's own.
func operationOf(op string) string {
	if op == "exec" || op == "query" {
		return ""
	}
	return strings.ToUpper(op)
}

func serverOf(address string) []attribute.KeyValue {
	if address == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	n, notNumber := strconv.Atoi(port)
	if err != nil || notNumber != nil { // the path of a socket
		return []attribute.KeyValue{semconv.ServerAddress(address)}
	}
	return []attribute.KeyValue{semconv.ServerAddress(host), semconv.ServerPort(n)}
}
