package queries

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// SQLite would run all of them and show the rows of one.
func TestSelect_RefusesSeveralStatements(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		newLibrary(t, fl)
		ctx, db := t.Context(), fl.DB("main")
		for _, text := range []string{
			"SELECT 1; SELECT 2", "SELECT 1; DELETE FROM people", "DELETE FROM people RETURNING id; SELECT 1", ";SELECT 1;;SELECT 2",
		} {
			_, err := dbfleet.Select[int64](ctx, db, text)
			var fault *dbfleet.StatementError
			require.ErrorAs(t, err, &fault, text)
			require.Equal(t, "the text has several statements, of which each has its own rows; send them one by one", fault.Reason)
		}
		for _, text := range []string{";", " -- nothing", "/* nothing */"} {
			_, err := dbfleet.Select[int64](ctx, db, text)
			require.EqualError(t, err, "dbfleet: Select: the SQL is empty", text)
			require.NotErrorIs(t, err, dbfleet.ErrWritten)
		}
		for _, text := range []string{"SELECT 1;", "SELECT 1 ; -- ;", "SELECT 1 WHERE ';' = ';' /* ; */"} {
			one, err := dbfleet.SelectOne[int64](ctx, db, text)
			require.NoError(t, err, text)
			require.EqualValues(t, 1, one)
		}
		n, err := db.Table("people").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 6, n)
	})
}

// What can be known before is told before anything is written.
func TestReturning_RefusesSelectListsThatDoNotFitBeforeItWrites(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx, table := t.Context(), fl.DB("main").Table("people")
		row := dbfleet.Row{"name": "new", "city": "x", "active": true}
		for name, q := range map[string]*dbfleet.Query[person]{
			"twice": l.people.Query().Select("id", "id"), "an alias that is another column": l.people.Query().Select("id").SelectAs("name", "id"),
			"an alias without a field": l.people.Query().Select("id").SelectAs("name", "nmae"), "a star and one of it": l.people.Query().Select("*", "id"),
		} {
			_, err := dbfleet.DeleteReturning(ctx, q.Where("id", "=", 6))
			require.Error(t, err, name)
			require.NotErrorIs(t, err, dbfleet.ErrWritten, name)
			_, err = dbfleet.InsertReturning(ctx, q, row)
			require.Error(t, err, name)
			require.NotErrorIs(t, err, dbfleet.ErrWritten, name)
		}
		_, err := dbfleet.DeleteReturning(ctx, table.Where("id", "=", 6).Select("id").SelectAs("name", "id"))
		require.EqualError(t, err, `dbfleet: table "people": select: has the column "id" twice; give one an alias`)
		n, err := table.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 6, n, "nothing was written")

		gone, err := dbfleet.DeleteReturning(ctx, l.people.Where("id", "=", 6).Select("id").SelectAs("name", "nick").DiscardUnknownColumns())
		require.NoError(t, err)
		require.Equal(t, []person{{ID: 6}}, gone)
		raw, err := dbfleet.DeleteReturning(ctx, l.people.Where("id", "=", 4).Select("id").SelectRaw("UPPER(name) AS Name"))
		require.NoError(t, err)
		require.Equal(t, []person{{ID: 4, Name: "DAN"}}, raw)
		rows, err := dbfleet.DeleteReturning(ctx, table.Where("id", "=", 5).Select("id").SelectAs("name", "nick"))
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Row{{"id": int64(5), "nick": "eve"}}, rows)
	})
}

// SQLite calls the second one "x:1".
func TestCTE_RefusesAColumnTwice(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		twice := dbfleet.CTE{Name: "a", Query: l.people.Query().SelectAs("id", "x").SelectAs("name", "x")}
		_, err := fl.DB("main").Table("a").WithCTE(twice).Get(t.Context())
		require.EqualError(t, err, `dbfleet: table "a": CTE "a": has the column "x" twice; give one an alias`)
	})
}
