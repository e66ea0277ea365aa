package dbfleet

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"
	"slices"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/twophase"
)

// ledger is the table of one database in which atomic commits are decided and marked:
// twophase.Ledger and twophase.Resource. Its statements run on connections of the
// primary's pool, each for itself; hooks do not see them. It is safe for concurrent use.
type ledger struct {
	e        *entry
	text     *dialect.Ledger
	id       twophase.LedgerID
	branches bool // the database can prepare
	closing  closing

	refounded time.Time // when closeAll did so for the last time, which alone reads it
}

// ledger returns the connection's ledger, and makes it if it is missing. branch says that
// the database must be able to prepare a transaction.
func (e *entry) ledger(ctx context.Context, branch bool) (*ledger, error) {
	l, err := e.knownLedger(ctx, true)
	if err != nil || !branch || e.prepares.Load() {
		return l, err
	}
	if err := l.on(ctx, func(c *driver.Conn) error { return c.CheckBranches(ctx) }); err != nil {
		return nil, err
	}
	e.prepares.Store(true)
	return l, nil
}

// knownLedger returns the connection's ledger; nil if it has none and create is false.
func (e *entry) knownLedger(ctx context.Context, create bool) (*ledger, error) {
	if l := e.decides.Load(); l != nil {
		return l, nil
	}
	l := &ledger{e: e, text: dialect.LedgerOf(e.dialect), branches: e.dialect.Name != string(SQLite)}
	var found bool
	err := l.on(ctx, func(c *driver.Conn) error {
		if !create {
			kind, err := l.value(ctx, c, l.text.Durable)
			switch {
			case absent(err) != nil:
				return err
			case kind == "":
				return l.hidden(ctx, c)
			}
			if rows, err := l.count(ctx, c); err != nil || rows == 0 {
				return absent(err) // it is just being made
			}
		} else if err := l.create(ctx, c); err != nil {
			return err
		}
		found = true
		return l.identify(ctx, c)
	})
	if err != nil || !found {
		return nil, err
	}
	e.decides.Store(l)
	return l, nil
}

// absent is err, unless it says that the ledger's table is not there.
func absent(err error) error {
	if err != nil && driver.Classify(err).Class == driver.UndefinedObject {
		return nil
	}
	return err
}

func (l *ledger) create(ctx context.Context, c *driver.Conn) error {
	kind, err := l.value(ctx, c, l.text.Durable)
	if absent(err) != nil {
		return err
	}
	if kind == "" {
		_, made := c.Exec(ctx, l.text.Create, nil)
		kind, err = l.value(ctx, c, l.text.Durable)
		switch {
		case made != nil && (err != nil || kind == ""): // and not because somebody else has made it at the same time
			return fmt.Errorf("the table %s cannot be created: %w; create it as in docs/atomic.md", dialect.LedgerTable, made)
		case err != nil:
			return err
		}
	}
	if kind != l.text.DurableKind {
		return fmt.Errorf("the table %s is of kind %q, not %q: what it holds would not outlive a crash", dialect.LedgerTable, kind, l.text.DurableKind)
	}
	return l.found(ctx, c, twophase.NewLedgerID())
}

// found writes the rows of the ledger itself, unless they are there.
func (l *ledger) found(ctx context.Context, c *driver.Conn, id twophase.LedgerID) error {
	for i, text := range l.text.Found {
		var args []any
		if i == 0 {
			args = []any{string(id)}
		}
		if _, err := c.Exec(ctx, text, args); err != nil {
			return err
		}
	}
	return nil
}

// identify reads the ledger's id. A copy of a database under another name gets an id of
// its own, or else two ledgers would answer for the same transactions.
func (l *ledger) identify(ctx context.Context, c *driver.Conn) error {
	for range 3 {
		rows, err := l.rows(ctx, c, l.text.Identity)
		if err != nil {
			return err
		}
		if len(rows) != 1 {
			return fmt.Errorf("the table %s has no identity: it was not made by this library", dialect.LedgerTable)
		}
		id, was, is := textOf(rows[0][0]), textOf(rows[0][1]), textOf(rows[0][2])
		if !twophase.LedgerID(id).Valid() {
			return fmt.Errorf("the identity in table %s is not one of this library", dialect.LedgerTable)
		}
		if was == is {
			l.id = twophase.LedgerID(id)
			return nil
		}
		if _, err := c.Exec(ctx, l.text.Rename, []any{string(twophase.NewLedgerID()), id}); err != nil {
			return err
		}
	}
	return fmt.Errorf("the identity in table %s changes again and again", dialect.LedgerTable)
}

// on calls do with a connection of the primary's pool.
func (l *ledger) on(ctx context.Context, do func(c *driver.Conn) error) error {
	p := place{e: l.e, primary: true}
	p.route.Connection = l.e.name
	if err := p.choose(ctx, true); err != nil {
		return err
	}
	s := statement{op: "ledger", write: true}
	c, err := p.hold(ctx)
	if err == nil {
		defer c.Release()
		err = do(c)
	}
	return p.ended(&s, nil, unknownRows, err)
}

// inTx calls do in a transaction.
func (l *ledger) inTx(ctx context.Context, do func(c *driver.Conn) error) error {
	return l.on(ctx, func(c *driver.Conn) error {
		if err := c.Begin(ctx, driver.TxOptions{}); err != nil {
			return err
		}
		if err := do(c); err != nil {
			_ = c.Rollback(ctx)
			return err
		}
		return c.Commit(ctx)
	})
}

// rows are the rows of a query.
func (l *ledger) rows(ctx context.Context, c *driver.Conn, text string, args ...any) (all [][]sqldriver.Value, err error) {
	rows, err := c.Query(ctx, text, args)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	_, err = keptRows(rows, func(row []sqldriver.Value) { all = append(all, slices.Clone(row)) })
	return all, err
}

// count is how many rows the table has.
func (l *ledger) count(ctx context.Context, c *driver.Conn) (int64, error) {
	rows, err := l.rows(ctx, c, l.text.Rows)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return numberOf(dialect.LedgerTable, rows[0][0])
}

// value is the one value of a query, "" for no row.
func (l *ledger) value(ctx context.Context, c *driver.Conn, text string, args ...any) (string, error) {
	rows, err := l.rows(ctx, c, text, args...)
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return textOf(rows[0][0]), nil
}
