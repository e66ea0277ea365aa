package atomic

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

var errUndo = errors.New("undo it")

// fleet is a registry with one connection for each dialect, named a, b, c and so on, and
// the accounts of each.
type fleet struct {
	*dbfleet.Registry
	names     []string
	databases map[string]dbtest.Database
	accounts  map[string]*dbfleet.Model[conformance.Account]
}

func open(t *testing.T, dialects ...string) *fleet {
	t.Helper()
	f := &fleet{databases: map[string]dbtest.Database{}, accounts: map[string]*dbfleet.Model[conformance.Account]{}}
	connections := map[string]dbfleet.ConnectionConfig{}
	for i, dialect := range dialects {
		name := string(rune('a' + i))
		f.names = append(f.names, name)
		f.databases[name] = dbtest.New(t, dialect)
		connections[name] = conformance.ConnectionTo(f.databases[name])
	}
	f.Registry = conformance.Open(t, connections)
	for _, name := range f.names {
		_, err := f.DB(name).ExecContext(t.Context(), conformance.DDL(f.databases[name].Dialect, conformance.AccountsTable))
		require.NoError(t, err)
		f.accounts[name] = conformance.Model[conformance.Account](t, f.Registry, dbfleet.ModelConfig{Table: "accounts", Connection: name})
	}
	return f
}

// owners are the accounts of each connection.
func (f *fleet) owners(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, name := range f.names {
		list, err := f.accounts[name].OrderBy("owner", dbfleet.Asc).Get(t.Context())
		require.NoError(t, err)
		out[name] = []string{}
		for _, a := range list {
			out[name] = append(out[name], a.Owner)
		}
	}
	return out
}

// everywhere is what owners returns when each has these.
func (f *fleet) everywhere(owners ...string) map[string][]string {
	out := map[string][]string{}
	for _, name := range f.names {
		out[name] = append([]string{}, owners...)
	}
	return out
}

// write writes an account on each of the connections.
func (f *fleet) write(ctx context.Context, owner string, names ...string) error {
	for _, name := range names {
		if err := f.accounts[name].Create(ctx, &conformance.Account{Owner: owner}); err != nil {
			return err
		}
	}
	return nil
}

// clean says that nothing is in doubt and no connection is in use.
func (f *fleet) clean(t *testing.T) {
	t.Helper()
	list, err := f.InDoubt(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)
	conformance.RequireIdleSoon(t, f.Registry)
}

// mixes are the participants that tests are made with.
var mixes = [][]string{
	{"postgres", "mysql"}, {"mysql", "postgres"}, {"postgres", "postgres"}, {"mysql", "mysql"},
	{"postgres", "sqlite"}, {"sqlite", "mysql"}, {"postgres", "mysql", "sqlite"}, {"mysql", "postgres", "mysql", "postgres"},
}

func onMixes(t *testing.T, f func(t *testing.T, fl *fleet)) {
	t.Helper()
	for _, mix := range mixes {
		t.Run(fmtMix(mix), func(t *testing.T) {
			t.Parallel()
			f(t, open(t, mix...))
		})
	}
}

func fmtMix(mix []string) (s string) {
	for i, m := range mix {
		if i > 0 {
			s += "+"
		}
		s += m
	}
	return s
}

// truth 1114
func TestAtomic_CommitsAllOrNone(t *testing.T) {
	t.Parallel()
	onMixes(t, func(t *testing.T, f *fleet) {
		ctx := t.Context()
		require.NoError(t, f.Atomic(ctx, f.names, func(ctx context.Context) error { return f.write(ctx, "all", f.names...) }))
		require.Equal(t, f.everywhere("all"), f.owners(t))
		f.clean(t)

		require.ErrorIs(t, f.Atomic(ctx, f.names, func(ctx context.Context) error {
			require.NoError(t, f.write(ctx, "undone", f.names...))
			return errUndo
		}), errUndo)
		require.Panics(t, func() {
			_ = f.Atomic(ctx, f.names, func(ctx context.Context) error {
				_ = f.write(ctx, "undone", f.names...)
				panic("lost")
			})
		})
		canceled, cancel := context.WithCancel(ctx)
		require.ErrorIs(t, f.Atomic(canceled, f.names, func(ctx context.Context) error {
			err := f.write(ctx, "undone", f.names...)
			cancel()
			return err
		}), context.Canceled)
		last := f.names[len(f.names)-1]
		require.ErrorIs(t, f.Atomic(ctx, f.names, func(ctx context.Context) error {
			require.NoError(t, f.write(ctx, "undone", f.names[:len(f.names)-1]...))
			return f.write(ctx, "all", last)
		}), dbfleet.ErrUnique)
		require.Equal(t, f.everywhere("all"), f.owners(t))
		f.clean(t)

		// One, some and none of them write.
		for i, name := range f.names {
			require.NoError(t, f.Atomic(ctx, f.names, func(ctx context.Context) error {
				for _, other := range f.names {
					n, err := f.accounts[other].Count(ctx)
					require.NoError(t, err)
					require.EqualValues(t, 1, n)
				}
				return f.write(ctx, "one", name)
			}), "%d", i)
			_, err := f.accounts[name].Where("owner", "=", "one").Delete(ctx)
			require.NoError(t, err)
		}
		require.NoError(t, f.Atomic(ctx, f.names, func(ctx context.Context) error { return nil }))
		require.NoError(t, f.Atomic(ctx, f.names, func(ctx context.Context) error { return f.write(ctx, "some", f.names[1:]...) }))
		want := f.everywhere("all", "some")
		want[f.names[0]] = []string{"all"}
		require.Equal(t, want, f.owners(t))
		f.clean(t)
	})
}

