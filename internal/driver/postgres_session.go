//go:build !dbfleet_no_postgres

package driver

import (
	"context"
	"crypto/tls"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// pgSession is a PostgreSQL connection. It keeps its own prepared statements,
// so that columns and decoders are worked out once per statement.
type pgSession struct {
	b    *postgresBackend
	conn *pgx.Conn
	pc   *pgconn.PgConn
	net  *netConn
	tls  bool

	cache *cache[*pgStatement]
	// closes are the names of statements that fell out of the cache; the server
	// is told with the next statement.
	closes []string
	names  int
	params pgx.ExtendedQueryBuilder
	args   []any
	arrays [][]byte // see insertRows
	peeked [512]byte
}

// pgStatement is a prepared statement and what is known about its rows.
type pgStatement struct {
	sd *pgconn.StatementDescription
	*pgColumns
	arrays *string // see insertRows; nil until it is asked for
}

func newPGSession(pc *pgx.Conn, b *postgresBackend) *pgSession {
	s := &pgSession{b: b, conn: pc, pc: pc.PgConn()}
	switch nc := s.pc.Conn().(type) {
	case *netConn:
		s.net = nc
	case *tls.Conn:
		s.net, _ = nc.NetConn().(*netConn)
		s.tls = true
	}
	s.cache = newCache(b.o.StatementCache, func(st *pgStatement) {
		if st.sd.Name != "" {
			s.closes = append(s.closes, st.sd.Name)
		}
	})
	registerPGTypes(pc.TypeMap())
	return s
}

// statement finds or prepares the statement of that text. fresh says that it
// was prepared just now.
func (s *pgSession) statement(ctx context.Context, query string) (st *pgStatement, fresh bool, err error) {
	keep := s.cache.keeps(query)
	if keep {
		if e := s.cache.get(query); e != nil {
			return e.stmt, false, nil
		}
	}
	name := ""
	if keep && !s.b.o.Pooler {
		s.names++
		name = "dbfleet_" + strconv.Itoa(s.names)
	}
	sd, err := s.pc.Prepare(ctx, name, query, nil)
	if err != nil {
		var pe *pgconn.PrepareError
		if name != "" && errors.As(err, &pe) && pe.ParseComplete {
			s.closes = append(s.closes, name)
		}
		return nil, false, err
	}
	st = &pgStatement{sd: sd, pgColumns: describePG(sd.Fields)}
	if keep {
		s.cache.put(query, st)
	}
	return st, true, nil
}

// send binds the arguments and sends the statement.
func (s *pgSession) send(ctx context.Context, st *pgStatement, args []sqldriver.NamedValue) (*pgconn.ResultReader, error) {
	if err := checkInputs(len(st.sd.ParamOIDs), len(args)); err != nil {
		return nil, err
	}
	s.args = s.args[:0]
	for i := range args {
		if err := wholeNumber(i+1, st.sd.ParamOIDs[i], args[i].Value); err != nil {
			return nil, err
		}
		s.args = append(s.args, args[i].Value)
	}
	if err := s.encode(st, args); err != nil {
		return nil, err
	}
	s.sendCloses()
	if st.sd.Name == "" {
		return s.pc.ExecParams(ctx, st.sd.SQL, s.params.ParamValues, st.sd.ParamOIDs, s.params.ParamFormats, st.formats), nil
	}
	return s.pc.ExecStatement(ctx, st.sd, s.params.ParamValues, s.params.ParamFormats, st.formats), nil
}

// sendCloses sends, with the next statement, which ones fell out of the cache.
func (s *pgSession) sendCloses() {
	for _, name := range s.closes {
		s.pc.Frontend().SendClose(&pgproto3.Close{ObjectType: 'S', Name: name})
	}
	s.closes = s.closes[:0]
}

// encode brings the arguments into the protocol's form. pgx asks Value methods.
func (s *pgSession) encode(st *pgStatement, args []sqldriver.NamedValue) (err error) {
	defer recoverArgument(0, &err)
	defer clear(s.args)
	if err := s.params.Build(s.conn.TypeMap(), st.sd, s.args); err != nil {
		return s.argumentError(st, args)
	}
	return nil
}

// argumentError says which argument could not be encoded, without its value.
func (s *pgSession) argumentError(st *pgStatement, args []sqldriver.NamedValue) error {
	m := s.conn.TypeMap()
	for i, oid := range st.sd.ParamOIDs {
		if args[i].Value == nil {
			continue
		}
		var format int16 = pgx.TextFormatCode
		if _, err := m.Encode(oid, format, args[i].Value, nil); err == nil {
			continue
		}
		format = pgx.BinaryFormatCode
		if _, err := m.Encode(oid, format, args[i].Value, nil); err != nil {
			return &NotSentError{Err: &ArgumentError{Ordinal: i + 1, Reason: "cannot be sent as " + pgTypeName(m, oid)}}
		}
	}
	return &NotSentError{Err: &ArgumentError{Reason: "an argument cannot be sent"}}
}

func (s *pgSession) exec(ctx context.Context, query string, args []sqldriver.NamedValue) (Result, error) {
	if len(args) == 0 {
		tag, err := s.simple(ctx, query)
		return Result{RowsAffected: tag.RowsAffected(), IDStep: 1}, err
	}
	for try := 0; ; try++ {
		st, fresh, err := s.statement(ctx, query)
		if err != nil {
			return Result{}, err
		}
		rr, err := s.send(ctx, st, args)
		if err != nil {
			return Result{}, err
		}
		for rr.NextRow() { // the rows of a RETURNING that nobody asked for
		}
		tag, err := rr.Close()
		if err == nil {
			return Result{RowsAffected: tag.RowsAffected(), IDStep: 1}, nil
		}
		if !s.again(query, err) || fresh || try > 0 {
			return Result{}, err
		}
	}
}

// simple sends statements without arguments as one text.
func (s *pgSession) simple(ctx context.Context, query string) (pgconn.CommandTag, error) {
	var tag pgconn.CommandTag
	mrr := s.pc.Exec(ctx, query)
	for mrr.NextResult() {
		tag, _ = mrr.ResultReader().Close()
	}
	return tag, mrr.Close()
}

func (s *pgSession) query(ctx context.Context, query string, args []sqldriver.NamedValue) (rowSource, error) {
	for try := 0; ; try++ {
		st, fresh, err := s.statement(ctx, query)
		if err != nil {
			return nil, err
		}
		rr, err := s.send(ctx, st, args)
		if err != nil {
			return nil, err
		}
		if rr.NextRow() { // the server's refusal comes before the first row
			return s.open(st, rr, true), nil
		}
		if _, err = rr.Close(); err == nil {
			return s.open(st, rr, false), nil
		}
		if !s.again(query, err) || fresh || try > 0 {
			return nil, err
		}
	}
}

// again forgets a statement that a change of the schema may have made stale,
// and reports whether the server said so before it executed anything.
func (s *pgSession) again(query string, err error) bool {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return false
	}
	switch pe.Code[:min(2, len(pe.Code))] {
	case "0A", "26", "42", "XX":
		s.cache.remove(s.cache.m[query])
	}
	return (pe.Code == "0A000" && pe.Routine == "RevalidateCachedQuery" || pe.Code == "26000") && s.pc.TxStatus() == 'I'
}

