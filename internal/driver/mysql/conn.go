//go:build !dbfleet_no_mysql

package mysql

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/netconn"
	"github.com/dbfleet/dbfleet/internal/driver/plain"
	"github.com/dbfleet/dbfleet/internal/driver/session"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// conn is a MySQL or MariaDB connection.
type conn struct {
	*plain.Session
	net       *netconn.Conn
	step      int64 // auto_increment_increment
	maxPacket int64 // max_allowed_packet
	version   string
	thread    thread
	status    *uint16 // the server's status flags, nil if they cannot be seen
	peeked    [512]byte
	tls       bool
	pooler    bool
	readOnly  bool               // the session takes no writes
	role      session.ServerRole // of the server, when the session was opened
	unplaced  bool               // the server has no variables for positions
	single    bool               // the server is in no cluster of Galera
	// readOnlyTx says that the transaction is one for reading.
	readOnlyTx bool
	noLocal    bool   // the server has refused LOAD DATA LOCAL
	returns    bool   // the server knows INSERT … RETURNING
	numbers    bool   // the server is known to number rows as sqlgen.Env.Numbers has it
	xa         string // the branch that is open and not prepared, as XA has its name
}

func newConn(dc sqldriver.Conn, nc *netconn.Conn, o session.Options) *conn {
	size := o.StatementCache
	if o.Pooler {
		size = 0
	}
	s := &conn{
		Session: plain.New(dc, size), pooler: o.Pooler, readOnly: o.ReadOnly, net: nc, status: statusOf(dc),
		tls: o.TLS != nil && o.Socket == "",
	}
	several, _ := o.MultiStatements()
	s.Direct = func(query string, args int, rows bool) bool {
		switch {
		case args > 0:
			return false
		case several && mayBeSeveral(query): // which cannot be prepared
			return true
		case rows:
			return !givesValues(query)
		}
		// Without arguments the text costs one round trip, preparing it two; it pays
		// when the text comes again, and where rows come that are to be counted.
		return !returns(query) && (!s.Cache.Keeps(query) || !plain.Preparable(query, dialect.MySQL) || !s.Cache.Repeated(query))
	}
	s.Unfit = func(err error) bool { return numberOf(err) == 1295 }
	s.Stale = func(err error) bool { return numberOf(err) == 1615 || numberOf(err) == 1243 }
	s.Full = func(err error) bool { return numberOf(err) == 1461 }
	s.Rowed = func(st sqldriver.Stmt, query string) (rows, writes bool) {
		writes = s.isMariaDB() && returns(query) // to MySQL it is a name like others
		return writes || givesRows(st), writes
	}
	return s
}

