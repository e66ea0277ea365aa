package dbfleet

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/twophase"
)

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
	created, err := numberOf(dialect.LedgerTable, row[4])
	r = twophase.Record{ID: id, Decision: twophase.ToAbort, Since: time.UnixMilli(created), Finished: row[5] != nil}
	switch textOf(row[1]) {
	case dialect.LedgerCommit:
		r.Decision = twophase.ToCommit
	case dialect.LedgerAbort:
	default:
		err = errors.Join(err, fmt.Errorf("its state %q is not known", textOf(row[1])))
	}
	var branches []writtenBranch
	var incidents []writtenIncident
	if text := textOf(row[2]); text != "" {
		err = errors.Join(err, json.Unmarshal([]byte(text), &branches))
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
	}
	horizon, err := numberOf(dialect.LedgerTable, rows[0][0])
	if err == nil && int64(id.Made()) <= horizon {
		err = twophase.As(otherwise, errorf("atomic %s is older than what the ledger of connection %q keeps", id, l.e.name))
	}
	return err
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
		for len(ids) > 0 {
			some := ids[:1]
			text, args := l.text.Finish, []any{stateOf(d), string(ids[0])}
			if len(ids) > 1 && l.text.Together {
				some = ids[:min(len(ids), finishedAtOnce)]
				text, args = l.text.FinishAll(finishedAtOnce), argsOf(some, stateOf(d))
				for len(args) <= finishedAtOnce { // one text for any number of them
					args = append(args, string(some[0]))
				}
			}
			if _, err := c.Exec(ctx, text, args); err != nil {
				return err
			}
			ids = ids[len(some):]
		}
		return nil
	})
}

// finishedAtOnce is how many records one statement closes.
const finishedAtOnce = 16

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

// acknowledge closes a record with incidents.
func (l *ledger) acknowledge(ctx context.Context, id twophase.ID) error {
	return l.inTx(ctx, func(c *driver.Conn) error {
		list, err := l.read(ctx, c, l.text.Lock, string(id))
		switch {
		case err != nil:
			return err
		case len(list) == 0:
			return notFound{"atomic " + string(id)}
		case len(list[0].Incidents) == 0:
			return nil
		}
		if _, err := c.Exec(ctx, l.text.Incident, []any{"", string(id)}); err != nil {
			return err
		}
		_, err = c.Exec(ctx, l.text.Finish, []any{stateOf(list[0].Decision), string(id)})
		return err
	})
}
