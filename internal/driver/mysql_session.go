//go:build !dbfleet_no_mysql

package driver

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlSession is a MySQL or MariaDB connection.
type mysqlSession struct {
	*plain
	net       *netConn
	step      int64 // auto_increment_increment
	maxPacket int64 // max_allowed_packet
	version   string
	status    *uint16 // the server's status flags, nil if they cannot be seen
	peeked    [1]byte
	pooler    bool
	noLocal   bool // the server has refused LOAD DATA LOCAL
}

func newMySQLSession(dc sqldriver.Conn, nc *netConn, o Options) *mysqlSession {
	s := &mysqlSession{plain: newPlain(dc, o.StatementCache), net: nc, status: mysqlStatus(dc)}
	s.direct = func(query string, args int, rows bool) bool {
		// Without arguments the text costs one round trip, preparing it two; it
		// pays when the text comes again. A query is prepared at once: as text the
		// server rounds FLOAT, and a second run must not differ from the first.
		return args == 0 && (!s.cache.keeps(query) || !preparable(query) || !rows && !s.cache.repeated(query))
	}
	s.stale = func(err error) bool { return mysqlNumber(err) == 1615 || mysqlNumber(err) == 1243 }
	s.full = func(err error) bool { return mysqlNumber(err) == 1461 }
	if s.pooler = o.Pooler; s.pooler {
		s.cache.max = 0
	}
	return s
}

func mysqlNumber(err error) uint16 {
	var me *mysql.MySQLError
	if errors.As(err, &me) {
		return me.Number
	}
	return 0
}

func (s *mysqlSession) exec(ctx context.Context, query string, args []sqldriver.NamedValue) (Result, error) {
	if err := s.fits(query, args); err != nil {
		return Result{}, err
	}
	r, err := s.plain.exec(ctx, query, args)
	r.IDStep = s.step
	return r, err
}

func (s *mysqlSession) query(ctx context.Context, query string, args []sqldriver.NamedValue) (rowSource, error) {
	if err := s.fits(query, args); err != nil {
		return nil, err
	}
	rows, err := s.plain.rows(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return newMySQLRows(rows), nil
}

// fits refuses a statement above the server's max_allowed_packet: the server
// would cut the connection, often before its reason is read.
func (s *mysqlSession) fits(query string, args []sqldriver.NamedValue) error {
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
	return &NotSentError{Err: &ArgumentError{Reason: fmt.Sprintf("the statement and its arguments have %d bytes, more than the server's max_allowed_packet of %d", n, s.maxPacket)}}
}

func (s *mysqlSession) begin(ctx context.Context, o TxOptions) error {
	switch o.Isolation {
	case sql.LevelDefault, sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable:
	default:
		return &NotSentError{Err: &unsupportedIsolation{o.Isolation.String(), "MySQL"}}
	}
	return s.plain.begin(ctx, o)
}

// commit goes by the statement, which has a context; the driver's Commit has none.
func (s *mysqlSession) commit(ctx context.Context) error { return s.end(ctx, "COMMIT") }

func (s *mysqlSession) rollback(ctx context.Context) error { return s.end(ctx, "ROLLBACK") }

func (s *mysqlSession) end(ctx context.Context, query string) error {
	s.tx = nil
	_, err := s.execText(ctx, query, nil)
	return err
}

// Bits of the server's status flags, from the protocol's SERVER_STATUS_….
const (
	mysqlStatusInTrans = 1 << 0
)

func (s *mysqlSession) txStatus() txStatus {
	switch {
	case s.status == nil:
		return txUnknown
	case *s.status&mysqlStatusInTrans != 0:
		return txOpen
	}
	return txNone
}

// explain gives the network's error in place of the driver's ErrInvalidConn,
// which hides it.
func (s *mysqlSession) explain(err error) error {
	if cause := s.net.failed(); cause != nil && errors.Is(err, mysql.ErrInvalidConn) {
		return cause
	}
	return err
}

func (s *mysqlSession) verdict(err error) verdict {
	var notSent *NotSentError
	var me *mysql.MySQLError
	switch {
	case errors.As(err, &notSent):
		return verdict{notSent: true}
	case errors.Is(err, mysql.ErrPktTooLarge):
		return verdict{notSent: true}
	case errors.Is(err, sqldriver.ErrBadConn): // the driver says so only if it has written nothing
		return verdict{notSent: true, broken: true}
	case errors.As(err, &me):
		v := verdict{answered: true}
		switch me.Number {
		case 1213, 1206, 1020, 1402, 1613, 1614, 3101:
			v.txLost = true
		case 1205:
			// The server has rolled back the statement only. What the rest of the
			// transaction is worth without it is for ROLLBACK TO to say.
			v.txDoubtful = true
		case 1053, 1927, 1152, 1153, 1159, 1161, 4031, 3169:
			v.broken, v.commitUnknown = true, true
		case 1317, 1969, 3024, 1180:
			v.commitUnknown = true
		}
		return v
	}
	return verdict{broken: true}
}

func (s *mysqlSession) convert(nv *sqldriver.NamedValue) error {
	switch v := nv.Value.(type) {
	case nil, int64, uint64, bool, string, []byte:
	case time.Time:
		if v.Nanosecond()%1000 != 0 { // cut as everywhere; MySQL would round
			nv.Value = v.Truncate(time.Microsecond)
		}
		if err := mysqlTime(nv.Ordinal, v); err != nil {
			return err
		}
	case json.RawMessage:
		if v == nil {
			nv.Value = nil
		}
	case float64:
		return finite(nv.Ordinal, v)
	default:
		if err := s.plain.convert(nv); err != nil {
			return err
		}
		switch v := nv.Value.(type) {
		case float64:
			return finite(nv.Ordinal, v)
		case time.Time:
			return mysqlTime(nv.Ordinal, v)
		}
	}
	if nv.Name != "" {
		return &ArgumentError{Ordinal: nv.Ordinal, Reason: "has a name, which MySQL does not know"}
	}
	return nil
}

func (s *mysqlSession) asIs() kinds { return kindBasic | kindUint }

// mysqlTime refuses the years that the driver cannot write.
func mysqlTime(ordinal int, t time.Time) error {
	if year := t.UTC().Year(); year < 0 || year > 9999 {
		return &ArgumentError{Ordinal: ordinal, Reason: "is a time outside of the years 0 to 9999"}
	}
	return nil
}

// finite refuses the floats that the server takes for something else.
func finite(ordinal int, f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return &ArgumentError{Ordinal: ordinal, Reason: "is not a finite number"}
	}
	return nil
}

