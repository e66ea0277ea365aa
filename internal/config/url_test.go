package config

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseURL_SetsWhatTheURLSays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Settings{
		"postgres://user:p%40ss@host:5433/db?sslmode=verify-full": {
			"driver": "postgres", "host": "host", "port": 5433, "database": "db", "username": "user", "password": "p@ss", "tls.mode": TLSVerifyFull,
		},
		"PostgreSQL://host/db":               {"driver": "postgres", "host": "host", "database": "db"},
		"mysql://u@h/d":                      {"driver": "mysql", "host": "h", "database": "d", "username": "u"},
		"mariadb://u:@h/d":                   {"driver": "mysql", "host": "h", "database": "d", "username": "u"},
		"mysql://u:p+q%2B@h/d":               {"driver": "mysql", "host": "h", "database": "d", "username": "u", "password": "p+q+"},
		"mysql://a%40b:p@[2001:db8::1]:1/d":  {"driver": "mysql", "host": "2001:db8::1", "port": 1, "database": "d", "username": "a@b", "password": "p"},
		"mysql://u@[fe80::1%25eth0]/d":       {"driver": "mysql", "host": "fe80::1%eth0", "database": "d", "username": "u"},
		"postgres://u@h/my%2Fdb%20x":         {"driver": "postgres", "host": "h", "database": "my/db x", "username": "u"},
		"postgres://u@/db?host=/run/pg":      {"driver": "postgres", "socket": "/run/pg", "database": "db", "username": "u"},
		"postgres:///db?host=h&user=u":       {"driver": "postgres", "host": "h", "database": "db", "username": "u"},
		"postgres://u@%2Frun%2Fpg/db":        {"driver": "postgres", "socket": "/run/pg", "database": "db", "username": "u"},
		"mysql://u@/db?socket=/run/my.sock":  {"driver": "mysql", "socket": "/run/my.sock", "database": "db", "username": "u"},
		"postgres://h/d?user=u&password=p@s": {"driver": "postgres", "host": "h", "database": "d", "username": "u", "password": "p@s"},
		"postgres://u@h/d?application_name=a@b&search_path=x%2Cy": {
			"driver": "postgres", "host": "h", "database": "d", "username": "u", "params.application_name": "a@b", "params.search_path": "x,y",
		},
		"postgres://u@h/d?connect_timeout=7&statement_timeout=1m&pool_max_open=3&read_pool_max_open=4&read_hosts=r1,r2:3&pgbouncer=true": {
			"driver": "postgres", "host": "h", "database": "d", "username": "u", "connect_timeout": 7 * time.Second, "statement_timeout": time.Minute,
			"pool.max_open": 3, "read_pool.max_open": 4, "read_hosts": []string{"r1", "r2:3"}, "pooler": true,
		},
		"postgres://u@h/d?sslmode=verify-ca&sslrootcert=ca.pem&sslcert=c.pem&sslkey=k.pem": {
			"driver": "postgres", "host": "h", "database": "d", "username": "u",
			"tls.mode": TLSVerifyCA, "tls.ca_file": "ca.pem", "tls.cert_file": "c.pem", "tls.key_file": "k.pem",
		},
		"mysql://u@h/d?tls=true&parseTime=true&loc=UTC&charset=utf8mb4&timeout=3s&readTimeout=9s": {
			"driver": "mysql", "host": "h", "database": "d", "username": "u", "tls.mode": TLSVerifyFull,
			"connect_timeout": 3 * time.Second, "statement_timeout": 9 * time.Second,
		},
		"postgres://u@h?sslrootcert=system&dbname=system": {
			"driver": "postgres", "host": "h", "database": "system", "username": "u",
		},
		"mysql://u@h/d?tls=skip-verify":       {"driver": "mysql", "host": "h", "database": "d", "username": "u", "tls.mode": TLSRequire},
		"mysql://u@h/d?ssl-mode=VERIFY_CA":    {"driver": "mysql", "host": "h", "database": "d", "username": "u", "tls.mode": TLSVerifyCA},
		"mysql://u@h/d?ssl=false":             {"driver": "mysql", "host": "h", "database": "d", "username": "u", "tls.mode": TLSDisable},
		"sqlite:rel.db":                       {"driver": "sqlite", "database": "rel.db"},
		"sqlite3:dir/a%20b%3F.db":             {"driver": "sqlite", "database": "dir/a b?.db"},
		"sqlite:a#b@c.db":                     {"driver": "sqlite", "database": "a#b@c.db"},
		"sqlite:///abs/path.db":               {"driver": "sqlite", "database": "/abs/path.db"},
		"sqlite:/abs/path.db":                 {"driver": "sqlite", "database": "/abs/path.db"},
		"sqlite::memory:":                     {"driver": "sqlite", "database": ":memory:"},
		"sqlite://:memory:":                   {"driver": "sqlite", "database": ":memory:"},
		"sqlite:x.db?journal_mode=delete":     {"driver": "sqlite", "database": "x.db", "sqlite.journal_mode": "delete"},
		"sqlite:x.db?busy_timeout=1s":         {"driver": "sqlite", "database": "x.db", "sqlite.busy_timeout": time.Second},
		"sqlite:x.db?sqlite_synchronous=FULL": {"driver": "sqlite", "database": "x.db", "sqlite.synchronous": "FULL"},
		"sqlite:x.db?cache_size=-2000":        {"driver": "sqlite", "database": "x.db", "params.cache_size": "-2000"},
	} {
		got, err := testKeys.ParseURL(text)
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
		c, err := testKeys.ParseURL("postgres://user:" + password + "@host:5432/db?sslmode=disable")
		require.NoError(t, err, password)
		require.Equal(t, Settings{
			"driver": "postgres", "host": "host", "port": 5432, "database": "db", "username": "user", "password": password, "tls.mode": TLSDisable,
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
		_, err := testKeys.ParseURL(text)
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
		"jdbc:postgresql://h/CANARY":                         "begin with",
		"oracle://u:CANARY@h/d":                              "begin with",
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
		"postgres://u@h/d?options=-c%20x":                    "options, which has more than -c name=value",
		"mysql://u@h/d?allowAllFiles=true":                   "allowAllFiles, which cannot be set",
		"mysql://u@h/d?interpolateParams=true":               "interpolateParams, which cannot be set",
		"mysql://u@h/d?allowCleartextPasswords=1":            "allowCleartextPasswords, which cannot be set",
		"mysql://u@h/d?charset=gbk":                          "charset, which cannot be set",
		"mysql://u@h/d?loc=Local":                            "loc, which cannot be set",
		"mysql://u@h/d?a%00b=CANARY":                         "is not scheme",
		"sqlite:":                                            "sqlite:relative.db",
		"sqlite://rel.db":                                    "sqlite:relative.db",
		"sqlite:x.db?_pragma=foreign_keys(0)":                "_pragma, which cannot be set: sqlite.disable_foreign_keys sets it", // hazard 355
		"sqlite:x.db?_pragma=foreign_keys%280%29":            "_pragma, which cannot be set",
		"sqlite:x.db?_pragma=x(CANARY);DROP":                 "_pragma, which is not name(value)",
		"sqlite:x.db?mode=memory":                            "mode, which is not rwc",
		"postgres://u:" + strings.Repeat("x", 9000) + "@h/d": "8192 bytes",
		"sqlite:100%.db":                                     "%25",
		"sqlite:x.db?cache_size":                             "is not scheme",
		"sqlite:x.db?a%00b=1":                                "is not scheme",
		"sqlite:x.db?a%zz=1":                                 "%25",
		"sqlite:x.db?cache_size=%zz":                         "%25",
		"postgres://u@h/d%zz":                                "%25",
		"postgres://u@%2Frun%zz/d":                           "%25",
		"postgres://[redacted]@h/d":                          "stands for a secret",
		"postgres://u:CANARY@h/d?application_name=x&params":  "is not scheme",
	} {
		text = strings.ReplaceAll(text, "CANARY", canary)
		_, err := testKeys.ParseURL(text)
		require.ErrorContains(t, err, want, text)
		requireNoCanary(t, err.Error())
	}
}

func TestParseURL_BoundsItsLength(t *testing.T) {
	t.Parallel()
	text := "mysql://u@h/" + strings.Repeat("d", maxURL-len("mysql://u@h/"))
	_, err := testKeys.ParseURL(text)
	require.NoError(t, err)
	_, err = testKeys.ParseURL(text + "d")
	require.Equal(t, errURLLong, err)
}

func TestParseURL_TellsTheDriverOfAURLWithFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Settings{
		"postgres://u:p@h/d/e":                  {"driver": "postgres"},
		"mariadb:h":                             {"driver": "mysql"},
		"mysql://" + strings.Repeat("x", 1<<14): {"driver": "mysql"},
		"oracle://h/d":                          nil,
		"postgres://h\n/d":                      nil,
	} {
		s, err := testKeys.ParseURL(text)
		require.Error(t, err, text)
		require.Equal(t, want, s, text)
	}
}

