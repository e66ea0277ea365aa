package queries

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// marked writes a text's question marks as the placeholders of a database.
func marked(fl conformance.Fleet, text string) string {
	if fl.Database.Dialect != "postgres" {
		return text
	}
	for n := 1; strings.Contains(text, "?"); n++ {
		text = strings.Replace(text, "?", fmt.Sprintf("$%d", n), 1)
	}
	return text
}

func TestSelect_ReadsStructsOfEveryForm(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		newLibrary(t, fl)
		ctx, db := t.Context(), fl.DB("main")
		type resident struct {
			ID int64
			place
			Who string `db:"name"`
			Age *int
		}
		list, err := dbfleet.Select[resident](ctx, db, marked(fl, "SELECT name, id, age, city FROM people WHERE id <= ? ORDER BY id"), 3)
		require.NoError(t, err)
		require.Equal(t, []resident{{1, place{"london"}, "ada", at(36)}, {2, place{"paris"}, "bob", at(41)}, {3, place{"london"}, "cid", nil}}, list)

		nameless, err := dbfleet.Select[struct {
			City string
			N    int
		}](ctx, db, "SELECT city, COUNT(*) AS n FROM people GROUP BY city HAVING COUNT(*) > 1 ORDER BY city")
		require.NoError(t, err)
		require.Len(t, nameless, 2)
		require.Equal(t, "london", nameless[0].City)
		require.Equal(t, 2, nameless[1].N)

		rows, err := dbfleet.Select[dbfleet.Row](ctx, db, "SELECT id, name FROM people WHERE id = 1")
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Row{{"id": int64(1), "name": "ada"}}, rows)

		all, err := dbfleet.Select[struct{ ID int64 }](ctx, db, "SELECT * FROM people")
		require.NoError(t, err, "a star may have more")
		require.Len(t, all, 6)

		none, err := dbfleet.Select[resident](ctx, db, "SELECT name, id, age, city FROM people WHERE id < 0")
		require.NoError(t, err)
		require.NotNil(t, none)
		require.Empty(t, none)
	})
}

type place struct{ City string }

func TestSelect_ReadsValuesOfEveryKind(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		newLibrary(t, fl)
		fl.Create(t, `CREATE TABLE kinds (id {id}, at {time}, day {date}, doc {json}, raw {bytes}, price {decimal}, unique_id {uuid}, ratio {float}, big {bigint})`)
		ctx, db := t.Context(), fl.DB("main")
		type doc struct{ A int }
		when := time.Date(2024, 2, 29, 12, 30, 0, 0, time.UTC)
		id := [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
		_, err := dbfleet.Table[dbfleet.Row](db, "kinds").Insert(ctx, map[string]any{
			"at": when, "day": dbfleet.DateOf(when), "doc": dbfleet.JSONOf(doc{7}), "raw": []byte{0, 255}, "price": dbfleet.Decimal("12.5432"), "unique_id": id, "ratio": 0.25,
			"big": int64(9007199254740993),
		})
		require.NoError(t, err)

		one := func(want, got any, err error) {
			t.Helper()
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		var v any
		v, err = dbfleet.SelectOne[int](ctx, db, "SELECT COUNT(*) FROM people")
		one(6, v, err)
		v, err = dbfleet.SelectOne[uint8](ctx, db, "SELECT COUNT(*) FROM people")
		one(uint8(6), v, err)
		v, err = dbfleet.SelectOne[int64](ctx, db, "SELECT big FROM kinds")
		one(int64(9007199254740993), v, err)
		v, err = dbfleet.SelectOne[string](ctx, db, "SELECT name FROM people WHERE id = 1")
		one("ada", v, err)
		v, err = dbfleet.SelectOne[bool](ctx, db, "SELECT active FROM people WHERE id = 1")
		one(true, v, err)
		v, err = dbfleet.SelectOne[float64](ctx, db, "SELECT ratio FROM kinds")
		one(0.25, v, err)
		v, err = dbfleet.SelectOne[time.Time](ctx, db, "SELECT at FROM kinds")
		one(when, v, err)
		v, err = dbfleet.SelectOne[dbfleet.Date](ctx, db, "SELECT day FROM kinds")
		one(dbfleet.DateOf(when), v, err)
		v, err = dbfleet.SelectOne[dbfleet.JSON[doc]](ctx, db, "SELECT doc FROM kinds")
		one(dbfleet.JSONOf(doc{7}), v, err)
		v, err = dbfleet.SelectOne[[]byte](ctx, db, "SELECT raw FROM kinds")
		one([]byte{0, 255}, v, err)
		v, err = dbfleet.SelectOne[[16]byte](ctx, db, "SELECT unique_id FROM kinds")
		one(id, v, err)
		v, err = dbfleet.SelectOne[string](ctx, db, "SELECT price FROM kinds")
		one("12.5432", v, err)
		v, err = dbfleet.SelectOne[any](ctx, db, "SELECT id FROM people WHERE id = 2")
		one(int64(2), v, err)
		v, err = dbfleet.SelectOne[*int64](ctx, db, "SELECT age FROM people WHERE id = 3")
		one((*int64)(nil), v, err)
		v, err = dbfleet.SelectOne[*int64](ctx, db, "SELECT age FROM people WHERE id = 1")
		one(at[int64](36), v, err)
		v, err = dbfleet.SelectOne[sql.Null[int64]](ctx, db, "SELECT age FROM people WHERE id = 3")
		one(sql.Null[int64]{}, v, err)
		v, err = dbfleet.SelectOne[sql.NullInt64](ctx, db, "SELECT age FROM people WHERE id = 1")
		one(sql.NullInt64{Int64: 36, Valid: true}, v, err)
		names, err := dbfleet.Select[string](ctx, db, "SELECT name FROM people WHERE id < 4 ORDER BY id")
		one([]string{"ada", "bob", "cid"}, names, err)
		if fl.Database.Dialect == "postgres" {
			list, err := dbfleet.SelectOne[[]int64](ctx, db, "SELECT ARRAY[1, 2]::bigint[]")
			one([]int64{1, 2}, list, err)
		}
	})
}

