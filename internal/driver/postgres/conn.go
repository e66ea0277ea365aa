//go:build !dbfleet_no_postgres

package postgres

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

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/netconn"
	"github.com/dbfleet/dbfleet/internal/driver/session"
	"github.com/dbfleet/dbfleet/internal/driver/stmtcache"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// conn is a PostgreSQL connection. It keeps its own prepared statements,
// so that columns and decoders are worked out once per statement.
type conn struct {
	b    *backend
	conn *pgx.Conn
	pc   *pgconn.PgConn
	net  *netconn.Conn
	tls  bool

	cache *stmtcache.Cache[*statement]
	// described keeps what is known about statements that cache has no room for, or
	// that a pooler does not let the server keep. One that is known is sent whole, in
	// one round trip.
	described *stmtcache.Cache[*statement]
	// unnamed is the statement that the server has just parsed under no name.
	unnamed *statement
	// closes are the names of statements that fell out of the cache; the server
	// is told with the next statement.
	closes []string
	names  int
	params pgx.ExtendedQueryBuilder
	args   []any
	arrays [][]byte // see InsertRows
	peeked [512]byte
}

// statement is a prepared statement and what is known about its rows.
type statement struct {
	sd *pgconn.StatementDescription
	*columns
	arrays *string // see InsertRows; nil until it is asked for
}

func newConn(pc *pgx.Conn, b *backend) *conn {
	s := &conn{b: b, conn: pc, pc: pc.PgConn()}
	switch nc := s.pc.Conn().(type) {
	case *netconn.Conn:
		s.net = nc
	case *tls.Conn:
		s.net, _ = nc.NetConn().(*netconn.Conn)
		s.tls = true
	}
	kept := b.o.StatementCache
	if b.o.Pooler {
		kept = 0
	}
	s.cache = stmtcache.New(kept, func(st *statement) { s.closes = append(s.closes, st.sd.Name) })
	s.described = stmtcache.New(describedPerKept*b.o.StatementCache, func(*statement) {})
	registerTypes(pc.TypeMap())
	return s
}

// describedPerKept is how many statements are described for one that is kept: a
// description takes about a kilobyte here, and nothing on the server.
const describedPerKept = 4

// statement finds or prepares the statement of that text. fresh says that it
// was prepared just now.
func (s *conn) statement(ctx context.Context, query string) (st *statement, fresh bool, err error) {
	if e := s.cache.Get(query); e != nil {
		return e.Stmt, false, nil
	}
	steady := isSteady(query)
	keep := steady && s.cache.Admit(query)
	name := ""
	if keep {
		s.names++
		name = "dbfleet_" + strconv.Itoa(s.names)
	} else if e := s.described.Get(query); e != nil {
		return e.Stmt, false, nil
	}
	s.unnamed = nil
	sd, err := s.pc.Prepare(ctx, name, query, nil)
	if err != nil {
		var pe *pgconn.PrepareError
		if name != "" && errors.As(err, &pe) && pe.ParseComplete {
			s.closes = append(s.closes, name)
		}
		return nil, false, err
	}
	st = &statement{sd: sd, columns: describe(sd.Fields)}
	switch {
	case keep:
		s.cache.Put(query, st)
		s.described.Forget(query)
	default:
		if steady && s.described.Admit(query) {
			s.described.Put(query, st)
		}
		if !s.b.o.Pooler {
			s.unnamed = st
		}
	}
	return st, true, nil
}

// isSteady reports whether a text means the same each time. FETCH and EXECUTE have
// the columns of what their name stands for at the moment.
func isSteady(query string) bool {
	word, _ := lex.FirstWord(query, dialect.Postgres)
	return !strings.EqualFold(word, "FETCH") && !strings.EqualFold(word, "EXECUTE")
}

// forget forgets what is known of the statement of that text.
func (s *conn) forget(query string) {
	s.cache.Forget(query)
	s.described.Forget(query)
}