// URLs that were built with the standard library's escaping are read back
// exactly, and no error contains a part of the password.
func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"", "p@ss", "a/b?c#d", "100%", "%41", "1?a=b", "@h/db?x", "é\x00", "h@x?y=z"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, user, password string) {
		if len(user)+len(password) > maxURL/8 || strings.Contains(user+password, Redacted) {
			return
		}
		u := url.URL{Scheme: "mysql", User: url.UserPassword(user, password), Host: "h:1", Path: "/d"}
		want := Settings{"driver": "mysql", "host": "h", "port": 1, "database": "d"}
		want.Set("username", user)
		want.Set("password", password)
		got, err := testKeys.ParseURL(u.String())
		require.NoError(t, err)
		require.Equal(t, want, got)

		if strings.Contains(strings.ToUpper(user+password), canary) {
			return
		}
		for _, raw := range []string{password + canary, canary + password, password + canary + user} {
			texts := []string{"mysql://u:" + raw + "@h/d", "mysql://" + user + ":" + raw + "@h", "u:" + raw + "@tcp(h)/d?tls=true", "mysql://u:" + raw + "@tcp(h)/d"}
			if strings.Join(strings.Fields(raw), "") == raw { // a blank ends a value
				texts = append(texts, "host=h user=u dbname=d password="+raw)
			}
			for _, text := range texts {
				requireNoCanary(t, testKeys.RedactURL(text))
				if _, err := testKeys.ParseURL(text); err != nil {
					requireNoCanary(t, err.Error())
				}
			}
			s, err := testKeys.ParseURL("mysql://u:" + raw + "@h/d")
			if err == nil && !strings.Contains(raw, "%") {
				require.Equal(t, raw, s["password"], "taken literally or refused, never something else")
				require.Equal(t, "h", s["host"])
			}
		}
	})
}
