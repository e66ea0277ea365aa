package dbfleet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

func tokenOf(t testing.TB, ctx context.Context) string {
	t.Helper()
	text, err := dbfleet.SessionOf(ctx).Token()
	require.NoError(t, err)
	return text
}

func TestSession_IsThatOfAllContextsMadeOfIts(t *testing.T) {
	t.Parallel()
	r := sessionRegistry(t)
	ctx := dbfleet.WithSession(context.Background())
	s := dbfleet.SessionOf(ctx)
	require.NotNil(t, s)
	require.Nil(t, dbfleet.SessionOf(context.Background()))
	type key struct{}
	child, cancel := context.WithCancel(context.WithValue(ctx, key{}, 1))
	defer cancel()
	for name, of := range map[string]context.Context{
		"a child": child, "OutsideTx": dbfleet.OutsideTx(ctx), "ReadPrimary": dbfleet.ReadPrimary(ctx), "without cancel": context.WithoutCancel(ctx),
	} {
		require.Same(t, s, dbfleet.SessionOf(of), name)
	}
	require.NoError(t, r.DB("main").Transaction(ctx, func(in context.Context, _ *dbfleet.Tx) error {
		require.Same(t, s, dbfleet.SessionOf(in))
		require.Same(t, s, dbfleet.SessionOf(dbfleet.OutsideTx(in)))
		return nil
	}))
	require.NotSame(t, s, dbfleet.SessionOf(dbfleet.WithSession(ctx)))
}

