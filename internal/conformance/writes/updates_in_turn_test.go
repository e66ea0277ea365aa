package writes

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 1009
// An expression of an update sees the row as it was, whatever other columns the update
// sets. A Go map has no order by which a caller could help it.
func TestUpdate_SeesTheRowAsItWas(t *testing.T) {
	t.Parallel()
	type account struct{ ID, Balance, Previous int64 }
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE accts (id {id}, balance {bigint} NOT NULL, previous {bigint} NOT NULL)`)
		m := conformance.Model[account](t, fl.Registry, dbfleet.ModelConfig{Table: "accts"})
		a := account{Balance: 100}
		require.NoError(t, m.Create(t.Context(), &a))
		_, err := m.Where("id", "=", a.ID).Update(t.Context(), map[string]any{
			"balance": dbfleet.Raw("balance - ?", 30), "previous": dbfleet.Raw("balance")})
		require.NoError(t, err)
		got, err := m.Find(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, account{a.ID, 70, 100}, got)

		// Two columns that read each other.
		swap := map[string]any{"balance": dbfleet.Raw("previous"), "previous": dbfleet.Raw("balance")}
		_, err = m.Where("id", "=", a.ID).Update(t.Context(), swap)
		want := account{a.ID, 100, 70}
		if fl.Database.Dialect == "mysql" {
			var fault *dbfleet.StatementError
			require.ErrorAs(t, err, &fault, "MySQL assigns one after the other")
			want = got
		} else {
			require.NoError(t, err)
		}
		got, err = m.Find(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}
