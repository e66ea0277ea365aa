//go:build !dbfleet_no_sqlite

package sqlite

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// truth 602
// The version of the schema is another one after each change, also after one that is
// undone and followed by a different one with the same number.
func TestCounters_FollowTheSchema(t *testing.T) {
	t.Parallel()
	s := connect(t)
	if !s.in.known() {
		require.NotEmpty(t, untested())
		return
	}
	exec := func(query string) schema {
		t.Helper()
		_, err := s.Exec(t.Context(), query, nil)
		require.NoError(t, err)
		return s.in.schema()
	}
	seen := map[schema]string{s.in.schema(): "new"}
	for _, query := range []string{
		"CREATE TABLE a (id INTEGER PRIMARY KEY)", "CREATE TEMP TABLE a (x)", "DROP TABLE temp.a",
		"BEGIN", "CREATE TABLE b (id INTEGER PRIMARY KEY)", "ROLLBACK", "CREATE TABLE b (x, id INT)", "ALTER TABLE b ADD COLUMN y",
	} {
		is := exec(query)
		if query == "BEGIN" {
			continue
		}
		require.NotContains(t, seen, is, query)
		seen[is] = query
	}
	is := s.in.schema()
	require.Equal(t, is, exec("INSERT INTO a VALUES (7)"))
	require.EqualValues(t, 7, s.in.lastID())
	s.in.setLastID(0)
	require.Zero(t, s.in.lastID())
	before := s.in.changes()
	exec("INSERT INTO a VALUES (8), (9)")
	require.EqualValues(t, 2, s.in.changes()-before)
}

// truth 602
// A key is the rowid where the definition says so, and nowhere else.
func TestIsRowid_KnowsTheDefinition(t *testing.T) {
	t.Parallel()
	s := connect(t)
	if !s.in.known() {
		require.NotEmpty(t, untested())
		return
	}
	for query, want := range map[string]bool{
		"CREATE TABLE t1 (id INTEGER PRIMARY KEY)":                        true,
		"CREATE TABLE t2 (ID integer primary key autoincrement)":          true,
		"CREATE TABLE t3 (id INTEGER, x, PRIMARY KEY (id))":               true,
		"CREATE TABLE t4 (id INTEGER, x, PRIMARY KEY (id DESC))":          true,
		"CREATE TABLE t5 (id INTEGER PRIMARY KEY DESC)":                   false,
		"CREATE TABLE t6 (id INT PRIMARY KEY)":                            false,
		"CREATE TABLE t7 (id BIGINT PRIMARY KEY)":                         false,
		"CREATE TABLE t8 (id INTEGER PRIMARY KEY) WITHOUT ROWID":          false,
		"CREATE TABLE t9 (id INTEGER, x INTEGER, PRIMARY KEY (id, x))":    false,
		"CREATE TABLE t10 (x INTEGER PRIMARY KEY, id INTEGER UNIQUE)":     false,
		"CREATE TABLE t11 (id INTEGER UNIQUE)":                            false,
		"CREATE VIEW t12 AS SELECT * FROM t1":                             false,
		"CREATE VIRTUAL TABLE t13 USING fts5(id)":                         false,
		"CREATE TABLE t14 (id INTEGER PRIMARY KEY, email TEXT UNIQUE, x)": true,
		"CREATE TABLE t15 (id INTEGER PRIMARY KEY CHECK (id > 0)) STRICT": true,
	} {
		_, err := s.Exec(t.Context(), query, nil)
		require.NoError(t, err)
		name := query[len("CREATE TABLE "):]
		switch query[7] {
		case 'V':
			name = query[len("CREATE VIEW "):]
			if query[9] == 'R' {
				name = query[len("CREATE VIRTUAL TABLE "):]
			}
		}
		end := 0
		for name[end] != ' ' {
			end++
		}
		is, err := s.isRowid(t.Context(), &session.ToldInsert{Table: name[:end], Key: "id"})
		require.NoError(t, err)
		require.Equal(t, want, is, query)
	}
}
