package values

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type note struct {
	ID   int64
	Body string
}

// hazards 19, 20, 22, 23, 28
func TestValues_Texts(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE notes (id {id}, body {long} NOT NULL)`)
		m := conformance.Model[note](t, fl.Registry, dbfleet.ModelConfig{Table: "notes"})
		texts := []string{
			"", " ", "trailing  ", "\tx\r\n", "it's", `back\slash`, `"quoted"`, "`tick`", "%_", "?", "$1", "?? :name @x", "-- no comment", "/* c */", ";",
			"😀👩‍👩‍👧‍👦🇩🇪", "日本語", "e\u0301", "\u00e9", "\u202eabc", "\ufeffbom", "\ufffd", "NULL", "null", "0", "0x41", "1e3", "{}", "{a,b}", "\\x41", strings.Repeat("ä", 70_000),
		}
		for _, text := range texts {
			n := note{Body: text}
			require.NoError(t, m.Create(ctx, &n))
			got, err := m.Find(ctx, n.ID)
			require.NoError(t, err)
			require.Equal(t, text, got.Body)
			raw := ""
			require.NoError(t, fl.DB("main").QueryRowContext(ctx, conformance.DDL(fl.Database.Dialect, "SELECT body FROM notes WHERE id = "+fmt.Sprint(n.ID))).Scan(&raw))
			require.Equal(t, text, raw)
			found, err := m.Where("body", "=", text).Where("id", "=", n.ID).Get(ctx)
			require.NoError(t, err)
			require.Len(t, found, 1)
			if text != "" && len(text) < 1000 { // SQLite bounds patterns
				found, err = m.Where("body", "LIKE", "%"+dbfleet.EscapeLike(text)+"%").Where("id", "=", n.ID).Get(ctx)
				require.NoError(t, err)
				require.Len(t, found, 1, "%q", text)
			}
		}
		plucked, err := dbfleet.Pluck[string](ctx, m.OrderBy("id", dbfleet.Asc), "body")
		require.NoError(t, err)
		require.Equal(t, texts, plucked)

		// Not text, or not everywhere: stored whole or refused, never cut or changed.
		for _, text := range []string{"a\x00b", "\x00", "\xff\xfe", "a\xc3", "\xed\xa0\x80", "ok\x80ok"} {
			n := note{Body: text}
			err := m.Create(ctx, &n)
			mayStore := fl.Database.Dialect == "sqlite" || fl.Database.Dialect == "mysql" && (strings.Contains(text, "\x00") || text == "\xed\xa0\x80")
			if !mayStore {
				require.ErrorIs(t, err, dbfleet.ErrInvalidValue, "%q", text)
				require.ErrorIs(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
					return m.CreateMany(ctx, []note{{Body: "before"}, {Body: text}})
				}), dbfleet.ErrInvalidValue)
				continue
			}
			require.NoError(t, err)
			got, err := m.Where("body", "=", text).Where("id", "=", n.ID).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, []note{n}, got)
		}
		count, err := m.Where("body", "=", "before").Count(ctx)
		require.NoError(t, err)
		require.Zero(t, count)
	})
}

// hazard 21: SQL with a NUL byte is not cut at it.
func TestValues_NoNULInSQL(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE notes (id {id}, body {text})`)
		m := conformance.Model[note](t, fl.Registry, dbfleet.ModelConfig{Table: "notes"})
		_, err := fl.DB("main").ExecContext(ctx, "DELETE FROM notes WHERE 1 = 1 \x00 AND id = 5")
		require.ErrorIs(t, err, dbfleet.ErrInvalidValue)
		_, err = fl.DB("main").Pool().ExecContext(ctx, "DELETE FROM notes \x00 WHERE id = 5")
		require.Error(t, err)
		_, err = fl.DB("main").Pool().PrepareContext(ctx, "DELETE FROM notes \x00 WHERE id = 5")
		require.Error(t, err)
		var se *dbfleet.StatementError
		_, err = m.Query().WhereRaw("id = 1 \x00 OR 1 = 1").Get(ctx)
		require.ErrorAs(t, err, &se)
		_, err = m.Query().OrderByRaw("id\x00").Get(ctx)
		require.ErrorAs(t, err, &se)
		_, err = fl.DB("main").Table("notes\x00").Get(ctx)
		require.Error(t, err)
		_, err = fl.DB("main").Table("notes").Where("body\x00", "=", 1).Get(ctx)
		require.Error(t, err)
		_, err = fl.DB("main").Table("notes").Insert(ctx, dbfleet.Row{"body\x00": 1})
		require.Error(t, err)
	})
}

