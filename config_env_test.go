package dbfleet

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/config"
)

// envFile reads NAME=value lines as a shell would.
func envFile(t testing.TB, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var environ []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			environ = append(environ, line)
		}
	}
	return environ
}

// fromEnviron is ConfigFromEnv with variables as NAME=value.
func fromEnviron(environ []string) (Config, error) {
	return ConfigFromEnv(EnvOptions{Lookup: func() []string { return environ }})
}

func TestConfigFromEnv_ReadsTheGuidesVariables(t *testing.T) {
	for _, variable := range envFile(t, "testdata/config/guide.env") {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	c, err := ConfigFromEnv()
	require.NoError(t, err)
	require.Equal(t, Config{Default: "postgresql", Connections: map[string]ConnectionConfig{
		"postgresql": {
			Driver: Postgres, Host: "localhost", Port: 5432, Database: "zintrust_main", Username: "postgres",
			Password: "secret", TLS: TLSConfig{Mode: TLSDisable}, envPrefix: "DB_",
		},
		"analytics": {
			Driver: Postgres, Host: "analytics.example.com", Port: 5432, Database: "analytics_db",
			Username: "analytics_user", Password: "analytics_secret", envPrefix: "DB_ANALYTICS_",
		},
		"users": {
			Driver: MySQL, Host: "users-shard-1.example.com", Port: 3306, Database: "users_shard_1",
			Username: "shard_user", Password: "shard_secret", envPrefix: "DB_USERS_",
		},
		"orders": {
			Driver: MySQL, Host: "orders-shard-1.example.com", Port: 3306, Database: "orders_shard_1",
			Username: "shard_user", Password: "shard_secret", envPrefix: "DB_ORDERS_",
		},
	}}, c)

	c, err = c.prepare()
	require.NoError(t, err)
	primary, _, err := nodeOptions(c.Connections["analytics"], "analytics")
	require.NoError(t, err)
	require.Equal(t, "analytics.example.com", primary.TLS.ServerName, "encrypted and verified, though nothing said so")
}

func TestConfigFromEnv_ReadsEveryVariable(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	require.NoError(t, os.WriteFile(certFile, []byte(cert), 0o600))
	require.NoError(t, os.WriteFile(keyFile, []byte(key), 0o600))
	c, err := fromEnviron([]string{
		"DB_CONNECTION=Users_DB",
		"DB_USERS_DB_DRIVER=MariaDB", "DB_USERS_DB_HOST=db1", "DB_USERS_DB_PORT=3307", "DB_USERS_DB_DATABASE=users",
		"DB_USERS_DB_USERNAME=app", "DB_USERS_DB_PASSWORD= p=@:/?#%'\" ", "DB_USERS_DB_SSL=yes",
		"DB_USERS_DB_READ_HOSTS=r1, r2:3308,[::1]:1", "DB_USERS_DB_TLS_MODE=Verify-CA", "DB_USERS_DB_TLS_CA_FILE=" + certFile,
		"DB_USERS_DB_TLS_CERT_FILE=" + certFile, "DB_USERS_DB_TLS_KEY_FILE=" + keyFile,
		"DB_USERS_DB_POOL_MAX_OPEN=20", "DB_USERS_DB_POOL_MAX_IDLE=-1", "DB_USERS_DB_POOL_MAX_LIFETIME=1h",
		"DB_USERS_DB_POOL_MAX_IDLE_TIME=90s", "DB_USERS_DB_POOL_ACQUIRE_TIMEOUT=-1", "DB_USERS_DB_POOL_STATEMENT_CACHE=5",
		"DB_USERS_DB_READ_POOL_MAX_OPEN=30", "DB_USERS_DB_CONNECT_TIMEOUT=3s", "DB_USERS_DB_STATEMENT_TIMEOUT=-1",
		"DB_USERS_DB_POOLER=on",
		"DB_FILE_DRIVER=sqlite", "DB_FILE_DATABASE=a b.db", "DB_FILE_SQLITE_JOURNAL_MODE=delete", "DB_FILE_SQLITE_BUSY_TIMEOUT=1s",
		"DB_EVENTS_URL=postgres://u:p%40ss@h/d?sslmode=disable", "DB_EVENTS_POOL_MAX_OPEN=2",
		"DB_LOCAL_PG_SOCKET=/run/pg", "DB_LOCAL_PG_DRIVER=pg", "DB_LOCAL_PG_DATABASE=d", "DB_LOCAL_PG_USERNAME=u",
		"PATH=/bin", "DATABASE_HOST=x", "db_host=x",
	})
	require.NoError(t, err)
	require.Equal(t, Config{Default: "users_db", Connections: map[string]ConnectionConfig{
		"users_db": {
			Driver: MySQL, Host: "db1", Port: 3307, Database: "users", Username: "app", Password: " p=@:/?#%'\" ", SSL: true,
			ReadHosts: []string{"r1", "r2:3308", "[::1]:1"},
			TLS:       TLSConfig{Mode: TLSVerifyCA, CAFile: certFile, CertFile: certFile, KeyFile: keyFile},
			Pool: PoolConfig{
				MaxOpen: 20, MaxIdle: -1, MaxLifetime: time.Hour, MaxIdleTime: 90 * time.Second,
				AcquireTimeout: -1, StatementCache: 5,
			},
			ReadPool: &PoolConfig{MaxOpen: 30}, ConnectTimeout: 3 * time.Second, StatementTimeout: -1, Pooler: true,
			envPrefix: "DB_USERS_DB_",
		},
		"file": {
			Driver: SQLite, Database: "a b.db", envPrefix: "DB_FILE_",
			SQLite: SQLiteConfig{JournalMode: "delete", BusyTimeout: time.Second},
		},
		"events": {
			Driver: Postgres, URL: "postgres://u:p%40ss@h/d?sslmode=disable", Pool: PoolConfig{MaxOpen: 2}, envPrefix: "DB_EVENTS_",
		},
		"local_pg": {Driver: Postgres, Socket: "/run/pg", Database: "d", Username: "u", envPrefix: "DB_LOCAL_PG_"},
	}}, c)
	_, err = c.prepare()
	require.NoError(t, err)
}

func TestConfigFromEnv_FindsTheDriver(t *testing.T) {
	t.Parallel()
	rest := func(prefix string) []string {
		return []string{prefix + "HOST=h", prefix + "DATABASE=d", prefix + "USERNAME=u"}
	}
	for name, tc := range map[string]struct {
		environ []string
		want    Driver
	}{
		"its own variable":           {append(rest("DB_"), "DB_CONNECTION=main", "DB_DRIVER=pg"), Postgres},
		"its own before its name":    {append(rest("DB_"), "DB_CONNECTION=postgres", "DB_DRIVER=mysql"), MySQL},
		"the name":                   {append(rest("DB_"), "DB_CONNECTION=MariaDB", "DB_PORT=5432"), MySQL},
		"the name of a prefixed one": {rest("DB_PG_"), Postgres},
		"the port":                   {append(rest("DB_"), "DB_CONNECTION=main", "DB_PORT=3306"), MySQL},
		"the URL":                    {[]string{"DB_CONNECTION=main", "DB_URL=mariadb://u@h/d"}, MySQL},
		"the URL before the name":    {[]string{"DB_CONNECTION=mysql", "DB_URL=postgres://u@h/d"}, Postgres},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := fromEnviron(tc.environ)
			require.NoError(t, err)
			require.Len(t, c.Connections, 1)
			for _, conn := range c.Connections {
				require.Equal(t, tc.want, conn.Driver)
			}
		})
	}
}

