package driver

import (
	"context"
	"database/sql"
	"time"
)

// A Group is what raw statements of a Conn have given out and what ends together: rows
// and prepared statements. They are database/sql's, as if they belonged to a *sql.Tx,
// which sends nothing itself. It is used like its Conn: by one goroutine at a time.
type Group struct {
	tx   *sql.Tx
	life *groupLife
	rows []*sql.Rows // that may be open
	conn *conn
}

// NewGroup begins a group, which must be ended before the Conn is released. A transaction
// that BeginLate has not begun yet it begins, in the time of ctx.
func (c *Conn) NewGroup(ctx context.Context) (*Group, error) {
	if err := c.begun(ctx); err != nil {
		return nil, err
	}
	life := &groupLife{done: make(chan struct{}), over: make(chan struct{})}
	tx, err := c.sc.BeginTx(life, nil)
	if err != nil {
		return nil, err
	}
	return &Group{tx: tx, life: life, conn: c.inner}, nil
}

// Query runs a statement with rows. When the group ends before they have been read,
// their Err is its cause.
func (g *Group) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := g.tx.QueryContext(ctx, query, args...)
	if err == nil {
		if g.conn.open.Load() <= 1 { // all earlier ones are closed by now
			g.rows = g.rows[:0]
		}
		g.rows = append(g.rows, rows)
	}
	return rows, err
}

// QueryRow is Query for one row.
func (g *Group) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return g.tx.QueryRowContext(ctx, query, args...)
}

// Prepare prepares a statement until the end of the group.
func (g *Group) Prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	return g.tx.PrepareContext(ctx, query)
}

// patience is how long rows may take to close themselves at the end of their group. They
// do so at once, unless their reader was given memory of the connection (sql.RawBytes)
// and has not come back.
const patience = 100 * time.Millisecond

// End closes what was given out. Rows that were not at their end tell cause by Err.
func (g *Group) End(cause error) {
	g.life.err = cause
	close(g.life.done)
	if g.conn.open.Load() > 0 {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-g.life.over:
			return
		case <-timer.C:
		}
		for _, rows := range g.rows {
			_ = rows.Close()
		}
	}
	<-g.life.over
}

// groupLife is the context of a Group's transaction. Its Err is what ended the group,
// which database/sql gives to rows that are open. It is no context of package context:
// their children would hide the error.
type groupLife struct {
	done chan struct{}
	err  error         // set before done is closed
	over chan struct{} // closed when nothing of the group is open any more
}

// Deadline implements context.Context.
func (l *groupLife) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done implements context.Context.
func (l *groupLife) Done() <-chan struct{} { return l.done }

// Err implements context.Context.
func (l *groupLife) Err() error {
	select {
	case <-l.done:
		return l.err
	default:
		return nil
	}
}

// Value implements context.Context. It gives the group's life to BeginTx.
func (l *groupLife) Value(key any) any {
	if key == (joinKey{}) {
		return l
	}
	return nil
}

// joinKey asks a context for the life of a group: its transaction has no beginning and
// no end on the server.
type joinKey struct{}

// joinedTx is the transaction of a group for database/sql, which ends it when all rows
// are closed.
type joinedTx struct{ life *groupLife }

func (t joinedTx) Commit() error { return t.Rollback() }

func (t joinedTx) Rollback() error {
	close(t.life.over)
	return nil
}
