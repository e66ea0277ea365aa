package values

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type uid [16]byte

// truth 407
// hazard 52
func TestUUIDs_InEveryFormAndColumn(t *testing.T) {
	t.Parallel()
	type thing struct {
		ID   int64
		A    [16]byte
		B    uid
		C    string
		D    *[16]byte
		E    sql.Null[uid]
		Bin  []byte
		Text [16]byte
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE things (id {id}, a {uuid}, b {uuid}, c {uuid}, d {uuid}, e {uuid}, bin `+
			map[string]string{"sqlite": "BLOB", "postgres": "BYTEA", "mysql": "BINARY(16)"}[fl.Database.Dialect]+`, text {text})`)
		m := conformance.Model[thing](t, fl.Registry, dbfleet.ModelConfig{Table: "things"})
		u := [16]byte{0x01, 0x92, 0xfe, 0, 0x10, 0x20, 0x70, 0x40, 0x80, 0x50, 0x60, 0x70, 0xff, 'a', 0, 1}
		const text = "0192fe00-1020-7040-8050-6070ff610001"
		x := thing{A: u, B: u, C: text, D: &u, E: sql.Null[uid]{V: u, Valid: true}, Bin: u[:], Text: u}
		require.NoError(t, m.Create(ctx, &x))
		got, err := m.Find(ctx, x.ID)
		require.NoError(t, err)
		require.Equal(t, x, got)
		row, err := fl.DB("main").Table("things").Find(ctx, x.ID)
		require.NoError(t, err)
		require.Equal(t, dbfleet.Row{"id": x.ID, "a": text, "b": text, "c": text, "d": text, "e": text, "bin": u[:], "text": text}, row, "one byte order everywhere")
		for _, column := range []string{"a", "b", "c", "d", "e", "text"} {
			for name, v := range map[string]any{
				"array": u, "type": uid(u), "text": text, "pointer": &u, "upper": "0192FE00-1020-7040-8050-6070FF610001", "bare": "0192fe0010207040805060" + "70ff610001",
			} {
				if column == "c" && (name == "bare" || name == "upper" && fl.Database.Dialect == "sqlite") {
					continue // a string field takes text as it is
				}
				n, err := m.Where(column, "=", v).Count(ctx)
				require.NoError(t, err, "%s as %s", column, name)
				require.EqualValues(t, 1, n, "%s as %s", column, name)
			}
			n, err := m.WhereIn(column, []uid{u, {}}).Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
			n, err = m.WhereIn(column, []string{text}).Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
		}
		n, err := m.Where("bin", "=", u[:]).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		_, err = m.Where("a", "=", "no uuid").Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrType)
		_, err = m.Where("a", "=", 5).Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrType)
		all, err := dbfleet.Pluck[uid](ctx, m, "a")
		require.NoError(t, err)
		require.Equal(t, []uid{u}, all)
		// From binary columns only by the type that writes bytes.
		type binary[V any] struct {
			ID  int64
			Bin V
		}
		_, err = dbfleet.Table[binary[[16]byte]](fl.DB("main"), "things").First(ctx)
		require.ErrorIs(t, err, dbfleet.ErrRange)
		require.ErrorContains(t, err, "dbfleet.BinaryUUID")
		b, err := dbfleet.Table[binary[dbfleet.BinaryUUID]](fl.DB("main"), "things").First(ctx)
		require.NoError(t, err)
		require.Equal(t, dbfleet.BinaryUUID(u), b.Bin)
		fl.Create(t, "UPDATE things SET text = 'no uuid'")
		_, err = m.Find(ctx, x.ID)
		require.ErrorIs(t, err, dbfleet.ErrType)
		require.ErrorContains(t, err, `"text"`)
	})
}
