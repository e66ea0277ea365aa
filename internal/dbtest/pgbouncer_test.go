package dbtest

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// connect opens one connection as a client that prepares nothing.
func connect(t *testing.T, db Database) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig("host=" + db.Host + " sslmode=disable")
	require.NoError(t, err)
	config.Port, config.Database, config.User, config.Password = uint16(db.Port), db.Name, db.Username, db.Password
	config.DefaultQueryExecMode, config.RuntimeParams = pgx.QueryExecModeSimpleProtocol, nil
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(t.Context()) })
	return conn
}

func backend(t *testing.T, conn *pgx.Conn) (pid int) {
	t.Helper()
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid))
	return pid
}

func TestPgBouncer_GivesASessionToTwoClientsInTransactionMode(t *testing.T) {
	t.Parallel()
	needs(t, "pgbouncer")
	direct := New(t, "postgres")
	b := StartPgBouncer(t, direct.Server, PgBouncerConfig{Mode: "transaction", PoolSize: 1})
	db := b.Through(t, direct)
	one, two := connect(t, db), connect(t, db)
	require.Equal(t, backend(t, one), backend(t, two))
	require.Equal(t, 1, b.Servers(t, db))

	_, err := one.Exec(t.Context(), "SET search_path = elsewhere")
	require.NoError(t, err)
	var path string
	require.NoError(t, two.QueryRow(t.Context(), "SHOW search_path").Scan(&path))
	require.Equal(t, "elsewhere", path, "what a client sets is there for the next one")
}

func TestPgBouncer_KeepsASessionForItsClientInSessionMode(t *testing.T) {
	t.Parallel()
	needs(t, "pgbouncer")
	direct := New(t, "postgres")
	b := StartPgBouncer(t, direct.Server, PgBouncerConfig{Mode: "session"})
	db := b.Through(t, direct)
	one, two := connect(t, db), connect(t, db)
	pid := backend(t, one)
	require.NotEqual(t, pid, backend(t, two))
	require.Equal(t, pid, backend(t, one))
}

func TestPgBouncer_AsksForThePassword(t *testing.T) {
	t.Parallel()
	needs(t, "pgbouncer")
	direct := New(t, "postgres")
	b := StartPgBouncer(t, direct.Server, PgBouncerConfig{})
	db := b.Through(t, direct)
	connect(t, db)
	wrong := db
	wrong.Password += "x"
	pool := open(wrong)
	defer pool.Close()
	require.Error(t, pool.Ping())
}

func TestPgBouncer_TellsAClientThatIsLeft(t *testing.T) {
	t.Parallel()
	needs(t, "pgbouncer")
	direct := New(t, "postgres")
	b := StartPgBouncer(t, direct.Server, PgBouncerConfig{})
	db := b.Front.Through(direct)
	pool := open(db)
	require.NoError(t, pool.Ping())
	r := record(t, func(t testing.TB) { b.Through(t, direct) })
	require.Contains(t, r.String(), "clients of PgBouncer")
	pool.Close()
}