// run executes a statement with arguments in the protocol's form.
func (s *conn) run(ctx context.Context, st *statement, values [][]byte, formats []int16, results []int16) *pgconn.ResultReader {
	s.sendCloses()
	parsed := st.sd.Name != "" || s.unnamed == st
	s.unnamed = nil // whatever comes next takes its place
	if !parsed {
		return s.pc.ExecParams(ctx, st.sd.SQL, values, st.sd.ParamOIDs, formats, results)
	}
	return s.pc.ExecStatement(ctx, st.sd, values, formats, results)
}

// send binds the arguments and sends the statement.
func (s *conn) send(ctx context.Context, st *statement, args []sqldriver.NamedValue) (*pgconn.ResultReader, error) {
	if err := session.CheckInputs(len(st.sd.ParamOIDs), len(args)); err != nil {
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
	return s.run(ctx, st, s.params.ParamValues, s.params.ParamFormats, st.formats), nil
}

// sendCloses sends, with the next statement, which ones fell out of the cache.
func (s *conn) sendCloses() {
	for _, name := range s.closes {
		s.pc.Frontend().SendClose(&pgproto3.Close{ObjectType: 'S', Name: name})
	}
	s.closes = s.closes[:0]
}

// encode brings the arguments into the protocol's form. pgx asks Value methods.
func (s *conn) encode(st *statement, args []sqldriver.NamedValue) (err error) {
	defer session.RecoverArgument(0, &err)
	defer clear(s.args)
	if err := s.params.Build(s.conn.TypeMap(), st.sd, s.args); err != nil {
		return s.argumentError(st, args)
	}
	return nil
}

// argumentError says which argument could not be encoded, without its value.
func (s *conn) argumentError(st *statement, args []sqldriver.NamedValue) error {
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
			return &session.NotSentError{Err: &session.ArgumentError{Ordinal: i + 1, Reason: "cannot be sent as " + typeName(m, oid)}}
		}
	}
	return &session.NotSentError{Err: &session.ArgumentError{Reason: "an argument cannot be sent"}}
}

func (s *conn) Exec(ctx context.Context, query string, args []sqldriver.NamedValue) (session.Result, error) {
	if len(args) == 0 {
		tag, err := s.simple(ctx, query)
		return session.Result{RowsAffected: tag.RowsAffected(), IDStep: 1}, err
	}
	for try := 0; ; try++ {
		st, fresh, err := s.statement(ctx, query)
		if err != nil {
			return session.Result{}, err
		}
		rr, err := s.send(ctx, st, args)
		if err != nil {
			return session.Result{}, err
		}
		for rr.NextRow() { // the rows of a RETURNING that nobody asked for
		}
		tag, err := rr.Close()
		if err == nil {
			return session.Result{RowsAffected: tag.RowsAffected(), IDStep: 1}, nil
		}
		if !s.again(query, err) || fresh || try > 0 {
			return session.Result{}, err
		}
	}
}

// simple sends statements without arguments as one text.
func (s *conn) simple(ctx context.Context, query string) (pgconn.CommandTag, error) {
	var tag pgconn.CommandTag
	s.unnamed = nil
	mrr := s.pc.Exec(ctx, query)
	for mrr.NextResult() {
		tag, _ = mrr.ResultReader().Close()
	}
	return tag, mrr.Close()
}

func (s *conn) Query(ctx context.Context, query string, args []sqldriver.NamedValue) (session.RowSource, error) {
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
			return s.rows(st, rr, true), nil
		}
		if _, err = rr.Close(); err == nil {
			return s.rows(st, rr, false), nil
		}
		if !s.again(query, err) || fresh || try > 0 {
			return nil, err
		}
	}
}