// mayBeSeveral says whether a text is not known to be one statement: which comments are read
// is the affair of the server's version, and what a backslash is that of the session's mode.
func mayBeSeveral(query string) bool {
	if !strings.Contains(query, ";") {
		return false
	}
	if strings.Contains(query, `\`) || strings.Contains(query, "/*!") || strings.Contains(query, "/*M!") {
		return true
	}
	statements := lex.New(query, dialect.MySQL)
	_, _, _ = statements.Statement()
	_, _, more := statements.Statement()
	return more
}

func numberOf(err error) uint16 {
	var me *mysql.MySQLError
	if errors.As(err, &me) {
		return me.Number
	}
	return 0
}

func (s *conn) Exec(ctx context.Context, query string, args []sqldriver.NamedValue) (session.Result, error) {
	if err := s.fits(query, args); err != nil {
		return session.Result{}, err
	}
	r, err := s.Session.Exec(ctx, query, args)
	r.IDStep = s.step
	return r, err
}

func (s *conn) Query(ctx context.Context, query string, args []sqldriver.NamedValue) (session.RowSource, error) {
	if err := s.fits(query, args); err != nil {
		return nil, err
	}
	rows, err := s.Session.Read(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return newRows(rows), nil
}

// fits refuses a statement above the server's max_allowed_packet: the server
// would cut the connection, often before its reason is read.
func (s *conn) fits(query string, args []sqldriver.NamedValue) error {
	if s.maxPacket == 0 {
		return nil
	}
	n := len(query)
	for i := range args {
		n += 16
		switch v := args[i].Value.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		case json.RawMessage:
			n += len(v)
		}
	}
	if int64(n) < s.maxPacket {
		return nil
	}
	return &session.NotSentError{Err: &session.ArgumentError{Reason: fmt.Sprintf("the statement and its arguments have %d bytes, more than the server's max_allowed_packet of %d", n, s.maxPacket)}}
}

func (s *conn) Begin(ctx context.Context, o session.TxOptions) error {
	switch o.Isolation {
	case sql.LevelDefault, sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable:
	default:
		return &session.NotSentError{Err: &session.UnsupportedIsolationError{Level: o.Isolation.String(), Database: "MySQL"}}
	}
	s.readOnlyTx = o.ReadOnly
	return s.Session.Begin(ctx, o)
}

// Commit goes by the statement, which has a context; the driver's Commit has none.
func (s *conn) Commit(ctx context.Context) error { return s.end(ctx, "COMMIT") }

func (s *conn) Rollback(ctx context.Context) error { return s.end(ctx, "ROLLBACK") }

func (s *conn) end(ctx context.Context, query string) error {
	if s.xa != "" {
		return s.endXA(ctx, query == "COMMIT")
	}
	s.Tx = nil
	_, err := s.ExecText(ctx, query, nil)
	return err
}

// Bits of the server's status flags, from the protocol's SERVER_STATUS_….
const (
	statusInTrans            = 1 << 0
	statusAutocommit         = 1 << 1
	statusNoBackslashEscapes = 1 << 9
)

func (s *conn) TxStatus() session.TxStatus {
	switch {
	case s.status == nil:
		return session.TxUnknown
	case *s.status&statusInTrans != 0:
		return session.TxOpen
	}
	return session.TxNone
}

// Explain gives the network's error in place of the driver's ErrInvalidConn,
// which hides it.
func (s *conn) Explain(err error) error {
	if cause := s.net.Failed(); cause != nil && errors.Is(err, mysql.ErrInvalidConn) {
		return cause
	}
	return err
}

func (s *conn) Verdict(err error) session.Verdict {
	var lost *session.TxLostError
	var notSent *session.NotSentError
	var me *mysql.MySQLError
	switch {
	case errors.As(err, &lost):
		return session.Verdict{Answered: true, Broken: !s.Usable()}
	case errors.As(err, &notSent):
		return session.Verdict{NotSent: true}
	case errors.Is(err, mysql.ErrPktTooLarge):
		return session.Verdict{NotSent: true}
	case errors.Is(err, sqldriver.ErrBadConn): // the driver says so only if it has written nothing
		return session.Verdict{NotSent: true, Broken: true}
	case errors.As(err, &me):
		v := session.Verdict{Answered: true}
		switch me.Number {
		case 1213, 1206, 1020, 1402, 1613, 1614, 3101:
			v.TxLost = true
		case 1205:
			// The server has rolled back the statement only. What the rest of the
			// transaction is worth without it is for ROLLBACK TO to say.
			v.TxDoubtful = true
		case 1053, 1927, 1152, 1153, 1159, 1161, 4031, 3169:
			v.Broken, v.CommitUnknown = true, true
		case 1317, 1969, 3024, 1180, xaUncertain:
			v.CommitUnknown = true
		}
		return v
	case s.complete(err):
		return session.Verdict{Answered: true}
	}
	return session.Verdict{Broken: true}
}

// complete says that the driver has made err itself, before it sent anything or after
// the whole of an exchange, as for a file of LOAD DATA LOCAL that it does not give
// out. It closes a connection that it lost, or whose answer it did not wait for.
func (s *conn) complete(err error) bool {
	var netErr net.Error
	switch {
	case !s.Usable(), s.net.Failed() != nil:
		return false
	case errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, mysql.ErrMalformPkt), errors.Is(err, mysql.ErrBusyBuffer),
		errors.Is(err, mysql.ErrPktSync), errors.Is(err, mysql.ErrPktSyncMul),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &netErr):
		return false
	}
	return true
}

func (s *conn) Convert(nv *sqldriver.NamedValue) error {
	switch v := nv.Value.(type) {
	case nil, int64, uint64, bool, string, []byte:
	case time.Time:
		if v.Nanosecond()%1000 != 0 { // cut as everywhere; MySQL would round
			nv.Value = v.Truncate(time.Microsecond)
		}
		if err := checkTime(nv.Ordinal, v); err != nil {
			return err
		}
	case json.RawMessage:
		if v == nil {
			nv.Value = nil
		}
	case float64:
		return finite(nv.Ordinal, v)
	default:
		if err := s.Session.Convert(nv); err != nil {
			return err
		}
		switch v := nv.Value.(type) {
		case float64:
			return finite(nv.Ordinal, v)
		case time.Time:
			return checkTime(nv.Ordinal, v)
		}
	}
	if nv.Name != "" {
		return &session.ArgumentError{Ordinal: nv.Ordinal, Reason: "has a name, which MySQL does not know"}
	}
	return nil
}

func (s *conn) AsIs() session.Kinds { return session.KindBasic | session.KindUint }

// checkTime refuses the years that the driver cannot write.
func checkTime(ordinal int, t time.Time) error {
	if year := t.UTC().Year(); year < 0 || year > 9999 {
		return &session.ArgumentError{Ordinal: ordinal, Reason: "is a time outside of the years 0 to 9999"}
	}
	return nil
}

// finite refuses the floats that the server takes for something else.
func finite(ordinal int, f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return &session.ArgumentError{Ordinal: ordinal, Reason: "is not a finite number"}
	}
	return nil
}

// ReadOnly asks for read_only, which super_read_only sets too, and for the variable
// that tells Aurora's readers.
func (s *conn) ReadOnly(ctx context.Context) (bool, error) {
	rows, err := s.QueryText(ctx, "SELECT @@global.read_only, @@global.innodb_read_only", nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = rows.Close() }()
	dest := make([]sqldriver.Value, 2)
	if err := rows.Next(dest); err != nil {
		return false, err
	}
	for _, value := range dest {
		if b, ok := value.([]byte); ok {
			value = string(b)
		}
		switch fmt.Sprint(value) {
		case "0", "OFF":
		default:
			return true, nil
		}
	}
	return false, nil
}

// Alive reports false as soon as the server has sent something to an idle
// connection: it has nothing to say but farewell.
func (s *conn) Alive() bool {
	n, gone := s.net.Peek(s.peeked[:1])
	return n == 0 && !gone
}

func (s *conn) Close() error {
	_ = s.Conn.Close() // that the farewell did not reach the server changes nothing
	return nil
}
