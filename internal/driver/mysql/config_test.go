//go:build !dbfleet_no_mysql

package mysql

import (
	"context"
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// A server that asks for the password itself gets it only where nobody else can
// read it, and only one that is made for that.
func TestConfig_SendsThePasswordItselfOverVerifiedTLSOnly(t *testing.T) {
	t.Parallel()
	ask := func(context.Context, string) (string, error) { return "", nil }
	checked := func(tls.ConnectionState) error { return nil }
	for _, c := range []struct {
		ask     func(context.Context, string) (string, error)
		tls     *tls.Config
		allowed bool
	}{
		{nil, nil, false},
		{nil, &tls.Config{MinVersion: tls.VersionTLS12}, false},
		{ask, nil, false},
		{ask, &tls.Config{InsecureSkipVerify: true}, false},
		{ask, &tls.Config{InsecureSkipVerify: true, VerifyConnection: checked}, true},
		{ask, &tls.Config{MinVersion: tls.VersionTLS12}, true},
	} {
		o := session.Options{Name: "n", Dialect: dialect.MySQL, Host: "h", Port: 5, TLS: c.tls}
		o.PasswordFunc = c.ask
		require.Equal(t, c.allowed, configOf(o).AllowCleartextPasswords, "%+v", c)
		o.Socket = "/run/mysqld/mysqld.sock" // has no TLS
		require.False(t, configOf(o).AllowCleartextPasswords)
	}
}