// promise: every kind of committed write is noted, and nothing else.
func TestSession_NotesWhatIsCommitted(t *testing.T) {
	t.Parallel()
	type note struct {
		ID   int64
		Body string
	}
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		do    func(t *testing.T, ctx context.Context, r *dbfleet.Registry) error
		noted bool
	}{
		"nothing": {do: func(*testing.T, context.Context, *dbfleet.Registry) error { return nil }},
		"a read": {do: func(t *testing.T, ctx context.Context, r *dbfleet.Registry) error {
			_, err := r.DB("main").Table("notes").Get(ctx)
			return err
		}},
		"a plain query": {do: func(t *testing.T, ctx context.Context, r *dbfleet.Registry) error {
			rows, err := r.DB("main").QueryContext(ctx, "SELECT id FROM notes")
			if err == nil {
				err = errors.Join(rows.Err(), rows.Close())
			}
			return err
		}},
		"a write of a table": {noted: true, do: func(t *testing.T, ctx context.Context, r *dbfleet.Registry) error {
			_, err := r.DB("main").Table("notes").Insert(ctx, dbfleet.Row{"body": "x"})
			return err
		}},
		"a write of a model": {noted: true, do: func(t *testing.T, ctx context.Context, r *dbfleet.Registry) error {
			return dbfleet.MustModel[note](r, dbfleet.ModelConfig{Table: "notes"}).Create(ctx, &note{Body: "x"})
		}},
		"a bulk load": {noted: true, do: func(t *testing.T, ctx context.Context, r *dbfleet.Registry) error {
			_, err := dbfleet.MustModel[note](r, dbfleet.ModelConfig{Table: "notes"}).Load(ctx, func(yield func(note) bool) { yield(note{Body: "x"}) })
			return err
		}},
		"ExecContext": {noted: true, do: func(t *testing.T, ctx context.Context, r *dbfleet.Registry) error {
			_, err := r.DB("main").ExecContext(ctx, "DELETE FROM notes")
			return err
		}},
		"QueryRowContext that writes": {noted: true, do: func(t *testing.T, ctx context.Context, r *dbfleet.Registry) error {
			var id int64
			return r.DB("main").QueryRowContext(ctx, "INSERT INTO notes (body) VALUES ('x') RETURNING id").Scan(&id)
		}},
		"a statement that is prepared": {noted: true, do: func(t *testing.T, ctx context.Context, r *dbfleet.Registry) error {
			stmt, err := r.DB("main").PrepareContext(ctx, "DELETE FROM notes")
			if err == nil {
				err = stmt.Close()
			}
			return err
		}},
		"a Conn that writes": {noted: true, do: func(t *testing.T, ctx context.Context, r *dbfleet.Registry) error {
			return r.DB("main").Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
				_, err := c.ExecContext(ctx, "DELETE FROM notes")
				return err
			})
		}},
		"a Conn's Raw": {noted: true, do: func(t *testing.T, ctx context.Context, r *dbfleet.Registry) error {
			return r.DB("main").Conn(ctx, func(_ context.Context, c *dbfleet.Conn) error {
				return c.Raw(func(any) error { return nil })
			})
		}},
		"a Conn that reads": {do: func(t *testing.T, ctx context.Context, r *dbfleet.Registry) error {
			return r.DB("main").Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
				var n int
				return c.QueryRowContext(ctx, "SELECT count(*) FROM notes").Scan(&n)
			})
		}},
		"a transaction that is committed": {noted: true, do: func(t *testing.T, ctx context.Context, r *dbfleet.Registry) error {
			return r.DB("main").Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
				_, err := tx.ExecContext(ctx, "DELETE FROM notes")
				return err
			})
		}},
		"a session within a transaction": {noted: true, do: func(t *testing.T, ctx context.Context, r *dbfleet.Registry) error {
			return r.DB("main").Transaction(context.Background(), func(in context.Context, tx *dbfleet.Tx) error {
				_, err := r.DB("main").Table("notes").Using(tx).Insert(ctx, dbfleet.Row{"body": "x"})
				return err
			})
		}},
		"a transaction that reads": {do: func(t *testing.T, ctx context.Context, r *dbfleet.Registry) error {
			return r.DB("main").Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
				_, err := r.DB("main").Table("notes").Get(ctx)
				return err
			})
		}},
		"a transaction that is rolled back": {do: func(t *testing.T, ctx context.Context, r *dbfleet.Registry) error {
			err := r.DB("main").Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
				_, err := tx.ExecContext(ctx, "DELETE FROM notes")
				return errors.Join(err, boom)
			})
			require.ErrorIs(t, err, boom)
			return nil
		}},
		"a write that fails": {do: func(t *testing.T, ctx context.Context, r *dbfleet.Registry) error {
			_, err := r.DB("main").ExecContext(ctx, "INSERT INTO notes (no_such_column) VALUES (1)")
			require.Error(t, err)
			return nil
		}},
		"an Atomic": {noted: true, do: func(t *testing.T, ctx context.Context, r *dbfleet.Registry) error {
			return r.Atomic(ctx, []string{"main"}, func(ctx context.Context) error {
				_, err := r.DB("main").ExecContext(ctx, "DELETE FROM notes")
				return err
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sessionRegistry(t)
			ctx := dbfleet.WithSession(context.Background())
			require.NoError(t, c.do(t, ctx, r))
			require.Equal(t, c.noted, tokenOf(t, ctx) != "")
		})
	}
}

func TestSession_TokenGoesOnElsewhere(t *testing.T) {
	t.Parallel()
	r, other := sessionRegistry(t), sessionRegistry(t)
	ctx := dbfleet.WithSession(context.Background())
	writes(t, ctx, r)
	text := tokenOf(t, ctx)
	there, err := other.ContinueSession(context.Background(), text)
	require.NoError(t, err)
	require.Equal(t, text, tokenOf(t, there))
	again, err := other.ContinueSession(there, "")
	require.NoError(t, err)
	require.Equal(t, text, tokenOf(t, again), "it goes on from both")
	require.NotSame(t, dbfleet.SessionOf(there), dbfleet.SessionOf(again))
	fresh, err := r.ContinueSession(context.Background(), "")
	require.NoError(t, err)
	require.Empty(t, tokenOf(t, fresh))
}