// truth 205
func TestSelect_RefusesColumnsThatAreNotItsFields(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx, db := t.Context(), fl.DB("main")
		type two struct{ ID, Age int64 }
		var column *dbfleet.ColumnError
		_, err := dbfleet.Select[two](ctx, db, "SELECT id, age, name FROM people WHERE age IS NOT NULL")
		require.ErrorAs(t, err, &column)
		require.Equal(t, "name", column.Column)
		_, err = dbfleet.Select[two](ctx, l.people.Query().DiscardUnknownColumns(), "SELECT id, age, name FROM people WHERE age IS NOT NULL")
		require.NoError(t, err)
		_, err = dbfleet.Select[two](ctx, db, "SELECT id FROM people")
		require.ErrorAs(t, err, &column)
		require.Equal(t, "age", column.Column)
		_, err = dbfleet.Select[two](ctx, db, "SELECT p.*, p.id AS other FROM posts p")
		require.ErrorAs(t, err, &column)
		require.Equal(t, "age", column.Column, "also with a star")
		for _, list := range []string{"a.id, b.id", "a.*, b.*"} {
			_, err = dbfleet.Select[two](ctx, db, "SELECT "+list+" FROM people a CROSS JOIN people b")
			require.ErrorAs(t, err, &column)
			require.Equal(t, "id", column.Column)
			require.ErrorContains(t, err, "more than one column of this name")
			_, err = dbfleet.Select[dbfleet.Row](ctx, db, "SELECT "+list+" FROM people a CROSS JOIN people b")
			require.ErrorAs(t, err, &column)
			require.Equal(t, "id", column.Column)
		}
		_, err = dbfleet.Select[two](ctx, db, "SELECT id, age FROM people")
		require.ErrorIs(t, err, dbfleet.ErrNull)
		require.ErrorAs(t, err, &column)
		require.Equal(t, "age", column.Column)
		_, err = dbfleet.Select[int](ctx, db, "SELECT age FROM people")
		require.ErrorIs(t, err, dbfleet.ErrNull)
		require.ErrorAs(t, err, &column)
		require.Equal(t, "age", column.Column)
		_, err = dbfleet.Select[int](ctx, db, "SELECT id, age FROM people")
		require.ErrorContains(t, err, "a result of 2 columns where a int needs one")
		_, err = dbfleet.Select[*two](ctx, db, "SELECT id, age FROM people")
		require.ErrorIs(t, err, dbfleet.ErrType)
		require.ErrorContains(t, err, "not a pointer to one")
		_, err = dbfleet.Select[chan int](ctx, db, "SELECT id FROM people")
		require.ErrorIs(t, err, dbfleet.ErrType)
		require.ErrorContains(t, err, `connection "main"`)
		conformance.RequireIdle(t, fl.Registry)
	})
}