// promise: missing, empty and malformed variables are errors that name them; hazard 337
func TestConfigFromEnv_FaultsNameTheirVariables(t *testing.T) {
	t.Parallel()
	base := []string{"DB_CONNECTION=main", "DB_DRIVER=postgres", "DB_HOST=h", "DB_DATABASE=d", "DB_USERNAME=u"}
	for name, tc := range map[string]struct {
		environ []string
		want    []string // variables in the order of the faults, with a part of the text after a space
	}{
		"nothing":                  {nil, []string{"DB_CONNECTION is missing"}},
		"empty default":            {[]string{"DB_CONNECTION="}, []string{"DB_CONNECTION empty"}},
		"default on two lines":     {append([]string{"DB_CONNECTION=a\nb"}, base[1:]...), []string{"DB_CONNECTION control"}},
		"no default":               {base[1:], []string{"DB_CONNECTION DB_DATABASE describes"}},
		"unknown default":          {[]string{"DB_CONNECTION=x", "DB_Y_URL=mysql://u@h/d"}, []string{`DB_CONNECTION known: "y"`}},
		"a driver and nothing":     {[]string{"DB_CONNECTION=postgresql"}, []string{"DB_HOST missing", "DB_USERNAME missing", "DB_DATABASE missing"}},
		"no driver":                {[]string{"DB_A_HOST=h", "DB_A_DATABASE=d", "DB_A_USERNAME=u"}, []string{"DB_A_DRIVER missing"}},
		"no driver, odd port":      {[]string{"DB_A_HOST=h", "DB_A_PORT=6432", "DB_A_DATABASE=d", "DB_A_USERNAME=u"}, []string{"DB_A_DRIVER missing"}},
		"unknown driver":           {append([]string{"DB_A_DRIVER=oracle", "DB_A_HOST=h", "DB_A_DATABASE=d", "DB_A_USERNAME=u"}, base...), []string{"DB_A_DRIVER oracle"}},
		"missing, prefixed":        {[]string{"DB_A_PORT=5432"}, []string{"DB_A_HOST missing", "DB_A_USERNAME missing", "DB_A_DATABASE missing"}},
		"missing, URL":             {[]string{"DB_A_URL=mysql://h/"}, []string{"DB_A_USERNAME missing", "DB_A_DATABASE missing"}},
		"missing, sqlite":          {[]string{"DB_CONNECTION=sqlite"}, []string{"DB_DATABASE missing"}},
		"empty":                    {append(base, "DB_PASSWORD=", "DB_PORT=", "DB_READ_HOSTS="), []string{"DB_PORT empty", "DB_PASSWORD empty", "DB_READ_HOSTS empty"}},
		"empty, not missing too":   {[]string{"DB_A_PORT=3306", "DB_A_HOST=", "DB_A_DATABASE=d", "DB_A_USERNAME="}, []string{"DB_A_HOST empty", "DB_A_USERNAME empty"}},
		"malformed port":           {append(base, "DB_PORT=54x2"), []string{"DB_PORT whole number"}},
		"port out of range":        {append(base, "DB_PORT=65536"), []string{"DB_PORT between"}},
		"malformed durations":      {append(base, "DB_CONNECT_TIMEOUT=30", "DB_POOL_MAX_LIFETIME=x"), []string{"DB_CONNECT_TIMEOUT unit", "DB_POOL_MAX_LIFETIME unit"}},
		"malformed bool":           {append(base, "DB_SSL=maybe"), []string{"DB_SSL true nor false"}},
		"zero":                     {append(base, "DB_POOL_MAX_OPEN=0"), []string{"DB_POOL_MAX_OPEN is 0"}},
		"negative pool":            {append(base, "DB_POOL_MAX_OPEN=-3"), []string{"DB_POOL_MAX_OPEN negative"}},
		"idle over open":           {append(base, "DB_POOL_MAX_OPEN=3", "DB_POOL_MAX_IDLE=4"), []string{"DB_POOL_MAX_IDLE more than"}},
		"read hosts":               {append(base, "DB_READ_HOSTS=r1,,r1"), []string{"DB_READ_HOSTS number 2", "DB_READ_HOSTS number 3 (r1) is the same as number 1"}},
		"TLS":                      {append(base, "DB_TLS_MODE=prefer"), []string{"DB_TLS_MODE plain text"}},
		"SSL false but a mode":     {append(base, "DB_SSL=false", "DB_TLS_MODE=require"), []string{"DB_SSL tls.mode"}},
		"URL and another value":    {[]string{"DB_A_URL=mysql://u@h/d", "DB_A_HOST=x"}, []string{"DB_A_HOST another value"}},
		"URL and another driver":   {[]string{"DB_A_URL=mysql://u@h/d", "DB_A_DRIVER=pg"}, []string{"DB_A_DRIVER another value"}},
		"malformed URL":            {[]string{"DB_A_URL=mysql:u@h/d", "DB_A_POOL_MAX_OPEN=-2"}, []string{"DB_A_URL begin", "DB_A_POOL_MAX_OPEN negative"}},
		"parameter of a URL":       {[]string{"DB_A_URL=postgres://u@h/d?pool_max_open=-2&role=a%00"}, []string{"DB_A_URL pool.max_open", "DB_A_URL params.role"}},
		"both ways":                {append(base, "DB_MAIN_PASSWORD=x"), []string{"DB_CONNECTION both DB_DATABASE and DB_MAIN_PASSWORD", "DB_MAIN_DRIVER missing", "DB_MAIN_DATABASE missing"}},
		"sqlite with a host":       {[]string{"DB_CONNECTION=sqlite", "DB_DATABASE=x", "DB_HOST=h"}, []string{"DB_HOST no server"}},
		"unknown, misspelt":        {append(base, "DB_HSOT=h"), []string{"DB_HSOT did you mean DB_HOST?"}},
		"unknown, misspelt, named": {append(base, "DB_USERS_DB_PASWORD=h"), []string{"DB_USERS_DB_PASWORD did you mean DB_USERS_DB_PASSWORD?"}},
		"unknown, other word":      {append(base, "DB_A_USER=h"), []string{"DB_A_USER did you mean DB_A_USERNAME?"}},
		"unknown, long key":        {append(base, "DB_POOL_MAXOPEN=1"), []string{"DB_POOL_MAXOPEN did you mean DB_POOL_MAX_OPEN?"}},
		"unknown, default":         {append(base, "DB_CONECTION=1"), []string{"DB_CONECTION did you mean DB_CONNECTION?"}},
		"unknown, lower case":      {append(base, "DB_users_HOST=1"), []string{"DB_users_HOST did you mean DB_USERS_HOST?"}},
		"unknown":                  {append(base, "DB_BACKUP_BUCKET=1"), []string{"DB_BACKUP_BUCKET is not a variable"}},
		"no name":                  {append(base, "DB__HOST=1", "DB_=1"), []string{"DB_ is not", "DB__HOST is not"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := fromEnviron(tc.environ)
			require.Error(t, err)
			require.Empty(t, c)
			found := configFaults(t, err)
			for i, want := range tc.want {
				variable, text, _ := strings.Cut(want, " ")
				require.Less(t, i, len(found), "%v", err)
				require.Equal(t, variable, found[i].Variable, "%v", err)
				require.Contains(t, found[i].Error(), variable)
				require.Contains(t, found[i].Error(), text)
			}
			require.Len(t, found, len(tc.want), "%v", err)
		})
	}
}

