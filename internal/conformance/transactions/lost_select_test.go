package transactions_test

import (
	"testing"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// truth 1001
// A SELECT that writes, wherever in it a part of the caller's does, is sent once,
// and its lost answer says that the outcome is unknown.
func TestSelect_ThatMayWriteIsSentOnce(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := conformance.ThroughProxy(t, db)
		accounts := fl.Bank(t)
		require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "one", Balance: 1}))
		fl.Create(t, `CREATE TABLE notes (note {text})`)
		note := `CREATE FUNCTION to_note(n VARCHAR(50)) RETURNS INT DETERMINISTIC MODIFIES SQL DATA BEGIN INSERT INTO notes VALUES (n); RETURN 1; END`
		if db.Dialect == "postgres" {
			note = `CREATE FUNCTION to_note(n text) RETURNS int LANGUAGE sql AS 'INSERT INTO notes VALUES (n); SELECT 1'`
		}
		db.Exec(t, note)
		const marked = "marked"
		ctx := t.Context()
		q := accounts.Query()
		get := func(q *dbfleet.Query[conformance.Account]) func() error {
			return func() error { _, err := q.Get(ctx); return err }
		}
		whole := func(s squirrel.Sqlizer) func() error {
			return func() error { _, err := fl.DB("main").Table("accounts").GetStatement(ctx, s); return err }
		}
		where := q.WhereRaw("to_note(?) = 1", marked)
		queries := map[string]func() error{
			"where":     get(where),
			"or where":  get(q.WhereRaw("1 = 0").OrWhereRaw("to_note(?) = 1", marked)),
			"condition": get(q.Filter(dbfleet.Raw("to_note(?) = 1", marked))),
			"having":    get(q.Select("id").GroupBy("id").HavingRaw("to_note(?) = 1", marked)),
			"order":     get(q.OrderByRaw("to_note(?)", marked)),
			"join":      get(q.JoinRaw("JOIN accounts b ON b.id = accounts.id AND to_note(?) = 1", marked)),
			"subquery":  get(q.WhereExists(q.WhereRaw("to_note(?) = 1", marked))),
			"select": func() error {
				_, err := fl.DB("main").Table("accounts").SelectRaw("to_note(?) AS n", marked).Get(ctx)
				return err
			},
			"select of squirrel": func() error {
				_, err := fl.DB("main").Table("accounts").SelectExpr(squirrel.Expr("to_note(?)", marked), "n").Get(ctx)
				return err
			},
			"first":  func() error { _, err := where.First(ctx); return err },
			"count":  func() error { _, err := where.Count(ctx); return err },
			"exists": func() error { _, err := where.Exists(ctx); return err },
			"sum":    func() error { _, err := where.Sum(ctx, "balance"); return err },
			"pluck":  func() error { _, err := where.Pluck(ctx, "balance"); return err },
			"iter": func() error {
				for _, err := range where.Iter(ctx) {
					return err
				}
				return nil
			},
			"whole":        whole(squirrel.Select("id").From("accounts").Where("to_note(?) = 1", marked)),
			"whole, by ?":  whole(squirrel.Expr("SELECT to_note(?) AS n", marked)),
			"whole insert": whole(squirrel.Expr("INSERT INTO notes VALUES (?) RETURNING note", marked)),
			"get lock":     whole(squirrel.Select("id").From("accounts").Where("owner <> ?", marked).Suffix("FOR UPDATE")),
		}
		if db.Dialect == "postgres" {
			queries["prefix"] = whole(squirrel.Select("note").From("x").Prefix("WITH x AS (INSERT INTO notes VALUES (?) RETURNING note)", marked))
		}
		for name, run := range queries {
			require.NoError(t, run(), name)
			once := conformance.Counted(t, db, "SELECT count(*) FROM notes")
			db.Exec(t, "DELETE FROM notes")
			fault := proxy.On(dbtest.Fault{Marker: marked, Action: dbtest.CutReply, Times: 1})
			err := run()
			require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown, name)
			require.ErrorIs(t, err, dbfleet.ErrConnection, name)
			require.Equal(t, 1, fault.Seen(), name)
			proxy.Heal()
			if name != "get lock" && name != "order" { // MariaDB does not order a single row
				require.NotZero(t, once, name)
			}
			require.Equal(t, once, conformance.Counted(t, db, "SELECT count(*) FROM notes"), name)
			db.Exec(t, "DELETE FROM notes")
		}
	})
}