func (s *pgSession) prepare(ctx context.Context, query string) (int, error) {
	st, _, err := s.statement(ctx, query)
	if err != nil {
		return 0, err
	}
	return len(st.sd.ParamOIDs), nil
}

func (s *pgSession) begin(ctx context.Context, o TxOptions) error {
	query := "BEGIN"
	switch o.Isolation {
	case sql.LevelDefault:
	case sql.LevelReadUncommitted:
		query += " ISOLATION LEVEL READ UNCOMMITTED"
	case sql.LevelReadCommitted:
		query += " ISOLATION LEVEL READ COMMITTED"
	case sql.LevelRepeatableRead, sql.LevelSnapshot:
		query += " ISOLATION LEVEL REPEATABLE READ"
	case sql.LevelSerializable:
		query += " ISOLATION LEVEL SERIALIZABLE"
	default:
		return &NotSentError{Err: &unsupportedIsolation{o.Isolation.String(), "PostgreSQL"}}
	}
	if o.ReadOnly {
		query += " READ ONLY"
	}
	_, err := s.simple(ctx, query)
	return err
}

func (s *pgSession) commit(ctx context.Context) error {
	tag, err := s.simple(ctx, "COMMIT")
	if err == nil && tag.String() == "ROLLBACK" {
		return &TxLostError{Err: ErrTxAborted}
	}
	return err
}

