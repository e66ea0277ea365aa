//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Not parallel: it sets the environment.
func TestPostgres_EnvironmentIsNotRead(t *testing.T) {
	db := dbtest.New(t, "postgres")
	home := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(home, ".postgresql"), 0o700))
	for _, f := range []string{".pgpass", ".pg_service.conf", ".postgresql/postgresql.crt", ".postgresql/postgresql.key", ".postgresql/root.crt"} {
		require.NoError(t, os.WriteFile(filepath.Join(home, f), []byte("[evil]\noptions=-c work_mem=64kB\nhost=192.0.2.1\n"), 0o600))
	}
	for name, value := range map[string]string{
		"HOME": home, "PGHOST": "192.0.2.1", "PGPORT": "1", "PGDATABASE": "evil", "PGUSER": "evil", "PGPASSWORD": "evil",
		"PGPASSFILE": filepath.Join(home, ".pgpass"), "PGAPPNAME": "evil", "PGCONNECT_TIMEOUT": "evil", "PGSSLMODE": "evil",
		"PGSSLKEY": "evil", "PGSSLCERT": "evil", "PGSSLCERTMODE": "evil", "PGSSLSNI": "evil", "PGSSLROOTCERT": "evil",
		"PGSSLPASSWORD": "evil", "PGSSLNEGOTIATION": "evil", "PGTARGETSESSIONATTRS": "evil", "PGTZ": "Asia/Tokyo",
		"PGOPTIONS": "-c work_mem=64kB", "PGMINPROTOCOLVERSION": "evil", "PGMAXPROTOCOLVERSION": "evil",
		"PGCHANNELBINDING": "evil", "PGREQUIREAUTH": "evil",
	} {
		t.Setenv(name, value)
	}
	check := func() {
		p := open(t, optionsFor(db))
		c, err := p.Acquire(t.Context(), 0)
		require.NoError(t, err)
		defer c.Release()
		require.Equal(t, [][]any{{"UTC", "", "4MB", db.Username}},
			rowsOf(t, c, "SELECT current_setting('TimeZone'), current_setting('application_name'), current_setting('work_mem'), current_user::text"))
	}
	check()
	for _, service := range []string{"evil", "missing"} {
		t.Setenv("PGSERVICE", service)
		check()
		t.Setenv("PGSERVICEFILE", filepath.Join(home, "nowhere"))
		check()
	}
}

func TestSession_IsPinned(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		c := acquire(t, open(t, optionsFor(db)))
		if db.Dialect == "postgres" {
			require.Equal(t, [][]any{{"UTC", "UTF8", "on", "off"}}, rowsOf(t, c,
				"SELECT current_setting('TimeZone'), current_setting('client_encoding'), current_setting('standard_conforming_strings'), current_setting('default_transaction_read_only')"))
			return
		}
		require.Equal(t, [][]any{{"+00:00", "utf8mb4", "utf8mb4", "utf8mb4"}}, rowsOf(t, c,
			"SELECT @@time_zone, @@character_set_client, @@character_set_connection, @@character_set_results"))
		mode := rowsOf(t, c, "SELECT @@sql_mode")[0][0].(string)
		for _, part := range []string{"STRICT_TRANS_TABLES", "NO_ZERO_IN_DATE", "NO_ZERO_DATE", "ERROR_FOR_DIVISION_BY_ZERO", "NO_ENGINE_SUBSTITUTION"} {
			require.Contains(t, mode, part)
		}
		// hazards 24, 36
		mustExec(t, c, "CREATE TABLE s (n TINYINT, v VARCHAR(2), at DATETIME NOT NULL)")
		for _, bad := range []string{"300, 'a', NOW()", "1, 'abc', NOW()", "1, 'a', '0000-00-00'", "1, 'a', '2024-02-30'", "1/0, 'a', NOW()"} {
			_, err := c.Exec(t.Context(), "INSERT INTO s VALUES ("+bad+")", nil)
			require.Equal(t, InvalidValue, Classify(err).Class, "%s: %v", bad, err)
		}
		_, err := c.Exec(t.Context(), "INSERT INTO s VALUES (1, 'a', ?)", []any{time.Time{}})
		require.Equal(t, InvalidValue, Classify(err).Class, "%v", err)
	})
}

