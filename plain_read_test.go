package dbfleet_test

import (
	"testing"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// truth 1001
// promise: what is not known to be a plain read goes to the primary.
func TestRoute_TakesWhatMayWriteToThePrimary(t *testing.T) {
	t.Parallel()
	r, err := dbfleet.Open(dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{
		"main": {Driver: dbfleet.Postgres, Host: "127.0.0.1", Database: "d", Username: "u", Password: "p", ReadHosts: []string{"127.0.0.2"}},
	}})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	table := func() *dbfleet.Query[dbfleet.Row] { return r.DB("main").Table("events") }
	for name, q := range map[string]*dbfleet.Query[dbfleet.Row]{
		"no raw part": table().Where("kind", "=", "x"),
		"known":       table().SelectRaw("COUNT(*) AS n").WhereRaw("lower(kind) = ?", "x").OrderByRaw("max(id)"),
		"subquery":    table().WhereExists(table().WhereRaw("abs(n) > 1")),
	} {
		route, err := q.Route(t.Context())
		require.NoError(t, err, name)
		require.Equal(t, dbfleet.RoleReplica, route.Role, name)
	}
	for name, q := range map[string]*dbfleet.Query[dbfleet.Row]{
		"select":    table().SelectRaw("nextval('s') AS n"),
		"where":     table().WhereRaw("my_function(id)"),
		"order":     table().OrderByRaw("setval('s', 1)"),
		"having":    table().GroupBy("kind").HavingRaw("audit(count(*))"),
		"join":      table().JoinRaw("JOIN notify(events.id) n ON true"),
		"squirrel":  table().SelectExpr(squirrel.Expr("pg_advisory_lock(1)"), "n"),
		"subquery":  table().WhereExists(table().WhereRaw("log_it(n)")),
		"condition": table().Filter(dbfleet.Raw("touch(id) = ?", 1)),
		"lock":      table().ForUpdate(),
	} {
		route, err := q.Route(t.Context())
		require.NoError(t, err, name)
		require.Equal(t, dbfleet.RolePrimary, route.Role, name)
	}
}