// alive reports false as soon as the server has sent something to an idle
// connection: it has nothing to say but farewell.
func (s *mysqlSession) alive() bool {
	n, gone := s.net.peek(s.peeked[:])
	return n == 0 && !gone
}

// mysqlRows give a column the same Go type whether its statement was prepared
// or sent as text.
type mysqlRows struct {
	plainRows
	fix []mysqlFix // nil if no column needs it
}

type mysqlFix uint8

const (
	fixNothing mysqlFix = iota
	fixUnsigned
	fixFloat
)

func newMySQLRows(r plainRows) *mysqlRows {
	m := &mysqlRows{plainRows: r}
	m.findFixes()
	return m
}

func (m *mysqlRows) findFixes() {
	m.fix = nil
	n := len(m.Columns())
	for i := range n {
		var fix mysqlFix
		switch m.TypeName(i) {
		case "UNSIGNED BIGINT":
			fix = fixUnsigned
		case "FLOAT":
			fix = fixFloat
		default:
			continue
		}
		if m.fix == nil {
			m.fix = make([]mysqlFix, n)
		}
		m.fix[i] = fix
	}
}

func (m *mysqlRows) Next(dest []sqldriver.Value) error {
	if err := m.plainRows.Next(dest); err != nil {
		return err
	}
	for i, fix := range m.fix {
		switch fix {
		case fixUnsigned:
			dest[i] = unsigned(dest[i])
		case fixFloat:
			if f, ok := dest[i].(float32); ok {
				dest[i] = widen(f)
			}
		}
	}
	return nil
}

// unsigned makes an int64 of what fits and a uint64 of what does not.
func unsigned(v sqldriver.Value) sqldriver.Value {
	var u uint64
	switch v := v.(type) {
	case uint64:
		u = v
	case []byte:
		n, err := strconv.ParseUint(string(v), 10, 64)
		if err != nil {
			return v
		}
		u = n
	default:
		return v
	}
	if u <= math.MaxInt64 {
		return int64(u)
	}
	return u
}

// HasNextResultSet and NextResultSet serve database/sql: a procedure may give
// more than one set of rows.
func (m *mysqlRows) HasNextResultSet() bool {
	n, ok := m.Rows.(sqldriver.RowsNextResultSet)
	return ok && n.HasNextResultSet()
}

func (m *mysqlRows) NextResultSet() error {
	n, ok := m.Rows.(sqldriver.RowsNextResultSet)
	if !ok {
		return errors.New("no further result set")
	}
	if err := n.NextResultSet(); err != nil {
		return err
	}
	m.findFixes()
	return nil
}

func (s *mysqlSession) close() error {
	_ = s.dc.Close() // that the farewell did not reach the server changes nothing
	return nil
}

func (s *mysqlSession) server() Server {
	return Server{Version: s.version, MaxStatement: s.maxPacket}
}
