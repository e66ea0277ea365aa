//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	sqldriver "database/sql/driver"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// Rows whose first was read ahead are the same rows, as values and as cells, and none is
// none.
func TestWithFirst_GivesTheSameRows(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		p := open(t, optionsFor(db))
		ctx := t.Context()
		c := acquire(t, p)
		texts := map[int]string{0: "SELECT 1 AS n, 'a' AS s WHERE 1 = 0", 1: "SELECT 1 AS n, 'a' AS s", 3: "SELECT 1 AS n, 'a' AS s UNION ALL SELECT 2, NULL UNION ALL SELECT 3, 'c'"}
		for n, text := range texts {
			read := func(first bool, asCells bool) (list []string) {
				rows, err := c.Query(ctx, text, nil)
				require.NoError(t, err)
				if first {
					rows, err = WithFirst(rows)
					require.NoError(t, err)
				}
				defer func() { require.NoError(t, rows.Close()) }()
				require.Equal(t, []string{"n", "s"}, rows.Columns())
				values, cells := make([]sqldriver.Value, 2), make([]cell.Cell, 2)
				for {
					if source, ok := rows.(interface{ NextCells([]cell.Cell) error }); ok && asCells {
						err = source.NextCells(cells)
						values[0], values[1] = cells[0].Value(), cells[1].Value()
					} else {
						err = rows.Next(values)
					}
					if err == io.EOF {
						return list
					}
					require.NoError(t, err)
					list = append(list, fmt.Sprintf("%v %s", values[0], values[1]))
				}
			}
			plain := read(false, false)
			require.Len(t, plain, n)
			require.Equal(t, plain, read(true, false))
			require.Equal(t, plain, read(true, true))
		}
		require.Len(t, rowsOf(t, c, "SELECT 1"), 1, "the connection is free")
	})
}