func (s *pgSession) rollback(ctx context.Context) error {
	_, err := s.simple(ctx, "ROLLBACK")
	return err
}

func (s *pgSession) txStatus() txStatus {
	switch s.pc.TxStatus() {
	case 'I':
		return txNone
	case 'T':
		return txOpen
	case 'E':
		return txAborted
	}
	return txUnknown
}

func (s *pgSession) explain(err error) error {
	if errors.Is(err, pgconn.ErrConnClosed) && s.net.failed() != nil {
		return s.net.failed()
	}
	return err
}

func (s *pgSession) verdict(err error) verdict {
	var lost *TxLostError
	var notSent *NotSentError
	var pe *pgconn.PgError
	closed := s.pc.IsClosed()
	switch {
	case errors.As(err, &lost):
		return verdict{answered: true}
	case errors.As(err, &notSent):
		return verdict{notSent: true}
	case errors.As(err, &pe):
		fatal := strings.EqualFold(pe.Severity, "FATAL") || strings.EqualFold(pe.Severity, "PANIC") || closed
		return verdict{
			answered: true, broken: fatal,
			commitUnknown: fatal || pe.Code == "40003" || strings.HasPrefix(pe.Code, "08") || strings.HasPrefix(pe.Code, "57P"),
		}
	case !closed && pgconn.SafeToRetry(err):
		return verdict{notSent: true}
	}
	return verdict{broken: true}
}

// convert leaves arguments to pgx, which knows the types of the placeholders.
func (s *pgSession) convert(nv *sqldriver.NamedValue) error {
	if nv.Name != "" {
		return &ArgumentError{Ordinal: nv.Ordinal, Reason: "has a name, which PostgreSQL does not know"}
	}
	return nil
}

func (s *pgSession) asIs() kinds { return kindsAll }

func (s *pgSession) manyCursors() bool { return false }

func (s *pgSession) ping(ctx context.Context) error {
	_, err := s.simple(ctx, "-- ping")
	return err
}

func (s *pgSession) usable() bool { return !s.pc.IsClosed() }

// alive looks for what the server may have sent to an idle connection: an error
// is its farewell, notices and changed parameters are not. What TLS has
// encrypted cannot be told apart and counts as a farewell.
func (s *pgSession) alive() bool {
	n, gone := s.net.peek(s.peeked[:])
	if gone || n > 0 && s.tls {
		return false
	}
	for b := s.peeked[:n]; len(b) > 0; {
		switch b[0] {
		case 'N', 'S', 'A':
		default:
			return false
		}
		if len(b) < 5 {
			break
		}
		next := 1 + int(binary.BigEndian.Uint32(b[1:5]))
		if next < 5 || next >= len(b) {
			break
		}
		b = b[next:]
	}
	return true
}

func (s *pgSession) close() error {
	if s.pc.IsClosed() {
		s.b.giveUp(s.pc, s.net)
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.conn.Close(ctx) // that the farewell did not reach the server changes nothing
	return nil
}

func (s *pgSession) server() Server {
	return Server{Version: s.pc.ParameterStatus("server_version")}
}

// Conn is pgx's own connection, for what only it can do.
func (c *conn) Conn() *pgx.Conn {
	if s, ok := c.s.(*pgSession); ok {
		return s.conn
	}
	return nil
}
