package atomic

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// truth 1023: an own function may have the name that another database's function has.
func TestAtomic_UndoesWhatOwnFunctionsWriteWhateverTheyAreCalled(t *testing.T) {
	t.Parallel()
	f := open(t, "mysql", "postgres")
	ctx := t.Context()
	for name, text := range map[string]string{
		"a": "CREATE FUNCTION total(o VARCHAR(50)) RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO accounts (owner, balance) VALUES (o, 1); RETURN 1; END",
		"b": "CREATE FUNCTION total(o text) RETURNS int LANGUAGE sql AS 'INSERT INTO accounts (owner, balance) VALUES (o, 1) RETURNING 1'",
	} {
		for _, text := range []string{"CREATE TABLE ones (one int)", "INSERT INTO ones VALUES (1)", text} {
			_, err := f.DB(name).ExecContext(ctx, text)
			require.NoError(t, err)
		}
	}
	call := func(ctx context.Context, owner string) error {
		for _, name := range f.names {
			if _, err := f.DB(name).Table("ones").WhereRaw("total(?) = 1", owner).Get(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	require.ErrorIs(t, f.Atomic(ctx, f.names, func(ctx context.Context) error {
		require.NoError(t, call(ctx, "undone"))
		return errUndo
	}), errUndo)
	require.Equal(t, f.everywhere(), f.owners(t))
	require.NoError(t, f.Atomic(ctx, f.names, func(ctx context.Context) error { return call(ctx, "kept") }))
	require.Equal(t, f.everywhere("kept"), f.owners(t))

	// What has only read may end before the others are asked.
	_, err := f.DB("b").ExecContext(ctx, "ALTER TABLE accounts ADD CONSTRAINT late UNIQUE (balance) DEFERRABLE INITIALLY DEFERRED")
	require.NoError(t, err)
	require.ErrorIs(t, f.Atomic(ctx, f.names, func(ctx context.Context) error {
		_, err := f.DB("a").Table("ones").WhereRaw("total('undone') = 1").Get(ctx)
		require.NoError(t, err)
		require.NoError(t, f.write(ctx, "one", "b"))
		return f.write(ctx, "two", "b")
	}), dbfleet.ErrUnique)
	require.Equal(t, f.everywhere("kept"), f.owners(t))

	for _, name := range f.names {
		require.ErrorIs(t, f.Transaction(ctx, name, func(ctx context.Context, tx *dbfleet.Tx) error {
			var n int
			require.NoError(t, tx.QueryRowContext(ctx, "SELECT total('undone')").Scan(&n))
			return errUndo
		}), errUndo)
		_, err := f.DB(name).Read().QueryContext(ctx, "SELECT total('read')")
		require.ErrorContains(t, err, "total()")
	}
	require.Equal(t, f.everywhere("kept"), f.owners(t))
	f.clean(t)
}
