//go:build !dbfleet_no_postgres

package postgres

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// A statement can take the question of Position along: the bytes of that go out right
// behind its own, and the server answers them when it is done with the statement, whose
// commit and error are its own. It is one round trip instead of two.
//
// pgx knows nothing of it. It sends the statement and reads its answer up to the server's
// ReadyForQuery, as ever. Then it sends the question, which is held back here since it is
// on its way already, and reads the answer to it.

// question asks for Position, in the protocol's form.
var question = func() []byte {
	b, err := (&pgproto3.Query{String: written}).Encode(nil)
	if err != nil {
		panic(err) // it is a constant
	}
	return b
}()

// What an outlet does with the next bytes.
const (
	passing int32 = iota // writes them
	adding               // writes the question behind them
	asked                // the question was written and not read: holds it back, and takes nothing else
)

// outlet is what a connection writes to. The goroutine in which pgx closes a connection
// that it gives up may write to it at any time.
type outlet struct {
	w     io.Writer
	state atomic.Int32
	both  []byte // of the last statement with a question or BEGIN, to use again

	first opening
}

var errUnread = errors.New("an answer of the server was not read")

// Write implements io.Writer. pgx writes whole messages, and all of a statement at once.
func (o *outlet) Write(p []byte) (int, error) {
	switch o.first.state.Load() {
	case beginDue:
		if len(p) > 0 && p[0] != 'X' { // no farewell
			return o.begins(p)
		}
	case beginRefused:
		o.first.state.Store(noBegin)
	}
	switch o.state.Load() {
	case adding:
		return o.add(p)
	case asked:
		switch {
		case bytes.Equal(p, question):
			o.state.Store(passing)
			return len(p), nil
		case len(p) > 0 && p[0] == 'X': // farewell
		default:
			return 0, errUnread
		}
	}
	return o.w.Write(p)
}

// maxBoth is how many bytes of outlet.both are kept for the next statement.
const maxBoth = 4 << 10

// add writes p and the question. An error is one of p's, however much of the question was
// written: how much of p tells whether the server may have the statement.
func (o *outlet) add(p []byte) (int, error) {
	o.both = append(append(o.both[:0], p...), question...)
	n, err := o.w.Write(o.both)
	if cap(o.both) > maxBoth {
		o.both = nil
	}
	if err == nil {
		o.state.CompareAndSwap(adding, asked)
	}
	return min(n, len(p)), err
}

// LocateNext implements session.AheadLocator. A pooler may give what is sent at once to
// several connections, so it gets one thing after the other.
func (s *conn) LocateNext(does bool) bool {
	s.locates = does && !s.unplaced && !s.b.o.Pooler
	return s.locates
}

// Unsettled implements session.AheadLocator.
func (s *conn) Unsettled() bool { return s.out.state.Load() == asked }

// Settle implements session.AheadLocator.
func (s *conn) Settle(ctx context.Context) error {
	if !s.Unsettled() {
		return nil
	}
	_, err := s.row(ctx, written)
	if s.Verdict(err).Answered { // whatever it says
		return nil
	}
	return err
}

// takesAlong says that the next bytes that pgx sends are those of a statement, which take
// the question along if LocateNext was called for it. sent is called when they were sent,
// or could not be.
func (s *conn) takesAlong(query string) (sent func()) {
	if !s.locates || !s.leavesReady(query) {
		return func() {}
	}
	s.locates = false
	s.out.state.CompareAndSwap(passing, adding)
	return s.out.pass
}

// pass ends adding where nothing was written.
func (o *outlet) pass() { o.state.CompareAndSwap(adding, passing) }

// leavesReady says that the server has committed a statement when it is done with it, and
// is ready for more. COPY takes what comes next for rows.
func (s *conn) leavesReady(query string) bool {
	word, _ := lex.FirstWord(query, dialect.Postgres)
	switch strings.ToUpper(word) {
	case "COMMIT":
		return true
	case "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "SELECT", "VALUES":
		return s.alone() && strings.IndexByte(query, ';') < 0
	}
	return false
}

// anew has a statement that took the question along, and that the server has refused before
// it did anything, do so once more.
func (s *conn) anew(ctx context.Context) error {
	s.locates = s.Unsettled()
	return s.Settle(ctx)
}
