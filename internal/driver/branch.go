package driver

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/session"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// The parts of a commit over several databases. Each participant has one connection
// with one transaction. The anchor's is an ordinary one, of BeginAnchor: its Commit is
// the decision. The others are branches, of BeginBranch: PrepareBranch is their vote,
// after which CommitPrepared or RollbackPrepared ends them, on this connection or, when
// it is lost, on any other one of the same server.

// ErrNoBranches says that the database cannot prepare a transaction: it can only be the
// anchor.
var ErrNoBranches = errors.New("the database cannot prepare a transaction: it takes part in a commit over several databases only as the anchor")

// errPrepared is why nothing can be sent to a session that is attached to a branch.
var errPrepared = errors.New("the branch is prepared: it can only be committed or rolled back")

// branch is what is known of a transaction that is the anchor or a branch.
type branch struct {
	id       BranchID // zero for the anchor
	attached bool     // it is prepared, and the session can do nothing but finish it
	wrote    bool     // something was sent that is not known to be a plain read
	notified bool     // NOTIFY may have been sent
	changed  bool     // since then a statement said that it changed rows, so nobody need be asked
}

func (t *txState) attached() bool { return t.branch != nil && t.branch.attached }

// note sees each statement of the transaction.
func (b *branch) note(query string, d *dialect.Dialect) {
	b.wrote = b.wrote || query != "" && !isSavepoint(query, d) && !isPlainRead(query, d)
	b.notified = b.notified || mentionsNotify(query)
}

// mentionsNotify looks for NOTIFY and pg_notify, in whatever case, and in comments too.
func mentionsNotify(query string) bool {
	const word = "notify"
	for {
		i := strings.IndexAny(query, "fF") // the rarest letter
		if i < 0 {
			return false
		}
		if at := i - strings.IndexByte(word, 'f'); at >= 0 && at+len(word) <= len(query) && strings.EqualFold(query[at:at+len(word)], word) {
			return true
		}
		query = query[i+1:]
	}
}

// unseen says that statements may have been sent that note has not seen.
func (b *branch) unseen() {
	if b != nil {
		b.wrote, b.notified = true, true
	}
}

func isPlainRead(query string, d *dialect.Dialect) bool {
	word, _ := lex.FirstWord(query, d)
	return (strings.EqualFold(word, "SELECT") || strings.EqualFold(word, "WITH")) && lex.PlainRead(query, d)
}

// isSavepoint knows the statements around a savepoint, which write nothing.
func isSavepoint(query string, d *dialect.Dialect) bool {
	if strings.IndexByte(query, ';') >= 0 {
		return false
	}
	word, _ := lex.FirstWord(query, d)
	return strings.EqualFold(word, "SAVEPOINT") || strings.EqualFold(word, "RELEASE") || isRollbackTo(query, d)
}

// BeginAnchor is BeginLate for a transaction of which Wrote will be asked, and whose commit is
// a decision: on SQLite it is on the disk before it is answered.
func (c *Conn) BeginAnchor(ctx context.Context, o TxOptions, another Another) error {
	if c.inner == nil {
		return errReleased
	}
	if err := c.inner.makeDurable(ctx); err != nil {
		return err
	}
	if err := c.BeginLate(ctx, o, another); err != nil {
		return err
	}
	c.inner.lockAnyway()
	defer c.inner.unlock()
	c.inner.tx.branch = new(branch)
	return nil
}

func (c *conn) makeDurable(ctx context.Context) error {
	d, ok := c.s.(session.Durable)
	if !ok {
		return nil
	}
	if err := c.enter(ctx, ""); err != nil {
		return err
	}
	defer c.unlock()
	if err := d.MakeDurable(ctx); err != nil {
		return c.failed(ctx, err)
	}
	return nil
}

// BeginBranch begins a transaction that can be prepared. It is a transaction as that of
// Begin in all else: Commit ends it in one phase and Rollback rolls it back, as long as
// it is not prepared. An id that is not Valid, and a database that cannot prepare, are
// errors before anything is sent; after any other error the connection is not used
// again.
func (c *Conn) BeginBranch(ctx context.Context, id BranchID, o TxOptions) error {
	if c.inner == nil {
		return errReleased
	}
	c.late = lateBegin{begins: 1} // it is begun once
	return c.inner.beginBranch(ctx, id, o)
}

func (c *conn) beginBranch(ctx context.Context, id BranchID, o TxOptions) error {
	b, err := c.brancher(id)
	if err != nil {
		return err
	}
	if err := c.enter(ctx, "BEGIN"); err != nil {
		return err
	}
	defer c.unlock()
	if c.tx.active {
		return &NotSentError{Err: errTxOpen}
	}
	if late, err := c.beginLateLocked(ctx, o); late || err != nil {
		if late {
			c.tx.branch = &branch{id: id}
		}
		return err
	}
	if err := b.BeginBranch(ctx, id, o); err != nil {
		if err = c.failed(ctx, err); !isNotSent(err) {
			c.broken.Store(true) // options may be set that are the next transaction's
		}
		return err
	}
	c.tx = txState{active: true, branch: &branch{id: id}}
	return nil
}

