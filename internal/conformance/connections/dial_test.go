package connections

import (
	"context"
	"errors"
	"net"
	"runtime"
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

// dialer dials one server whatever it is asked for, and remembers that.
type dialer struct {
	to   string
	wrap func(net.Conn) net.Conn

	mu    sync.Mutex
	asked []string
	open  atomic.Int64
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	d.asked = append(d.asked, network+" "+address)
	d.mu.Unlock()
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", d.to)
	if err != nil {
		return nil, err
	}
	d.open.Add(1)
	nc = &dialed{Conn: nc, closed: sync.OnceFunc(func() { d.open.Add(-1) })}
	if d.wrap != nil {
		nc = d.wrap(nc)
	}
	return nc, nil
}

func (d *dialer) addresses() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.asked)
}

type dialed struct {
	net.Conn
	closed func()
}

func (c *dialed) Close() error {
	c.closed()
	return c.Conn.Close()
}

// tunneled is a connection as one through SSH is: without deadlines, and what is
// known of its ends says nothing to anybody.
type tunneled struct{ net.Conn }

var errNoDeadline = errors.New("deadlines are not supported")

func (tunneled) SetDeadline(time.Time) error      { return errNoDeadline }
func (tunneled) SetReadDeadline(time.Time) error  { return errNoDeadline }
func (tunneled) SetWriteDeadline(time.Time) error { return errNoDeadline }
func (tunneled) LocalAddr() net.Addr              { return nil }
func (tunneled) RemoteAddr() net.Addr             { return nil }

func through(c net.Conn) net.Conn { return tunneled{c} }

// dialedTo is a connection to a server that only the dialer finds.
func dialedTo(db dbtest.Database, d *dialer) dbfleet.ConnectionConfig {
	c := conformance.ConnectionTo(db)
	d.to = db.Server.Addr()
	c.Host, c.Port, c.Dial = "db.nowhere.invalid", 7777, d.dial
	c.TLS.Mode = dbfleet.TLSDisable
	return c
}

func TestDial_MakesEveryConnectionOfEveryNode(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		db.RequireTLS(t)
		d := &dialer{wrap: through}
		c := dialedTo(db, d)
		c.ReadHosts = []string{"replica.nowhere.invalid:8888"}
		c.TLS = dbfleet.TLSConfig{CAFile: db.CAFile, ServerName: db.Host}
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": c}), Database: db}
		accounts := fl.Bank(t)
		require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "ada"}))
		all, err := accounts.Get(t.Context())
		require.NoError(t, err)
		require.Len(t, all, 1)
		dialled := d.addresses()
		slices.Sort(dialled)
		require.Equal(t, []string{"tcp db.nowhere.invalid:7777", "tcp replica.nowhere.invalid:8888"}, slices.Compact(dialled))
		require.Eventually(t, func() bool { return int64(db.Connections(t)) == d.open.Load() }, 10*time.Second, 5*time.Millisecond,
			"each of the server's connections was dialled")

		c.TLS.ServerName = ""
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": c})
		require.ErrorContains(t, r.DB("main").Ping(t.Context()), "db.nowhere.invalid", "the certificate is for the host's name")
	})
}

// promise: every call returns by its context's deadline. PostgreSQL is told by
// another connection, which is dialled too.
func TestDial_StatementsAreCanceledThroughATunnel(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		d := &dialer{wrap: through}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": dialedTo(db, d)})
		require.NoError(t, r.DB("main").Ping(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // the server works on it by then
		defer cancel()
		begun := time.Now()
		_, err := r.DB("main").ExecContext(ctx, conformance.Slow(db.Dialect))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(begun), 15*time.Second, "not after the 30 seconds")
		require.Eventually(t, func() bool { return d.open.Load() == 0 }, 10*time.Second, 5*time.Millisecond)
		if db.Dialect == "postgres" {
			require.Eventually(t, func() bool { return db.Connections(t) == 0 }, 10*time.Second, 5*time.Millisecond, "the server stopped")
			dialled := d.addresses()
			require.GreaterOrEqual(t, len(dialled), 2, "it is told again where it goes on")
			require.Equal(t, []string{"tcp db.nowhere.invalid:7777"}, slices.Compact(dialled))
		}
		require.NoError(t, r.DB("main").Ping(t.Context()))
	})
}