// truth 1115
func TestAtomic_StatementsElsewhereAreRefused(t *testing.T) {
	t.Parallel()
	f := open(t, "sqlite", "postgres", "sqlite")
	err := f.Atomic(t.Context(), []string{"a", "b"}, func(ctx context.Context) error {
		err := f.write(ctx, "elsewhere", "c")
		var stray *dbfleet.AtomicConnectionError
		require.ErrorAs(t, err, &stray)
		require.Equal(t, "c", stray.Connection)
		require.Equal(t, []string{"a", "b"}, stray.Named)
		require.ErrorAs(t, f.Transaction(ctx, "c", func(context.Context, *dbfleet.Tx) error { return nil }), &stray)
		_, err = f.DB("c").ExecContext(ctx, conformance.Inserting("elsewhere"))
		require.ErrorAs(t, err, &stray)
		require.NoError(t, f.write(dbfleet.OutsideTx(ctx), "outside", "c"))
		return f.write(ctx, "x", "a", "b")
	})
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"a": {"x"}, "b": {"x"}, "c": {"outside"}}, f.owners(t))
}

func TestAtomic_NestsAsSavepoints(t *testing.T) {
	t.Parallel()
	onMixes(t, func(t *testing.T, f *fleet) {
		err := f.Atomic(t.Context(), f.names, func(ctx context.Context) error {
			require.NoError(t, f.write(ctx, "outer", f.names...))
			require.ErrorIs(t, f.Atomic(ctx, f.names, func(ctx context.Context) error {
				require.NoError(t, f.write(ctx, "undone", f.names...))
				return errUndo
			}), errUndo)
			require.NoError(t, f.Atomic(ctx, f.names[:1], func(ctx context.Context) error { return f.write(ctx, "inner", f.names[0]) }))
			return f.Transaction(ctx, f.names[1], func(ctx context.Context, _ *dbfleet.Tx) error { return f.write(ctx, "inner", f.names[1]) })
		})
		require.NoError(t, err)
		want := f.everywhere("outer")
		want[f.names[0]], want[f.names[1]] = []string{"inner", "outer"}, []string{"inner", "outer"}
		require.Equal(t, want, f.owners(t))
		f.clean(t)
	})
}

// hazard 326
func TestAtomic_RefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	f := open(t, "sqlite", "sqlite", "postgres")
	nothing := func(context.Context) error { t.Error("called"); return nil }
	for text, names := range map[string][]string{
		`dbfleet: Atomic: no connection is named`:                                                                                 nil,
		`dbfleet: Atomic: connection "a" is named twice`:                                                                          {"a", "a"},
		`dbfleet: unknown connection "x"; known are "a", "b", "c"`:                                                                {"a", "x"},
		`dbfleet: Atomic: connections "a" and "b" are both SQLite, which cannot prepare a transaction: one at most can take part`: {"a", "b", "c"},
	} {
		require.EqualError(t, f.Atomic(t.Context(), names, nothing), text)
	}
	require.EqualError(t, f.Atomic(t.Context(), []string{"a", "c"}, nil), `dbfleet: Atomic: the function is nil`)
	require.EqualError(t, f.Transaction(t.Context(), "a", func(ctx context.Context, _ *dbfleet.Tx) error {
		return f.Atomic(ctx, []string{"a", "c"}, nothing)
	}), `dbfleet: Atomic: the context carries a transaction on "a" and none on "c"; what must end together begins together`)
	conformance.RequireIdleSoon(t, f.Registry)
}

// truth 1114
// What a branch finds wrong at its PREPARE undoes the others.
func TestAtomic_ARefusedVoteRollsBack(t *testing.T) {
	t.Parallel()
	for _, mix := range [][]string{{"mysql", "postgres"}, {"sqlite", "postgres", "mysql"}} {
		t.Run(fmtMix(mix), func(t *testing.T) {
			t.Parallel()
			f := open(t, mix...)
			pg := f.names[slices.Index(mix, "postgres")]
			_, err := f.DB(pg).ExecContext(t.Context(), "ALTER TABLE accounts ADD CONSTRAINT late UNIQUE (balance) DEFERRABLE INITIALLY DEFERRED")
			require.NoError(t, err)
			err = f.Atomic(t.Context(), f.names, func(ctx context.Context) error {
				require.NoError(t, f.write(ctx, "one", f.names...))
				return f.write(ctx, "two", pg)
			})
			require.ErrorIs(t, err, dbfleet.ErrUnique)
			require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
			require.Equal(t, f.everywhere(), f.owners(t))
			f.clean(t)
		})
	}
}
