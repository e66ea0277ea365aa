package connections

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// Canaries are values that no text may show.
const canary = "c4nary-vAlue"

type citizen struct {
	ID     int64
	Email  string
	TeamID *int64
	Age    int
	Nick   *string
}

func people(t *testing.T, fl conformance.Fleet) *dbfleet.Model[citizen] {
	t.Helper()
	fl.Create(t,
		`CREATE TABLE teams (id {id}, name {text})`,
		`CREATE TABLE people (id {id}, email VARCHAR(60) NOT NULL, team_id {bigint}, age {int} NOT NULL, nick VARCHAR(5),
			CONSTRAINT people_email UNIQUE (email),
			CONSTRAINT people_team FOREIGN KEY (team_id) REFERENCES teams (id), CONSTRAINT people_age CHECK (age >= 0))`)
	return conformance.Model[citizen](t, fl.Registry, dbfleet.ModelConfig{Table: "people"})
}

// silent says that an error shows no part of the canary in any of the ways in which it
// may be written down.
func silent(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	texts := []string{err.Error(), fmt.Sprintf("%v %+v %#v %s %q", err, err, err, err, err), fmt.Sprint([]error{err}), errors.Join(err).Error()}
	if b, jsonErr := json.Marshal(err); jsonErr == nil {
		texts = append(texts, string(b))
	}
	for _, text := range texts {
		require.NotContains(t, text, "c4nary")
		require.NotContains(t, text, "vAlue")
	}
}

// hazard 28, promise 24: the same classes on all databases, with the names that they
// tell; errors.As reaches the driver's own error, no text shows a value.
func TestErrors_AreClassesOnAllDatabases(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), people(t, fl)
		require.NoError(t, m.Create(ctx, &citizen{Email: canary}))
		none := int64(987654)
		long := canary + strings.Repeat("x", 300)
		table := fl.DB("main").Table("people")
		lite, my, pg := fl.Database.Dialect == "sqlite", fl.Database.Dialect == "mysql", fl.Database.Dialect == "postgres"
		classes := []error{
			dbfleet.ErrUnique, dbfleet.ErrForeignKey, dbfleet.ErrNotNull, dbfleet.ErrCheck, dbfleet.ErrInvalidValue, dbfleet.ErrUndefined,
			dbfleet.ErrDeadlock, dbfleet.ErrSerialization, dbfleet.ErrLockTimeout, dbfleet.ErrReadOnly, dbfleet.ErrConnection, dbfleet.ErrTimeout,
			dbfleet.ErrAuthentication, dbfleet.ErrTooManyConnections, dbfleet.ErrAcquireTimeout, dbfleet.ErrOutcomeUnknown, dbfleet.ErrCommitUnknown,
			dbfleet.ErrTxLost, dbfleet.ErrTxDone, dbfleet.ErrNotFound, dbfleet.ErrClosed, dbfleet.ErrConnectionRefused, dbfleet.ErrBusy,
		}
		insert := func(row map[string]any) error { _, err := table.Insert(ctx, row); return err }
		for name, tt := range map[string]struct {
			err                       error
			class                     error
			constraint, column, table string
		}{
			"unique":         {m.Create(ctx, &citizen{Email: canary}), dbfleet.ErrUnique, "people_email", "email", "people"},
			"unique in bulk": {m.CreateMany(ctx, []citizen{{Email: "y"}, {Email: canary}}), dbfleet.ErrUnique, "people_email", "email", "people"},
			"unique by update": {func() error {
				_, err := m.Query().AllRows().Update(ctx, map[string]any{"id": 1, "email": canary})
				return err
			}(), nil, "", "", ""},
			"primary key":    {m.Create(ctx, &citizen{ID: 1, Email: "other"}), dbfleet.ErrUnique, map[bool]string{true: "PRIMARY", false: "people_pkey"}[my], "id", "people"},
			"foreign key":    {m.Create(ctx, &citizen{Email: canary + "2", TeamID: &none}), dbfleet.ErrForeignKey, "people_team", "", ""},
			"not null":       {insert(map[string]any{"email": canary + "3", "age": nil}), dbfleet.ErrNotNull, "", "age", ""},
			"left out":       {insert(map[string]any{"email": canary + "3"}), dbfleet.ErrNotNull, "", "age", ""},
			"check":          {m.Create(ctx, &citizen{Email: canary + "4", Age: -1}), dbfleet.ErrCheck, "people_age", "", ""},
			"too long":       {m.Create(ctx, &citizen{Email: long}), dbfleet.ErrInvalidValue, "", "", ""},
			"no such table":  {func() error { _, err := fl.DB("main").Table("nowhere").Where("a", "=", canary).Get(ctx); return err }(), dbfleet.ErrUndefined, "", "", ""},
			"no such column": {insert(map[string]any{"emial": canary}), dbfleet.ErrUndefined, "", "", ""},
		} {
			if tt.class == nil {
				continue
			}
			if lite && (name == "too long") {
				require.NoError(t, tt.err)
				continue
			}
			silent(t, tt.err)
			if lite && tt.class == dbfleet.ErrUndefined {
				require.ErrorContains(t, tt.err, map[string]string{"no such table": "nowhere", "no such column": "emial"}[name], "SQLite has no code for it")
			} else {
				for _, class := range classes {
					require.Equal(t, class == tt.class, errors.Is(tt.err, class), "%s is %v: %v", name, class, tt.err)
				}
			}
			require.False(t, dbfleet.IsRetryable(tt.err), name)
			var q *dbfleet.QueryError
			require.ErrorAs(t, tt.err, &q, name)
			require.Equal(t, "main", q.Connection)
			require.Equal(t, "main", q.Node)
			require.Equal(t, dbfleet.RolePrimary, q.Role)
			require.NotEmpty(t, q.Op)
			require.NotEmpty(t, q.Code)
			require.NotEmpty(t, q.SQL)
			require.NotContains(t, q.SQL, canary)
			if tt.constraint != "" && !(lite && (tt.class == dbfleet.ErrUnique || tt.class == dbfleet.ErrForeignKey)) {
				require.Equal(t, tt.constraint, q.Constraint, name)
				require.Contains(t, tt.err.Error(), tt.constraint, name)
			}
			if tt.column != "" && (lite || tt.class == dbfleet.ErrNotNull) {
				require.Equal(t, tt.column, q.Column, name)
				require.Contains(t, tt.err.Error(), tt.column, name)
			}
			if tt.table != "" && (lite || pg) {
				require.Equal(t, tt.table, q.Table, name)
			}
			switch fl.Database.Dialect {
			case "sqlite":
				var own *sqlite.Error
				require.ErrorAs(t, tt.err, &own, name)
				require.Equal(t, fmt.Sprint(own.Code()), q.Code)
			case "postgres":
				var own *pgconn.PgError
				require.ErrorAs(t, tt.err, &own, name)
				require.Equal(t, own.Code, q.Code)
			case "mysql":
				var own *mysql.MySQLError
				require.ErrorAs(t, tt.err, &own, name)
				require.Equal(t, fmt.Sprint(own.Number), q.Code)
			}
		}
	})
}

