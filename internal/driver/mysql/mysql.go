//go:build !dbfleet_no_mysql

package mysql

import (
	"context"
	"crypto/tls"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/netconn"
	"github.com/dbfleet/dbfleet/internal/driver/plain"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Database is MySQL and MariaDB, spoken with by go-sql-driver/mysql.
var Database = session.Database{
	Dialect: dialect.MySQL, Open: open, Classify: classify, Message: message, Fallback: fallback,
	ImplicitCommits: true, Remote: true,
}

// backend opens MySQL and MariaDB sessions.
type backend struct {
	o         session.Options
	connector sqldriver.Connector
	names     netconn.Addresses
}

// strictMode makes the server refuse what it would otherwise change in silence.
const strictMode = "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"

func open(o session.Options) (session.Backend, error) {
	if err := errors.Join(
		session.CheckParams(o, false),
		session.CheckText(o, "Host", o.Host, "Socket", o.Socket, "Database", o.Database, "Username", o.Username, "Password", o.Secret()),
	); err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(configOf(o))
	if err != nil {
		return nil, &session.OptionError{Node: o.Name, Option: "Dialect", Reason: "cannot be configured"}
	}
	return &backend{o: o, connector: connector}, nil
}

// configOf builds the driver's configuration.
func configOf(o session.Options) *mysql.Config {
	cfg := mysql.NewConfig()
	cfg.User, cfg.DBName = o.Username, o.Database
	cfg.Net, cfg.Addr = o.Address()
	if o.Socket == "" && o.TLS != nil {
		cfg.TLS = o.TLS.Clone()
		if cfg.TLS.ServerName == "" {
			cfg.TLS.ServerName = o.Host
		}
	}
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if at, ok := ctx.Value(addressKey{}).(string); ok {
			address = net.JoinHostPort(at, strconv.Itoa(o.Port))
		}
		nc, err := netconn.Dial(ctx, o.Dial, network, address)
		if err != nil {
			return nil, err
		}
		if out, ok := ctx.Value(dialedKey{}).(**netconn.Conn); ok {
			*out = nc
		}
		return nc, nil
	}
	cfg.Logger = &mysql.NopLogger{}
	// An account without a password of its own, as in a cloud, proves itself by a token
	// that the server must read. It gets that from who asks anew for each connection,
	// if nobody else can read along.
	cfg.AllowCleartextPasswords = o.PasswordFunc != nil && verifies(cfg.TLS)
	cfg.ParseTime, cfg.Loc = false, time.UTC // rows tell a date that does not exist from one that does
	cfg.ClientFoundRows = true
	cfg.CheckConnLiveness = false // alive looks without taking
	// Used for one purpose only: when the server prepares no more statements.
	cfg.InterpolateParams = true
	if on, _ := o.MultiStatements(); on { // never together: a string could become a statement
		cfg.MultiStatements, cfg.InterpolateParams = true, false
	}
	_ = cfg.Apply(mysql.BeforeConnect(takePassword)) // the option has no error
	return cfg
}

// verifies says whether a connection is encrypted and the server's certificate
// believed only if it should be.
func verifies(c *tls.Config) bool {
	return c != nil && (!c.InsecureSkipVerify || c.VerifyConnection != nil)
}

// dialedKey is how DialFunc tells Open which connection it has made, passwordKey
// how Open tells the driver with which password, addressKey to which address.
type dialedKey struct{}

type passwordKey struct{}

type addressKey struct{}

// takePassword sets the password of one connection.
func takePassword(ctx context.Context, cfg *mysql.Config) error {
	cfg.Passwd, _ = ctx.Value(passwordKey{}).(string)
	return nil
}

// pinText is the one statement that pins a session.
func pinText(o session.Options) string {
	vars := map[string]string{
		"time_zone": "'+00:00'",
		"sql_mode":  "'" + strictMode + "'",
	}
	_, multi := o.MultiStatements()
	for name, value := range o.Params {
		if name == multi {
			continue
		}
		vars[strings.ToLower(name)] = literal(value)
	}
	var b strings.Builder
	b.WriteString("SET NAMES utf8mb4")
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		b.WriteString(", " + name + " = " + vars[name])
	}
	return b.String()
}