// hazard 28
func TestValues_UniqueTextsByTheDatabasesOwnRule(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE tags (id {id}, name {text}, CONSTRAINT tags_name_key UNIQUE (name))`)
		insert := func(name string) error {
			_, err := fl.DB("main").Table("tags").Insert(ctx, dbfleet.Row{"name": name})
			return err
		}
		require.NoError(t, insert("q"))
		for _, same := range []string{"Q", "q "} {
			err := insert(same)
			if fl.Database.Dialect == "mysql" {
				require.ErrorIs(t, err, dbfleet.ErrUnique)
				var qe *dbfleet.QueryError
				require.ErrorAs(t, err, &qe)
				require.Equal(t, "tags_name_key", qe.Constraint)
			} else {
				require.NoError(t, err)
			}
		}
		require.ErrorIs(t, insert("q"), dbfleet.ErrUnique)
	})
}

// hazard 23: a column of another character set refuses what it cannot hold.
func TestValues_NarrowCharacterSets(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "mysql" {
			return // no such columns
		}
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE narrow (id {id}, body VARCHAR(50) CHARACTER SET utf8mb3, latin VARCHAR(50) CHARACTER SET latin1)`)
		type narrow struct {
			ID          int64
			Body, Latin string
		}
		m := conformance.Model[narrow](t, fl.Registry, dbfleet.ModelConfig{Table: "narrow"})
		require.ErrorIs(t, m.Create(ctx, &narrow{Body: "😀"}), dbfleet.ErrInvalidValue)
		require.ErrorIs(t, m.Create(ctx, &narrow{Latin: "日"}), dbfleet.ErrInvalidValue)
		n := narrow{Body: "é日", Latin: "é"}
		require.NoError(t, m.Create(ctx, &n))
		got, err := m.Find(ctx, n.ID)
		require.NoError(t, err)
		require.Equal(t, n, got)
		rows, err := fl.DB("main").Table("narrow").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Row{{"id": n.ID, "body": "é日", "latin": "é"}}, rows)
	})
}

// hazard 5
func TestValues_EmptyAndNilBytesStayApart(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE files (id {id}, body {bytes}, ptr {bytes}, null_ {bytes})`)
		type named struct {
			ID   int64
			Body []byte
			Ptr  *[]byte
			Null sql.Null[[]byte] `db:"null_"`
		}
		m := conformance.Model[named](t, fl.Registry, dbfleet.ModelConfig{Table: "files"})
		records := []named{
			{},
			{Body: []byte{}, Ptr: &[]byte{}, Null: sql.Null[[]byte]{V: []byte{}, Valid: true}},
			{Body: []byte("x"), Ptr: ptr([]byte{0}), Null: sql.Null[[]byte]{V: []byte("é\xff"), Valid: true}},
		}
		require.NoError(t, m.CreateMany(ctx, records))
		single := named{Body: []byte{}, Ptr: &[]byte{}, Null: sql.Null[[]byte]{V: []byte{}, Valid: true}}
		require.NoError(t, m.Create(ctx, &single))
		got, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, append(records, single), got)

		// Each reader: bytes of rows, of a column, of database/sql.
		q := m.OrderBy("id", dbfleet.Asc)
		rows, err := fl.DB("main").Table("files").OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Nil(t, rows[0]["body"])
		require.Equal(t, []byte{}, rows[1]["body"])
		require.Equal(t, []byte("x"), rows[2]["body"])
		plucked, err := dbfleet.Pluck[[]byte](ctx, q, "body")
		require.NoError(t, err)
		require.Equal(t, [][]byte{nil, {}, []byte("x"), {}}, plucked)
		raw, err := fl.DB("main").Pool().QueryContext(ctx, "SELECT body FROM files ORDER BY id")
		require.NoError(t, err)
		defer raw.Close()
		for i := range records {
			require.True(t, raw.Next())
			var b []byte
			require.NoError(t, raw.Scan(&b))
			require.Equal(t, records[i].Body == nil, b == nil, "row %d", i)
			require.Len(t, b, len(records[i].Body))
		}
		require.NoError(t, raw.Close())
		// Written by Update and by conditions.
		n, err := m.Where("id", "=", records[0].ID).Update(ctx, dbfleet.Row{"body": []byte{}})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = m.Where("body", "=", []byte{}).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		n, err = m.Where("body", "=", "x").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		_, err = m.Where("id", "=", records[0].ID).Update(ctx, dbfleet.Row{"body": []byte(nil)})
		require.NoError(t, err)
		n, err = m.Query().WhereNull("body").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}
