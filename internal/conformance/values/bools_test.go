package values

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// hazards 48, 49, 50
func TestValues_Bools(t *testing.T) {
	t.Parallel()
	type flags struct {
		ID  int64
		B   bool
		P   *bool
		N   sql.NullBool
		Any any `db:"free"`
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		bit := map[string]string{"sqlite": "BOOLEAN", "postgres": "BOOLEAN", "mysql": "BIT(1)"}[fl.Database.Dialect]
		fl.Create(t, `CREATE TABLE flags (id {id}, b {bool}, p `+bit+`, n `+bit+`, free {bool})`)
		m := conformance.Model[flags](t, fl.Registry, dbfleet.ModelConfig{Table: "flags"})
		records := []flags{{B: true, P: ptr(true), N: sql.NullBool{Bool: true, Valid: true}}, {P: ptr(false), N: sql.NullBool{Valid: true}}, {}}
		require.NoError(t, m.CreateMany(ctx, records))
		got, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, records, got)
		for _, column := range []string{"b", "p", "n"} {
			for name, v := range map[string]any{"bool": true, "one": 1, "text": "true", "int8": int8(1), "uint": uint(1), "pointer": ptr(true)} {
				one, err := m.Where(column, "=", v).Get(ctx)
				require.NoError(t, err, name)
				require.Equal(t, records[:1], one, "%s as %s", column, name)
			}
			for _, v := range []any{2, -1, "yes", "2", 0.5, time.Now(), []byte("x")} {
				_, err := m.Where(column, "=", v).Get(ctx)
				require.ErrorIs(t, err, dbfleet.ErrType, "%v", v)
				_, err = m.Query().AllRows().Update(ctx, dbfleet.Row{column: v})
				require.ErrorIs(t, err, dbfleet.ErrType, "%v", v)
				require.ErrorContains(t, err, `"`+column+`"`)
			}
			n, err := m.WhereIn(column, []bool{true, false}).Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, map[string]int{"b": 3, "p": 2, "n": 2}[column], n)
			all, err := dbfleet.Pluck[*bool](ctx, m.OrderBy("id", dbfleet.Asc), column)
			require.NoError(t, err)
			require.True(t, *all[0])
			require.False(t, *all[1])
		}
		if fl.Database.Dialect == "postgres" {
			return
		}
		// Numbers that are no bool, on every path.
		fl.Create(t, `INSERT INTO flags (id, b, free) VALUES (50, 2, 2)`)
		_, err = m.Find(ctx, 50)
		require.ErrorIs(t, err, dbfleet.ErrRange)
		require.ErrorContains(t, err, `"b"`)
		_, err = dbfleet.Pluck[bool](ctx, m.Where("id", "=", 50), "b")
		require.ErrorIs(t, err, dbfleet.ErrRange)
		_, err = m.Query().Max(ctx, "b")
		require.ErrorIs(t, err, dbfleet.ErrRange)
		row, err := fl.DB("main").Table("flags").Select("b").Find(ctx, 50)
		require.NoError(t, err)
		require.Equal(t, dbfleet.Row{"b": int64(2)}, row)
		if fl.Database.Dialect == "mysql" {
			row, err := fl.DB("main").Table("flags").Select("p").Find(ctx, records[0].ID)
			require.NoError(t, err)
			require.Equal(t, dbfleet.Row{"p": int64(1)}, row)
			fl.Create(t, `CREATE TABLE bits (id {id}, b BIT(64))`, `INSERT INTO bits VALUES (1, b'1000000000000000000000000000000000000000000000000000000000000001')`)
			type bits struct {
				ID int64
				B  uint64
			}
			b, err := dbfleet.Table[bits](fl.DB("main"), "bits").First(ctx)
			require.NoError(t, err)
			require.Equal(t, uint64(1)<<63+1, b.B)
			return
		}
		fl.Create(t, `INSERT INTO flags (id, b) VALUES (51, 'yes')`)
		_, err = m.Find(ctx, 51)
		require.ErrorIs(t, err, dbfleet.ErrType)
		require.ErrorContains(t, err, `"b"`)
	})
}
