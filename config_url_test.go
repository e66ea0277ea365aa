package dbfleet

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]ConnectionConfig{
		"postgres://user:p%40ss@host:5433/db?sslmode=verify-full": {
			Driver: Postgres, Host: "host", Port: 5433, Database: "db", Username: "user", Password: "p@ss", TLS: TLSConfig{Mode: TLSVerifyFull},
		},
		"PostgreSQL://host/db":               {Driver: Postgres, Host: "host", Database: "db"},
		"mysql://u@h/d":                      {Driver: MySQL, Host: "h", Database: "d", Username: "u"},
		"mariadb://u:@h/d":                   {Driver: MySQL, Host: "h", Database: "d", Username: "u"},
		"mysql://u:p+q%2B@h/d":               {Driver: MySQL, Host: "h", Database: "d", Username: "u", Password: "p+q+"},
		"mysql://a%40b:p@[2001:db8::1]:1/d":  {Driver: MySQL, Host: "2001:db8::1", Port: 1, Database: "d", Username: "a@b", Password: "p"},
		"mysql://u@[fe80::1%25eth0]/d":       {Driver: MySQL, Host: "fe80::1%eth0", Database: "d", Username: "u"},
		"postgres://u@h/my%2Fdb%20x":         {Driver: Postgres, Host: "h", Database: "my/db x", Username: "u"},
		"postgres://u@/db?host=/run/pg":      {Driver: Postgres, Socket: "/run/pg", Database: "db", Username: "u"},
		"postgres:///db?host=h&user=u":       {Driver: Postgres, Host: "h", Database: "db", Username: "u"},
		"postgres://u@%2Frun%2Fpg/db":        {Driver: Postgres, Socket: "/run/pg", Database: "db", Username: "u"},
		"mysql://u@/db?socket=/run/my.sock":  {Driver: MySQL, Socket: "/run/my.sock", Database: "db", Username: "u"},
		"postgres://h/d?user=u&password=p@s": {Driver: Postgres, Host: "h", Database: "d", Username: "u", Password: "p@s"},
		"postgres://u@h/d?application_name=a@b&search_path=x%2Cy": {
			Driver: Postgres, Host: "h", Database: "d", Username: "u", Params: map[string]string{"application_name": "a@b", "search_path": "x,y"},
		},
		"postgres://u@h/d?connect_timeout=7&statement_timeout=1m&pool_max_open=3&read_pool_max_open=4&read_hosts=r1,r2:3&pgbouncer=true": {
			Driver: Postgres, Host: "h", Database: "d", Username: "u", ConnectTimeout: 7 * time.Second, StatementTimeout: time.Minute,
			Pool: PoolConfig{MaxOpen: 3}, ReadPool: &PoolConfig{MaxOpen: 4}, ReadHosts: []string{"r1", "r2:3"}, Pooler: true,
		},
		"postgres://u@h/d?sslmode=verify-ca&sslrootcert=ca.pem&sslcert=c.pem&sslkey=k.pem": {
			Driver: Postgres, Host: "h", Database: "d", Username: "u",
			TLS: TLSConfig{Mode: TLSVerifyCA, CAFile: "ca.pem", CertFile: "c.pem", KeyFile: "k.pem"},
		},
		"mysql://u@h/d?tls=true&parseTime=true&loc=UTC&charset=utf8mb4&timeout=3s&readTimeout=9s": {
			Driver: MySQL, Host: "h", Database: "d", Username: "u", TLS: TLSConfig{Mode: TLSVerifyFull},
			ConnectTimeout: 3 * time.Second, StatementTimeout: 9 * time.Second,
		},
		"mysql://u@h/d?tls=skip-verify":       {Driver: MySQL, Host: "h", Database: "d", Username: "u", TLS: TLSConfig{Mode: TLSRequire}},
		"mysql://u@h/d?ssl-mode=VERIFY_CA":    {Driver: MySQL, Host: "h", Database: "d", Username: "u", TLS: TLSConfig{Mode: TLSVerifyCA}},
		"mysql://u@h/d?ssl=false":             {Driver: MySQL, Host: "h", Database: "d", Username: "u", TLS: TLSConfig{Mode: TLSDisable}},
		"sqlite:rel.db":                       {Driver: SQLite, Database: "rel.db"},
		"sqlite3:dir/a%20b%3F.db":             {Driver: SQLite, Database: "dir/a b?.db"},
		"sqlite:a#b@c.db":                     {Driver: SQLite, Database: "a#b@c.db"},
		"sqlite:///abs/path.db":               {Driver: SQLite, Database: "/abs/path.db"},
		"sqlite:/abs/path.db":                 {Driver: SQLite, Database: "/abs/path.db"},
		"sqlite::memory:":                     {Driver: SQLite, Database: ":memory:"},
		"sqlite://:memory:":                   {Driver: SQLite, Database: ":memory:"},
		"sqlite:x.db?journal_mode=delete":     {Driver: SQLite, Database: "x.db", SQLite: SQLiteConfig{JournalMode: "delete"}},
		"sqlite:x.db?busy_timeout=1s":         {Driver: SQLite, Database: "x.db", SQLite: SQLiteConfig{BusyTimeout: time.Second}},
		"sqlite:x.db?sqlite_synchronous=FULL": {Driver: SQLite, Database: "x.db", SQLite: SQLiteConfig{Synchronous: "FULL"}},
		"sqlite:x.db?cache_size=-2000":        {Driver: SQLite, Database: "x.db", Params: map[string]string{"cache_size": "-2000"}},
	} {
		got, err := parseURL(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

// Passwords as they are pasted, without escapes.
func TestParseURL_TakesAPasswordLiterallyWhereOnlyOneReadingRemains(t *testing.T) {
	t.Parallel()
	for _, password := range []string{
		"p@ss", "@", "a@b@c", "p/w", "/", "p#w", "p?w", "p:w", ":", "100%", "%", "%zz", "a/b?c#d@e:f", "x@y/z", "p[w]", "p&q=r", "p w",
		"12/34", "5432/x", "ü€😀", "\\'\"`$", "a,b", "@h/db?x", "+",
	} {
		c, err := parseURL("postgres://user:" + password + "@host:5432/db?sslmode=disable")
		require.NoError(t, err, password)
		require.Equal(t, ConnectionConfig{
			Driver: Postgres, Host: "host", Port: 5432, Database: "db", Username: "user", Password: password, TLS: TLSConfig{Mode: TLSDisable},
		}, c, password)
	}
}

func TestParseURL_RefusesWhatCanBeReadInTwoWays(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"postgres://u:p@h/d?application_name=" + canary + "@b",
		"postgres://u:" + canary + "@x?a=b@host/db",
		"postgres://u:1?" + canary + "=q@host/db",
		"postgres://u:" + canary + "@h?x=b@ho$t/db",
		"postgres://h:5432/db?user=u&password=" + canary + "@x",
	} {
		_, err := parseURL(text)
		require.ErrorIs(t, err, errURLAmbiguous, text)
	}
}

func TestParseURL_FaultsSayWhatAndNotTheURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                                   "begin with",
		"host":                                               "begin with",
		"postgres":                                           "begin with",
		"postgres:host":                                      "begin with",
		"user:CANARY@tcp(host:3306)/db":                      "begin with",
		"host=h password=CANARY":                             "begin with",
		"jdbc:postgresql://h/CANARY":                         "begin with",
		"oracle://u:CANARY@h/d":                              "begin with",
		"file:CANARY.db":                                     "begin with",
		"postgres://u:CANARY@h:x/d":                          "is not scheme",
		"postgres://u:CANARY@h:99999/d":                      "is not scheme",
		"postgres://u:CANARY@h h/d":                          "is not scheme",
		"postgres://u:CANARY@h/d#x":                          "is not scheme",
		"postgres://u:CANARY@h/d/e":                          "is not scheme",
		"postgres://u:CANARY@h/d?x":                          "is not scheme",
		"postgres://u:CANARY@h/d?=x":                         "is not scheme",
		"postgres://u:CANARY@::1/d":                          "is not scheme",
		"postgres://u:CANARY@h1:1,h2:2/d":                    "several hosts",
		"postgres://u:%41CANARY%zz@h/d":                      "%25",
		"postgres://u%zz:CANARY@h/d":                         "%25",
		"postgres://u:CANARY\n@h/d":                          "control character",
		"postgres://u:CANARY@h/d?connect_timeout=CANARYx":    "connect_timeout, which is not a duration",
		"postgres://u@h/d?statement_timeout=30000":           "statement_timeout, which is not a duration",
		"postgres://u@h/d?sslmode=prefer":                    "plain text",
		"postgres://u@h/d?sslmode=CANARY":                    "sslmode, which is not disable",
		"postgres://u@h/d?sslmode=":                          "empty",
		"postgres://u@h/d?sslmode=require&ssl=true":          "twice",
		"postgres://u:CANARY@h/d?password=CANARY2":           "password, which is also elsewhere",
		"postgres://u@h/d?host=CANARY":                       "host, which is beside a host",
		"postgres://u@h/d?hostaddr=1.2.3.4":                  "hostaddr, which is not a parameter",
		"postgres://u@h/d?sslpassword=CANARY":                "sslpassword, which is not a parameter",
		"postgres://u@h/d?passfile=CANARY":                   "passfile, which is not a parameter",
		"postgres://u@h/d?service=CANARY":                    "service, which is not a parameter",
		"postgres://u@h/d?pool_max_conns=3":                  "pool_max_conns, which is not a parameter",
		"postgres://u@h/d?options=-c%20x":                    "options, which cannot be set",
		"mysql://u@h/d?multiStatements=true":                 "multiStatements, which cannot be set",
		"mysql://u@h/d?allowAllFiles=true":                   "allowAllFiles, which cannot be set",
		"mysql://u@h/d?interpolateParams=true":               "interpolateParams, which cannot be set",
		"mysql://u@h/d?allowCleartextPasswords=1":            "allowCleartextPasswords, which cannot be set",
		"mysql://u@h/d?charset=gbk":                          "charset, which cannot be set",
		"mysql://u@h/d?loc=Local":                            "loc, which cannot be set",
		"mysql://u@h/d?a%00b=CANARY":                         "is not scheme",
		"sqlite:":                                            "sqlite:relative.db",
		"sqlite://rel.db":                                    "sqlite:relative.db",
		"sqlite:x.db?_pragma=foreign_keys(0)":                "_pragma, which is not a parameter", // hazard 355
		"sqlite:x.db?_pragma=foreign_keys%280%29":            "_pragma, which is not a parameter",
		"sqlite:x.db?mode=memory":                            "mode, which is not a parameter",
		"postgres://u:" + strings.Repeat("x", 9000) + "@h/d": "8192 bytes",
		"sqlite:100%.db":                                     "%25",
		"postgres://[redacted]@h/d":                          "stands for a secret",
		"postgres://u:CANARY@h/d?application_name=x&params":  "is not scheme",
	} {
		text = strings.ReplaceAll(text, "CANARY", canary)
		_, err := parseURL(text)
		require.ErrorContains(t, err, want, text)
		requireNoCanary(t, err.Error())
		_, err = ConnectionConfig{URL: text}.prepare("x")
		if text != "" {
			require.Equal(t, []string{"url"}, faultKeys(t, err))
			requireNoCanary(t, err.Error())
		}
	}
}