func TestSession_ParamsAreLaidOver(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		o := optionsFor(db)
		if db.Dialect == "postgres" {
			o.Params = map[string]string{"work_mem": "8MB", "application_name": `a 'b' \c`, "my.var": "x"}
			c := acquire(t, open(t, o))
			require.Equal(t, [][]any{{"8MB", `a 'b' \c`, "x"}}, rowsOf(t, c,
				"SELECT current_setting('work_mem'), current_setting('application_name'), current_setting('my.var')"))
			return
		}
		o.Params = map[string]string{"auto_increment_increment": "5", "group_concat_max_len": "7", "init_connect_x": ""}
		delete(o.Params, "init_connect_x")
		c := acquire(t, open(t, o))
		require.Equal(t, [][]any{{int64(5), int64(7)}}, rowsOf(t, c, "SELECT @@auto_increment_increment, @@group_concat_max_len"))
		mustExec(t, c, "CREATE TABLE i (id INT AUTO_INCREMENT PRIMARY KEY, v INT)")
		res := mustExec(t, c, "INSERT INTO i (v) VALUES (1), (2), (3)")
		require.Equal(t, Result{RowsAffected: 3, LastInsertID: 1, IDStep: 5}, res)
	})
}

// hazards 349, 373
func TestOptions_UnsafeParamsAreRefused(t *testing.T) {
	t.Parallel()
	for name, params := range map[*dialect.Dialect][]map[string]string{
		dialect.Postgres: {
			{"application_name": "a\x00user\x00evil"}, {"options": "a\nb"}, {"user": "evil"}, {"a b": "c"}, {"": "x"}, {"é": "x"},
			{"standard_conforming_strings": "off"}, {"client_encoding": "SJIS"}, {"a=b": "x"}, {"replication": "true"},
		},
		dialect.MySQL: {
			{"sql_mode = '', x": "1"}, {"a": "b\x00"}, {"character_set_client": "gbk"}, {"collation_connection": "gbk_chinese_ci"},
			{"names": "gbk"}, {"@@global.x": "1"}, {"a;b": "1"},
		},
	} {
		for _, p := range params {
			_, err := Open(Options{Name: "n", Dialect: name, Host: "127.0.0.1", Port: 1, Params: p})
			var bad *OptionError
			require.ErrorAs(t, err, &bad, "%v", p)
		}
	}
	for _, o := range []Options{{Database: "a\x00b"}, {Username: "a\x00b"}, {Host: "a\x00b"}, {Password: func() string { return "a\x00b" }}} {
		for _, d := range []*dialect.Dialect{dialect.Postgres, dialect.MySQL} {
			o.Dialect, o.Name = d, "n"
			_, err := Open(o)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "\x00")
		}
	}
}

func TestConnectError_ShowsNoSecret(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		for _, password := range []string{"CANARY-s3cr3t", "CANARY %/?#@: 'x'", "CANARY+%41"} {
			for _, change := range []func(*Options){
				func(*Options) {},
				func(o *Options) { o.Port = 1 },
				func(o *Options) { o.Host = "no-such-host.invalid" },
				func(o *Options) { o.Database = "missing"; o.Password = func() string { return db.Password } },
				func(o *Options) { o.Host = password },
				func(o *Options) { o.TLS = &tls.Config{RootCAs: x509.NewCertPool()} },
			} {
				o := optionsFor(db)
				o.Password = func() string { return password }
				change(&o)
				p := open(t, o)
				_, err := p.Acquire(t.Context(), 0)
				var connect *ConnectError
				require.ErrorAs(t, err, &connect)
				require.True(t, Classify(err).NotSent)
				require.NotEqual(t, Unknown, Classify(err).Class, "%v", err)
				for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%v", []error{err})} {
					for _, form := range []string{password, url.QueryEscape(password), url.PathEscape(password), db.Password} {
						require.NotContains(t, text, form)
					}
					require.NotContains(t, text, "\n")
				}
			}
		}
	})
}

