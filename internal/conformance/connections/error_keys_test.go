package connections_test

import (
	"context"
	"errors"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type seat struct {
	ID          int64
	Hall, Place string
	Guest       *string
}

// truth 1003
func TestErrUnique_TellsTableAndColumnsAlike(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE seats (id {id}, hall VARCHAR(20) NOT NULL, place VARCHAR(20) NOT NULL, guest VARCHAR(20), CONSTRAINT seats_place UNIQUE (hall, place))`)
		seats := conformance.Model[seat](t, fl.Registry, dbfleet.ModelConfig{Table: "seats"})
		ctx, db := t.Context(), fl.DB("main")
		require.NoError(t, seats.CreateMany(ctx, []seat{{Hall: "red", Place: "secret1"}, {Hall: "red", Place: "secret2"}}))
		other := seat{ID: 2, Hall: "red", Place: "secret1"}
		again := func() *seat { return &seat{Hall: "red", Place: "secret1"} }
		check := func(claim string, err error) {
			t.Helper()
			require.ErrorIs(t, err, dbfleet.ErrUnique, claim)
			var qe *dbfleet.QueryError
			require.ErrorAs(t, err, &qe, claim)
			require.Equal(t, told{"", "seats", "hall, place"}, told{"", qe.Table, qe.Column}, claim)
			require.NotContains(t, err.Error(), "secret", claim)
			require.Contains(t, err.Error(), "seats", claim)
		}
		all := func(ctx context.Context) {
			t.Helper()
			check("Create", seats.Create(ctx, again()))
			check("CreateMany", seats.CreateMany(ctx, []seat{*again(), *again()}))
			check("Save", seats.Save(ctx, &other))
			_, err := seats.Where("id", "=", 2).Update(ctx, map[string]any{"place": "secret1"})
			check("Update", err)
			_, err = seats.Query().Insert(ctx, map[string]any{"hall": "red", "place": "secret1"})
			check("Insert", err)
			_, err = db.ExecContext(ctx, "INSERT INTO seats (hall, place) VALUES ('red', 'secret1')")
			check("ExecContext", err)
			_, err = dbfleet.Select[int64](ctx, db, "INSERT INTO seats (hall, place) VALUES ('red', 'secret1') RETURNING id")
			check("Select", err)
		}
		all(ctx)
		if fl.Database.Dialect == "postgres" {
			return // whose transaction ends with the first of them
		}
		require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			all(ctx)
			return seats.Create(ctx, &seat{Hall: "red", Place: "3"})
		}))
		n, err := seats.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, n, "the transaction goes on")
	})
}

// truth 1003
// What a trigger may have met is not told, and who uses the pool has the driver's own
// errors.
func TestErrUnique_OnMySQLTellsWhatIsCertain(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)})
	ctx, h := t.Context(), r.DB("main")
	for _, s := range []string{
		"CREATE TABLE audit (id BIGINT PRIMARY KEY)", "CREATE TABLE items (id BIGINT PRIMARY KEY, name VARCHAR(9) NOT NULL)", "INSERT INTO items VALUES (1, 'a')",
		"CREATE TABLE plain (id BIGINT PRIMARY KEY)", "INSERT INTO plain VALUES (1)",
		"CREATE TRIGGER t AFTER INSERT ON items FOR EACH ROW INSERT INTO audit VALUES (7)",
	} {
		_, err := h.ExecContext(ctx, s)
		require.NoError(t, err)
	}
	for sql, want := range map[string]told{
		"INSERT INTO items VALUES (1, 'b')":            {"PRIMARY", "", ""},
		"INSERT INTO items VALUES (2, NULL)":           {"", "", "name"},
		"INSERT INTO `plain` (id) VALUES (1)":          {"PRIMARY", "plain", "id"},
		"UPDATE plain p JOIN audit a SET p.id = 1":     {},
		"INSERT INTO " + db.Name + ".plain VALUES (1)": {"PRIMARY", "plain", "id"},
	} {
		_, err := h.ExecContext(ctx, sql)
		if want == (told{}) {
			require.NoError(t, err)
			continue
		}
		var qe *dbfleet.QueryError
		require.ErrorAs(t, err, &qe, sql)
		require.Equal(t, want, told{qe.Constraint, qe.Table, qe.Column}, sql)
		_, own := qe.Err.(*mysql.MySQLError) //nolint:errorlint // itself
		require.True(t, own, "the driver's own error is under it: %T", qe.Err)
	}
	_, err := h.Pool().ExecContext(ctx, "INSERT INTO plain VALUES (1)")
	_, own := err.(*mysql.MySQLError) //nolint:errorlint // itself
	require.True(t, own, "%T", err)
	require.False(t, errors.Is(err, dbfleet.ErrUnique))
}
