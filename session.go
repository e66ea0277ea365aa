package dbfleet

import (
	"context"
	"sync"
	"time"
)

// SessionOptions say what a session promises beside the reading of its own writes.
type SessionOptions struct {
	// MonotonicReads has no read of the session show less than one before it: reads stay
	// with the replica of the last one while it is well, and otherwise go to where all is
	// that the primary has by then, or to the primary.
	//
	// Excluded is one case of PostgreSQL: a standby can show the commit of somebody else a
	// moment before its own primary does. When such a read was the last one on the
	// standby, and no replica is fit for the next, that may not find the commit yet on the
	// primary.
	MonotonicReads bool
	// FirstReadFromPrimary has the session begin with what is committed when it first
	// reads from a connection: that read goes to the primary, later ones to replicas that
	// have all of it. Without it reads before the first write go to the replicas in turn,
	// however far behind they are (see ReadsConfig.MaxLag).
	FirstReadFromPrimary bool
	// Wait is how long a read waits for a replica to have what the session needs, where
	// none is known to have it, before it goes to the primary. -1 is not at all. A replica
	// that was waited for in vain is not waited for again for some time.
	//
	// Defaults to 50 milliseconds.
	Wait time.Duration
}

// sessionWait is the default of SessionOptions.Wait.
const sessionWait = 50 * time.Millisecond

// A Session is what one user's flow of work has written through connections that have
// replicas, so that its reads find it there: from a replica that is known to have it, or
// from the primary. WithSession begins one, ContinueSession goes on with one that was
// begun in another request or process. Whatever reads and writes with its context
// belongs to it, and nothing else.
//
// # What a read finds
//
// Every write that the session was told is done: by a statement outside of a transaction
// (of a model or a table, ExecContext, INSERT … RETURNING, CreateMany, upserts, Load), by
// a transaction that was begun with its context or has statements of it, with the COMMIT,
// on each connection of an Atomic once it is committed there, and what steps of a saga
// and handlers of an outbox write with a context of the session. After such a write the
// server is asked for its position in its history of writes, on the connection that
// wrote; a replica serves a later read once it has applied all up to there. Of other
// sessions' writes a read may miss any, but with MonotonicReads none that the session has
// seen.
//
// A write that has failed and a transaction that was rolled back change nothing, but for
// QueryContext and QueryRowContext of what is no plain read, which count in any case, and
// again when their rows are closed. Where a position could not be had in half a second,
// or a connection has no replicas to begin with, the session reads that connection from
// its primary until the next write of it: the write itself has succeeded, so it is no
// error. After a write whose outcome is unknown (ErrOutcomeUnknown), which may be done
// long afterwards still, it reads that connection from the primary for the rest of its
// life. So it does after PrepareContext outside of a transaction of what is no plain read.
// A statement that was prepared there before the session, or with another context, counts
// for the session of the context that it is run with, by its text: then the session reads
// the connection from its primary until its next write of another kind, whose position
// is asked for. Connections that Conn has lent count when Conn ends, and are read from
// the primary until then.
//
// Not seen is what goes through Pool and ReplicaPool; what a SELECT writes that looks
// like a plain read, by a view or an operator whose function writes, or by an overload of
// a function that is known; and on MariaDB and MySQL what a transaction that was rolled
// back has left in tables without transactions.
//
// # Where a read goes
//
// A replica that is known to have all that is needed serves it without a question of its
// own: what is known is kept for each connection to a server, so that a name with several
// servers behind it is safe. Otherwise the one that is nearest to it is given
// SessionOptions.Wait, and then the primary reads. Before that the server is known to be
// the primary of the history that the session has written in, and to have got as far: one
// that was the primary before a failover does not serve it. If a new one has been
// promoted since, it is the truth, with what it has; a session that has seen more recent
// history than the primary that this process knows gets ErrStale if no other is found at
// once. MariaDB and MySQL do not tell which of two histories is the later one: there, what
// another process has written to a primary and its failover has lost is ErrStale until the
// token is dropped. A transaction that ctx carries takes what is its own, as always;
// ReadPrimary, DB.Primary and OnReplica read what is there.
//
// When the primary cannot be reached, reads are served by replicas that have what is
// needed, and fail otherwise, unless ReadsConfig.WhenPrimaryDown allows them to be stale.
// Raw queries on DB.Read are as other reads; a Conn of it stays with the server it began
// with, also when the session writes meanwhile. A PgBouncer or another pooler that leads
// statements of one connection to several servers must have a name for each of them.
//
// A Session is safe for concurrent use. A read that begins after a write has returned
// finds it; of those that run at the same time nothing is promised.
type Session struct {
	options SessionOptions

	mu    sync.Mutex // protects following fields
	marks []*mark    // one of each connection; each is replaced and never changed
	reads uint64     // that were noted
	first bool       // as FirstReadFromPrimary, of a token that had no room for more, or was bad
	reg   *Registry
}

// WithSession begins a session: what reads and writes with the context that it returns
// belongs to it, and no longer to one that ctx has. Contexts made of it are of the same
// session, those of transactions and OutsideTx too. At most one SessionOptions may be
// given.
//
// It does no I/O. One context may be used by several goroutines.
func WithSession(ctx context.Context, options ...SessionOptions) context.Context {
	mustHave("WithSession", "context", ctx != nil)
	o, err := atMostOne(options)
	must("WithSession", err)
	must("WithSession", o.validate())
	return inSession(ctx, &Session{options: o})
}

func inSession(ctx context.Context, s *Session) context.Context {
	return askingFor(ctx, func(a *asked) { a.session = s })
}

// SessionOf returns the session of a context; nil is none.
func SessionOf(ctx context.Context) *Session {
	if ctx == nil {
		return nil
	}
	return txsOf(ctx).wants().session
}

func (o SessionOptions) validate() error {
	if o.Wait < -1 {
		return errorf("SessionOptions.Wait is negative: only -1 has a meaning")
	}
	return nil
}

// wait is how long a read may wait for a replica.
func (s *Session) wait() time.Duration {
	if s.options.Wait == 0 {
		return sessionWait
	}
	return max(s.options.Wait, 0)
}
