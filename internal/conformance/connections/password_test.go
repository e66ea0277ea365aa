package connections

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// vault keeps a password that others change.
type vault struct {
	mu       sync.Mutex
	password string
	asked    []string
}

func (v *vault) ask(_ context.Context, address string) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = append(v.asked, address)
	return v.password, nil
}

// addresses are those that it was asked for so far.
func (v *vault) addresses() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.asked)
}

func (v *vault) set(password string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.password = password
}

// rotate gives the database's user another password.
func rotate(t *testing.T, db dbtest.Database, password string) {
	t.Helper()
	quoted := "'" + strings.NewReplacer(`'`, `''`, `\`, `\\`).Replace(password) + "'"
	if db.Dialect == "postgres" {
		db.Server.Exec(t, fmt.Sprintf(`ALTER ROLE "%s" PASSWORD E%s`, db.Username, quoted))
		return
	}
	db.Server.Exec(t, fmt.Sprintf("ALTER USER '%s'@'%%' IDENTIFIED BY %s", db.Username, quoted))
}

// warm opens so many connections.
func warm(t *testing.T, h *dbfleet.DB, n int) {
	t.Helper()
	for range n {
		conn, err := h.Pool().Conn(t.Context())
		require.NoError(t, err)
		defer conn.Close()
	}
}

// vaulted is a connection whose password is in the vault.
func vaulted(db dbtest.Database, v *vault) dbfleet.ConnectionConfig {
	c := conformance.ConnectionTo(db)
	v.set(string(c.Password))
	c.Password, c.PasswordFunc = "", v.ask
	return c
}

func TestPassword_IsRotatedUnderARunningPool(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		var v vault
		c := vaulted(db, &v)
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": c}), Database: db}
		accounts := fl.Bank(t)
		warm(t, fl.DB("main"), 6) // nobody comes while the password changes
		var done atomic.Bool
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for !done.Load() {
					if _, err := accounts.Count(t.Context()); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for i, password := range []string{secret, "another " + secret, "tok.en+/=" + strings.Repeat("x", 900), "back'to\\this"} {
			if db.Dialect == "mysql" && len(password) > 200 {
				password = password[:200]
			}
			v.set(password)
			rotate(t, db, password)
			require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: strconv.Itoa(i)}), "who is in stays in")
			fresh := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": c})
			require.NoError(t, fresh.DB("main").Ping(t.Context()), "who comes gets the new one")
		}
		done.Store(true)
		group.Wait()
		old := c
		old.PasswordFunc, old.Password = nil, dbfleet.Secret(db.Password)
		err := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": old}).DB("main").Ping(t.Context())
		require.ErrorIs(t, err, dbfleet.ErrAuthentication, "the first one is not valid any more")
	})
}

// A connection that was killed comes back with the password of today, and each
// attempt asks anew.
func TestPassword_IsAskedForEachConnection(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		var v vault
		c := vaulted(db, &v)
		c.ReadHosts = []string{net.JoinHostPort("localhost", strconv.Itoa(db.Port))}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": c})
		primary, replica := net.JoinHostPort(db.Host, strconv.Itoa(db.Port)), c.ReadHosts[0]
		require.NoError(t, r.DB("main").Ping(t.Context()))
		require.NoError(t, r.DB("main").Read().Ping(t.Context()))
		for _, node := range []string{primary, replica} { // the library's own questions to nodes need it too
			require.Contains(t, v.addresses(), node)
		}
		rotate(t, db, secret)
		v.set("wrong " + secret)
		before := len(v.addresses())
		db.KillConnections(t)
		err := r.DB("main").Ping(t.Context())
		require.ErrorIs(t, err, dbfleet.ErrAuthentication)
		leaklessError(t, "wrong", err, "wrong "+secret)
		v.set(secret)
		require.NoError(t, r.DB("main").Ping(t.Context()))
		again := slices.DeleteFunc(v.addresses()[before:], func(address string) bool { return address != primary })
		require.GreaterOrEqual(t, len(again), 2, "for the attempt that failed and for the next")
	})
}

func TestPassword_FailuresShowNoPassword(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		cause := errors.New("the vault is sealed")
		const older = "the 0lder p@ss"
		tell := func(password string) error {
			return fmt.Errorf("%w; tried %s, %s and %s", cause, password, url.QueryEscape(password), older)
		}
		calls := 0
		c := conformance.ConnectionTo(db)
		c.Password, c.PasswordFunc = "", func(context.Context, string) (string, error) {
			switch calls++; calls {
			case 1:
				return older, nil
			case 2:
				return secret, tell(secret)
			case 3:
				panic("with " + older)
			}
			return "a\x00b", nil
		}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": c})
		for i, text := range []string{"", "PasswordFunc: the vault is sealed; tried xxxxx, xxxxx and xxxxx", "PasswordFunc: panicked: with xxxxx", "PasswordFunc: returned a NUL byte"} {
			err := r.DB("main").Ping(t.Context())
			require.Equal(t, i+1, calls, "nobody tries again by itself")
			require.ErrorContains(t, err, text)
			for _, password := range []string{older, secret, url.QueryEscape(secret)} {
				require.NotContains(t, err.Error(), password)
			}
			if i == 0 {
				require.ErrorIs(t, err, dbfleet.ErrAuthentication)
				continue
			}
			require.ErrorIs(t, err, dbfleet.ErrConnection)
			require.ErrorIs(t, err, dbfleet.ErrConnectionRefused)
			require.Equal(t, i == 1, errors.Is(err, cause))
		}
	})
}

func TestPassword_ComesInTime(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		type key struct{}
		c := conformance.ConnectionTo(db)
		password := c.Password
		var hang atomic.Bool
		c.ConnectTimeout = 3 * time.Second
		c.Password, c.PasswordFunc = "", func(ctx context.Context, _ string) (string, error) {
			if hang.Load() {
				<-ctx.Done()
				return "", ctx.Err()
			}
			if _, bounded := ctx.Deadline(); !bounded || ctx.Value(key{}) != "the caller's" {
				return "", errors.New("this is not the connection's context")
			}
			return string(password), nil
		}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": c})
		require.NoError(t, r.DB("main").Ping(context.WithValue(t.Context(), key{}, "the caller's")))
		hang.Store(true)
		db.KillConnections(t)
		err := r.DB("main").Ping(t.Context())
		require.ErrorIs(t, err, dbfleet.ErrConnectionRefused)
		require.ErrorContains(t, err, "silent for 3s")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, r.DB("main").Ping(ctx), context.Canceled)
	})
}

func TestPassword_TwoOfThemAreAFault(t *testing.T) {
	t.Parallel()
	ask := func(context.Context, string) (string, error) { return "", nil }
	for name, c := range map[string]dbfleet.ConnectionConfig{
		"password": {Driver: dbfleet.Postgres, Host: "h", Database: "d", Username: "u", Password: secret, PasswordFunc: ask},
		"url":      {URL: dbfleet.Secret("postgres://u:" + url.QueryEscape("p4ss") + "@h/d"), PasswordFunc: ask},
	} {
		_, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": c}})
		var fault *dbfleet.ConfigError
		require.ErrorAs(t, err, &fault, name)
		require.Equal(t, "password_func", fault.Key)
		require.Equal(t, `dbfleet: connection "main": password_func is set beside password: only one of them gives the password`, fault.Error())
	}
}
