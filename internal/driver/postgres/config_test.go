//go:build !dbfleet_no_postgres

package postgres

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// A user, password and database that are not given are not found elsewhere.
//
// Not parallel: it sets the environment.
func TestConfig_FindsNothingInTheEnvironment(t *testing.T) {
	for _, name := range []string{"PGHOST", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGAPPNAME", "PGOPTIONS", "PGTZ"} {
		t.Setenv(name, "evil")
	}
	t.Setenv("PGPORT", "1")
	b, err := open(session.Options{Name: "n", Dialect: dialect.Postgres, Host: "h", Port: 5})
	require.NoError(t, err)
	cfg := b.(*backend).cfg
	require.Equal(t, "h5", fmt.Sprint(cfg.Host, cfg.Port, cfg.User, cfg.Password, cfg.Database))
	require.Empty(t, cfg.Fallbacks)
	require.NotContains(t, fmt.Sprint(cfg.RuntimeParams), "evil")
}

// Without TLS the password itself is given to nobody but this machine.
func TestConfig_NeverSendsThePasswordOverAnOpenNetwork(t *testing.T) {
	t.Parallel()
	for host, wanted := range map[string]string{
		"db.example.com": "!password", "10.0.0.5": "!password", "2001:db8::1": "!password",
		"127.0.0.1": "", "::1": "", "localhost": "",
	} {
		for _, secure := range []bool{false, true} {
			o := session.Options{Name: "n", Dialect: dialect.Postgres, Host: host, Port: 5}
			if secure {
				o.TLS, wanted = &tls.Config{MinVersion: tls.VersionTLS12}, ""
			}
			b, err := open(o)
			require.NoError(t, err)
			require.Equal(t, wanted, b.(*backend).cfg.RequireAuth, host)
		}
	}
	b, err := open(session.Options{Name: "n", Dialect: dialect.Postgres, Socket: "/run/postgresql", Port: 5})
	require.NoError(t, err)
	require.Empty(t, b.(*backend).cfg.RequireAuth)
	dialed := session.Options{Name: "n", Dialect: dialect.Postgres, Host: "db.example.com", Port: 5}
	dialed.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, nil }
	b, err = open(dialed)
	require.NoError(t, err)
	require.Empty(t, b.(*backend).cfg.RequireAuth, "who dials answers for the network")
}
