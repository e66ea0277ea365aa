package dbfleet

import (
	"context"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/twophase"
)

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
			n, numberErr := numberOf(dialect.LedgerTable, row[0])
			if numberErr != nil {
				return numberErr
			}
			numbers = append(numbers, int(n))
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
			n, err := numberOf(dialect.LedgerTable, key[1])
			if err == nil {
				_, err = c.Exec(ctx, l.text.Unmark, []any{textOf(key[0]), n})
			}
			if err != nil {
				_ = c.Rollback(ctx)
				return err
			}
		}
		return c.Commit(ctx)
	})
}