func TestTLS_IsUsedAndChecked(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		pem, err := os.ReadFile(db.CAFile)
		require.NoError(t, err)
		pool := x509.NewCertPool()
		require.True(t, pool.AppendCertsFromPEM(pem))
		o := optionsFor(db)
		o.TLS = &tls.Config{RootCAs: pool}
		p := open(t, o)
		c := acquire(t, p)
		if db.Dialect == "postgres" {
			require.Equal(t, [][]any{{true}}, rowsOf(t, c, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
		} else {
			require.NotEmpty(t, rowsOf(t, c, "SHOW SESSION STATUS LIKE 'Ssl_cipher'")[0][1])
		}
		c.Release()
		time.Sleep(2 * idleCheck)
		_, err = p.DB().Exec(createT)
		require.NoError(t, err)
		db.KillConnections(t)
		time.Sleep(2 * idleCheck)
		_, err = p.DB().Exec("INSERT INTO t VALUES (1, 'a')")
		require.NoError(t, err)
	})
}

func TestArguments_ThatNoDatabaseTakesAreRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := acquire(t, p)
		mustExec(t, c, "CREATE TABLE v (f DOUBLE PRECISION, s VARCHAR(30), n BIGINT)")
		_, err := c.Exec(t.Context(), "SELECT 1 \x00 ; garbage", nil) // hazard 21
		require.Equal(t, InvalidValue, Classify(err).Class)
		require.True(t, Classify(err).NotSent)
		insert := ph(db, "INSERT INTO v (f) VALUES ($1)")
		_, err = c.Exec(t.Context(), insert, []any{math.NaN()})
		_, sqlErr := p.DB().Exec(insert, math.NaN())
		if db.Dialect == "postgres" { // hazard 11
			require.NoError(t, err)
			require.NoError(t, sqlErr)
			require.True(t, math.IsNaN(rowsOf(t, c, "SELECT f FROM v")[0][0].(float64)))
		} else { // hazards 12, 13
			require.Equal(t, InvalidValue, Classify(err).Class)
			require.Equal(t, InvalidValue, Classify(sqlErr).Class, "%v", sqlErr)
			require.NotContains(t, err.Error(), "NaN")
		}
		text := ph(db, "INSERT INTO v (s) VALUES ($1)")
		if db.Dialect == "postgres" { // hazards 19, 22
			for _, bad := range []string{"a\x00b", "a\xffb"} {
				_, err = c.Exec(t.Context(), text, []any{bad})
				require.Equal(t, "22021", Classify(err).Code, "%v", err)
				require.Equal(t, InvalidValue, Classify(err).Class)
			}
		}
		if db.Dialect == "mysql" { // hazard 23
			_, err = c.Exec(t.Context(), text, []any{"a\xffb"})
			require.Equal(t, InvalidValue, Classify(err).Class, "%v", err)
		}
		_, err = c.Exec(t.Context(), ph(db, "INSERT INTO v (n) VALUES ($1)"), []any{uint64(math.MaxUint64)})
		require.Equal(t, InvalidValue, Classify(err).Class, "%v", err)
		require.NotContains(t, err.Error(), "18446744073709551615")
		_, err = c.Exec(t.Context(), ph(db, "INSERT INTO v (n) VALUES ($1)"), []any{int64(1), int64(2)})
		if db.Dialect != "sqlite" {
			require.Error(t, err)
		}
		mustExec(t, c, ph(db, "INSERT INTO v (n) VALUES ($1)"), int64(7))
	})
}

func TestPostgres_Times(t *testing.T) {
	t.Parallel()
	p := open(t, optionsFor(dbtest.New(t, "postgres")))
	c := acquire(t, p)
	mustExec(t, c, "CREATE TABLE z (tz timestamptz, ts timestamp, d date)")
	at := time.Date(2024, 3, 1, 23, 30, 0, 123456789, time.FixedZone("west", -5*3600))
	mustExec(t, c, "INSERT INTO z VALUES ($1, $2, $3)", at, at, at)
	_, err := p.DB().Exec("INSERT INTO z VALUES ($1, $2, $3)", at, at, at)
	require.NoError(t, err)
	instant := at.UTC().Truncate(time.Microsecond)
	day := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC) // hazard 47
	for _, row := range rowsOf(t, c, "SELECT * FROM z") {
		require.Equal(t, []any{instant, instant, day}, row)
	}
	require.Equal(t, [][]any{{"2024-03-02 04:30:00.123456"}, {"2024-03-02 04:30:00.123456"}}, rowsOf(t, c, "SELECT ts::text FROM z"))
	require.Len(t, rowsOf(t, c, "SELECT 1 FROM z WHERE ts = ANY($1) AND tz = ANY($2)", []time.Time{at}, []time.Time{at}), 2)
	mustExec(t, c, "TRUNCATE z")
	mustExec(t, c, "INSERT INTO z VALUES ('infinity', '-infinity', 'infinity'), ('0044-03-15 BC', '12345-01-01', '0044-03-15 BC')")
	rows := rowsOf(t, c, "SELECT * FROM z") // hazard 39
	require.Equal(t, []any{"infinity", "-infinity", "infinity"}, rows[0])
	require.Equal(t, -43, rows[1][0].(time.Time).Year())
	require.Equal(t, 12345, rows[1][1].(time.Time).Year())
	require.Equal(t, -43, rows[1][2].(time.Time).Year())
	// Without a description, as FETCH has none before it runs.
	require.NoError(t, c.Begin(t.Context(), TxOptions{}))
	mustExec(t, c, "DECLARE cur CURSOR FOR SELECT 1::int8, true, 1.5::float8, timestamptz '2024-01-01 00:00+00', '\\x0102'::bytea, NULL, 'x'::text")
	require.Equal(t, [][]any{{int64(1), true, 1.5, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), "\x01\x02", nil, "x"}}, rowsOf(t, c, "FETCH cur"))
	require.NoError(t, c.Commit(t.Context()))
}