// literal writes a value of Params: a number or keyword as it is, anything
// else as a string.
func literal(value string) string {
	if _, err := strconv.ParseFloat(value, 64); err == nil && !strings.ContainsAny(value, "xXnNiIpP_") {
		return value
	}
	switch strings.ToUpper(value) {
	case "ON", "OFF", "DEFAULT", "TRUE", "FALSE":
		return value
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(value) + "'"
}

func (b *backend) Open(ctx context.Context, password string) (session.Session, error) {
	return atHost(ctx, b, func(ctx context.Context) (session.Session, error) { return b.open(ctx, password) })
}

// atHost calls open with a context that says to which address of the host it dials.
func atHost[T any](ctx context.Context, b *backend, open func(ctx context.Context) (T, error)) (T, error) {
	if b.o.Socket != "" || b.o.Dial != nil {
		return open(ctx)
	}
	return netconn.Open(ctx, &b.names, b.o.Host, func(ctx context.Context, address string) (T, error) {
		return open(context.WithValue(ctx, addressKey{}, address))
	}, denied)
}

// denied says that the server does not want this account, or has no such database.
func denied(err error) bool {
	switch numberOf(err) {
	case 1044, 1045, 1049, 1698:
		return true
	}
	return false
}

func (b *backend) open(ctx context.Context, password string) (session.Session, error) {
	var nc *netconn.Conn
	dialing := context.WithValue(context.WithValue(ctx, dialedKey{}, &nc), passwordKey{}, password)
	dc, err := b.connector.Connect(dialing)
	if err != nil {
		if nc != nil && errors.Is(err, mysql.ErrInvalidConn) && nc.Failed() != nil {
			err = nc.Failed()
		}
		return nil, err
	}
	s := newConn(dc, nc, b.o)
	if err := s.pin(ctx, b.o); err != nil {
		_ = dc.Close()
		if cause := nc.Failed(); cause != nil && ctx.Err() == nil {
			err = cause
		}
		return nil, err
	}
	return s, nil
}

func (b *backend) Close() error { return nil }

// pin sets the session up and reads what later depends on.
func (s *conn) pin(ctx context.Context, o session.Options) error {
	if _, err := s.ExecText(ctx, pinText(o), nil); err != nil {
		return fmt.Errorf("pinning the session: %w", err)
	}
	if o.ReadOnly {
		if _, err := s.ExecText(ctx, "SET SESSION TRANSACTION READ ONLY", nil); err != nil {
			return fmt.Errorf("making the session read-only: %w", err)
		}
	}
	values, err := variables(ctx, s.Session, variablesOf+threadOf)
	if numberOf(err) != 0 { // a server that does not know all of them
		values, err = variables(ctx, s.Session, variablesOf)
	}
	if err != nil {
		return fmt.Errorf("reading the session's variables: %w", err)
	}
	s.step = max(1, toInt(values[0]))
	s.version = fmt.Sprintf("%s", values[1])
	s.maxPacket = toInt(values[2])
	if len(values) > 3 && !o.Pooler {
		s.role = roleOf(values[3])
		s.thread.learn(values[4:])
	}
	s.returns = returning(s.version)
	s.numbers = isMariaDBFrom(s.version, 6)
	return nil
}

// variables are the values of the one row of a query.
func variables(ctx context.Context, s *plain.Session, query string) ([]any, error) {
	rows, err := s.QueryText(ctx, query, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	dest := make([]sqldriver.Value, len(rows.Columns()))
	if err := rows.Next(dest); err != nil {
		return nil, err
	}
	values := make([]any, len(dest))
	for i, v := range dest {
		if raw, ok := v.([]byte); ok { // the driver's own, until it reads on
			v = string(raw)
		}
		values[i] = v
	}
	return values, nil
}

func toInt(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case uint64:
		return int64(v)
	case []byte:
		n, _ := strconv.ParseInt(string(v), 10, 64)
		return n
	case string:
		n, _ := strconv.ParseInt(v, 10, 64)
		return n
	}
	return 0
}
