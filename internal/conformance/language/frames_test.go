package language

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

func TestWindow_TakesAFrame(t *testing.T) {
	t.Parallel()
	type day struct{ ID, Day, N int64 }
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE days (id {id}, day {bigint} NOT NULL, n {bigint} NOT NULL)`)
		m, ctx := conformance.Model[day](t, fl.Registry, dbfleet.ModelConfig{Table: "days"}), t.Context()
		require.NoError(t, m.CreateMany(ctx, []day{{1, 1, 1}, {2, 2, 2}, {3, 2, 4}, {4, 5, 8}, {5, 6, 16}}))
		id := dbfleet.Field(m, func(d *day) *int64 { return &d.ID })
		on := dbfleet.Field(m, func(d *day) *int64 { return &d.Day })
		n := dbfleet.Field(m, func(d *day) *int64 { return &d.N })
		values := func(f interface {
			Over(dbfleet.Window) dbfleet.Expression[int64]
		}, w dbfleet.Window) ([]int64, error) {
			type row struct{ V *int64 }
			rows, err := dbfleet.Into[row](m.Query().SelectValue(f.Over(w), "v").OrderBy("id", dbfleet.Asc)).Get(ctx)
			out := []int64{}
			for _, r := range rows {
				if r.V == nil {
					out = append(out, -1)
				} else {
					out = append(out, *r.V)
				}
			}
			return out, err
		}
		frame := func(unit dbfleet.FrameUnit, from, to int) dbfleet.Window {
			by := id.Asc()
			if unit != dbfleet.FrameRows {
				by = on.Asc()
			}
			return dbfleet.Window{OrderBy: []dbfleet.Order{by}, Frame: dbfleet.Frame{Unit: unit, From: from, To: to}}
		}
		sum := dbfleet.SumOf(n)
		for _, c := range []struct {
			name string
			w    dbfleet.Window
			want []int64
		}{
			{"two rows", frame(dbfleet.FrameRows, -1, 0), []int64{1, 3, 6, 12, 24}},
			{"around", frame(dbfleet.FrameRows, -1, 1), []int64{3, 7, 14, 28, 24}},
			{"those behind", frame(dbfleet.FrameRows, 1, dbfleet.UnboundedFollowing), []int64{30, 28, 24, 16, -1}},
			{"up to here", frame(dbfleet.FrameRows, dbfleet.UnboundedPreceding, 0), []int64{1, 3, 7, 15, 31}},
			{"those equal to the row", frame(dbfleet.FrameRange, 0, 0), []int64{1, 6, 6, 8, 16}},
			{"a day before", frame(dbfleet.FrameRange, -1, 0), []int64{1, 7, 7, 8, 24}},
			{"all", frame(dbfleet.FrameRange, dbfleet.UnboundedPreceding, dbfleet.UnboundedFollowing), []int64{31, 31, 31, 31, 31}},
		} {
			got, err := values(sum, c.w)
			require.NoError(t, err, c.name)
			require.Equal(t, c.want, got, c.name)
		}
		got, err := values(dbfleet.LastValue(n), frame(dbfleet.FrameRows, 0, dbfleet.UnboundedFollowing))
		require.NoError(t, err)
		require.Equal(t, []int64{16, 16, 16, 16, 16}, got)
		got, err = values(dbfleet.FirstValue(n), frame(dbfleet.FrameRows, -2, 0))
		require.NoError(t, err)
		require.Equal(t, []int64{1, 1, 1, 2, 4}, got)

		got, err = values(sum, frame(dbfleet.FrameGroups, -1, 0))
		if fl.Database.Dialect == "mysql" {
			require.ErrorContains(t, err, "MySQL and MariaDB have no groups")
		} else {
			require.NoError(t, err)
			require.Equal(t, []int64{1, 7, 7, 14, 24}, got)
		}
		means, err := dbfleet.Into[struct{ V float64 }](m.Query().SelectValue(dbfleet.AvgOf(n).Over(frame(dbfleet.FrameRows, -1, 0)), "v").OrderBy("id", dbfleet.Asc)).Get(ctx)
		require.NoError(t, err)
		require.InDelta(t, 1.5, means[1].V, 1e-9)

		for want, w := range map[string]dbfleet.Window{
			"no unit":                {Frame: dbfleet.Frame{From: -1}},
			"ends before it begins":  frame(dbfleet.FrameRows, 1, 0),
			"need an order":          {Frame: dbfleet.Frame{Unit: dbfleet.FrameGroups}},
			"an order by one number": {Frame: dbfleet.Frame{Unit: dbfleet.FrameRange, From: -1}},
			`no unit "fortnights"`:   {Frame: dbfleet.Frame{Unit: "fortnights"}},
		} {
			_, err := values(sum, w)
			require.ErrorContains(t, err, want)
		}
		_, err = values(sum, frame(dbfleet.FrameRows, dbfleet.UnboundedPreceding, dbfleet.UnboundedPreceding))
		require.ErrorContains(t, err, "ends before it begins")
		_, err = values(dbfleet.RowNumber(), frame(dbfleet.FrameRows, -1, 0))
		require.ErrorContains(t, err, "whatever the frame is")
	})
}
