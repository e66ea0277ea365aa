//go:build !dbfleet_no_postgres

package postgres

import (
	"fmt"
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
