package queries

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type pagedOrder struct {
	ID   int64
	Name string
}

type pagedLine struct {
	OrderID int64
	Part    int64
	Word    string
}

type pagedRow struct {
	ID   int64
	Name string
	Part int64
}

// truth 1021
func TestPageOf_SharesNoRowOfAJoin(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, "CREATE TABLE paged_orders (id {id}, name {text} NOT NULL)",
			"CREATE TABLE paged_lines (order_id {bigint} NOT NULL, part {bigint} NOT NULL, word {text} NOT NULL, PRIMARY KEY (order_id, part))",
			"CREATE TABLE paged_notes (order_id {bigint} NOT NULL, part {bigint} NOT NULL)")
		orders := conformance.Model[pagedOrder](t, fl.Registry, dbfleet.ModelConfig{Table: "paged_orders"})
		lines := conformance.Model[pagedLine](t, fl.Registry, dbfleet.ModelConfig{Table: "paged_lines", PrimaryKey: []string{"order_id", "part"}})
		made := []pagedOrder{{Name: "a"}, {Name: "a"}, {Name: "without lines"}}
		require.NoError(t, orders.CreateMany(ctx, made))
		var all []pagedLine
		for i := range int64(40) {
			all = append(all, pagedLine{made[i%2].ID, i * 7 % 40, "same"})
		}
		require.NoError(t, lines.CreateMany(ctx, all))
		_, err := fl.DB("main").ExecContext(ctx, "INSERT INTO paged_notes SELECT order_id, part FROM paged_lines")
		require.NoError(t, err)

		on := func(q *dbfleet.Query[pagedOrder]) *dbfleet.Query[pagedRow] {
			return dbfleet.Into[pagedRow](q)
		}
		joined := orders.Query().Join("paged_lines", "paged_lines.order_id", "=", "paged_orders.id")
		list := func(q *dbfleet.Query[pagedOrder], part string) *dbfleet.Query[pagedOrder] {
			return q.Select("paged_orders.id", "paged_orders.name").SelectAs(part, "part")
		}
		alias := orders.Query().As("o").LeftJoin("paged_lines AS l", "l.order_id", "=", "o.id")
		raw := list(orders.Query().JoinRaw("JOIN paged_notes n ON n.order_id = paged_orders.id"), "n.part")
		unknown := list(orders.Query().Join("paged_notes", "paged_notes.order_id", "=", "paged_orders.id"), "paged_notes.part")
		for claim, page := range map[string]struct {
			q    *dbfleet.Query[pagedRow]
			rows int
		}{
			"no order":                    {on(list(joined, "paged_lines.part")), 40},
			"an order of equals":          {on(list(joined.OrderBy("name", dbfleet.Asc), "paged_lines.part")), 40},
			"an order by the other table": {on(list(joined.OrderBy("paged_lines.word", dbfleet.Desc), "paged_lines.part")), 40},
			"the columns of the struct":   {on(joined), 40},
			"aliases, and NULLs of a key": {on(alias.Select("o.id", "o.name").SelectValue(dbfleet.Coalesce[int64](dbfleet.Col[int64]("l.part"), dbfleet.Value(int64(-1))), "part")), 41},
			"a raw join in an order":      {on(raw.OrderBy("n.part", dbfleet.Asc)), 40},
			"a raw order":                 {on(raw.OrderByRaw("n.part")), 40},
			"an order of an alias":        {on(unknown.OrderBy("part", dbfleet.Desc)), 40},
			"an unknown table in order":   {on(unknown.OrderBy("paged_notes.part", dbfleet.Desc)), 40},
		} {
			seen := map[pagedRow]int{}
			for number := 1; number <= (page.rows+2)/3; number++ {
				part, err := dbfleet.PageOf(ctx, page.q, number, 3)
				require.NoError(t, err, claim)
				require.EqualValues(t, page.rows, part.Total, claim)
				for _, row := range part.Items {
					seen[row]++
				}
			}
			require.Len(t, seen, page.rows, claim)
		}

		for claim, q := range map[string]*dbfleet.Query[pagedOrder]{"raw": raw, "unknown": unknown, "own order": unknown.OrderBy("name", dbfleet.Asc)} {
			_, err := dbfleet.PageOf(ctx, on(q), 1, 3)
			var refused *dbfleet.StatementError
			require.ErrorAs(t, err, &refused, claim)
			require.ErrorContains(t, err, "no model tells the primary key", claim)
		}
		page, err := dbfleet.PageOf(ctx, orders.Query().JoinRaw("JOIN paged_notes n ON n.order_id = paged_orders.id"), 1, 30)
		require.NoError(t, err, "which record comes first of the same ones does not matter")
		require.EqualValues(t, 40, page.Total)
	})
}
