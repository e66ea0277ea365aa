package transactions

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// rawWays run a statement so that its error is the driver's own: it is told by the rows
// of QueryContext, or by a *sql.Stmt.
var rawWays = map[string]func(ctx context.Context, tx *dbfleet.Tx, text string) error{
	"rows": func(ctx context.Context, tx *dbfleet.Tx, text string) error {
		rows, err := tx.QueryContext(ctx, text)
		return readAll(rows, err)
	},
	"row": func(ctx context.Context, tx *dbfleet.Tx, text string) error {
		var v any
		err := tx.QueryRowContext(ctx, text).Scan(&v)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	},
	"prepared": func(ctx context.Context, tx *dbfleet.Tx, text string) error {
		stmt, err := tx.PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		defer stmt.Close()
		_, err = stmt.ExecContext(ctx)
		return err
	},
	"prepared rows": func(ctx context.Context, tx *dbfleet.Tx, text string) error {
		stmt, err := tx.PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		defer stmt.Close()
		rows, err := stmt.QueryContext(ctx)
		return readAll(rows, err)
	},
}

func readAll(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		continue
	}
	return rows.Err()
}

// What has ended the transaction is told, also where the function returns the driver's
// error of rows or of a prepared statement, which says nothing of it.
//
// truth 1117
func TestTransaction_WhatEndsItUnseenIsToldWhateverTellsIt(t *testing.T) {
	t.Parallel()
	db, other := dbtest.New(t, "mysql"), dbtest.New(t, "postgres")
	db.Exec(t, conformance.DDL(db.Dialect, conformance.AccountsTable), "CREATE PROCEDURE commits() COMMIT")
	other.Exec(t, conformance.DDL(other.Dialect, conformance.AccountsTable))
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db), "other": conformance.ConnectionTo(other)})
	accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts", Connection: "main"})
	run := func(ctx context.Context, fn func(context.Context, *dbfleet.Tx) error) error {
		return r.Transaction(ctx, "main", fn, dbfleet.TxOptions{Retries: 3})
	}
	around := map[string]func(ctx context.Context, fn func(context.Context, *dbfleet.Tx) error) error{
		"transaction": run,
		"savepoint": func(ctx context.Context, fn func(context.Context, *dbfleet.Tx) error) error {
			return run(ctx, func(ctx context.Context, tx *dbfleet.Tx) error { return tx.Transaction(ctx, fn) })
		},
		"atomic": func(ctx context.Context, fn func(context.Context, *dbfleet.Tx) error) error {
			return r.Atomic(ctx, []string{"main", "other"}, func(ctx context.Context) error {
				if _, err := r.DB("other").ExecContext(ctx, conformance.Inserting("other")); err != nil {
					return err
				}
				return r.Transaction(ctx, "main", fn)
			})
		},
	}
	for name, around := range around {
		for way, ask := range rawWays {
			for _, text := range []string{"CALL commits()", "SET STATEMENT max_statement_time = 9 FOR COMMIT"} {
				calls, account := 0, conformance.Account{Owner: name + way + text}
				var undone error
				err := around(t.Context(), func(ctx context.Context, tx *dbfleet.Tx) error {
					calls++
					require.NoError(t, dbfleet.AfterRollback(ctx, func(_ context.Context, err error) { undone = err }))
					if err := accounts.Create(ctx, &account); err != nil {
						return err
					}
					return ask(ctx, tx, text)
				})
				claim := name + ", " + way + ": " + text
				require.ErrorIs(t, err, dbfleet.ErrTxLost, claim)
				require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown, claim)
				require.Equal(t, 1, calls, claim)
				require.ErrorIs(t, undone, dbfleet.ErrOutcomeUnknown, claim)
			}
		}
	}
	require.Empty(t, conformance.Owners(t, other))
}

// A transaction that the database has undone because of others is run again whatever
// told the function so.
//
// truth 1118
func TestTransaction_RetriesWhateverTellsTheDeadlock(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		const one, other = "SELECT id FROM accounts WHERE owner = 'a' FOR UPDATE", "SELECT id FROM accounts WHERE owner = 'b' FOR UPDATE"
		db.Exec(t, conformance.DDL(db.Dialect, conformance.AccountsTable), conformance.Inserting("a"), conformance.Inserting("b"))
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)})
		for way, ask := range rawWays {
			met := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
			ends := make(chan error, 2)
			calls := [2]int{}
			for i, order := range [2][2]string{{one, other}, {other, one}} {
				go func() {
					ends <- r.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
						if err := ask(ctx, tx, order[0]); err != nil {
							return err
						}
						if calls[i]++; calls[i] == 1 { // each has its first row by then
							close(met[i])
							<-met[1-i]
						}
						return ask(ctx, tx, order[1])
					}, dbfleet.TxOptions{Retries: 5})
				}()
			}
			require.NoError(t, <-ends, way)
			require.NoError(t, <-ends, way)
			require.Greater(t, calls[0]+calls[1], 2, "%s: there was a deadlock", way)
		}
	})
}
