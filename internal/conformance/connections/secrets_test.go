package connections

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// secret is a password with what has to be escaped somewhere.
const secret = `s3cr3t-P@ss/w:rd? #%25&"'\ é`

// written are the ways in which a password turns up in texts.
func written(password string) []string {
	b, _ := json.Marshal(password)
	return []string{
		password, url.QueryEscape(password), url.PathEscape(password), strings.TrimPrefix(url.UserPassword("", password).String(), ":"),
		fmt.Sprintf("%x", password), base64.StdEncoding.EncodeToString([]byte(password)), strings.Trim(string(b), `"`),
		strings.Trim(fmt.Sprintf("%q", password), `"`), strings.Trim(fmt.Sprintf("%+q", password), `"`), fmt.Sprint([]byte(password)), "s3cr3t",
	}
}

// closedPort is a port of this machine on which nobody listens.
func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	return port
}

// leakless says that a value shows none of the passwords, however it is written down.
func leakless(t *testing.T, name string, v any, passwords ...string) {
	t.Helper()
	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(h).Info("x", "v", v)
	}
	out.WriteString(fmt.Sprint(v))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb, v)
		fmt.Fprintf(&out, verb, []any{v})
		fmt.Fprintf(&out, verb, struct{ V any }{v})
	}
	if b, err := json.Marshal(v); err == nil {
		out.Write(b)
	}
	for _, password := range passwords {
		for _, form := range written(password) {
			require.NotContains(t, out.String(), form, "%s (%T)", name, v)
		}
	}
}

// leaklessError is leakless for an error and all that it wraps.
func leaklessError(t *testing.T, name string, err error, passwords ...string) {
	t.Helper()
	require.Error(t, err, name)
	for todo := []error{err}; len(todo) > 0; todo = todo[1:] {
		e := todo[0]
		for _, password := range passwords {
			for _, form := range written(password) {
				require.NotContains(t, fmt.Sprintf("%v %+v %s %q", e, e, e, e), form, "%s (%T)", name, e)
			}
		}
		switch u := e.(type) { //nolint:errorlint // each layer is looked at by itself
		case interface{ Unwrap() error }:
			if inner := u.Unwrap(); inner != nil {
				todo = append(todo, inner)
			}
		case interface{ Unwrap() []error }:
			todo = append(todo, u.Unwrap()...)
		}
	}
	leakless(t, name, err, passwords...)
}

// hazard 361, promise: secrets appear nowhere.
func TestSecrets_AppearNowhere(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		right := conformance.ConnectionTo(fl.Database)
		passwords := []string{secret}
		if right.Password != "" {
			passwords = append(passwords, string(right.Password))
		}
		wrong, unreachable, unresolved := right, right, right
		if fl.Database.Dialect != "sqlite" {
			wrong.Password, unreachable.Password, unresolved.Password = secret, secret, secret
			unreachable.Port = closedPort(t)
			unresolved.Host = "no-such-host.invalid"
			unresolved.SSL = true
		} else {
			unreachable.Database, unresolved.Database = "/nowhere/at/all.db", "/dev/null/x.db"
		}
		config := dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{
			"main": right, "wrong": wrong, "unreachable": unreachable, "unresolved": unresolved,
		}}
		r, err := dbfleet.Open(config)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, r.Close()) })
		fl.Create(t, `CREATE TABLE things (id {id}, name VARCHAR(40) UNIQUE)`)
		m := conformance.Model[thing](t, r, dbfleet.ModelConfig{Table: "things"})

		var events []dbfleet.QueryEvent
		var logged bytes.Buffer
		r.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { events = append(events, e) })
		r.OnQuery(dbfleet.LogQueries(slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})), dbfleet.LogOptions{}))

		values := map[string]any{
			"config": config, "config's pointer": &config, "connection": right, "wrong connection": &wrong,
			"registry": r, "db": r.DB("wrong"), "read": r.DB("main").Read(), "model": m, "query": m.Where("id", "=", 1),
			"stats": r.Stats(), "models": r.Describe(), "names": r.Names(),
		}
		require.NoError(t, r.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			values["tx"], values["context"] = tx, ctx
			leakless(t, "tx", tx, passwords...)
			leakless(t, "context", ctx, passwords...)
			leakless(t, "model in a transaction", m.Using(tx), passwords...)
			return m.Using(tx).Create(ctx, &thing{Name: "a"})
		}))
		for _, name := range []string{"wrong", "unreachable", "unresolved"} {
			if name == "wrong" && fl.Database.Dialect == "sqlite" {
				continue
			}
			_, err := r.Connect(ctx, name)
			leaklessError(t, name+" connect", err, passwords...)
			class := dbfleet.ErrConnection
			if name == "wrong" {
				class = dbfleet.ErrAuthentication
			}
			require.ErrorIs(t, err, class, name)
			_, err = m.DB(name).Get(ctx)
			leaklessError(t, name+" get", err, passwords...)
			leaklessError(t, name+" create", m.DB(name).Create(ctx, &thing{}), passwords...)
			leaklessError(t, name+" transaction", r.Transaction(ctx, name, nil), passwords...)
			_, err = r.DB(name).ExecContext(ctx, "SELECT 1")
			leaklessError(t, name+" exec", err, passwords...)
			leaklessError(t, name+" row", r.DB(name).QueryRowContext(ctx, "SELECT 1").Scan(new(int)), passwords...)
			leaklessError(t, name+" raw pool", r.DB(name).Pool().PingContext(ctx), passwords...)
		}
		health := r.Health(ctx)
		values["health"], values["health's pointer"] = health, &health
		for name, c := range health.Connections {
			for _, n := range c.Nodes {
				if !n.Up {
					leaklessError(t, "health of "+name, n.Err, passwords...)
				}
			}
		}
		answer := httptest.NewRecorder()
		r.HealthHandler().ServeHTTP(answer, httptest.NewRequestWithContext(ctx, "GET", "/health", nil))
		values["health handler"] = answer.Body.String()
		require.Contains(t, answer.Body.String(), "degraded")
		require.NotEmpty(t, events)
		for i, e := range events {
			values[fmt.Sprint("event ", i)] = e
		}
		values["log"] = logged.String()
		for name, v := range values {
			leakless(t, name, v, passwords...)
		}
	})
}

