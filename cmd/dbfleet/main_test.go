package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/starter"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// sqliteOf is the DSN of a file that statements have made, whose journal is not WAL.
func sqliteOf(t *testing.T, statements ...string) (dsn, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "app.db")
	r, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{
		"main": {Driver: dbfleet.SQLite, Database: file, SQLite: dbfleet.SQLiteConfig{JournalMode: "DELETE"}},
	}})
	require.NoError(t, err)
	for _, s := range statements {
		_, err := r.DB("main").ExecContext(t.Context(), s)
		require.NoError(t, err)
	}
	require.NoError(t, r.Close())
	return "sqlite:" + file, file
}

func call(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(t.Context(), args, &out, &errs)
	return out.String(), errs.String(), err
}

func TestModels_WritesAStarterAndNothingElse(t *testing.T) {
	t.Parallel()
	dsn, file := sqliteOf(t, "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)", "CREATE TABLE users_old (id INTEGER PRIMARY KEY)", "CREATE TABLE logs (at DATETIME)")
	before, err := os.ReadFile(file)
	require.NoError(t, err)
	out, warnings, err := call(t, "models", "-dsn", dsn, "-tables", "user*, !*_old", "-package", "shop")
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Contains(t, out, "package shop\n")
	require.Contains(t, out, "type User struct")
	require.NotContains(t, out, "Old")
	require.NotContains(t, out, "Connection:", "the models of a DSN live on the default connection")
	require.NotContains(t, out, file)
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, before, after, "the database is as it was, its journal mode included")

	_, warnings, err = call(t, "models", "-dsn", dsn)
	require.NoError(t, err)
	require.Equal(t, "warning: table logs: has no primary key and no unique one without NULL: it gets no model\n", warnings)
}

// A dot in a table's own name is no schema: SQLite took it for one, and nothing was written.
func TestModels_LeavesOutATableWithADotAndWritesTheOthers(t *testing.T) {
	t.Parallel()
	dsn, _ := sqliteOf(t, "CREATE TABLE users (id INTEGER PRIMARY KEY)", `CREATE TABLE "old.users" (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id))`)
	out, warnings, err := call(t, "models", "-dsn", dsn)
	require.NoError(t, err)
	require.Equal(t, "warning: table old.users: has a dot in its name, which would part a schema from a table; it is left out\n", warnings)
	require.Contains(t, out, "type User struct")
	require.Contains(t, out, `// Table "old.users" has a dot in its name`)
}

func TestModels_OverwritesNothingThatItDidNotWrite(t *testing.T) {
	t.Parallel()
	dsn, _ := sqliteOf(t, "CREATE TABLE users (id INTEGER PRIMARY KEY)")
	folder := t.TempDir()
	out := filepath.Join(folder, "models.go")
	_, _, err := call(t, "models", "-dsn", dsn, "-out", out, "-force")
	require.NoError(t, err)
	written, err := os.ReadFile(out)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(written), starter.Header))

	changed := append(written, "\n// mine\n"...)
	require.NoError(t, os.WriteFile(out, changed, 0o600))
	_, _, err = call(t, "models", "-dsn", dsn, "-out", out)
	require.ErrorContains(t, err, "it is yours by now")
	now, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, string(changed), string(now))
	_, _, err = call(t, "models", "-dsn", dsn, "-out", out, "-force")
	require.NoError(t, err)
	now, err = os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, string(written), string(now))

	require.NoError(t, os.WriteFile(out, []byte("package models\n"), 0o600))
	_, _, err = call(t, "models", "-dsn", dsn, "-out", out, "-force")
	require.ErrorContains(t, err, "it is no starter of this command")
	now, err = os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, "package models\n", string(now))
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is left beside it")
}

