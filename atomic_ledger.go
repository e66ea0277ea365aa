package dbfleet

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
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
			if err != nil || kind == "" {
				return absent(err)
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
		if _, err := c.Exec(ctx, l.text.Create, nil); err != nil && driver.Classify(err).Class != driver.Unique {
			return fmt.Errorf("the table %s cannot be created: %w; create it as in docs/atomic.md", dialect.LedgerTable, err)
		}
		if kind, err = l.value(ctx, c, l.text.Durable); err != nil {
			return err
		}
	}
	if kind != l.text.DurableKind {
		return fmt.Errorf("the table %s is of kind %q, not %q: what it holds would not outlive a crash", dialect.LedgerTable, kind, l.text.DurableKind)
	}
	for i, text := range l.text.Found {
		var args []any
		if i == 0 {
			args = []any{string(twophase.NewLedgerID())}
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
	p := place{e: l.e, index: -1, primary: true}
	p.route.Connection = l.e.name
	p.choose(true)
	s := statement{op: "ledger", write: true}
	c, err := p.hold(ctx)
	if err == nil {
		err = do(c)
		c.Release()
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
	for {
		row := make([]sqldriver.Value, len(rows.Columns()))
		switch err := rows.Next(row); err {
		case nil:
			for i, v := range row {
				if b, ok := v.([]byte); ok {
					row[i] = string(b)
				}
			}
			all = append(all, row)
		case io.EOF:
			return all, nil
		default:
			return nil, err
		}
	}
}

// value is the one value of a query, "" for no row.
func (l *ledger) value(ctx context.Context, c *driver.Conn, text string, args ...any) (string, error) {
	rows, err := l.rows(ctx, c, text, args...)
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return textOf(rows[0][0]), nil
}

func textOf(v sqldriver.Value) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func numberOf(v sqldriver.Value) int64 {
	var n int64
	_, _ = fmt.Sscan(textOf(v), &n)
	return n
}

// writtenBranch is a branch as the ledger's detail has it.
type writtenBranch struct {
	Number int    `json:"n"`
	Name   string `json:"connection"`
	Ledger string `json:"ledger"`
}

func writeBranches(list []twophase.BranchRef) string {
	out := make([]writtenBranch, len(list))
	for i, b := range list {
		out[i] = writtenBranch{b.Number, b.Name, string(b.Ledger)}
	}
	text, _ := json.Marshal(out) // which has nothing that could fail
	return string(text)
}

// writtenIncident is an incident as the ledger has it.
type writtenIncident struct {
	Number int    `json:"n"`
	Name   string `json:"connection"`
	Breach int8   `json:"breach"`
}

// record reads a row of the ledger.
func record(row []sqldriver.Value) (r twophase.Record, err error) {
	id, ok := twophase.ParseID(textOf(row[0]))
	if !ok {
		return r, fmt.Errorf("the table %s has a row whose id is not one of this library", dialect.LedgerTable)
	}
	r = twophase.Record{ID: id, Decision: twophase.ToAbort, Since: time.UnixMilli(numberOf(row[4])), Finished: row[5] != nil}
	if textOf(row[1]) == dialect.LedgerCommit {
		r.Decision = twophase.ToCommit
	}
	var branches []writtenBranch
	var incidents []writtenIncident
	if text := textOf(row[2]); text != "" {
		err = json.Unmarshal([]byte(text), &branches)
	}
	if text := textOf(row[6]); text != "" {
		err = errors.Join(err, json.Unmarshal([]byte(text), &incidents))
	}
	if err != nil {
		return r, fmt.Errorf("the row %q of table %s cannot be read: %w", id, dialect.LedgerTable, err)
	}
	for _, b := range branches {
		r.Branches = append(r.Branches, twophase.BranchRef{Number: b.Number, Name: b.Name, Ledger: twophase.LedgerID(b.Ledger)})
	}
	for _, i := range incidents {
		r.Incidents = append(r.Incidents, twophase.Incident{Branch: twophase.BranchID{ID: id, Number: i.Number}, Name: i.Name, Breach: twophase.Breach(i.Breach)})
	}
	return r, nil
}

// records are the decisions that a query finds.
func (l *ledger) records(ctx context.Context, text string, args ...any) (list []twophase.Record, err error) {
	err = l.on(ctx, func(c *driver.Conn) error {
		list, err = l.read(ctx, c, text, args...)
		return err
	})
	return list, err
}

func (l *ledger) read(ctx context.Context, c *driver.Conn, text string, args ...any) (list []twophase.Record, err error) {
	rows, err := l.rows(ctx, c, text, args...)
	for _, row := range rows {
		r, readErr := record(row)
		if readErr != nil {
			return nil, readErr
		}
		list = append(list, r)
	}
	return list, err
}

// Read implements twophase.Ledger.
func (l *ledger) Read(ctx context.Context, ids []twophase.ID) ([]twophase.Record, error) {
	return l.records(ctx, l.text.Read(len(ids)), argsOf(ids)...)
}

// Open implements twophase.Ledger.
func (l *ledger) Open(ctx context.Context) ([]twophase.Record, error) {
	return l.records(ctx, l.text.Open)
}

// Old implements twophase.Ledger.
func (l *ledger) Old(ctx context.Context, retention time.Duration) ([]twophase.Record, error) {
	return l.records(ctx, l.text.Old, retention.Milliseconds())
}

func argsOf(ids []twophase.ID, before ...any) []any {
	args := before
	for _, id := range ids {
		args = append(args, string(id))
	}
	return args
}

// fencePatience is how long a fence waits for SQLite's one writer.
const fencePatience = 200 * time.Millisecond

// Fence implements twophase.Ledger.
func (l *ledger) Fence(ctx context.Context, id twophase.ID) (twophase.Record, error) {
	won, err := l.fence(ctx, id)
	switch {
	case won:
		return twophase.Record{ID: id, Decision: twophase.ToAbort, Since: time.Now()}, nil
	case err != nil:
		return twophase.Record{}, err
	}
	list, err := l.Read(ctx, []twophase.ID{id})
	if err == nil && len(list) == 0 {
		err = errorf("atomic %s: its record has gone while it was read", id)
	}
	if err != nil {
		return twophase.Record{}, err
	}
	return list[0], nil
}

// fence inserts the record of an abort. It has not won, without an error, if a record is
// there.
func (l *ledger) fence(ctx context.Context, id twophase.ID) (won bool, err error) {
	begin, cancel := ctx, context.CancelFunc(func() {})
	o := driver.TxOptions{Isolation: sql.LevelReadCommitted}
	if !l.branches { // SQLite: its one writer may be the anchor
		o = driver.TxOptions{}
		begin, cancel = context.WithTimeout(ctx, fencePatience)
	}
	defer cancel()
	err = l.on(ctx, func(c *driver.Conn) error {
		if l.text.FenceWait != "" && !l.text.FenceInside {
			if _, err := c.Exec(ctx, l.text.FenceWait, nil); err != nil {
				return err
			}
		}
		if err := c.Begin(begin, o); err != nil {
			if begin.Err() != nil && ctx.Err() == nil {
				return twophase.As(twophase.ErrHeld, err)
			}
			return fenced(err)
		}
		err := l.insertFence(ctx, c, id)
		if err == nil {
			if err = c.Commit(ctx); err == nil {
				won = true
				return nil
			}
			return fenced(err)
		}
		_ = c.Rollback(ctx)
		if driver.Classify(err).Class == driver.Unique {
			return nil
		}
		return fenced(err)
	})
	return won, err
}

func (l *ledger) insertFence(ctx context.Context, c *driver.Conn, id twophase.ID) error {
	if l.text.FenceInside {
		if _, err := c.Exec(ctx, l.text.FenceWait, nil); err != nil {
			return err
		}
	}
	if _, err := c.Exec(ctx, l.text.Fence, []any{string(id), int64(id.Made())}); err != nil {
		return err
	}
	return l.younger(ctx, c, id, twophase.ErrForgotten)
}

// younger fails with a meaning if the ledger may have forgotten the ID.
func (l *ledger) younger(ctx context.Context, c *driver.Conn, id twophase.ID, otherwise error) error {
	rows, err := l.rows(ctx, c, l.text.Horizon)
	switch {
	case err != nil:
		return err
	case len(rows) != 1:
		return fmt.Errorf("the table %s has no horizon: it was not made by this library", dialect.LedgerTable)
	case int64(id.Made()) <= numberOf(rows[0][0]):
		return twophase.As(otherwise, errorf("atomic %s is older than what the ledger of connection %q keeps", id, l.e.name))
	}
	return nil
}

// fenced is an error of a fence: that of one which waits for a living coordinator.
func fenced(err error) error {
	switch driver.Classify(err).Class {
	case driver.LockTimeout, driver.Deadlock, driver.Timeout:
		return twophase.As(twophase.ErrHeld, err)
	}
	return err
}

// stateOf is a decision as the ledger has it.
func stateOf(d twophase.Decision) string {
	if d == twophase.ToCommit {
		return dialect.LedgerCommit
	}
	return dialect.LedgerAbort
}

// Finish implements twophase.Ledger.
func (l *ledger) Finish(ctx context.Context, d twophase.Decision, ids []twophase.ID) error {
	return l.on(ctx, func(c *driver.Conn) error {
		for _, id := range ids {
			if _, err := c.Exec(ctx, l.text.Finish, []any{stateOf(d), string(id)}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Incident implements twophase.Ledger.
func (l *ledger) Incident(ctx context.Context, i twophase.Incident) error {
	id := i.Branch.ID
	return l.inTx(ctx, func(c *driver.Conn) error {
		list, err := l.read(ctx, c, l.text.Lock, string(id))
		if err != nil {
			return err
		}
		if len(list) == 0 {
			if err := l.younger(ctx, c, id, twophase.ErrSettled); err != nil {
				return err
			}
			_, err := c.Exec(ctx, l.text.Lost, []any{string(id), int64(id.Made()), writeIncidents([]twophase.Incident{i})})
			return err
		}
		r := list[0]
		for _, known := range r.Incidents {
			if known.Branch == i.Branch && known.Breach == i.Breach {
				return nil
			}
		}
		if r.Finished && r.Decision == twophase.ToCommit {
			return twophase.As(twophase.ErrSettled, errorf("atomic %s is finished", id))
		}
		_, err = c.Exec(ctx, l.text.Incident, []any{writeIncidents(append(r.Incidents, i)), string(id)})
		return err
	})
}

func writeIncidents(list []twophase.Incident) string {
	out := make([]writtenIncident, len(list))
	for i, one := range list {
		out[i] = writtenIncident{one.Branch.Number, one.Name, int8(one.Breach)}
	}
	text, _ := json.Marshal(out) // which has nothing that could fail
	return string(text)
}

// Forget implements twophase.Ledger.
func (l *ledger) Forget(ctx context.Context, ids []twophase.ID) error {
	return l.inTx(ctx, func(c *driver.Conn) error {
		list, err := l.read(ctx, c, l.text.Read(len(ids)), argsOf(ids)...)
		if err != nil {
			return err
		}
		youngest := int64(0)
		for _, r := range list {
			if r.Decision == twophase.ToCommit && r.Finished {
				youngest = max(youngest, int64(r.ID.Made()))
			}
		}
		if _, err := c.Exec(ctx, l.text.Raise, []any{youngest}); err != nil {
			return err
		}
		for _, id := range ids {
			if _, err := c.Exec(ctx, l.text.Forget, []any{string(id)}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Prepared implements twophase.Resource.
func (l *ledger) Prepared(ctx context.Context) (list []twophase.Prepared, err error) {
	if !l.branches {
		return nil, nil
	}
	err = l.on(ctx, func(c *driver.Conn) error {
		found, err := c.ListPrepared(ctx)
		for _, b := range found {
			if id, ok := twophase.BranchOf(b.ID.Global, b.ID.Qualifier); ok {
				list = append(list, twophase.Prepared{Branch: id, Since: b.Since})
			}
		}
		return err
	})
	return list, err
}

// Marked implements twophase.Resource.
func (l *ledger) Marked(ctx context.Context, id twophase.ID) (numbers []int, err error) {
	err = l.on(ctx, func(c *driver.Conn) error {
		rows, err := l.rows(ctx, c, l.text.Marked, string(id))
		for _, row := range rows {
			numbers = append(numbers, int(numberOf(row[0])))
		}
		return err
	})
	return numbers, err
}

// CommitPrepared implements twophase.Resource.
func (l *ledger) CommitPrepared(ctx context.Context, b twophase.BranchID) error {
	return l.finish(ctx, b, true)
}

// RollbackPrepared implements twophase.Resource.
func (l *ledger) RollbackPrepared(ctx context.Context, b twophase.BranchID) error {
	return l.finish(ctx, b, false)
}

func (l *ledger) finish(ctx context.Context, b twophase.BranchID, commit bool) error {
	id := driver.BranchID{Global: string(b.ID), Qualifier: b.Qualifier()}
	var raw error
	shown := l.on(ctx, func(c *driver.Conn) error {
		if commit {
			raw = c.CommitPrepared(ctx, id)
		} else {
			raw = c.RollbackPrepared(ctx, id)
		}
		return raw
	})
	if shown == nil && l.e.dialect.Name == string(MySQL) {
		return twophase.ErrUnproved
	}
	return meaning(shown, raw)
}

// marksAtOnce is how many transactions Marks returns.
const marksAtOnce = 1000

// Marks implements twophase.Resource.
func (l *ledger) Marks(ctx context.Context, after twophase.ID) (ids []twophase.ID, err error) {
	err = l.on(ctx, func(c *driver.Conn) error {
		rows, err := l.rows(ctx, c, l.text.Marks)
		for _, row := range rows {
			if id, ok := twophase.ParseID(textOf(row[0])); ok && strings.Compare(string(id), string(after)) > 0 && len(ids) < marksAtOnce {
				ids = append(ids, id)
			}
		}
		return err
	})
	return ids, err
}

// Unmark implements twophase.Resource.
func (l *ledger) Unmark(ctx context.Context, ids []twophase.ID) error {
	return l.on(ctx, func(c *driver.Conn) error {
		keys, err := l.rows(ctx, c, l.text.Keys(len(ids)), argsOf(ids)...)
		if err != nil || len(keys) == 0 {
			return err
		}
		if err := c.Begin(ctx, driver.TxOptions{}); err != nil {
			return err
		}
		for _, key := range keys {
			if _, err := c.Exec(ctx, l.text.Unmark, []any{textOf(key[0]), numberOf(key[1])}); err != nil {
				_ = c.Rollback(ctx)
				return err
			}
		}
		return c.Commit(ctx)
	})
}
