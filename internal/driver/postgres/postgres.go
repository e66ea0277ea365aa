//go:build !dbfleet_no_postgres

package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/netconn"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Database is PostgreSQL, spoken with by jackc/pgx.
var Database = session.Database{
	Dialect: dialect.Postgres, Open: open, Classify: classify, Message: message,
	NoInsertID: true, Remote: true,
}

// backend opens PostgreSQL sessions.
type backend struct {
	o       session.Options
	cfg     *pgx.ConnConfig
	cancels chan struct{} // a place for each connection that cancels a statement
	names   netconn.Addresses

	down context.Context // ends when nothing is waited for any more
	fell context.CancelFunc

	mu      sync.Mutex // protects closed
	closed  bool
	closing sync.WaitGroup // connections being given up; not added to once closed
}

func open(o session.Options) (session.Backend, error) {
	if err := errors.Join(
		session.CheckParams(o, true),
		session.CheckText(o, "Host", o.Host, "Socket", o.Socket, "Database", o.Database, "Username", o.Username, "Password", o.Secret()),
	); err != nil {
		return nil, err
	}
	cfg, err := configOf(o)
	if err != nil {
		return nil, &session.OptionError{Node: o.Name, Option: "Dialect", Reason: "cannot be configured"}
	}
	b := &backend{o: o, cfg: cfg, cancels: make(chan struct{}, maxCancels)}
	b.down, b.fell = context.WithCancel(context.Background()) // no caller's
	dial := cfg.DialFunc
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if ctx.Value(sessionKey{}) != nil {
			return dial(ctx, network, address)
		}
		if o.Dial != nil { // pgx dials what the connection tells of itself: a tunnel's end
			network, address = o.Address()
		}
		return b.dialCancel(ctx, network, address)
	}
	return b, nil
}

// configOf builds the driver's configuration. pgx wants one that its
// parser has made, and its parser looks at the environment, at service and
// password files and at certificates in the home directory. So the parsed one
// serves as a shell only: every field that something outside could have set is
// set again.
func configOf(o session.Options) (*pgx.ConnConfig, error) {
	cfg, err := parseShell()
	if err != nil {
		return nil, err
	}
	cfg.Host, cfg.Port = o.Host, uint16(o.Port)
	if o.Socket != "" {
		cfg.Host = o.Socket
		if cfg.Port == 0 {
			cfg.Port = 5432
		}
	}
	cfg.Database, cfg.User, cfg.Password = o.Database, o.Username, "" // Open has it
	cfg.TLSConfig = nil
	if o.TLS != nil && o.Socket == "" {
		cfg.TLSConfig = tlsFor(o.TLS, o.Host)
	}
	cfg.Fallbacks = nil
	cfg.RuntimeParams = runtimeParams(o)
	cfg.ConnectTimeout = 0 // the context that Connect makes has it
	cfg.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		return netconn.Dial(ctx, o.Dial, network, address)
	}
	cfg.AfterConnect, cfg.AfterNetConnect, cfg.ValidateConnect = nil, nil, nil
	cfg.OnNotice, cfg.OnNotification = nil, nil
	cfg.KerberosSrvName, cfg.KerberosSpn = "", ""
	cfg.SSLNegotiation, cfg.SSLCertMode = "", "allow"
	cfg.MinProtocolVersion, cfg.MaxProtocolVersion = "3.0", "3.0"
	cfg.ChannelBinding, cfg.RequireAuth = "prefer", ""
	if o.ChannelBinding {
		cfg.ChannelBinding = "require"
	}
	cfg.OAuthTokenProvider = nil
	if cfg.TLSConfig == nil && o.Socket == "" && !isLoopback(o.Host) && o.Dial == nil {
		cfg.RequireAuth = "!password" // never the password itself over an open network
	}
	cfg.MaxProtocolMessageBodyLen = 1 << 30
	cfg.StatementCacheCapacity = max(o.StatementCache, 0)
	cfg.DescriptionCacheCapacity = max(o.StatementCache, 0) // for pgx.QueryExecModeCacheDescribe
	cfg.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	if o.Pooler || o.StatementCache <= 0 {
		cfg.StatementCacheCapacity, cfg.DescriptionCacheCapacity = 0, 0
		cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	cfg.Tracer = nil
	return cfg, nil
}