func TestModels_RefusesInWords(t *testing.T) {
	t.Parallel()
	dsn, _ := sqliteOf(t, "CREATE TABLE users (id INTEGER PRIMARY KEY)")
	missing := filepath.Join(t.TempDir(), "missing.db")
	for want, args := range map[string][]string{
		"there is no command":                         {"model"},
		"give one of -dsn, -dsn-env and -config":      {"models"},
		"give one of":                                 {"models", "-dsn", dsn, "-config", "x"},
		`"x" is no flag`:                              {"models", "-dsn", dsn, "x"},
		"-connections are those of -config":           {"models", "-dsn", dsn, "-connections", "x"},
		"-null is pointer or sql":                     {"models", "-dsn", dsn, "-null", "x"},
		"there is no table":                           {"models", "-dsn", dsn, "-tables", "x*"},
		"no such file":                                {"models", "-dsn", "sqlite:" + missing},
		"DBFLEET_NOT_SET is empty":                    {"models", "-dsn-env", "DBFLEET_NOT_SET"},
		"no name of a package":                        {"models", "-dsn", dsn, "-package", "a b"},
		"flag provided but not defined: -nothing":     {"models", "-nothing"},
		"open " + missing:                             {"models", "-config", missing},
		"is neither user:password@tcp(host:port)/dat": {"models", "-dsn", "nothing that s3cret is"},
	} {
		out, _, err := call(t, args...)
		require.ErrorContains(t, err, want, "%s", args)
		require.NotContains(t, err.Error(), "s3cret")
		require.Empty(t, out)
	}
	require.NoFileExists(t, missing)
	_, told, err := call(t)
	require.ErrorIs(t, err, flag.ErrHelp)
	require.Contains(t, told, "usage: dbfleet models")
	_, told, err = call(t, "models", "-h")
	require.ErrorIs(t, err, flag.ErrHelp)
	require.Contains(t, told, "-soft-delete")
}

func TestModels_EndsByItsTimeout(t *testing.T) {
	t.Parallel()
	dsn, _ := sqliteOf(t, "CREATE TABLE users (id INTEGER PRIMARY KEY)")
	_, _, err := call(t, "models", "-dsn", dsn, "-timeout", "1ns")
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// Several connections, and schemas beside the connection's own.
// MariaDB puts the end of a row into each unique index of a table that keeps what its rows
// were: that is no part of the key, and both ends are the database's.
func TestModels_KnowsTheKeysOfVersionedTables(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	db.Exec(t, "CREATE TABLE prices (id BIGINT AUTO_INCREMENT PRIMARY KEY, amount INT NOT NULL UNIQUE, valid_from TIMESTAMP(6) GENERATED ALWAYS AS ROW START,"+
		" valid_to TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (valid_from, valid_to)) WITH SYSTEM VERSIONING")
	text, err := json.Marshal(map[string]any{"connections": map[string]any{
		"main": map[string]any{"driver": "mysql", "host": db.Host, "port": db.Port, "database": db.Name, "username": db.Username, "password": db.Password},
	}})
	require.NoError(t, err)
	config := filepath.Join(t.TempDir(), "fleet.json")
	require.NoError(t, os.WriteFile(config, text, 0o600))
	out, warnings, err := call(t, "models", "-config", config)
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Contains(t, out, `"valid_from", "valid_to"},`)
	require.NotContains(t, out, "Key:", "it is id")
}

func TestModels_ReadsConnectionsAndSchemas(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"postgres", "mysql"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			db := dbtest.New(t, kind)
			db.Exec(t, "CREATE TABLE users (id INT PRIMARY KEY)")
			own := db.Name // a schema is a database there
			if kind == "postgres" {
				own = "public"
				db.Exec(t, "CREATE SCHEMA audit", "CREATE TABLE audit.events (id INT PRIMARY KEY, user_id INT REFERENCES users (id))", "CREATE TABLE audit.users (id INT PRIMARY KEY)")
			}
			_, file := sqliteOf(t, "CREATE TABLE users (id INTEGER PRIMARY KEY)")
			text, err := json.Marshal(map[string]any{"connections": map[string]any{
				"main":  map[string]any{"driver": kind, "host": db.Host, "port": db.Port, "database": db.Name, "username": db.Username, "password": db.Password},
				"local": map[string]any{"driver": "sqlite", "database": file},
			}})
			require.NoError(t, err)
			config := filepath.Join(t.TempDir(), "fleet.json")
			require.NoError(t, os.WriteFile(config, text, 0o600))
			out, _, err := call(t, "models", "-config", config)
			require.NoError(t, err)
			require.Contains(t, out, "type MainUser struct")
			require.Contains(t, out, "type LocalUser struct")
			require.NotContains(t, out, "Event")

			out, _, err = call(t, "models", "-config", config, "-connections", "main", "-schemas", own+",audit", "-tables", "*.users,*.events")
			require.NoError(t, err)
			require.Contains(t, out, `"`+own+`.users"`)
			if kind == "postgres" {
				require.Contains(t, out, "type AuditUser struct")
				require.Contains(t, out, "m.EventUser = dbfleet.BelongsTo(m.Events, m.PublicUsers,", "a foreign key into another schema")
			}
			_, _, err = call(t, "models", "-config", config, "-connections", "man")
			require.ErrorContains(t, err, `"man"`)
		})
	}
}