// Some messages of databases quote values; the text of the error does not.
func TestQueryError_ShowsNoValues(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), people(t, fl)
		db := fl.DB("main")
		require.NoError(t, m.Create(ctx, &citizen{Email: canary}))
		exec := func(query string, args ...any) error { _, err := db.ExecContext(ctx, query, args...); return err }
		var errs []error
		switch fl.Database.Dialect {
		case "postgres":
			fl.Create(t, `CREATE FUNCTION shout(v text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not %', v; END $$`,
				`CREATE FUNCTION disguised(v text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'dup %', v USING ERRCODE = 'unique_violation'; END $$`)
			errs = []error{
				exec(`SELECT CAST($1::text AS integer)`, canary), exec(`SELECT CAST($1::text AS timestamptz)`, canary),
				exec(`SELECT CAST($1::text AS uuid)`, canary), exec(`SELECT CAST($1::text AS jsonb)`, canary),
				exec(`SELECT shout($1)`, canary), exec(`SELECT disguised($1)`, canary), exec(`SELECT $1::int`, canary),
				exec(`INSERT INTO people (email, age) VALUES ($1, 1)`, canary), exec(`SELECT to_timestamp($1, 'YYYY')`, canary),
			}
		case "mysql":
			fl.Create(t, `CREATE PROCEDURE shout(v TEXT) BEGIN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = v; END`,
				`CREATE PROCEDURE disguised(v TEXT) BEGIN SIGNAL SQLSTATE '23000' SET MESSAGE_TEXT = v, MYSQL_ERRNO = 1048; END`)
			errs = []error{
				exec(`INSERT INTO people (email, age) VALUES (?, 1)`, canary), exec(`INSERT INTO people (email, age) VALUES ('x', ?)`, canary),
				exec(`CALL shout(?)`, canary), exec(`CALL disguised(?)`, canary), exec(`UPDATE people SET age = ? WHERE 1=1`, canary),
				exec(`UPDATE people SET email = ? WHERE age = CAST(? AS INT)`, canary, canary), exec(`SELECT JSON_VALUE(?, ?)`, "{}", canary),
			}
		case "sqlite":
			fl.Create(t, `CREATE TRIGGER shout BEFORE INSERT ON people WHEN NEW.age = 99 BEGIN SELECT RAISE(ABORT, 'nobody is 99'); END`,
				`CREATE VIRTUAL TABLE words USING fts5(w)`)
			errs = []error{
				exec(`INSERT INTO people (email, age) VALUES (?, 1)`, canary), exec(`INSERT INTO people (email, age) VALUES (?, 99)`, canary),
				exec(`SELECT json_extract('{}', ?)`, canary), exec(`SELECT * FROM words WHERE words MATCH ?`, `a "`+canary),
				exec(`SELECT * FROM words WHERE words MATCH ?`, canary+":x"),
			}
		}
		failed := 0
		for _, err := range errs {
			if err != nil {
				failed++
				silent(t, err)
			}
		}
		require.GreaterOrEqual(t, failed, 3)

		// In a transaction that one of them has broken, later ones tell of it.
		require.Error(t, fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			_, first := tx.Table("people").Insert(ctx, map[string]any{"email": canary, "age": 1})
			silent(t, first)
			if _, err := tx.Table("people").Count(ctx); err != nil {
				silent(t, err)
				require.ErrorIs(t, err, dbfleet.ErrTxLost)
			}
			return first
		}))

		// What a developer has to know is shown.
		for _, text := range []string{"SELEC 1", "SELECT nope FROM people", "SELECT * FROM nowhere"} {
			_, err := db.ExecContext(ctx, text)
			require.Error(t, err)
			require.Regexp(t, `SELEC|nope|nowhere`, err.Error())
		}
		require.Equal(t, "dbfleet: x on \"y\": boom", (&dbfleet.QueryError{Op: "x", Connection: "y", Err: errors.New("boom")}).Error())
		require.NotEmpty(t, (&dbfleet.QueryError{}).Error())
	})
}