// again forgets a statement that a change of the schema may have made stale,
// and reports whether the server said so before it executed anything.
func (s *conn) again(query string, err error) bool {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return false
	}
	switch pe.Code[:min(2, len(pe.Code))] {
	case "0A", "26", "42", "XX", "08":
		s.forget(query)
	}
	stale := pe.Code == "0A000" && pe.Routine == "RevalidateCachedQuery" || pe.Code == "26000" ||
		pe.Code == "08P01" && pe.Routine == "PortalSetResultFormat" // it has another number of columns now
	return stale && s.pc.TxStatus() == 'I'
}

func (s *conn) Prepare(ctx context.Context, query string) (int, error) {
	st, _, err := s.statement(ctx, query)
	if err != nil {
		return 0, err
	}
	return len(st.sd.ParamOIDs), nil
}

func (s *conn) Begin(ctx context.Context, o session.TxOptions) error {
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
		return &session.NotSentError{Err: &session.UnsupportedIsolationError{Level: o.Isolation.String(), Database: "PostgreSQL"}}
	}
	if o.ReadOnly {
		query += " READ ONLY"
	}
	_, err := s.simple(ctx, query)
	return err
}

func (s *conn) Commit(ctx context.Context) error {
	tag, err := s.simple(ctx, "COMMIT")
	if err == nil && tag.String() == "ROLLBACK" {
		return &session.TxLostError{Err: session.ErrTxAborted}
	}
	return err
}

func (s *conn) Rollback(ctx context.Context) error {
	_, err := s.simple(ctx, "ROLLBACK")
	return err
}

func (s *conn) TxStatus() session.TxStatus {
	switch s.pc.TxStatus() {
	case 'I':
		return session.TxNone
	case 'T':
		return session.TxOpen
	case 'E':
		return session.TxAborted
	}
	return session.TxUnknown
}

func (s *conn) Explain(err error) error {
	if errors.Is(err, pgconn.ErrConnClosed) && s.net.Failed() != nil {
		return s.net.Failed()
	}
	return err
}

func (s *conn) Verdict(err error) session.Verdict {
	var lost *session.TxLostError
	var notSent *session.NotSentError
	var pe *pgconn.PgError
	closed := s.pc.IsClosed()
	switch {
	case errors.As(err, &lost):
		return session.Verdict{Answered: true}
	case errors.As(err, &notSent):
		return session.Verdict{NotSent: true}
	case errors.As(err, &pe):
		fatal := strings.EqualFold(pe.Severity, "FATAL") || strings.EqualFold(pe.Severity, "PANIC") || closed
		return session.Verdict{
			Answered: true, Broken: fatal,
			CommitUnknown: fatal || pe.Code == "40003" || strings.HasPrefix(pe.Code, "08") || strings.HasPrefix(pe.Code, "57P"),
		}
	case !closed && pgconn.SafeToRetry(err):
		return session.Verdict{NotSent: true}
	}
	return session.Verdict{Broken: true}
}

// Convert leaves arguments to pgx, which knows the types of the placeholders.
func (s *conn) Convert(nv *sqldriver.NamedValue) error {
	if nv.Name != "" {
		return &session.ArgumentError{Ordinal: nv.Ordinal, Reason: "has a name, which PostgreSQL does not know"}
	}
	return nil
}

func (s *conn) AsIs() session.Kinds { return session.KindsAll }

func (s *conn) ManyCursors() bool { return false }

func (s *conn) Ping(ctx context.Context) error {
	_, err := s.simple(ctx, "-- ping")
	return err
}

func (s *conn) Usable() bool { return !s.pc.IsClosed() }

// Alive looks for what the server may have sent to an idle connection: an error
// is its farewell, notices and changed parameters are not. What TLS has
// encrypted cannot be told apart and counts as a farewell.
func (s *conn) Alive() bool {
	n, gone := s.net.Peek(s.peeked[:])
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

func (s *conn) Close() error {
	if s.pc.IsClosed() {
		s.b.giveUp(s.pc, s.net)
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.conn.Close(ctx) // that the farewell did not reach the server changes nothing
	return nil
}
