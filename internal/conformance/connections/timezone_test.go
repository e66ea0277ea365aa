package connections

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// TimeZone in Params is that of the database's own functions and casts. Instants go in
// and come out as without it, through the library and through its pools.
func TestTimeZone_OfParamsIsThatOfSQLAndNotOfValues(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres")
	config := conformance.ConnectionTo(db)
	config.Params = map[string]string{"TimeZone": "Asia/Tokyo"}
	fl := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
	ctx, main := t.Context(), fl.DB("main")
	_, err := main.ExecContext(ctx, "CREATE TABLE times (id BIGSERIAL PRIMARY KEY, tz TIMESTAMPTZ, ts TIMESTAMP, d DATE)")
	require.NoError(t, err)
	type row struct {
		ID     int64
		TZ, TS time.Time
		D      dbfleet.Date
	}
	at := time.Date(2024, 3, 10, 22, 30, 0, 0, time.UTC) // the 11th in Tokyo
	times := conformance.Model[row](t, fl, dbfleet.ModelConfig{Table: "times"})
	one := row{TZ: at, TS: at, D: dbfleet.DateOf(at)}
	require.NoError(t, times.Create(ctx, &one))
	found, err := times.Find(ctx, one.ID)
	require.NoError(t, err)
	require.Equal(t, one, found)
	_, err = times.Where("id", "=", one.ID).Update(ctx, dbfleet.Row{"tz": at, "ts": at})
	require.NoError(t, err)
	n, err := times.Where("tz", "=", at).Where("ts", "=", at).Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	_, err = main.ExecContext(ctx, "UPDATE times SET tz = $1, ts = $2", at, at)
	require.NoError(t, err)
	var tz, ts time.Time
	require.NoError(t, main.Pool().QueryRowContext(ctx, "SELECT tz, ts FROM times").Scan(&tz, &ts))
	require.True(t, at.Equal(tz), "%s", tz)
	require.True(t, at.Equal(ts), "%s", ts)
	_, err = main.Pool().ExecContext(ctx, "UPDATE times SET tz = $1, ts = $2", at, at)
	require.NoError(t, err)
	require.NoError(t, main.Pool().QueryRowContext(ctx, "SELECT tz, ts FROM times").Scan(&tz, &ts))
	require.True(t, at.Equal(tz) && at.Equal(ts), "%s %s", tz, ts)

	day, err := dbfleet.SelectOne[dbfleet.Date](ctx, main, "SELECT tz::date FROM times")
	require.NoError(t, err)
	require.Equal(t, "2024-03-11", day.String(), "a cast is made in the zone")
	text, err := dbfleet.SelectOne[string](ctx, main, "SELECT tz::text FROM times")
	require.NoError(t, err)
	require.Equal(t, "2024-03-11 07:30:00+09", text)
	moved, err := dbfleet.SelectOne[time.Time](ctx, main, "SELECT tz::timestamp FROM times")
	require.NoError(t, err)
	require.Equal(t, at.Add(9*time.Hour), moved, "the clock of the zone, read as UTC's")
	_, err = times.Where("id", "=", one.ID).Update(ctx, dbfleet.Row{"ts": dbfleet.Raw("tz")})
	require.NoError(t, err)
	found, err = times.Find(ctx, one.ID)
	require.NoError(t, err)
	require.Equal(t, at.Add(9*time.Hour), found.TS)
}