// parseShell parses a configuration of constants. All keys that decide whether
// a file is read are given, so that the environment's are not used, and a socket
// for a host, which has no TLS to configure. A service
// named in the environment cannot be taken back in this way; it is overruled by
// one of our own, which is empty.
func parseShell() (*pgx.ConnConfig, error) {
	s := "host=/ port=5432 user=none password=none dbname=none sslmode=disable sslcertmode=allow " +
		"sslrootcert='' sslcert='' sslkey='' sslpassword='' sslnegotiation=postgres sslsni=1 target_session_attrs=any connect_timeout=1 passfile='' " +
		"min_protocol_version=3.0 max_protocol_version=3.0 channel_binding=prefer require_auth=''"
	if os.Getenv("PGSERVICE") != "" {
		f, err := os.CreateTemp("", "dbfleet-service-")
		if err != nil {
			return nil, err
		}
		defer os.Remove(f.Name())
		defer f.Close()
		if _, err := f.WriteString("[dbfleet]\n"); err != nil {
			return nil, err
		}
		quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(f.Name())
		s += " service=dbfleet servicefile='" + quoted + "'"
	}
	return pgx.ParseConfig(s)
}

func runtimeParams(o session.Options) map[string]string {
	params := map[string]string{
		"timezone":                    "UTC",
		"client_encoding":             "UTF8",
		"standard_conforming_strings": "on",
		"datestyle":                   "ISO, MDY",
	}
	for name, value := range maps.All(o.Params) {
		params[strings.ToLower(name)] = value
	}
	// A pooler knows a few parameters only, and would refuse this one. It comes last: what a
	// connection's parameters say of it is meant for the primary.
	if o.ReadOnly && !o.Pooler {
		params["default_transaction_read_only"] = "on"
	}
	return params
}

// tlsFor is a copy of the client's configuration that checks the certificate
// against the host's name if it names no other.
func tlsFor(cfg *tls.Config, host string) *tls.Config {
	cfg = cfg.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	return cfg
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func (b *backend) Open(ctx context.Context, password string) (session.Session, error) {
	if b.o.Socket != "" || b.o.Dial != nil {
		return b.openAt(ctx, "", password)
	}
	return netconn.Open(ctx, &b.names, b.o.Host, func(ctx context.Context, address string) (session.Session, error) {
		return b.openAt(ctx, address, password)
	}, denied)
}

// denied says that the server does not want this account, or has no such database.
func denied(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && (strings.HasPrefix(pe.Code, "28") || pe.Code == "3D000" || pe.Code == "42501")
}

// openAt opens a session at an address of the host's, or at the host itself if that is
// "".
func (b *backend) openAt(ctx context.Context, address, password string) (session.Session, error) {
	cfg := b.cfg.Copy()
	cfg.Password = password
	if address != "" {
		cfg.LookupFunc = func(context.Context, string) ([]string, error) { return []string{address}, nil }
	}
	out := new(outlet)
	cfg.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		out.w = w
		return pgproto3.NewFrontend(&inlet{r: r, first: &out.first}, out)
	}
	pc, err := pgx.ConnectConfig(context.WithValue(ctx, sessionKey{}, true), cfg)
	if err != nil {
		// pgx's own error carries the whole configuration; what it wraps does not.
		var ce *pgconn.ConnectError
		if errors.As(err, &ce) {
			err = ce.Unwrap()
		}
		return nil, err
	}
	s := newConn(pc, b, out)
	if s.net == nil {
		_ = pc.Close(ctx)
		return nil, fmt.Errorf("unexpected network connection %T", pc.PgConn().Conn())
	}
	return s, nil
}

// closeGrace is how long Close lets connections that are being given up tell the server
// so.
const closeGrace = 500 * time.Millisecond

// Close waits for the connections that are being given up, and cuts them off after
// closeGrace. Those that are given up later are cut off at once.
func (b *backend) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	t := time.AfterFunc(closeGrace, b.fell)
	b.closing.Wait()
	t.Stop()
	b.fell()
	return nil
}

// begin calls f in a goroutine that Close waits for. Once closed it calls it itself.
func (b *backend) begin(f func()) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		f()
		return
	}
	b.closing.Go(f)
	b.mu.Unlock()
}

// giveUp waits until a connection that pgx closes on its own has gone, and
// helps if a silent server holds it up.
func (b *backend) giveUp(pc *pgconn.PgConn, nc *netconn.Conn) {
	b.begin(func() {
		t := time.NewTimer(2 * time.Second)
		defer t.Stop()
		select {
		case <-pc.CleanupDone():
			return
		case <-t.C:
		case <-b.down.Done():
		}
		_ = nc.Close()
		<-pc.CleanupDone()
	})
}
