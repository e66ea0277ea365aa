//go:build !dbfleet_no_postgres

package postgres

import (
	"context"
	"crypto/tls"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dbfleet/dbfleet/internal/driver/netconn"
	"github.com/dbfleet/dbfleet/internal/driver/session"
	"github.com/dbfleet/dbfleet/internal/driver/stmtcache"
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
	// altered says that the transaction has changed the schema.
	altered bool
	// begun says that Begin began a transaction that Commit and Rollback have not ended;
	// over is how it has ended in spite of that, text what was sent last.
	begun bool
	over  session.TxStatus
	text  string
	bases map[uint32]uint32 // see base
	// elements are what the elements of arrays of types of users are made of.
	elements map[uint32]uint32
	params   pgx.ExtendedQueryBuilder
	args     []any
	arrays   [][]byte // see InsertRows
	peeked   [512]byte

	out     *outlet
	locates bool // the next statement takes the question of Position along

	tliSeen  uint32 // the timeline that the standby was seen to receive last, see located
	unplaced bool   // the server has no functions for positions
}

func newConn(pc *pgx.Conn, b *backend, out *outlet) *conn {
	s := &conn{b: b, conn: pc, pc: pc.PgConn(), out: out}
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

func (s *conn) Exec(ctx context.Context, query string, args []sqldriver.NamedValue) (session.Result, error) {
	if len(args) == 0 {
		tag, err := s.simple(ctx, query)
		return session.Result{RowsAffected: tag.RowsAffected(), IDStep: 1}, err
	}
	if hasOptions(args) {
		return s.execOptions(ctx, query, args)
	}
	for try := 0; ; try++ {
		rr, _, fresh, err := s.send(ctx, query, args)
		if err != nil {
			return session.Result{}, err
		}
		for rr.NextRow() { // the rows of a RETURNING that nobody asked for
		}
		tag, err := rr.Close()
		if err == nil {
			return session.Result{RowsAffected: tag.RowsAffected(), IDStep: 1}, nil
		}
		again, err := s.again(query, fresh, err)
		if !again || try > 0 || s.anew(ctx) != nil {
			return session.Result{}, err
		}
	}
}

// simple sends statements without arguments as one text.
func (s *conn) simple(ctx context.Context, query string) (pgconn.CommandTag, error) {
	var tag pgconn.CommandTag
	if err := s.beginNow(ctx); err != nil {
		return tag, err
	}
	s.unnamed = nil
	s.text = query
	sent := s.takesAlong(query)
	mrr := s.pc.Exec(ctx, query)
	sent()
	for mrr.NextResult() {
		tag, _ = mrr.ResultReader().Close()
		s.changed(tag)
	}
	return tag, mrr.Close()
}

func (s *conn) Query(ctx context.Context, query string, args []sqldriver.NamedValue) (session.RowSource, error) {
	if hasOptions(args) {
		return s.queryOptions(ctx, query, args)
	}
	for try := 0; ; try++ {
		rr, st, fresh, err := s.send(ctx, query, args)
		if err != nil {
			return nil, err
		}
		if rr.NextRow() { // the server's refusal comes before the first row
			return s.rows(st, rr, true), nil
		}
		tag, err := rr.Close()
		if err == nil {
			s.text = query
			s.changed(tag)
			return s.rows(st, rr, false), nil
		}
		again, err := s.again(query, fresh, err)
		if !again || try > 0 || s.anew(ctx) != nil {
			return nil, err
		}
	}
}

func (s *conn) Prepare(ctx context.Context, query string) (int, error) {
	st, _, err := s.statement(ctx, query)
	if err != nil {
		return 0, err
	}
	return len(st.sd.ParamOIDs), nil
}

func (s *conn) Begin(ctx context.Context, o session.TxOptions) error {
	query, err := beginText(o)
	if err != nil {
		return err
	}
	_, err = s.simple(ctx, query)
	s.begun, s.over = err == nil, session.TxUnknown
	return err
}

// beginText is the BEGIN of a transaction.
func beginText(o session.TxOptions) (string, error) {
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
		return "", &session.NotSentError{Err: &session.UnsupportedIsolationError{Level: o.Isolation.String(), Database: "PostgreSQL"}}
	}
	if o.ReadOnly {
		query += " READ ONLY"
	}
	if o.Deferrable {
		query += " DEFERRABLE"
	}
	return query, nil
}

// Commit sends nothing where nothing was sent of the transaction, as Rollback does.
func (s *conn) Commit(ctx context.Context) error {
	s.begun = false
	if s.dropBegin() {
		return nil
	}
	tag, err := s.simple(ctx, "COMMIT")
	if err == nil && tag.String() == "ROLLBACK" {
		return &session.TxLostError{Err: session.ErrTxAborted}
	}
	return err
}

func (s *conn) Rollback(ctx context.Context) error {
	s.begun = false
	if s.dropBegin() {
		return nil
	}
	_, err := s.simple(ctx, "ROLLBACK")
	return err
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
	case pgconn.SafeToRetry(err) && s.net.Unwritten(): // pgx says so of an answer that was cut off, too
		return session.Verdict{NotSent: true, Broken: true}
	case !closed && !s.pc.IsBusy():
		// pgx made it before it sent anything, or after the server's last word: it gives
		// up a connection on which it loses count.
		return session.Verdict{Answered: true}
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

// ReadOnly asks for what a transaction would be: read-only on a standby, and where
// default_transaction_read_only is on.
func (s *conn) ReadOnly(ctx context.Context) (bool, error) {
	if err := s.beginNow(ctx); err != nil {
		return false, err
	}
	s.unnamed = nil
	results, err := s.pc.Exec(ctx, "SHOW transaction_read_only").ReadAll()
	if err != nil {
		return false, err
	}
	return len(results) == 1 && len(results[0].Rows) == 1 && string(results[0].Rows[0][0]) == "on", nil
}

func (s *conn) Usable() bool { return !s.pc.IsClosed() && !s.Unsettled() }

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