func TestSelectOne_WantsOneRow(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx, db := t.Context(), fl.DB("main")
		row, err := dbfleet.SelectOne[dbfleet.Row](ctx, db, "SELECT id FROM people WHERE id = 2")
		require.NoError(t, err)
		require.Equal(t, dbfleet.Row{"id": int64(2)}, row)
		_, err = dbfleet.SelectOne[int64](ctx, db, "SELECT id FROM people WHERE id < 0")
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		require.ErrorIs(t, err, sql.ErrNoRows)
		require.EqualError(t, err, `dbfleet: no row found: connection "main"`)
		n, err := dbfleet.SelectOne[int64](ctx, l.people, "SELECT id FROM people")
		require.ErrorIs(t, err, dbfleet.ErrManyRows)
		require.Zero(t, n)
		require.EqualError(t, err, `dbfleet: more than one row: table "people"`)
		conformance.RequireIdle(t, fl.Registry)
	})
}

func TestSelectIter_ReadsRowByRow(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		newLibrary(t, fl)
		ctx, db := t.Context(), fl.DB("main")
		var seen []string
		for name, err := range dbfleet.SelectIter[string](ctx, db, "SELECT name FROM people ORDER BY id") {
			require.NoError(t, err)
			if seen = append(seen, name); len(seen) == 2 {
				break
			}
		}
		require.Equal(t, []string{"ada", "bob"}, seen)
		conformance.RequireIdle(t, fl.Registry)
		n := 0
		for row, err := range dbfleet.SelectIter[dbfleet.Row](ctx, db, "SELECT id FROM people") {
			require.NoError(t, err)
			require.Positive(t, row["id"])
			n++
		}
		require.Equal(t, 6, n)
		for _, err := range dbfleet.SelectIter[string](ctx, db, "SELECT none FROM nowhere") {
			require.Error(t, err)
			n++
		}
		require.Equal(t, 7, n, "the error is the last pair")
		for _, err := range dbfleet.SelectIter[string](ctx, nil, "SELECT 1") {
			require.ErrorContains(t, err, "nil")
			n++
		}
		require.Equal(t, 8, n)
	})
}

// Arguments go the way of QueryContext.
func TestSelect_TakesTheArgumentsOfQueryContext(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		newLibrary(t, fl)
		fl.Create(t, `CREATE TABLE args (id {id}, n {bigint}, s {text}, at {time}, day {date}, doc {json}, raw {bytes}, flag {bool}, f {float})`)
		ctx, db := t.Context(), fl.DB("main")
		when := time.Date(2024, 2, 29, 12, 30, 0, 123456000, time.UTC)
		type named string
		type small uint8
		for column, values := range map[string][]any{
			"n":    {1, int8(2), uint16(3), small(4), at(5), (*int)(nil), nil, sql.NullInt64{Int64: 6, Valid: true}, sql.Null[int64]{}, uint64(7)},
			"s":    {"a", named("b"), at("c"), sql.NullString{}, ""},
			"at":   {when, &when, time.Time{}, sql.NullTime{}},
			"day":  {dbfleet.DateOf(when), dbfleet.Date{}},
			"doc":  {dbfleet.JSONOf(map[string]int{"a": 1})},
			"raw":  {[]byte{0, 255}, []byte{}, []byte(nil)},
			"flag": {true, false, sql.NullBool{}},
			"f":    {0.5, float32(0.25), at(1.5)},
		} {
			for _, v := range values {
				_, err := db.ExecContext(ctx, "DELETE FROM args")
				require.NoError(t, err)
				id, err := dbfleet.SelectOne[int64](ctx, db, marked(fl, "INSERT INTO args ("+column+") VALUES (?) RETURNING id"), v)
				require.NoError(t, err, "%s %T", column, v)
				_, err = db.ExecContext(ctx, marked(fl, "INSERT INTO args ("+column+") VALUES (?)"), v)
				require.NoError(t, err, "%s %T", column, v)
				rows, err := dbfleet.Select[dbfleet.Row](ctx, db, "SELECT "+column+" FROM args ORDER BY id")
				require.NoError(t, err)
				require.Len(t, rows, 2)
				require.Equal(t, rows[1], rows[0], "%s %T", column, v)
				found, err := dbfleet.SelectOne[int64](ctx, db, "SELECT id FROM args WHERE id = :id", dbfleet.Named("id", id))
				require.NoError(t, err)
				require.Equal(t, id, found)
			}
		}
	})
}