// Errors that are not the database's.
func TestErrors_OfContextsAndTypes(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := people(t, fl)
		ctx := t.Context()
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		late, cancelLate := context.WithDeadline(ctx, time.Now().Add(-time.Second))
		defer cancelLate()
		for _, err := range []error{
			m.Create(canceled, &citizen{Email: "a"}),
			func() error { _, err := m.Get(canceled); return err }(),
			func() error { _, err := m.Query().AllRows().Delete(canceled); return err }(),
			m.CreateMany(canceled, []citizen{{Email: "a"}, {ID: 5, Email: "b"}}),
			fl.Transaction(canceled, "main", func(context.Context, *dbfleet.Tx) error { return nil }),
		} {
			require.ErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
			require.NotErrorIs(t, err, dbfleet.ErrConnection)
		}
		err := m.Create(late, &citizen{Email: "a"})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, dbfleet.ErrTimeout, "it is the caller's time that is over")
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)

		require.ErrorIs(t, dbfleet.ErrNotFound, sql.ErrNoRows)
		require.NotErrorIs(t, sql.ErrNoRows, dbfleet.ErrNotFound)
		_, err = m.Find(ctx, 1)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		var q *dbfleet.QueryError
		require.False(t, errors.As(err, &q), "no row is no fault of the database")

		var column *dbfleet.ColumnError
		_, err = m.Where("age", "=", canary).Get(ctx)
		require.ErrorAs(t, err, &column)
		require.Equal(t, "age", column.Column)
		silent(t, err)
		_, err = m.Where("email", "=", "a").Update(ctx, map[string]any{"age": canary})
		require.ErrorIs(t, err, dbfleet.ErrType)
		silent(t, err)
		_, err = m.CreateFrom(ctx, map[string]any{"age": canary})
		silent(t, err)
		_, err = m.Where("email", "= 1 OR 1=", 1).Get(ctx)
		var operator *dbfleet.OperatorError
		require.ErrorAs(t, err, &operator)
		require.Contains(t, operator.Known, "NOT IN")
	})
}

// hazard 358: a message is one line, whatever names and values are in it.
func TestHazard_ErrorsHaveNoLineBreaksOfOthers(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		const evil = "x\nlevel=ERROR msg=forged\x1b[31m"
		fl.Create(t, "CREATE TABLE notes (id {int} PRIMARY KEY, note {text} UNIQUE)")
		notes := fl.DB("main").Table("notes")
		_, err := notes.Insert(t.Context(), dbfleet.Row{"id": 1, "note": evil})
		require.NoError(t, err)
		_, duplicate := notes.Insert(t.Context(), dbfleet.Row{"id": 2, "note": evil})
		_, operator := notes.Where("id", evil, 1).Get(t.Context())
		_, column := conformance.Model[conformance.Purchase](t, fl.Registry, dbfleet.ModelConfig{Table: "notes"}).Where(evil, "=", 1).Get(t.Context())
		_, connection := fl.Connect(t.Context(), evil)
		_, table := fl.DB("main").Table(evil).Get(t.Context())
		for _, err := range []error{duplicate, operator, column, connection, table} {
			require.Error(t, err)
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), "\x1b")
		}
	})
}
