package dbfleet

import (
	"database/sql"
	"errors"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// What a caller decides on. Use errors.Is; the class of a database's error is
// told by its code, never by its text, on all databases alike.
var (
	// ErrNotFound says that no row matched. It matches sql.ErrNoRows. The text of an
	// error that is ErrNotFound tells the table, and the key's columns if it was looked
	// for by them; never a value.
	ErrNotFound error = notFound{}

	// ErrUnique is a violated unique or primary key.
	ErrUnique = errors.New("dbfleet: unique constraint violated")
	// ErrForeignKey is a violated foreign key.
	ErrForeignKey = errors.New("dbfleet: foreign key violated")
	// ErrNotNull is NULL for a column that refuses it.
	ErrNotNull = errors.New("dbfleet: not-null constraint violated")
	// ErrCheck is a violated check constraint.
	ErrCheck = errors.New("dbfleet: check constraint violated")
	// ErrInvalidValue is a value that the database refuses: too long, out of
	// range, wrongly encoded or of the wrong type.
	ErrInvalidValue = errors.New("dbfleet: value refused by the database")

	// ErrDeadlock is a deadlock that the database broke; the transaction is
	// rolled back and may be run again.
	ErrDeadlock = errors.New("dbfleet: deadlock")
	// ErrSerialization is a conflict of isolation; the transaction may be run
	// again.
	ErrSerialization = errors.New("dbfleet: serialization failure")
	// ErrLockTimeout is a lock that was not had in time, also SQLite's "busy".
	ErrLockTimeout = errors.New("dbfleet: lock not acquired in time")

	// ErrReadOnly is a write refused by a read-only server, session or
	// transaction.
	ErrReadOnly = errors.New("dbfleet: read-only")
	// ErrConnection is a connection that could not be made or was lost.
	ErrConnection = errors.New("dbfleet: connection failed")
	// ErrConnectionRefused is a server that could not be reached: nothing was
	// sent. It comes with ErrConnection.
	ErrConnectionRefused = errors.New("dbfleet: server not reachable")
	// ErrAuthentication is a server that refuses the account or the password.
	ErrAuthentication = errors.New("dbfleet: authentication failed")
	// ErrTooManyConnections is a server that takes no more connections.
	ErrTooManyConnections = errors.New("dbfleet: the server has too many connections")
	// ErrAcquireTimeout is a pool in which no connection became free within
	// PoolConfig.AcquireTimeout. The error is an *AcquireTimeoutError.
	ErrAcquireTimeout = errors.New("dbfleet: no free connection in time")
	// ErrTimeout is a statement that ran longer than the server or
	// StatementTimeout allows. A context's end is context.DeadlineExceeded
	// instead.
	ErrTimeout = errors.New("dbfleet: statement timeout")
	// ErrUndefined is a table, column, function or database that does not exist.
	// SQLite has no code for it: its error there is a *QueryError of no class.
	ErrUndefined = errors.New("dbfleet: no such object in the database")

	// ErrOutcomeUnknown says that a write was sent and no answer came: the
	// database may or may not have done it. A write that surely was not sent, and one
	// that the server has answered, is never that; nor is one inside a transaction, of
	// which nothing persists without its commit.
	ErrOutcomeUnknown = driver.ErrOutcomeUnknown
	// ErrWritten says that a write succeeded, but not as asked: a trigger or a rule
	// left rows out, changed them or put them elsewhere, or what the database made
	// could not be read. What was written stays, so it is not to be sent again; in a
	// transaction it ends with that.
	ErrWritten = errors.New("dbfleet: written, but not as asked")
	// ErrCommitUnknown says that COMMIT was sent and no answer came. It is
	// never retried. It comes with ErrOutcomeUnknown, of which it is one kind: who handles
	// that handles this. The error of Transaction is a *CommitUnknownError. Where the
	// server had ended the session before COMMIT could be sent, it is ErrTxLost instead.
	ErrCommitUnknown = driver.ErrCommitUnknown
	// ErrTxLost says that the server has ended the transaction; nothing more can be
	// done in it but roll back. It comes with the class of its cause, such as
	// ErrDeadlock. Nothing of the transaction persists, unless a statement in it has
	// ended it, as a procedure with COMMIT does on MySQL: then it is also
	// ErrTxCommitted, or ErrOutcomeUnknown where the server does not say how it ended.
	// Such a transaction is never run again by TxOptions.Retries.
	ErrTxLost = errors.New("dbfleet: transaction lost")
	// ErrTxCommitted says that a statement inside of a transaction has committed it:
	// what came before it is written. It comes with ErrTxLost.
	ErrTxCommitted = errors.New("dbfleet: committed by a statement")
	// ErrTxDone says that the transaction or savepoint has ended. It is
	// sql.ErrTxDone.
	ErrTxDone = sql.ErrTxDone
	// ErrBusy says that the connection of a transaction still has rows open, or
	// is in another savepoint, or that it is the only one of the pool that its own
	// function asks for another.
	ErrBusy = errors.New("dbfleet: the transaction's connection is in use")

	// ErrNoPrimary says that none of a connection's hosts answers as the primary. Nothing
	// was sent.
	ErrNoPrimary = errors.New("dbfleet: no primary")
	// ErrTwoPrimaries says that several servers claim to be a connection's primary. Nothing
	// was sent. The error is a *TwoPrimariesError.
	ErrTwoPrimaries = errors.New("dbfleet: two primaries")

	// ErrClosed says that the registry, or the connection in it, was closed.
	ErrClosed = errors.New("dbfleet: closed")
	// ErrMissingWhere refuses an Update or Delete without conditions.
	ErrMissingWhere = sqlgen.ErrMissingWhere
	// ErrMissingShardKey refuses an operation on a sharded model whose key is
	// neither given nor found in conditions or record.
	ErrMissingShardKey = errors.New("dbfleet: no shard key")
	// ErrReadHandle refuses a write on a handle for reads.
	ErrReadHandle = errors.New("dbfleet: a handle for reads does not write")
	// ErrStale says that no replica is known to be within MaxLag, and that
	// ReadsConfig.WhenStale forbids the primary. Its text tells how far behind they are.
	ErrStale = errors.New("dbfleet: no replica is fresh enough")
	// ErrStaleRecord says that a record was not written because its row was changed since
	// the record was read: the row has another version. See ModelConfig.Version; read it
	// again, by Model.Refresh or in a transaction, and decide.
	ErrStaleRecord = errors.New("dbfleet: the row was changed since the record was read")
	// ErrNoReplica says that no replica answers, for a read that ReadsConfig.WhenStale
	// keeps from the primary.
	ErrNoReplica = errors.New("dbfleet: no replica answers")
	// ErrTooManyArgs refuses a statement with more arguments than the database
	// takes.
	ErrTooManyArgs = sqlgen.ErrTooManyArgs

	// ErrNull is NULL read for a field that cannot hold it.
	ErrNull = rowmap.ErrNull
	// ErrRange is a number or time that does not fit.
	ErrRange = rowmap.ErrRange
	// ErrType is a value of a type that does not fit.
	ErrType = rowmap.ErrType
	// ErrUnread refuses to write a text field that was never read nor set, since the
	// query of its record left the column out.
	ErrUnread = rowmap.ErrUnread
	// ErrEncrypted refuses what would need the plaintext of an encrypted column in the
	// database, or a record that cannot be sealed; see Encrypted.
	ErrEncrypted = rowmap.ErrEncrypted
	// ErrSealed is a value of an encrypted column that does not open: it was changed, is
	// that of another row or column, or its key is not known.
	ErrSealed = rowmap.ErrSealed
)

// notFound is ErrNotFound, and with where also what says where no row was found.
type notFound struct{ where string }

func (e notFound) Error() string {
	if e.where == "" {
		return "dbfleet: no row found"
	}
	return "dbfleet: no row found: " + e.where
}

func (e notFound) Is(target error) bool { return target == sql.ErrNoRows || target == ErrNotFound }

// notFound is the error of a query without a row, which was looked for by the columns
// of a key, none for other conditions.
func (q *query) notFound(key []string) error {
	where := q.place()
	if len(key) > 0 {
		where += ", key " + quotedList(key)
	}
	return notFound{where}
}

// place names what the query asks, for messages: its table, or without one its
// connection.
func (q *query) place() string {
	if name := q.src.table.Name; name != "" {
		return "table " + quoted(name)
	}
	return "connection " + quoted(q.src.connection)
}

// IsRetryable says whether a whole transaction that failed with err may be run
// again: the database undid it because of others (a deadlock, a serialization
// failure, a lock not had in time), or it was asked for the outcome of a commit and
// told that nothing persists (TxOptions.Resolvable). It is never true when the outcome
// is unknown, or when a statement has committed by itself. err may be the driver's own
// error, as the Err of rows and a *sql.Stmt tell it.
func IsRetryable(err error) bool {
	if !allUndone(err) {
		return false
	}
	switch ClassOf(err) {
	case ClassDeadlock, ClassSerialization, ClassLockTimeout:
		return true
	}
	return errors.Is(err, ErrDeadlock) || errors.Is(err, ErrSerialization) || errors.Is(err, ErrLockTimeout) ||
		errors.Is(err, errNotCommitted)
}

// allUndone says that nothing of a transaction that failed with err is committed, or may be.
func allUndone(err error) bool {
	var several *AtomicError
	return !errors.Is(err, ErrOutcomeUnknown) && !errors.Is(err, ErrTxCommitted) && !driver.EndedUnasked(err) && !errors.As(err, &several)
}
