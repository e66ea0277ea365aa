package dbfleet

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConnectionConfig_URLAndFieldsAddUp(t *testing.T) {
	t.Parallel()
	c, err := ConnectionConfig{
		URL: "postgres://u:p@h/d?application_name=x&sslmode=require", Port: 5433, Host: "h", Driver: "PG", Params: map[string]string{"role": "r"},
	}.prepare("x")
	require.NoError(t, err)
	require.Empty(t, c.URL)
	require.Equal(t, 5433, c.Port)
	require.Equal(t, Secret("p"), c.Password)
	require.Equal(t, TLSRequire, c.TLS.Mode)
	require.Equal(t, map[string]string{"application_name": "x", "role": "r"}, c.Params)

	_, err = ConnectionConfig{
		URL: "postgres://u:" + canary + "@h:1/d?application_name=x&sslmode=disable", Driver: MySQL, Host: "i", Port: 2, Database: "e",
		Username: "v", Password: canary + "2", SSL: true, Params: map[string]string{"application_name": "y"},
	}.prepare("x")
	require.Equal(t, []string{"driver", "host", "port", "database", "username", "password", "params.application_name", "ssl"}, faultKeys(t, err))
	requireNoCanary(t, err.Error())
}

// What is missing may stand in the URL, so it is no second fault.
func TestConnectionConfig_AFaultOfTheURLIsToldAlone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"host", "oracle://u:" + canary + "@h/d", "postgres://u:" + canary + "@h:x/d", "postgres://u:" + canary + "\n@h/d",
		"sqlite:", "postgres://u@h/d?sslmode=" + canary, "mysql://u:p@" + canary + "@h?x=y@h/d",
	} {
		_, err := ConnectionConfig{URL: Secret(text)}.prepare("x")
		require.Equal(t, []string{"url"}, faultKeys(t, err), text)
		requireNoCanary(t, err.Error())
	}
	_, err := ConnectionConfig{URL: "mysql:h", Pool: PoolConfig{MaxOpen: -2}}.prepare("x")
	require.Equal(t, []string{"url", "pool.max_open"}, faultKeys(t, err))
}

// Neither a printed connection nor a fault contains a part of the URL's password.
func FuzzConnectionURL(f *testing.F) {
	f.Add("u", "127.0.0.1@/\x9e(")
	f.Add("/", "?A=")
	f.Add("@/x", "?A=")
	for _, s := range []string{"", "p@ss", "p@/a(b", "p@/?a=(b", "a/b?c#d", "100%", "%41", "1?a=b", "@h/db?x", "é\x00", "h@x?y=z"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, user, password string) {
		if strings.Contains(strings.ToUpper(user+password), canary) {
			return
		}
		for _, raw := range []string{password + canary, canary + password, password + canary + user} {
			for _, text := range []string{"mysql://u:" + raw + "@h/d", "mysql://" + user + ":" + raw + "@h"} {
				c := ConnectionConfig{URL: Secret(text)}
				requireNoCanary(t, c.String())
				if _, err := c.prepare("x"); err != nil {
					requireNoCanary(t, err.Error())
				}
			}
		}
	})
}

// go-sql-driver/mysql takes them so, and guides write parseTime=True.
func TestConnectionConfig_URLTakesTruthValuesOfDSNsInAnyCase(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"parseTime", "clientFoundRows", "tls", "multiStatements", "allowNativePasswords", "checkConnLiveness"} {
		for _, value := range []string{"true", "True", "TRUE", "1"} {
			r, err := Open(Config{Connections: map[string]ConnectionConfig{"main": {URL: Secret("u:p@tcp(127.0.0.1:3306)/db?" + name + "=" + value)}}})
			require.NoError(t, err, "%s=%s", name, value)
			require.NoError(t, r.Close())
		}
	}
	for _, param := range []string{"parseTime=False", "clientFoundRows=0", "compress=True", "parseTime=maybe"} {
		_, err := Open(Config{Connections: map[string]ConnectionConfig{"main": {URL: Secret("u:p@tcp(127.0.0.1:3306)/db?" + param)}}})
		require.ErrorContains(t, err, "cannot be set", param)
	}
}
