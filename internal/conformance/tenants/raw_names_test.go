package tenants

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// SQLite takes a text for a name where no value can stand, and PostgreSQL a name that is
// written by the codes of its characters: neither leads to the rows of others.
func TestTenant_RawPartsNameNoTableByOtherMeans(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		ctx := acme(t)
		for _, raw := range map[string][]string{
			"sqlite": {
				`id IN (SELECT id FROM 'orders')`,
				`id IN (SELECT id FROM ('Orders') AS o)`,
				`id IN (SELECT o.id FROM (SELECT 1) AS x, 'orders' AS o)`,
			},
			"postgres": {
				`id IN (SELECT id FROM U&"order\0073")`,
				`id IN (SELECT id FROM u&"order!0073" UESCAPE '!')`,
			},
		}[s.Database.Dialect] {
			list, err := s.orders.Query().WhereRaw(raw).Get(ctx)
			require.ErrorContains(t, err, "whose rows belong to tenants", "%s: %v", raw, list)
		}
		list, err := s.orders.Query().WhereRaw("id > 0 AND (number = 'orders' OR number <> 'order_lines')").Get(ctx)
		require.NoError(t, err, "a text that is compared is no name")
		require.NotEmpty(t, list)
		_, err = s.orders.Query().WhereRaw("id > 0 AND number IN ('a', 'b')").Get(ctx)
		require.NoError(t, err)
	})
}
