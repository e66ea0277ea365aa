package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// with returns settings with others added.
func with(s Settings, more Settings) Settings {
	all := Settings{}
	for _, from := range []Settings{s, more} {
		for key, value := range from {
			all[key] = value
		}
	}
	return all
}

// What go-sql-driver/mysql takes.
func TestParseURL_ReadsDSNsOfGoSQLDriver(t *testing.T) {
	t.Parallel()
	base := Settings{"driver": "mysql", "username": "u", "password": "p", "host": "h", "port": 3306, "database": "d"}
	for text, want := range map[string]Settings{
		"u:p@tcp(h:3306)/d":         base,
		"mysql://u:p@tcp(h:3306)/d": base,
		"u:p@tcp(h:3306)/d?parseTime=true&loc=UTC&tls=skip-verify&charset=utf8mb4&multiStatements=false": with(base, Settings{"tls.mode": TLSRequire}),
		"u:p@tcp(h:3306)/d?charset=utf8mb4,utf8&timeout=3s&readTimeout=9s&tls=true&allowNativePasswords=true&checkConnLiveness=1": with(base, Settings{
			"tls.mode": TLSVerifyFull, "connect_timeout": 3 * time.Second, "statement_timeout": 9 * time.Second,
		}),
		"u:p@tcp(h:3306)/d?time_zone=%27%2B00%3A00%27&sql_mode=%27TRADITIONAL%27&interpolateParams=false": with(base, Settings{"params.sql_mode": "TRADITIONAL"}),
		"u:p@tcp(h:3306)/d?":         base,
		"u@tcp([2001:db8::1]:3307)/": {"driver": "mysql", "username": "u", "host": "2001:db8::1", "port": 3307},
		"u:p@tcp(h)/my%2Fdb":         {"driver": "mysql", "username": "u", "password": "p", "host": "h", "database": "my/db"},
		"u:p@/d":                     {"driver": "mysql", "username": "u", "password": "p", "host": "127.0.0.1", "database": "d"},
		"u@unix(/run/my sql.sock)/d": {"driver": "mysql", "username": "u", "socket": "/run/my sql.sock", "database": "d"},
		"mysql:p@tcp(h)/d":           {"driver": "mysql", "username": "mysql", "password": "p", "host": "h", "database": "d"},
		"root:my-secret-pw@tcp(localhost:32769)/test?tls=false": {
			"driver": "mysql", "username": "root", "password": "my-secret-pw", "host": "localhost", "port": 32769, "database": "test", "tls.mode": TLSDisable,
		},
		"x.u:pscale_pw_A1@tcp(aws.connect.psdb.cloud)/d?tls=true": { // PlanetScale
			"driver": "mysql", "username": "x.u", "password": "pscale_pw_A1", "host": "aws.connect.psdb.cloud", "database": "d", "tls.mode": TLSVerifyFull,
		},
	} {
		got, err := testKeys.ParseURL(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		require.Equal(t, "mysql", URLDriver(text))
	}
	for _, password := range []string{"p@ss", "p:w", "p/w", "100%", "%41", "a/b?c#d@e:f", "(x)", "p w", "@tcp"} {
		got, err := testKeys.ParseURL("u:" + password + "@tcp(h:3306)/d?tls=true")
		require.NoError(t, err, password)
		require.Equal(t, with(base, Settings{"password": password, "tls.mode": TLSVerifyFull}), got, "taken literally, as the driver does")
	}
}

// What libpq, pgx and GORM take.
func TestParseURL_ReadsKeywordsOfLibpq(t *testing.T) {
	t.Parallel()
	base := Settings{"driver": "postgres", "username": "u", "host": "h", "database": "d"}
	for text, want := range map[string]Settings{
		"host=h user=u dbname=d":         base,
		"  host = h  user= u dbname =d ": base,
		"host=h user=u password=p dbname=d port=9920 sslmode=disable TimeZone=UTC": with(base, Settings{
			"password": "p", "port": 9920, "tls.mode": TLSDisable, "params.TimeZone": "UTC",
		}),
		`host=h user=u dbname=d password='p w\'\\' connect_timeout=10`:  with(base, Settings{"password": `p w'\`, "connect_timeout": 10 * time.Second}),
		`host=h user=u dbname=d password=p\ w=@:/`:                      with(base, Settings{"password": "p w=@:/"}),
		`host=h user=u dbname=d password=''`:                            base,
		"host=/run/postgresql user=u dbname=d":                          {"driver": "postgres", "username": "u", "socket": "/run/postgresql", "database": "d"},
		"dbname=d host=h user=u sslmode=verify-full sslrootcert=ca.pem": with(base, Settings{"tls.mode": TLSVerifyFull, "tls.ca_file": "ca.pem"}),
		"host=h user=u dbname=d options='-c search_path=app -c statement_timeout=5s'": with(base, Settings{
			"params.search_path": "app", "statement_timeout": 5 * time.Second,
		}),
	} {
		got, err := testKeys.ParseURL(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		require.Equal(t, "postgres", URLDriver(text))
	}
}

// As they are printed by those who host databases.
func TestParseURL_ReadsWhatHostersPrint(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Settings{
		// Neon
		"postgresql://neondb_owner:npg_x1@ep-cool-dawn-123456-pooler.us-east-2.aws.neon.tech/neondb?sslmode=require&channel_binding=require": {
			"driver": "postgres", "username": "neondb_owner", "password": "npg_x1", "host": "ep-cool-dawn-123456-pooler.us-east-2.aws.neon.tech",
			"database": "neondb", "tls.mode": TLSRequire, "tls.channel_binding": true,
		},
		"postgres://u:p@ep-cool-1.eu.aws.neon.tech/d?sslmode=require&options=endpoint%3Dep-cool-1&channel_binding=prefer": {
			"driver": "postgres", "username": "u", "password": "p", "host": "ep-cool-1.eu.aws.neon.tech", "database": "d", "tls.mode": TLSRequire,
			"params.options": "endpoint=ep-cool-1",
		},
		// Supabase
		"postgresql://postgres.abcdefgh:p@aws-0-eu-central-1.pooler.supabase.com:6543/postgres?pgbouncer=true&connection_limit=1": {
			"driver": "postgres", "username": "postgres.abcdefgh", "password": "p", "host": "aws-0-eu-central-1.pooler.supabase.com", "port": 6543,
			"database": "postgres", "pooler": true, "pool.max_open": 1,
		},
		"user=postgres.abc password=p host=aws-0-eu.pooler.supabase.com port=5432 dbname=postgres": {
			"driver": "postgres", "username": "postgres.abc", "password": "p", "host": "aws-0-eu.pooler.supabase.com", "port": 5432, "database": "postgres",
		},
		"postgres://postgres:p@db.pooler.supabase.com:6543/postgres?options=reference%3Dabcdefgh": {
			"driver": "postgres", "username": "postgres", "password": "p", "host": "db.pooler.supabase.com", "port": 6543, "database": "postgres",
			"params.options": "reference=abcdefgh",
		},
		// PlanetScale
		`mysql://x1:pscale_pw_y@aws.connect.psdb.cloud/shop?ssl={"rejectUnauthorized":true}`: {
			"driver": "mysql", "username": "x1", "password": "pscale_pw_y", "host": "aws.connect.psdb.cloud", "database": "shop", "tls.mode": TLSVerifyFull,
		},
		"mysql://x1:pscale_pw_y@aws.connect.psdb.cloud/shop?ssl=%7B%22rejectUnauthorized%22%3Atrue%7D": {
			"driver": "mysql", "username": "x1", "password": "pscale_pw_y", "host": "aws.connect.psdb.cloud", "database": "shop", "tls.mode": TLSVerifyFull,
		},
		"mysql://x1:pscale_pw_y@aws.connect.psdb.cloud/shop?sslaccept=strict": {
			"driver": "mysql", "username": "x1", "password": "pscale_pw_y", "host": "aws.connect.psdb.cloud", "database": "shop", "tls.mode": TLSVerifyFull,
		},
		// Heroku, and ClearDB there
		"postgres://u1:p1@ec2-1-2-3-4.compute-1.amazonaws.com:5432/d1": {
			"driver": "postgres", "username": "u1", "password": "p1", "host": "ec2-1-2-3-4.compute-1.amazonaws.com", "port": 5432, "database": "d1",
		},
		"mysql://b1:p1@us-cdbr-east-06.cleardb.net/heroku_1?reconnect=true": {
			"driver": "mysql", "username": "b1", "password": "p1", "host": "us-cdbr-east-06.cleardb.net", "database": "heroku_1",
		},
		// Railway
		"postgresql://postgres:p@containers-us-west-1.railway.app:6543/railway": {
			"driver": "postgres", "username": "postgres", "password": "p", "host": "containers-us-west-1.railway.app", "port": 6543, "database": "railway",
		},
		// DigitalOcean, Aiven
		"mysql://doadmin:p@db-1.b.db.ondigitalocean.com:25060/defaultdb?ssl-mode=REQUIRED": {
			"driver": "mysql", "username": "doadmin", "password": "p", "host": "db-1.b.db.ondigitalocean.com", "port": 25060, "database": "defaultdb", "tls.mode": TLSRequire,
		},
		// CockroachDB
		"postgresql://u:p@h:26257/defaultdb?sslmode=verify-full&options=--cluster%3Dshop-1": {
			"driver": "postgres", "username": "u", "password": "p", "host": "h", "port": 26257, "database": "defaultdb", "tls.mode": TLSVerifyFull,
			"params.options": "--cluster=shop-1",
		},
		// testcontainers
		"postgres://test:test@localhost:32768/test?sslmode=disable&": {
			"driver": "postgres", "username": "test", "password": "test", "host": "localhost", "port": 32768, "database": "test", "tls.mode": TLSDisable,
		},
		"postgres://test:test@localhost:32768/test?": {
			"driver": "postgres", "username": "test", "password": "test", "host": "localhost", "port": 32768, "database": "test",
		},
		// SQLite: modernc.org/sqlite and mattn/go-sqlite3
		"file:app.db":                         {"driver": "sqlite", "database": "app.db"},
		"file:///var/lib/app%20x.db?mode=rwc": {"driver": "sqlite", "database": "/var/lib/app x.db"},
		"file:/var/lib/app.db":                {"driver": "sqlite", "database": "/var/lib/app.db"},
		"file::memory:?cache=shared":          {"driver": "sqlite", "database": ":memory:"},
		"file:app.db?cache=private&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=cache_size=-2000&_txlock=immediate": {
			"driver": "sqlite", "database": "app.db", "sqlite.busy_timeout": 5 * time.Second, "sqlite.journal_mode": "WAL", "params.cache_size": "-2000",
		},
		"sqlite:app.db?_busy_timeout=0&_journal=WAL&_fk=on&_sync=FULL": {
			"driver": "sqlite", "database": "app.db", "sqlite.busy_timeout": time.Duration(Unbounded), "sqlite.journal_mode": "WAL", "sqlite.synchronous": "FULL",
		},
	} {
		keys := append(Keys{{Name: "tls.channel_binding", Kind: Bool}}, testKeys...)
		got, err := keys.ParseURL(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

func TestParseURL_RefusesByTheNameOfThePart(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"u:CANARY@tcp(h:3306)/d?interpolateParams=true":     "has the parameter interpolateParams, which cannot be set",
		"u:CANARY@tcp(h:3306)/d?collation=utf8mb4_bin":      "has the parameter collation, which cannot be set",
		"u:CANARY@tcp(h:3306)/d?loc=Local":                  "has the parameter loc, which cannot be set: instants are kept in UTC",
		"u:CANARY@tcp(h:3306)/d?writeTimeout=3s":            "has the parameter writeTimeout, which cannot be set: it is a setting of another library: use statement_timeout",
		"u:CANARY@tcp(h:3306)/d?tls=preferred":              "has the parameter tls, which would fall back to plain text",
		"u:CANARY@tcp(h:3306)/d?tls=my-config":              "has the parameter tls, which is not disable, require, verify-ca or verify-full",
		"u:CANARY@tcp(h:99999)/d":                           "has a host that has a port",
		"u:CANARY@tcp(a b)/d":                               "has a host that is neither",
		"u:CANARY@cloudsql(p:r:i)/d":                        "has a network other than tcp and unix",
		"u:CANARY@tcp(h)/d%zz":                              "%25",
		"host=h user=u password='CANARY":                    "is not keyword=value",
		"host=h CANARY":                                     "is not keyword=value",
		"host=a,b user=u password=CANARY":                   "names several hosts",
		"host=h hostaddr=1.2.3.4 password=CANARY":           "has the parameter hostaddr, which is not a parameter of a connection's URL: use host",
		"service=CANARY":                                    "has the parameter service, which is not a parameter",
		"host=h port=x password=CANARY":                     "has the parameter port, which is not a whole number",
		"host=h sslmode=prefer password=CANARY":             "has the parameter sslmode, which would fall back to plain text",
		"host=h password=CANARY options='-c datestyle=ISO'": "has the parameter options, which cannot be set: values would be read wrongly",
		"host=h password=CANARY options='-E'":               "has the parameter options, which has more than",
		"host=h password=CANARY password=CANARY":            "has the parameter password, or another for the same key, twice",
		"Server=h;Uid=u;Pwd=CANARY":                         "does not begin with",
		"jdbc:mysql://u:CANARY@h/d":                         "does not begin with",
		"u:CANARY@h/d":                                      "does not begin with",
		"postgres://u:CANARY@h/d?channel_binding=disable":   "has the parameter channel_binding, which is neither require nor prefer",
		"postgres://u:CANARY@h/d?schema=app":                "has the parameter schema, which is not a parameter of a connection's URL: use search_path",
		"postgres://u:CANARY@h/d?supa=base-pooler.x":        "has the parameter supa, which is not a parameter",
		"postgres://u:CANARY@h/d?pool_max_conns=3":          "use pool_max_open",
		"postgres://postgres:[YOUR-PASSWORD]@h/d":           "has a placeholder where the password belongs",
		"mysql://u:CANARY@h/d?ssl={\"ca\":\"CANARY\"}":      "has the parameter ssl, which is not disable",
		"file:app.db?cache=shared":                          "has the parameter cache, which would change how the connections to a file lock it",
		"file:x?mode=memory&cache=shared":                   "has the parameter mode, which is not rwc",
		"file:x?vfs=memdb":                                  "has the parameter vfs, which is not a parameter",
		"file:x?_loc=auto":                                  "has the parameter _loc, which is not a parameter",
		"file:x?_txlock=exclusive":                          "has the parameter _txlock, which is neither immediate nor deferred",
		"file:x?_busy_timeout=5s":                           "has the parameter _busy_timeout, which is not a whole number of milliseconds",
		"file:x?_pragma=busy_timeout(1)&_timeout=2":         "has the parameter _timeout, or another for the same key, twice",
		"file://server/x.db":                                "is neither sqlite::memory:",
	} {
		text = strings.ReplaceAll(text, "CANARY", canary)
		_, err := testKeys.ParseURL(text)
		require.ErrorContains(t, err, want, text)
		requireNoCanary(t, err.Error())
	}
}
