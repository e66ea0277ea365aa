package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// The test program is also the example itself.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_AS_TRANSFER") != "" {
		main()
		return
	}
	dbtest.Main(m)
}

const told = `Ada has signed up with her orders.
Bob has not: dbfleet: saga "sign up", run "request-2", step "orders": undone: an order of nothing
Analytics has heard of 2 changes.
Ada has moved to the archive HOW.
She cannot move twice: true.
users_db: 0 users
archive: 1 users
orders_db: 2 orders
analytics: 1 user_snapshots
`

func TestTransfer_RunsAsAProgram(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = []string{"RUN_AS_TRANSFER=1", "TMPDIR=" + temp}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, strings.NewReplacer("HOW", "by a saga").Replace(told), string(out))
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left, "it removes its databases")
}

func TestTransfer_RunsOnServers(t *testing.T) {
	t.Parallel()
	for _, mix := range [][]string{{"postgres", "mysql", "mysql", "postgres"}, {"mysql", "postgres", "sqlite", "sqlite"}} {
		t.Run(strings.Join(mix, "-"), func(t *testing.T) {
			t.Parallel()
			config := dbfleet.Config{Default: usersDB, Connections: map[string]dbfleet.ConnectionConfig{}}
			for i, name := range []string{usersDB, archive, ordersDB, analytics} {
				db := dbtest.New(t, mix[i])
				config.Connections[name] = dbfleet.ConnectionConfig{
					Driver: dbfleet.Driver(db.Dialect), Host: db.Host, Port: db.Port,
					Database: db.Name, Username: db.Username, Password: dbfleet.Secret(db.Password),
				}
			}
			var out strings.Builder
			require.NoError(t, run(t.Context(), config, &out))
			require.Equal(t, strings.NewReplacer("HOW", "by an atomic commit").Replace(told), out.String())
		})
	}
}