func TestConnectionConfig_URLAndFieldsAddUp(t *testing.T) {
	t.Parallel()
	c, err := ConnectionConfig{
		URL: "postgres://u:p@h/d?application_name=x&sslmode=require", Port: 5433, Host: "h", Driver: "PG", Params: map[string]string{"role": "r"},
	}.prepare("x")
	require.NoError(t, err)
	require.Empty(t, c.URL)
	require.Equal(t, 5433, c.Port)
	require.Equal(t, "p", c.Password)
	require.Equal(t, TLSRequire, c.TLS.Mode)
	require.Equal(t, map[string]string{"application_name": "x", "role": "r"}, c.Params)

	_, err = ConnectionConfig{
		URL: "postgres://u:" + canary + "@h:1/d?application_name=x&sslmode=disable", Driver: MySQL, Host: "i", Port: 2, Database: "e",
		Username: "v", Password: canary + "2", SSL: true, Params: map[string]string{"application_name": "y"},
	}.prepare("x")
	require.Equal(t, []string{"driver", "host", "port", "database", "username", "password", "params.application_name", "ssl"}, faultKeys(t, err))
	requireNoCanary(t, err.Error())
}

// URLs that were built with the standard library's escaping are read back
// exactly, and no error contains a part of the password.
func FuzzConnectionURL(f *testing.F) {
	for _, s := range []string{"", "p@ss", "a/b?c#d", "100%", "%41", "1?a=b", "@h/db?x", "é\x00", "h@x?y=z"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, user, password string) {
		if len(user)+len(password) > maxURL/8 {
			return
		}
		u := url.URL{Scheme: "mysql", User: url.UserPassword(user, password), Host: "h:1", Path: "/d"}
		c, err := parseURL(u.String())
		if strings.Contains(user+password, redactedText) {
			return
		}
		require.NoError(t, err)
		require.Equal(t, ConnectionConfig{Driver: MySQL, Host: "h", Port: 1, Database: "d", Username: user, Password: password}, c)

		if strings.Contains(strings.ToUpper(user+password), canary) {
			return
		}
		for _, raw := range []string{password + canary, canary + password, password + canary + user} {
			for _, text := range []string{"mysql://u:" + raw + "@h/d", "mysql://" + user + ":" + raw + "@h"} {
				c := ConnectionConfig{URL: text}
				requireNoCanary(t, c.String())
				if _, err := c.prepare("x"); err != nil {
					requireNoCanary(t, err.Error())
				}
			}
			c, err := parseURL("mysql://u:" + raw + "@h/d")
			if err == nil && !strings.Contains(raw, "%") {
				require.Equal(t, raw, c.Password, "taken literally or refused, never something else")
				require.Equal(t, "h", c.Host)
			}
		}
	})
}
