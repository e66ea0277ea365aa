package queries

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// hazard 229: the number of arguments is checked before anything is sent.
func TestHazard_RawPartsTakeTheirArgumentsAndNoOthers(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, conformance.PurchasesTable)
		sent := 0
		fl.OnAfterQuery(func(context.Context, dbfleet.QueryEvent) { sent++ })
		q := fl.DB("main").Table("purchases")
		for i, bad := range []*dbfleet.Query[dbfleet.Row]{
			q.WhereRaw("id = ?"), q.WhereRaw("id = 1", 2), q.WhereRaw("id = ? OR id = ?", 1), q.OrWhereRaw("id = ?", 1, 2),
			q.SelectRaw("COUNT(?)"), q.HavingRaw("COUNT(*) > ?"), q.OrderByRaw("id", 1), q.JoinRaw("JOIN purchases p ON p.id = ?"),
			q.Filter(dbfleet.Raw("id = ?")), q.Where("id", "=", dbfleet.Raw("user_id + ?")),
		} {
			_, err := bad.Get(t.Context())
			require.Error(t, err, fmt.Sprint(i))
			var sentAnyway *dbfleet.QueryError
			require.False(t, errors.As(err, &sentAnyway), "%d: %v", i, err)
		}
		require.Zero(t, sent)
	})
}

// hazards 347, 348, 351, 352, 354: arguments are never put into the text where
// the text could give them another meaning.
func TestHazard_ArgumentsNeverBecomeSyntax(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) { argumentsStayValues(t, fl.Registry, fl.Database.Dialect) })

	// On a server that prepares no statements the arguments do travel in the text.
	t.Run("mysql without prepared statements", func(t *testing.T) {
		t.Parallel()
		server := dbtest.StartMariaDB(t, "sql-mode=NO_BACKSLASH_ESCAPES")
		db := server.Database(t)
		server.Exec(t, "SET GLOBAL max_prepared_stmt_count = 0")
		t.Cleanup(func() { server.Exec(t, "SET GLOBAL max_prepared_stmt_count = 16382") })
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)})
		argumentsStayValues(t, r, "mysql")
	})
}

func argumentsStayValues(t *testing.T, r *dbfleet.Registry, dialect string) {
	ctx := t.Context()
	conformance.Fleet{Registry: r, Database: dbtest.Database{Dialect: dialect}}.Create(t, "CREATE TABLE notes (id {int}, note {text})")
	notes := r.DB("main").Table("notes")
	texts := []string{
		`'; DROP TABLE notes; --`, `\'; DROP TABLE notes; -- `, `\`, `\\`, `'`, `''`, `"`, "`", `?`, `$1`, `$1 OR 1=1`, `$tag$`, `/* ? */`, `-- `, `#`,
		"\n", "\r\n", "\x1a", "\uFFFD", "\u0301", "' OR '1'='1", `%`, `:name`, `{d '2024-01-01'}`,
	}
	for i, text := range texts {
		_, err := notes.Insert(ctx, dbfleet.Row{"id": -i, "note": text})
		require.NoError(t, err, "%q", text)
	}
	for i, text := range texts {
		found, err := notes.Where("note", "=", text).Where("id", "=", -i).Get(ctx)
		require.NoError(t, err, "%q", text)
		require.Equal(t, []dbfleet.Row{{"id": int64(-i), "note": text}}, found)
		n, err := notes.WhereRaw("0-id = ? /* ? */ AND note = ? AND '?' <> 'x'", i, text).Count(ctx)
		require.NoError(t, err, "%q", text)
		require.EqualValues(t, 1, n, "%q", text)
	}
	// A minus before a negative number makes no comment.
	n, err := notes.WhereRaw("1 -? = 43 AND note = ?", -42, "?").Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	// One text, one statement.
	_, err = r.DB("main").ExecContext(ctx, "DELETE FROM notes WHERE id = ?; DELETE FROM notes", 1)
	if dialect != "sqlite" {
		require.Error(t, err)
	}
	if dialect == "postgres" {
		_, err = r.DB("main").ExecContext(ctx, "DELETE FROM notes WHERE id = $1; DELETE FROM notes", 1)
		require.Error(t, err)
	}
}

// hazard 344: what a request names is one of a list, or refused before anything
// is sent.
func TestHazard_OperatorsAndDirectionsAreChecked(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, conformance.PurchasesTable)
		sent := 0
		fl.OnAfterQuery(func(context.Context, dbfleet.QueryEvent) { sent++ })
		q := conformance.Model[conformance.Purchase](t, fl.Registry, dbfleet.ModelConfig{Table: "purchases"}).Query()
		for _, op := range []string{"= 1 OR 1=", "=1;--", "", "= ANY", "==", "LIKE '%' OR 1", "RLIKE", "&&", "=\x00"} {
			var refused *dbfleet.OperatorError
			_, err := q.Where("id", op, 1).Get(t.Context())
			require.ErrorAs(t, err, &refused, op)
			_, err = q.Where("id", op, 1).Delete(t.Context())
			require.ErrorAs(t, err, &refused, op)
			_, err = q.WhereColumn("id", op, "user_id").Get(t.Context())
			require.ErrorAs(t, err, &refused, op)
		}
		for _, direction := range []dbfleet.Direction{"", "ascending", "ASC, (SELECT 1)", "DESC; DROP TABLE purchases", "ASC NULLS FIRST"} {
			var refused *dbfleet.OperatorError
			_, err := q.OrderBy("id", direction).Get(t.Context())
			require.ErrorAs(t, err, &refused, direction)
		}
		for _, column := range []string{"id OR 1=1", "id) OR (1=1", "1", "*", "id; --", "purchases.id OR 1=1", ""} {
			_, err := q.Where(column, "=", 1).Get(t.Context())
			require.Error(t, err, column)
			_, err = q.OrderBy(column, dbfleet.Asc).Get(t.Context())
			require.Error(t, err, column)
		}
		_, err := q.Limit(-1).Get(t.Context())
		require.Error(t, err)
		_, err = q.Offset(-1).Get(t.Context())
		require.Error(t, err)
		require.Zero(t, sent)
	})
}

// truth 411: the column of the condition before was named.
func TestRaw_ErrorsOfItsArgumentsNameNoOtherColumn(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE gauges (id {id}, n {int}, name {text})`)
		bad := 1.5
		if fl.Database.Dialect != "postgres" {
			bad = math.NaN()
		}
		q := fl.DB("main").Table("gauges").Where("name", "=", "x")
		for claim, q := range map[string]*dbfleet.Query[dbfleet.Row]{
			"a condition": q.WhereRaw("n = ?", bad), "a list": q.WhereRaw("n IN (?)", []float64{bad}),
			"beside others": q.WhereRaw("(id > ? AND n > ?)", 1, bad).Where("id", ">", 1), "HAVING": q.Select("n").GroupBy("n").HavingRaw("n > ?", bad),
		} {
			_, err := q.Get(ctx)
			require.Error(t, err, claim)
			require.NotContains(t, err.Error(), `"name"`, claim)
			require.NotContains(t, err.Error(), `column "id"`, claim)
			require.ErrorContains(t, err, `"gauges"`, claim)
		}
		_, err := q.WhereRaw("id > ?", 1).Where("n", "=", bad).Get(ctx)
		require.ErrorContains(t, err, `"n"`)
	})
}
