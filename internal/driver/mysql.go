//go:build !dbfleet_no_mysql

package driver

import (
	"context"
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
)

// mysqlLinked says that this build has the driver.
const mysqlLinked = true

// mysqlBackend opens MySQL and MariaDB sessions.
type mysqlBackend struct {
	o         Options
	connector sqldriver.Connector
}

// strictMode makes the server refuse what it would otherwise change in silence.
const strictMode = "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"

func newMySQL(o Options) (backend, error) {
	if err := errors.Join(
		checkParams(o, false),
		checkMySQLParams(o),
		checkText(o, "Host", o.Host, "Socket", o.Socket, "Database", o.Database, "Username", o.Username, "Password", o.password()),
	); err != nil {
		return nil, err
	}
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName = o.Username, o.password(), o.Database
	cfg.Net, cfg.Addr = "tcp", net.JoinHostPort(o.Host, strconv.Itoa(o.Port))
	if o.Socket != "" {
		cfg.Net, cfg.Addr = "unix", o.Socket
	} else if o.TLS != nil {
		cfg.TLS = o.TLS.Clone()
		if cfg.TLS.ServerName == "" {
			cfg.TLS.ServerName = o.Host
		}
	}
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := dialNet(ctx, network, address, o.StatementTimeout)
		if err != nil {
			return nil, err
		}
		if out, ok := ctx.Value(dialedKey{}).(**netConn); ok {
			*out = nc
		}
		return nc, nil
	}
	cfg.Logger = &mysql.NopLogger{}
	cfg.ParseTime, cfg.Loc = true, time.UTC
	cfg.ClientFoundRows = true
	cfg.CheckConnLiveness = false // alive looks without taking
	// Used for one purpose only: when the server prepares no more statements.
	cfg.InterpolateParams = true
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, &OptionError{Node: o.Name, Option: "Dialect", Reason: "cannot be configured"}
	}
	return &mysqlBackend{o: o, connector: connector}, nil
}

// dialedKey is how DialFunc tells open which connection it has made.
type dialedKey struct{}

// checkMySQLParams refuses the variables that this package's correctness, and
// the safety of its texts, depend on.
func checkMySQLParams(o Options) error {
	var errs []error
	for name := range o.Params {
		switch lower := strings.ToLower(name); {
		case strings.HasPrefix(lower, "character_set_"), strings.HasPrefix(lower, "collation_"),
			lower == "names", lower == "charset", lower == "autocommit":
			errs = append(errs, &OptionError{Node: o.Name, Option: "Params." + name, Reason: "cannot be changed"})
		}
	}
	return errors.Join(errs...)
}

// pinMySQL is the one statement that pins a session.
func pinMySQL(o Options) string {
	vars := map[string]string{
		"time_zone": "'+00:00'",
		"sql_mode":  "'" + strictMode + "'",
	}
	for name, value := range o.Params {
		vars[strings.ToLower(name)] = mysqlLiteral(value)
	}
	var b strings.Builder
	b.WriteString("SET NAMES utf8mb4")
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		b.WriteString(", " + name + " = " + vars[name])
	}
	return b.String()
}

// mysqlLiteral writes a value of Params: a number or keyword as it is, anything
// else as a string.
func mysqlLiteral(value string) string {
	if _, err := strconv.ParseFloat(value, 64); err == nil && !strings.ContainsAny(value, "xXnNiIpP_") {
		return value
	}
	switch strings.ToUpper(value) {
	case "ON", "OFF", "DEFAULT", "TRUE", "FALSE":
		return value
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(value) + "'"
}

func (b *mysqlBackend) open(ctx context.Context) (session, error) {
	var nc *netConn
	dc, err := b.connector.Connect(context.WithValue(ctx, dialedKey{}, &nc))
	if err != nil {
		if nc != nil && errors.Is(err, mysql.ErrInvalidConn) && nc.failed() != nil {
			err = nc.failed()
		}
		return nil, err
	}
	s := newMySQLSession(dc, nc, b.o)
	if err := s.pin(ctx, b.o); err != nil {
		_ = dc.Close()
		if cause := nc.failed(); cause != nil && ctx.Err() == nil {
			err = cause
		}
		return nil, err
	}
	return s, nil
}

func (b *mysqlBackend) Close() error { return nil }

// pin sets the session up and reads what later depends on.
func (s *mysqlSession) pin(ctx context.Context, o Options) error {
	if _, err := s.execText(ctx, pinMySQL(o), nil); err != nil {
		return fmt.Errorf("pinning the session: %w", err)
	}
	if o.ReadOnly {
		if _, err := s.execText(ctx, "SET SESSION TRANSACTION READ ONLY", nil); err != nil {
			return fmt.Errorf("making the session read-only: %w", err)
		}
	}
	rows, err := s.queryText(ctx, "SELECT @@auto_increment_increment, @@version, @@max_allowed_packet", nil)
	if err != nil {
		return fmt.Errorf("reading the session's variables: %w", err)
	}
	defer func() { _ = rows.Close() }()
	dest := make([]sqldriver.Value, 3)
	if err := rows.Next(dest); err != nil {
		return fmt.Errorf("reading the session's variables: %w", err)
	}
	s.step = max(1, mysqlInt(dest[0]))
	s.version = fmt.Sprintf("%s", dest[1])
	s.maxPacket = mysqlInt(dest[2])
	return nil
}

func mysqlInt(v sqldriver.Value) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case uint64:
		return int64(v)
	case []byte:
		n, _ := strconv.ParseInt(string(v), 10, 64)
		return n
	}
	return 0
}