// E.g. two connections of which one name is the other's and more.
func TestConfigFromEnv_AVariableOfTwoConnectionsIsAFault(t *testing.T) {
	t.Parallel()
	main := []string{"DB_MAIN_URL=mysql://u@h/d"}
	read := []string{"DB_MAIN_READ_URL=mysql://u@r/d"}
	bound := "DB_MAIN_READ_POOL_MAX_OPEN=7"
	_, err := fromEnviron(slices.Concat(main, read, []string{bound, "DB_MAIN_TLS_CA_FILE=/none.pem"}))
	require.EqualError(t, err, `dbfleet: DB_MAIN_READ_POOL_MAX_OPEN can be read_pool.max_open of the connection "main", which DB_MAIN_TLS_CA_FILE describes,`+
		` or pool.max_open of the connection "main_read", which DB_MAIN_READ_URL describes: give one of them another name`+"\n"+
		`dbfleet: connection "main": DB_MAIN_TLS_CA_FILE (tls.ca_file) cannot be read: open /none.pem: no such file or directory`)
	require.Equal(t, "DB_MAIN_READ_POOL_MAX_OPEN", configFaults(t, err)[0].Variable)

	// Which one is meant is clear where only one of them is there.
	c, err := fromEnviron(append(main, bound))
	require.NoError(t, err)
	require.Equal(t, &PoolConfig{MaxOpen: 7}, c.Connections["main"].ReadPool)
	c, err = fromEnviron(append(read, bound))
	require.NoError(t, err)
	require.Equal(t, []string{"main_read"}, slices.Collect(maps.Keys(c.Connections)))
	require.Equal(t, 7, c.Connections["main_read"].Pool.MaxOpen)

	// The connection without a name, too.
	_, err = fromEnviron([]string{"DB_CONNECTION=main", "DB_URL=mysql://u@h/d", "DB_READ_URL=mysql://u@r/d", "DB_READ_POOL_MAX_IDLE=1"})
	require.ErrorContains(t, err, `of the connection without a name, which DB_URL describes, or pool.max_idle of the connection "read", which DB_READ_URL describes`)
}