// hazards 8, 48: prepared or not, a column has one Go type.
func TestMySQL_TypesDoNotDependOnTheProtocol(t *testing.T) {
	t.Parallel()
	o := optionsFor(dbtest.New(t, "mysql"))
	c := acquire(t, open(t, o))
	mustExec(t, c, "CREATE TABLE n (u BIGINT UNSIGNED, i BIGINT, f FLOAT, d DOUBLE, t TINYINT, b BIT(8), de DECIMAL(20,5), at DATETIME(6), da DATE, ti TIME)")
	mustExec(t, c, "INSERT INTO n VALUES (18446744073709551615, -1, 1.1, 2.2, 2, 5, 123456789012345.12345, '2024-01-02 03:04:05.678901', '2024-01-02', '-12:34:56')")
	mustExec(t, c, "INSERT INTO n VALUES (5, -1, 16777216, 2.2, 2, 5, 1, '2024-01-02 03:04:05', '2024-01-02', '12:34:56')")
	text := rowsOf(t, c, "SELECT * FROM n")
	require.Equal(t, uint64(math.MaxUint64), text[0][0])
	require.Equal(t, int64(5), text[1][0])
	require.Equal(t, 1.1, text[0][2])
	for range 3 {
		require.Equal(t, text, rowsOf(t, c, "SELECT * FROM n"))
	}
	require.Equal(t, text, rowsOf(t, c, "SELECT * FROM n WHERE 1 = ?", int64(1)))
	o.StatementCache = 0
	require.Equal(t, text, rowsOf(t, acquire(t, open(t, o)), "SELECT * FROM n"))
	for i := range text { // as text the server gives six digits of a FLOAT
		text[i] = append(append([]any{}, text[i][:2]...), text[i][3:]...)
	}
	require.Equal(t, text, rowsOf(t, c, "EXECUTE IMMEDIATE 'SELECT u, i, d, t, b, de, at, da, ti FROM n'"))
}

// hazard 145
func TestSession_SettingsDoNotReachTheNextUser(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		set, read := map[string]string{
			"sqlite": "PRAGMA cache_size = 17", "postgres": "SET work_mem = '9MB'", "mysql": "SET @@group_concat_max_len = 77"}[db.Dialect],
			map[string]string{"sqlite": "PRAGMA cache_size", "postgres": "SHOW work_mem", "mysql": "SELECT @@group_concat_max_len"}[db.Dialect]
		c := acquire(t, p)
		want := rowsOf(t, c, read)
		mustExec(t, c, set)
		require.NotEqual(t, want, rowsOf(t, c, read))
		c.Release()
		for range 4 {
			require.Equal(t, want, rowsOf(t, acquire(t, p), read))
		}
	})
}

func TestLocalInfile_IsRefused(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	c := acquire(t, open(t, optionsFor(db)))
	mustExec(t, c, "CREATE TABLE l (v TEXT)")
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte("secret\n"), 0o644))
	_, err := c.Exec(context.Background(), "LOAD DATA LOCAL INFILE '"+file+"' INTO TABLE l", nil)
	require.Error(t, err)
	c.Release()
	require.Equal(t, 0, count(t, db, "l"))
}
