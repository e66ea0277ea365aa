package pools

import (
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"testing"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// asked is one of the two that are asked the same.
type asked struct {
	name string
	db   *sql.DB
}

// onBoth runs f on a fresh database of every kind, once with the database's own driver
// and once with a lent pool, and compares what the two have told.
func onBoth(t *testing.T, f func(t *testing.T, fl conformance.Fleet, db *sql.DB) []string) {
	t.Helper()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		told := map[string][]string{}
		for _, a := range both(t, fl) {
			told[a.name] = f(t, fl, a.db)
		}
		require.NotEmpty(t, told["driver"])
		require.Equal(t, told["driver"], told["pool"])
	})
}

func both(t *testing.T, fl conformance.Fleet) []asked {
	t.Helper()
	return []asked{{"driver", plain(t, fl.Database)}, {"pool", fl.DB("main").Pool()}}
}

// plain opens a database with its driver alone, in the session that the library pins.
func plain(t *testing.T, db dbtest.Database) *sql.DB {
	t.Helper()
	driver, name := "", ""
	switch db.Dialect {
	case "postgres":
		driver = "pgx"
		name = (&url.URL{
			Scheme: "postgres", User: url.UserPassword(db.Username, db.Password), Host: net.JoinHostPort(db.Host, strconv.Itoa(db.Port)),
			Path: "/" + db.Name, RawQuery: "sslmode=disable&timezone=UTC",
		}).String()
	case "mysql":
		driver = "mysql"
		c := mysql.NewConfig()
		c.User, c.Passwd, c.Net, c.Addr, c.DBName = db.Username, db.Password, "tcp", net.JoinHostPort(db.Host, strconv.Itoa(db.Port)), db.Name
		c.ParseTime, c.ClientFoundRows, c.InterpolateParams = true, true, false
		c.Params = map[string]string{"time_zone": "'+00:00'"}
		name = c.FormatDSN()
	case "sqlite":
		driver, name = "sqlite", "file:"+(&url.URL{Path: db.Name}).EscapedPath()+"?_pragma=busy_timeout(5000)"
	}
	pool, err := sql.Open(driver, name)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	return pool
}

// text writes a value with its type. What FLOAT and BIGINT UNSIGNED of MySQL are with
// the driver is left to TestValues_ThatAreOtherThanTheDrivers.
func text(v any) string {
	switch n := v.(type) {
	case float32:
		v = float64(n)
	case uint64:
		v = int64(n)
	}
	return fmt.Sprintf("%T %v", v, v)
}