func isNotSent(err error) bool {
	var notSent *NotSentError
	return errors.As(err, &notSent)
}

// brancher is the session, if it can prepare and the id can be sent.
func (c *conn) brancher(id BranchID) (session.Brancher, error) {
	b, ok := c.s.(session.Brancher)
	switch {
	case !ok:
		return nil, &NotSentError{Err: ErrNoBranches}
	case !id.Valid():
		return nil, &NotSentError{Err: &ArgumentError{Reason: "the branch's id is not in the form of this module's"}}
	}
	return b, nil
}

// PrepareBranch is the vote of the transaction of BeginBranch. nil means that the branch
// is verifiably prepared: it outlives this connection and a crash of the server, and only
// CommitPrepared and RollbackPrepared end it, for Commit and Rollback it is over
// (sql.ErrTxDone). On MySQL and MariaDB the connection can do nothing else until then;
// if it is released before, it is closed, which makes the branch free for others.
//
// An *UnansweredError means that the branch may be prepared, now or a little later. If
// ctx was over before anything was sent, or rows are still open (ErrBusy), the
// transaction is as it was. After any other error it is rolled back: a *TxLostError
// where the server had given it up before.
func (c *Conn) PrepareBranch(ctx context.Context) error {
	if c.inner == nil {
		return sql.ErrTxDone
	}
	return c.inner.prepareBranch(ctx)
}

func (c *conn) prepareBranch(ctx context.Context) error {
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	switch {
	case !c.tx.active, c.tx.attached():
		return sql.ErrTxDone
	case c.tx.branch == nil || c.tx.branch.id == BranchID{}:
		return &NotSentError{Err: errors.New("the transaction was not begun as a branch")}
	case c.tx.cause != nil:
		cause := c.tx.cause
		_ = c.endLost()
		return &TxLostError{Err: cause}
	case c.broken.Load():
		c.tx = txState{}
		return &TxLostError{Err: &ConnLostError{}}
	case c.lent.Load():
		return &NotSentError{Err: errLent}
	case c.open.Load() > 0 && !c.s.ManyCursors():
		return &NotSentError{Err: ErrBusy}
	}
	if err := ctx.Err(); err != nil {
		return &NotSentError{Err: err} // the transaction stays open, for Rollback
	}
	tx := c.tx
	c.tx = txState{}
	attached, err := c.s.(session.Brancher).PrepareBranch(ctx, tx.branch.id)
	if err == nil {
		if attached {
			c.tx = txState{active: true, cause: errPrepared, final: true, branch: tx.branch}
			c.tx.branch.attached = true
		}
		return nil
	}
	v := c.s.Verdict(err)
	err = c.s.Explain(err)
	if v.Broken || v.NotSent {
		c.broken.Store(true)
	}
	switch {
	case v.Answered && !v.CommitUnknown:
		return err
	case v.NotSent:
		return &TxLostError{Err: reason(ctx, err)}
	}
	c.broken.Store(true)
	return &UnansweredError{Err: reason(ctx, err)}
}

// Wrote says whether the transaction of BeginAnchor or BeginBranch may have changed
// anything. It asks the server where that knows; elsewhere everything counts that is not
// known to be a plain read. Beside an error, and of any other transaction, it is true. A
// function that notifies and writes nothing is not seen on PostgreSQL.
func (c *Conn) Wrote(ctx context.Context) (bool, error) {
	if c.inner == nil {
		return true, errReleased
	}
	return c.inner.wroteAnything(ctx)
}

// Changed says that Wrote is true and asks nobody: a statement has told that it changed
// rows.
func (c *Conn) Changed() bool {
	if c.inner == nil {
		return false
	}
	c.inner.lockAnyway()
	defer c.inner.unlock()
	return c.inner.tx.branch != nil && c.inner.tx.branch.changed
}

func (c *conn) wroteAnything(ctx context.Context) (bool, error) {
	if !c.lent.Load() {
		c.lockAnyway()
		unbegun := c.unbegun()
		c.unlock()
		if unbegun {
			return false, nil
		}
	}
	if err := c.enter(ctx, ""); err != nil {
		return true, err
	}
	defer c.unlock()
	if !c.tx.active || c.tx.branch == nil {
		return true, nil
	}
	b := c.tx.branch
	if b.changed {
		return true, nil
	}
	teller, ok := c.s.(session.WriteTeller)
	if !ok {
		return b.wrote, nil
	}
	wrote, err := teller.Wrote(ctx)
	if err != nil {
		return true, c.failed(ctx, err)
	}
	return wrote || b.notified, nil
}
