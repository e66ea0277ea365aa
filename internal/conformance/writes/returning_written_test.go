package writes

import (
	"testing"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// Who tries again would write twice.
func TestReturning_WhatIsWrittenAndCannotBeReadIsErrWritten(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		bank, db, ctx := fl.Bank(t), fl.DB("main"), t.Context()
		type other struct{ ID, Balance int64 }
		type small struct{ Balance int8 }
		tries := map[string]func() error{
			"SelectOne, several": func() error {
				_, err := dbfleet.SelectOne[int64](ctx, db, "INSERT INTO accounts (owner, balance) VALUES ('a', 1), ('b', 1) RETURNING id")
				return err
			},
			"SelectOne, range": func() error {
				_, err := dbfleet.SelectOne[int8](ctx, db, "INSERT INTO accounts (owner, balance) VALUES ('c', 1000) RETURNING balance")
				return err
			},
			"SelectOne, columns": func() error {
				_, err := dbfleet.SelectOne[int64](ctx, db, "INSERT INTO accounts (owner, balance) VALUES ('d', 1) RETURNING id, balance")
				return err
			},
			"Select, columns": func() error {
				_, err := dbfleet.Select[other](ctx, db, "INSERT INTO accounts (owner, balance) VALUES ('e', 1) RETURNING id")
				return err
			},
			"SelectIter, range": func() error {
				var last error
				for _, err := range dbfleet.SelectIter[int8](ctx, db, "INSERT INTO accounts (owner, balance) VALUES ('f', 1000) RETURNING balance") {
					last = err
				}
				return last
			},
			"GetStatement, range": func() error {
				_, err := dbfleet.Table[small](db, "accounts").GetStatement(ctx, squirrel.Expr("INSERT INTO accounts (owner, balance) VALUES ('g', 1000) RETURNING balance"))
				return err
			},
			"InsertReturning, range": func() error {
				_, err := dbfleet.InsertReturning(ctx, dbfleet.Table[small](db, "accounts"), dbfleet.Row{"owner": "h", "balance": 1000})
				return err
			},
		}
		for name, f := range tries {
			before, err := bank.Count(ctx)
			require.NoError(t, err)
			failure := f()
			after, err := bank.Count(ctx)
			require.NoError(t, err)
			require.Greater(t, after, before, "%s: %v", name, failure)
			require.ErrorIs(t, failure, dbfleet.ErrWritten, name)
		}
	})
}

// A query of Into only reads, also where a write would return its rows.
func TestReturning_AQueryOfIntoDoesNotWrite(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		bank, ctx := fl.Bank(t), t.Context()
		fl.Create(t, conformance.Inserting("a"), conformance.Inserting("b"))
		_, err := dbfleet.InsertReturning(ctx, dbfleet.Into[dbfleet.Row](bank.Query()), dbfleet.Row{"owner": "c", "balance": 1})
		require.Error(t, err, "insert")
		if fl.Database.Dialect != "mysql" {
			_, err = dbfleet.UpdateReturning(ctx, dbfleet.Into[dbfleet.Row](bank.Where("owner", "=", "a")), dbfleet.Row{"owner": "z"})
			require.Error(t, err, "update")
		}
		_, err = dbfleet.DeleteReturning(ctx, dbfleet.Into[dbfleet.Row](bank.Query()).AllRows())
		require.Error(t, err, "delete")
		_, err = dbfleet.Into[dbfleet.Row](bank.Query()).GetStatement(ctx, squirrel.Expr("INSERT INTO accounts (owner, balance) VALUES ('g', 1) RETURNING id"))
		require.ErrorContains(t, err, "a query of Into only reads")
		require.Equal(t, []string{"a", "b"}, conformance.Owners(t, fl.Database))
	})
}