// Faults of the configuration do not show the password that stands beside them.
func TestSecrets_AreNotInConfigurationFaults(t *testing.T) {
	t.Parallel()
	userinfo := url.UserPassword("app", secret).String()
	for name, config := range map[string]dbfleet.ConnectionConfig{
		"driver":  {Driver: "oracle", Host: "h", Password: secret},
		"port":    {Driver: dbfleet.MySQL, Host: "h", Database: "d", Username: "u", Port: 99999, Password: secret},
		"missing": {Driver: dbfleet.Postgres, Password: secret},
		"nul":     {Driver: dbfleet.Postgres, Host: "h", Database: "d\x00", Username: "u", Password: secret + "\x00"},
		"url":     {URL: dbfleet.Secret("postgres://" + userinfo + "@h:99999/d")},
		"bad url": {URL: dbfleet.Secret("postgres://app:" + secret + "@h/d")},
		"query":   {URL: dbfleet.Secret("postgres://h/d?user=u&password=" + url.QueryEscape(secret) + "&sslmode=perhaps")},
		"socket":  {URL: dbfleet.Secret("mysql://" + userinfo + "@h:3306:3306/d")},
	} {
		_, err := dbfleet.Open(dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{"main": config}})
		if err != nil {
			leaklessError(t, name, err, secret)
		}
		leakless(t, name, config, secret)
		if name == "driver" || name == "port" || name == "missing" || name == "nul" {
			require.Error(t, err, name)
		}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": {Driver: dbfleet.SQLite, Database: ":memory:"}})
		if err := r.Add("other", config); err != nil {
			leaklessError(t, name, err, secret)
		}
		if err := r.Replace(t.Context(), "main", config); err != nil {
			leaklessError(t, name, errors.Join(err), secret)
		}
	}
}

// A server that asks for the password in the clear, or hangs up, gets no answer that
// shows it.
func TestSecrets_AreNotInErrorsOfBrokenServers(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"postgres", "mysql"} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			db := dbtest.New(t, dialect)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					_, _ = c.Write([]byte("R\x00\x00\x00\x08\x00\x00\x00\x03 " + secret))
					_ = c.Close()
				}
			}()
			config := conformance.ConnectionTo(db)
			config.Password, config.Port = secret, l.Addr().(*net.TCPAddr).Port
			r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err = r.Connect(ctx, "main")
			leaklessError(t, "connect", err, secret)
			require.NoError(t, l.Close())
			<-done
		})
	}
}