func TestSession_TokenIsOfItsKeysAlone(t *testing.T) {
	t.Parallel()
	next := dbfleet.Secret(strings.Repeat("n", 32))
	ctx := dbfleet.WithSession(context.Background())
	writes(t, ctx, sessionRegistry(t))
	text := tokenOf(t, ctx)
	both := sessionRegistry(t, next, sessionKey)
	there, err := both.ContinueSession(context.Background(), text)
	require.NoError(t, err)
	renewed := tokenOf(t, there)
	require.NotEqual(t, text, renewed, "it is signed with the first key")
	_, err = sessionRegistry(t, next).ContinueSession(context.Background(), renewed)
	require.NoError(t, err)
	for name, bad := range map[string]string{"another key's": text, "cut": renewed[:len(renewed)-1], "changed": "B" + renewed[1:], "none": "token"} {
		same := context.Background()
		got, err := sessionRegistry(t, next).ContinueSession(same, bad)
		require.ErrorIs(t, err, dbfleet.ErrToken, name)
		require.Equal(t, same, got, name)
	}
}

func TestSession_TokenNeedsAKeyAndOneRegistry(t *testing.T) {
	t.Parallel()
	keyless, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": {Driver: dbfleet.SQLite, Database: ":memory:"}}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, keyless.Close()) })
	ctx := dbfleet.WithSession(context.Background())
	require.Empty(t, tokenOf(t, ctx), "nothing to sign")
	_, err = keyless.DB("main").ExecContext(ctx, "CREATE TABLE t (id INTEGER)")
	require.NoError(t, err)
	_, err = dbfleet.SessionOf(ctx).Token()
	require.ErrorContains(t, err, "SessionKeys")
	writes(t, ctx, sessionRegistry(t))
	_, err = dbfleet.SessionOf(ctx).Token()
	require.ErrorContains(t, err, "two registries")
	var none *dbfleet.Session
	_, err = none.Token()
	require.ErrorContains(t, err, "the Session is nil")
}

func TestSession_KeysAreChecked(t *testing.T) {
	t.Parallel()
	_, err := dbfleet.Open(dbfleet.Config{SessionKeys: []dbfleet.Secret{"short", sessionKey, sessionKey}})
	require.ErrorContains(t, err, "number 1 is shorter than 16 bytes")
	require.ErrorContains(t, err, "number 3 is given twice")
	require.NotContains(t, err.Error(), "short ")
}

func TestSession_KeysAreReadAndNotShown(t *testing.T) {
	t.Parallel()
	second := strings.Repeat("s", 16)
	var read dbfleet.Config
	require.NoError(t, json.Unmarshal([]byte(`{"session_keys": ["`+string(sessionKey)+`", "`+second+`"]}`), &read))
	env, err := dbfleet.ConfigFromEnv(dbfleet.EnvOptions{Lookup: func() []string {
		return []string{"DB_A_DRIVER=sqlite", "DB_A_DATABASE=:memory:", "DB_SESSION_KEYS=" + string(sessionKey) + "," + second}
	}})
	require.NoError(t, err)
	for _, c := range []dbfleet.Config{read, env} {
		require.Equal(t, []dbfleet.Secret{sessionKey, dbfleet.Secret(second)}, c.SessionKeys)
		text, err := json.Marshal(c)
		require.NoError(t, err)
		for _, shown := range []string{string(text), fmt.Sprintf("%v %+v", c, c)} {
			require.NotContains(t, shown, second)
			require.NotContains(t, shown, string(sessionKey))
		}
		require.Contains(t, string(text), "session_keys")
	}
	require.Error(t, json.Unmarshal([]byte(`{"session_keys": "one"}`), &read))
}

func TestSession_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	r := sessionRegistry(t)
	ctx := dbfleet.WithSession(context.Background(), dbfleet.SessionOptions{MonotonicReads: true})
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 20 {
				writes(t, ctx, r)
				_, err := r.DB("main").Table("notes").Limit(1).Get(ctx)
				require.NoError(t, err)
				require.NotEmpty(t, tokenOf(t, ctx))
			}
		})
	}
	group.Wait()
}