func TestConfigFromEnv_ReadsOtherPrefixesAndLeavesOutWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	read := func(o EnvOptions, environ ...string) (Config, error) {
		o.Lookup = func() []string { return environ }
		return ConfigFromEnv(o)
	}
	c, err := read(EnvOptions{Prefix: "SHOP_DB_"}, "SHOP_DB_CONNECTION=main", "SHOP_DB_URL=mysql://u@h/d", "SHOP_DB_A_URL=mysql://u@h/a", "DB_HOST=x", "SHOP_DBX=1")
	require.NoError(t, err)
	require.Equal(t, Config{Default: "main", Connections: map[string]ConnectionConfig{
		"main": {Driver: MySQL, URL: "mysql://u@h/d", envPrefix: "SHOP_DB_"}, "a": {Driver: MySQL, URL: "mysql://u@h/a", envPrefix: "SHOP_DB_A_"},
	}}, c)
	_, err = read(EnvOptions{Prefix: "SHOP_DB_"}, "SHOP_DB_URL=mysql://u@h/d", "SHOP_DB_POOL_MAXOPEN=1")
	require.ErrorContains(t, err, "SHOP_DB_CONNECTION is missing: it names the connection that SHOP_DB_URL describes")
	require.ErrorContains(t, err, "SHOP_DB_POOL_MAXOPEN is not a variable of a connection: did you mean SHOP_DB_POOL_MAX_OPEN?")

	// What Kubernetes sets for a service called "db".
	kubernetes := []string{"DB_PORT=tcp://10.0.0.1:5432", "DB_PORT_5432_TCP=tcp://x", "DB_PORT_5432_TCP_PORT=5432", "DB_SERVICE_HOST=10.0.0.1", "DB_SERVICE_PORT=5432"}
	ignore := EnvOptions{Ignore: []string{"DB_PORT", "DB_PORT_*", "DB_SERVICE_*"}}
	_, err = read(EnvOptions{}, append(kubernetes, "DB_MAIN_URL=mysql://u@h/d")...)
	require.ErrorContains(t, err, "DB_PORT_5432_TCP is not a variable")
	c, err = read(ignore, append(kubernetes, "DB_MAIN_URL=mysql://u@h/d")...)
	require.NoError(t, err)
	require.Len(t, c.Connections, 1)

	for want, o := range map[string]EnvOptions{
		`dbfleet: prefix is "db_", not capital letters, digits and _ with _ at the end`:                 {Prefix: "db_"},
		`dbfleet: prefix is "DB", not capital letters, digits and _ with _ at the end`:                  {Prefix: "DB"},
		`dbfleet: ignore has "DB_*_HOST": a * may stand at the end only`:                                {Ignore: []string{"DB_*_HOST"}},
		`dbfleet: ignore has "SERVICE_*", which does not begin with DB_, so it is not read in any case`: {Ignore: []string{"SERVICE_*"}},
	} {
		_, err = read(o, "DB_MAIN_URL=mysql://u@h/d")
		require.EqualError(t, err, want)
	}
	_, err = ConfigFromEnv(EnvOptions{}, EnvOptions{})
	require.EqualError(t, err, "dbfleet: more than one EnvOptions")
}