func TestDial_SilenceIsNoticedThroughATunnel(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		d := &dialer{wrap: through}
		c := dialedTo(db, d)
		proxy := dbtest.NewProxy(t, db.Server.Addr())
		d.to = proxy.Addr()
		c.StatementTimeout = 3 * time.Second
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": c})
		h := r.DB("main")
		require.NoError(t, h.Ping(t.Context()))
		require.Never(t, func() bool { return d.open.Load() == 0 }, 4*time.Second, 10*time.Millisecond, "to be idle is not to be silent")
		require.NoError(t, h.Ping(t.Context()))
		require.Len(t, d.addresses(), 1, "it is the same connection")
		proxy.Blackhole()
		_, err := h.ExecContext(t.Context(), "SELECT 1")
		require.ErrorIs(t, err, dbfleet.ErrTimeout)
		require.ErrorContains(t, err, "silent for 3s")
		proxy.Heal()
		require.NoError(t, h.Ping(t.Context()))
	})
}

func TestDial_FailuresAreThoseOfTheConnection(t *testing.T) {
	t.Parallel()
	cause := errors.New("the bastion is closed")
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	late := make(chan net.Conn, 1)
	for name, story := range map[string]struct {
		dial func(ctx context.Context, network, address string) (net.Conn, error)
		text string
	}{
		"error":     {func(context.Context, string, string) (net.Conn, error) { return nil, cause }, "Dial: the bastion is closed"},
		"panic":     {func(context.Context, string, string) (net.Conn, error) { panic("lost") }, "Dial: panicked: lost"},
		"goexit":    {func(context.Context, string, string) (net.Conn, error) { runtime.Goexit(); return nil, nil }, "Dial: ended its goroutine"},
		"nothing":   {func(context.Context, string, string) (net.Conn, error) { return nil, nil }, "Dial: returned neither a connection nor an error"},
		"typed nil": {func(context.Context, string, string) (net.Conn, error) { return (*net.TCPConn)(nil), nil }, "Dial: returned neither a connection nor an error"},
		"hollow":    {func(context.Context, string, string) (net.Conn, error) { return struct{ net.Conn }{}, nil }, "panicked while it connected"},
		"hangs":     {func(context.Context, string, string) (net.Conn, error) { <-never; return nil, cause }, "silent for 100ms"},
		"late": {func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			ours, theirs := net.Pipe()
			late <- theirs
			return ours, nil
		}, "silent for 100ms"},
		"late hollow": {func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return struct{ net.Conn }{}, nil
		}, "silent for 100ms"},
		"canceled": {func(context.Context, string, string) (net.Conn, error) { return nil, context.Canceled }, "Dial: context canceled"},
	} {
		for _, kind := range []dbfleet.Driver{dbfleet.Postgres, dbfleet.MySQL} {
			t.Run(name+"/"+string(kind), func(t *testing.T) {
				t.Parallel()
				timeout := time.Minute // what ends by itself has time for that
				if strings.HasPrefix(story.text, "silent") {
					timeout = 100 * time.Millisecond
				}
				r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": {
					Driver: kind, Host: "db.nowhere.invalid", Database: "d", Username: "u", Password: secret, Dial: story.dial,
					ConnectTimeout: timeout, Pool: dbfleet.PoolConfig{MaxOpen: 1, AcquireTimeout: 20 * time.Second},
				}})
				for range 3 { // the only place of the pool is not lost
					err := r.DB("main").Ping(t.Context())
					require.ErrorIs(t, err, dbfleet.ErrConnection)
					require.ErrorIs(t, err, dbfleet.ErrConnectionRefused)
					require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
					require.ErrorContains(t, err, story.text)
					require.Equal(t, name == "error", errors.Is(err, cause))
					leaklessError(t, name, err, secret)
					if name == "late" {
						_, err := (<-late).Read(make([]byte, 1))
						require.Error(t, err, "what came too late is closed")
					}
				}
				require.Zero(t, r.DB("main").Pool().Stats().OpenConnections)
			})
		}
	}
}

// The socket's path is the address.
func TestDial_IsToldTheSocket(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		d := &dialer{to: db.Server.Addr()}
		c := conformance.ConnectionTo(db)
		c.Host, c.Port, c.Socket, c.Dial = "", 0, db.Socket, d.dial
		path := "unix " + db.Socket
		if db.Dialect == "postgres" {
			c.Port = db.Port
			path += "/.s.PGSQL." + strconv.Itoa(db.Port)
		}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": c})
		require.NoError(t, r.DB("main").Ping(t.Context()))
		require.Equal(t, []string{path}, d.addresses())
	})
}
