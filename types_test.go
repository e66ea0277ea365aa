package dbfleet_test

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// The types of the library are what database/sql expects of a column.
var (
	_ sql.Scanner      = (*dbfleet.Date)(nil)
	_ driver.Valuer    = dbfleet.Date{}
	_ sql.Scanner      = (*dbfleet.JSON[any])(nil)
	_ driver.Valuer    = dbfleet.JSON[any]{}
	_ json.Marshaler   = dbfleet.JSON[any]{}
	_ json.Unmarshaler = (*dbfleet.JSON[any])(nil)
)

func TestDate_IsADayOfTheCalendar(t *testing.T) {
	t.Parallel()
	day := dbfleet.Date{Year: 2024, Month: time.March, Day: 10}
	require.Equal(t, "2024-03-10", day.String())
	require.Equal(t, day, dbfleet.DateOf(time.Date(2024, 3, 10, 23, 0, 0, 0, time.FixedZone("", -5*3600))))
	loc := time.FixedZone("", 5*3600)
	require.Equal(t, time.Date(2024, 3, 10, 0, 0, 0, 0, loc), day.Time(loc))
	require.True(t, dbfleet.Date{}.IsZero())
	require.False(t, day.IsZero())

	v, err := day.Value()
	require.NoError(t, err)
	require.Equal(t, "2024-03-10", v)
	v, err = dbfleet.Date{}.Value()
	require.NoError(t, err)
	require.Nil(t, v)

	for _, src := range []any{"2024-03-10", []byte("2024-03-10"), "2024-03-10 23:59:59", "2024-03-10T00:00:00Z", time.Date(2024, 3, 10, 5, 0, 0, 0, loc)} {
		var got dbfleet.Date
		require.NoError(t, got.Scan(src), "%v", src)
		require.Equal(t, day, got)
	}
	got := day
	require.NoError(t, got.Scan(nil))
	require.True(t, got.IsZero())
	for _, src := range []any{"", "2024-02-30", "24-03-10", "2024-3-1", "infinity", "2024-03-10x", "0000-00-00", []byte("x"), 5, 1.5, true} {
		got := day
		err := got.Scan(src)
		require.Error(t, err, "%v", src)
		require.Equal(t, day, got, "unchanged on an error")
		require.NotContains(t, err.Error(), "2024", "no value in an error")
	}

	text, err := json.Marshal(map[dbfleet.Date]*dbfleet.Date{day: &day})
	require.NoError(t, err)
	require.JSONEq(t, `{"2024-03-10": "2024-03-10"}`, string(text))
	var back map[dbfleet.Date]*dbfleet.Date
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, map[dbfleet.Date]*dbfleet.Date{day: &day}, back)
	var none struct{ D dbfleet.Date }
	text, err = json.Marshal(none)
	require.NoError(t, err)
	require.Equal(t, `{"D":""}`, string(text))
	require.NoError(t, json.Unmarshal(text, &none))
	require.Error(t, json.Unmarshal([]byte(`{"D":"2024-02-30"}`), &none))
	_, err = json.Marshal(dbfleet.Date{Year: 2023, Month: 2, Day: 29})
	require.ErrorIs(t, err, dbfleet.ErrRange, "what cannot be read back is not written")
}

// hazards 53, 54
func TestJSON_KeepsNullsAndDigitsApart(t *testing.T) {
	t.Parallel()
	var j dbfleet.JSON[map[string]any]
	require.NoError(t, j.Scan(`{"n": 12345678901234567890.123}`))
	require.Equal(t, json.Number("12345678901234567890.123"), j.V["n"])
	v, err := j.Value()
	require.NoError(t, err)
	require.Equal(t, `{"n":12345678901234567890.123}`, v)

	before := j
	for _, src := range []any{"", "{", "{}x", "{} {}", `{}]`, "[]", "nul", 5, true, time.Now()} {
		require.Error(t, j.Scan(src), "%v", src)
		require.Equal(t, before, j, "unchanged on an error")
		require.Error(t, json.Unmarshal([]byte("[1]"), &j))
	}
	require.NoError(t, j.Scan([]byte(" null ")))
	require.Equal(t, dbfleet.JSON[map[string]any]{Valid: true}, j)
	v, err = j.Value()
	require.NoError(t, err)
	require.Equal(t, "null", v)
	require.NoError(t, j.Scan(nil))
	require.False(t, j.Valid)
	v, err = j.Value()
	require.NoError(t, err)
	require.Nil(t, v)

	// Nothing of an earlier value shines through.
	type conf struct{ A, B int }
	c := dbfleet.JSONOf(conf{1, 2})
	require.NoError(t, c.Scan(`{"A":5}`))
	require.Equal(t, dbfleet.JSONOf(conf{A: 5}), c)
	// Bytes are not kept.
	raw := []byte(`{"m":"abc"}`)
	var m dbfleet.JSON[json.RawMessage]
	require.NoError(t, m.Scan(raw))
	copy(raw, "xxxxxxxxxx")
	require.JSONEq(t, `{"m":"abc"}`, string(m.V))

	_, err = dbfleet.JSONOf(func() {}).Value()
	require.Error(t, err)
	_, err = dbfleet.JSONOf(math.NaN()).Value()
	require.Error(t, err)
	v, err = dbfleet.JSONOf("<é\u2028>").Value()
	require.NoError(t, err)
	var back string
	require.NoError(t, json.Unmarshal([]byte(v.(string)), &back))
	require.Equal(t, "<é\u2028>", back)
}

// hazard 61
func FuzzDate(f *testing.F) {
	for _, s := range []string{"2024-03-10", "", "0000-00-00", "2024-03-10 07:08:09", "-001-01-01", "9999-99-99", "\x00\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var d, same dbfleet.Date
		err := d.Scan(s)
		require.Equal(t, err, same.Scan([]byte(s)))
		if err != nil {
			require.True(t, d.IsZero())
			return
		}
		v, err := d.Value()
		require.NoError(t, err, "what is read can be written")
		var back dbfleet.Date
		require.NoError(t, back.Scan(v))
		require.Equal(t, d, back)
		text, err := d.MarshalText()
		require.NoError(t, err)
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, d, back)
	})
}

// hazard 61
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{}`, `null`, ``, `{"a":[1,2.5e300,null,"\u0000"]}`, `12345678901234567890`, "\xff", `"\ud800"`, `[[[[`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var j dbfleet.JSON[any]
		if j.Scan(b) != nil {
			require.Equal(t, dbfleet.JSON[any]{}, j)
			return
		}
		v, err := j.Value()
		require.NoError(t, err)
		var back dbfleet.JSON[any]
		require.NoError(t, back.Scan(v))
		require.Equal(t, j, back)
		var s dbfleet.JSON[struct {
			A []int
			B *string
		}]
		_ = s.Scan(b)
		_ = s.UnmarshalJSON(b)
	})
}