func TestConfigFromEnv_OnlyNamedConnectionsNeedNoDefault(t *testing.T) {
	t.Parallel()
	c, err := fromEnviron([]string{"DB_A_URL=mysql://u@h/d", "DB_B_URL=sqlite::memory:"})
	require.NoError(t, err)
	require.Empty(t, c.Default)
	require.Len(t, c.Connections, 2)
}

// promise: secrets appear nowhere
func TestConfigFromEnv_NoFaultContainsAValue(t *testing.T) {
	t.Parallel()
	for _, key := range configKeys {
		if key.Name == "driver" { // named, as the culprit
			continue
		}
		_, err := fromEnviron([]string{
			"DB_CONNECTION=a", "DB_A_DRIVER=pg", "DB_A_PORT=-1", "DB_A_" + config.EnvSuffix(key.Name) + "=" + canary + "\n@:%zz",
		})
		require.Error(t, err)
		requireNoCanary(t, err.Error())
	}
}

func FuzzConfigFromEnv(f *testing.F) {
	f.Add("DB_A_HOST=h\x01DB_A_URL=mysql://u:"+canary+"@h/d\x01DB_A_PORT=x", "DB_A_PASSWORD")
	f.Add("DB_CONNECTION=postgresql", "DB_URL")
	f.Add("DB_CONNECTION=x\x01DB_HOST=h", "DB_TLS_KEY")
	f.Fuzz(func(t *testing.T, environ, variable string) {
		if strings.Contains(strings.ToUpper(environ+variable), canary) {
			t.Skip()
		}
		for _, value := range []string{canary, "mysql://u:" + canary + "@h/d", "postgres://" + canary + "@:x"} {
			c, err := fromEnviron(append(strings.Split(environ, "\x01"), "DB_PASSWORD="+value, "DB_X_URL="+value))
			if err != nil {
				requireNoCanary(t, err.Error())
				configFaults(t, err)
				continue
			}
			requireNoCanary(t, c.String())
			_, err = c.prepare()
			require.NoError(t, err, "what ConfigFromEnv accepts, Open accepts")
		}
	})
}

func TestConfigFromEnv_AHintIsNotTheMistake(t *testing.T) {
	t.Parallel()
	for name, hint := range map[string]string{"DB_MAIN__HOST": "DB_MAIN_HOST", "DB__HOST": "DB_HOST"} {
		_, err := ConfigFromEnv(EnvOptions{Lookup: func() []string { return []string{"DB_MAIN_URL=postgres://u:p@h/db", name + "=h"} }})
		require.ErrorContains(t, err, "did you mean "+hint+"?")
	}
}
