package writes

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// A value is sealed anew each time, so that a row never had it already: KeepEqual would
// update each row, and say so of what has not changed. It is refused, but where the rows take
// columns of which equality is known.
func TestEncrypted_KeepEqualComparesNoCiphertexts(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), patients(t, fl)
		a := patient{ID: "a", Name: "Ann", SSN: dbfleet.EncryptedOf(plain)}
		require.NoError(t, m.Create(ctx, &a))
		var sent int
		fl.DB("main").OnAfterQuery(func(context.Context, dbfleet.QueryEvent) { sent++ })
		for name, conflict := range map[string]dbfleet.Conflict{"all": {KeepEqual: true}, "named": {KeepEqual: true, Update: []string{"name", "ssn"}}} {
			again := a
			for _, err := range []error{
				m.Upsert(ctx, &again, conflict),
				m.UpsertMany(ctx, []patient{again, {ID: "b"}}, conflict),
				func() error { _, err := dbfleet.UpsertOutcomes(ctx, m, []patient{again}, conflict); return err }(),
			} {
				require.ErrorIs(t, err, dbfleet.ErrEncrypted, name)
				require.ErrorContains(t, err, `Conflict.KeepEqual with the encrypted column "ssn"`, name)
			}
		}
		require.Zero(t, sent)
		named := dbfleet.Conflict{KeepEqual: true, Update: []string{"name"}}
		outcomes, err := dbfleet.UpsertOutcomes(ctx, m, []patient{a}, named)
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Outcome{dbfleet.Unchanged}, outcomes)
		a.Name = "Anna"
		outcomes, err = dbfleet.UpsertOutcomes(ctx, m, []patient{a}, named)
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Outcome{dbfleet.Updated}, outcomes)
		got, err := m.Find(ctx, "a")
		require.NoError(t, err)
		require.Equal(t, plain, got.SSN.V)
	})
}