func TestSelect_RunsInTransactions(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx, db := t.Context(), fl.DB("main")
		undo := errors.New("undo")
		const count = "SELECT COUNT(*) FROM people"
		err := fl.Transaction(ctx, "main", func(inner context.Context, tx *dbfleet.Tx) error {
			_, err := l.people.Where("id", "=", 1).Using(tx).Delete(ctx)
			require.NoError(t, err)
			for claim, on := range map[string]dbfleet.Queryer{"tx": tx, "model": l.people.Using(tx), "query": l.people.Query().Using(tx)} {
				n, err := dbfleet.SelectOne[int](ctx, on, count)
				require.NoError(t, err, claim)
				require.Equal(t, 5, n, claim)
			}
			for claim, on := range map[string]dbfleet.Queryer{"db": db, "read": db.Read(), "primary": db.Primary(), "model": l.people} {
				n, err := dbfleet.SelectOne[int](inner, on, count)
				require.NoError(t, err, claim)
				require.Equal(t, 5, n, claim)
			}
			return undo
		})
		require.ErrorIs(t, err, undo)
		var kept *dbfleet.Tx
		require.NoError(t, fl.Transaction(ctx, "main", func(_ context.Context, tx *dbfleet.Tx) error { kept = tx; return nil }))
		_, err = dbfleet.SelectOne[int](ctx, kept, count)
		require.ErrorIs(t, err, dbfleet.ErrTxDone)
	})
}

func TestSelect_RefusesWhatIsNoSelect(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx, db := t.Context(), fl.DB("main")
		count, _ := sent(fl.Registry)
		before := count()
		for text, want := range map[string]string{
			"BEGIN":                         "begun and ended by Transaction",
			"DELETE FROM posts":             "RETURNING",
			"UPDATE posts SET views = 0":    "RETURNING",
			" INSERT INTO posts (x) SELECT": "RETURNING",
		} {
			_, err := dbfleet.Select[int](ctx, db, text)
			var fault *dbfleet.StatementError
			require.ErrorAs(t, err, &fault, text)
			require.ErrorContains(t, err, want)
		}
		for _, on := range []dbfleet.Queryer{
			l.people.Where("id", "=", 1), l.people.OrderBy("id", dbfleet.Asc), l.people.Limit(1), l.people.Select("id"), l.people.With(postsOf(l)),
			l.people.Query().Distinct(), l.people.Query().As("p"), l.people.Query().Join("posts", "posts.id", "=", "people.id"),
		} {
			_, err := dbfleet.Select[dbfleet.Row](ctx, on, "SELECT * FROM people")
			require.ErrorContains(t, err, "what else the query asks for would be lost")
		}
		_, err := dbfleet.Select[dbfleet.Row](ctx, db.Read(), "DELETE FROM posts RETURNING id")
		require.ErrorIs(t, err, dbfleet.ErrReadHandle)
		for _, on := range []dbfleet.Queryer{nil, (*dbfleet.DB)(nil), (*dbfleet.Tx)(nil), (*dbfleet.Model[person])(nil), (*dbfleet.Query[person])(nil), &dbfleet.DB{}, &dbfleet.Tx{}, &dbfleet.Model[person]{}} {
			_, err := dbfleet.Select[int](ctx, on, "SELECT 1")
			var fault *dbfleet.StatementError
			require.ErrorAs(t, err, &fault, "%T", on)
		}
		_, err = dbfleet.Select[int](ctx, fl.DB("other"), "SELECT 1")
		var unknown *dbfleet.UnknownConnectionError
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, before, count(), "nothing was sent")

		_, err = dbfleet.Select[int](ctx, db, "CREATE TABLE made (id INT)")
		require.ErrorIs(t, err, dbfleet.ErrWritten)
		require.ErrorContains(t, err, "returns no rows")
		n, err := dbfleet.SelectOne[int](ctx, db, "SELECT COUNT(*) FROM made")
		require.NoError(t, err)
		require.Zero(t, n)
		ids, err := dbfleet.Select[int64](ctx, l.posts, marked(fl, "DELETE FROM posts WHERE id = ? RETURNING id"), 6)
		require.NoError(t, err)
		require.Equal(t, []int64{6}, ids)
		if fl.Database.Dialect != "mysql" {
			gone, err := dbfleet.Select[struct{ ID, Views int64 }](ctx, db, "UPDATE posts SET views = views + 1 WHERE id = 1 RETURNING id, views")
			require.NoError(t, err)
			require.Equal(t, []struct{ ID, Views int64 }{{1, 11}}, gone)
		}
	})
}
