package rowmap

import (
	"database/sql/driver"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

func TestParseTime_ReadsWhatDatabasesWrite(t *testing.T) { // hazard 44
	t.Parallel()
	for text, want := range map[string]time.Time{
		"2024-02-29":                               time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
		"2024-02-29 23:59":                         time.Date(2024, 2, 29, 23, 59, 0, 0, time.UTC),
		"2024-02-29T23:59:58":                      time.Date(2024, 2, 29, 23, 59, 58, 0, time.UTC),
		"2024-02-29 23:59:58.1":                    time.Date(2024, 2, 29, 23, 59, 58, 1e8, time.UTC),
		"2024-02-29 23:59:58.123456789":            time.Date(2024, 2, 29, 23, 59, 58, 123456789, time.UTC),
		"2024-02-29 23:59:58.1234567899":           time.Date(2024, 2, 29, 23, 59, 58, 123456789, time.UTC),
		"2024-02-29T23:59:58Z":                     time.Date(2024, 2, 29, 23, 59, 58, 0, time.UTC),
		"2024-02-29 23:59:58+00":                   time.Date(2024, 2, 29, 23, 59, 58, 0, time.UTC),
		"2024-02-29 23:59:58+05:30":                time.Date(2024, 2, 29, 18, 29, 58, 0, time.UTC),
		"2024-02-29 23:59:58.5-0700":               time.Date(2024, 3, 1, 6, 59, 58, 5e8, time.UTC),
		"2024-02-29 23:59:58-00:00:30":             time.Date(2024, 3, 1, 0, 0, 28, 0, time.UTC),
		"2024-02-29 23:59:58 +0000 UTC":            time.Date(2024, 2, 29, 23, 59, 58, 0, time.UTC),
		"2024-02-29 23:59:58 +0200 CEST m=+0.0012": time.Date(2024, 2, 29, 21, 59, 58, 0, time.UTC),
		"2024-02-29 23:59:58 -0300 -03":            time.Date(2024, 3, 1, 2, 59, 58, 0, time.UTC),
		"2024-02-29 23:59:58 UTC":                  time.Date(2024, 2, 29, 23, 59, 58, 0, time.UTC),
		"0001-01-01 00:00:00":                      {},
		"9999-12-31 23:59:59.999999":               time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC),
	} {
		got, err := parseTime(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		require.Equal(t, time.UTC, got.Location(), text)
	}
}

func TestParseTime_RefusesWhatIsNoTime(t *testing.T) { // hazards 39, 45
	t.Parallel()
	for _, text := range []string{
		"2024-02-30", "2023-02-29", "1900-02-29", "2024-13-01", "2024-00-10", "2024-01-00", "2024-04-31",
		"0000-00-00", "0000-00-00 00:00:00", "0000-01-01", "infinity", "-infinity", "0044-03-15 00:00:00 BC",
		"0001-01-01 00:00:00+01", "9999-12-31 23:59:59-01", "2024-01-01 24:00:00", "2024-01-01 00:60:00", "2024-01-01 00:00:60",
	} {
		_, err := parseTime(text)
		require.ErrorIs(t, err, ErrRange, text)
		require.NotContains(t, err.Error(), text)
	}
	for _, text := range []string{
		"", "garbage", "1700000000", "1700000000123", "2460000.5", "12:30:00", "10000-01-01", "2024-1-1", "2024-01-1",
		"24-01-01", "now", "2024/01/01", "20240101", "+2024-01-01",
	} {
		_, err := parseTime(text)
		require.ErrorIs(t, err, ErrType, text)
	}
	for _, text := range []string{
		"2024-01-01 ", "2024-01-01T", "2024-01-01 1", "2024-01-01 10", "2024-01-01 10:0", "2024-01-01 10:00:", "2024-01-01 10:00:0",
		"2024-01-01 10:00:00.", "2024-01-01 10:00:00 ", "2024-01-01 10:00:00+", "2024-01-01 10:00:00+1", "2024-01-01 10:00:00+24",
		"2024-01-01 10:00:00+01:", "2024-01-01 10:00:00+01:60", "2024-01-01x10:00:00", "2024-01-01 10:00:00x",
		"2024-01-01 10:00:00 CET", "2024-01-01 10:00:00+01 m", "2024-01-01 10:00:00+01 A b", "2024-01-01  10:00", "2024-01-01Z",
		"2024-01-01 10:00:00+01:00:00:00", "2024-01-01 10:00:00\x00",
	} {
		_, err := parseTime(text)
		require.Error(t, err, text)
	}
}

// FuzzTimeParse holds the parser against time.Parse: what one of the layouts
// reads, it reads to the same instant, and what it reads, one of them does.
func FuzzTimeParse(f *testing.F) {
	layouts := []string{
		"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02 15:04Z07:00", "2006-01-02 15:04:05Z07:00",
		"2006-01-02 15:04:05Z07", "2006-01-02 15:04:05-0700", "2006-01-02 15:04:05Z07:00:00", "2006-01-02 15:04:05-070000",
		"2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 -07",
	}
	for _, seed := range []string{
		"2024-02-29", "2024-02-30", "2024-02-29 10:11", "2024-02-29T10:11:12.5", "2024-02-29 10:11:12+05:30",
		"2024-02-29 10:11:12.123456-0700", "0000-00-00", "9999-12-31 23:59:59Z", "2024-02-29 10:11:12,5", "2024-02-29 10:11:12 -07",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseTime(text)
		// time.Parse knows a comma as well, and hours of one digit.
		strict := !strings.Contains(text, ",") && len(text) >= 10
		plain := text
		if len(text) > 10 && text[10] == 'T' {
			plain = text[:10] + " " + text[11:]
		}
		for _, layout := range layouts {
			want, perr := time.Parse(layout, plain)
			if perr != nil || checkYear(want) != nil || want.Year() < 1 {
				continue
			}
			if err == nil {
				require.True(t, want.Equal(got), "%q: %v, time.Parse %v", text, got, want)
				return
			}
			if _, offset := want.Zone(); strict && len(text) != 11 && offset%3600 == 0 && offset/3600 < 24 && offset/3600 > -24 && plain == want.Format(layout) {
				t.Fatalf("%q: %v, time.Parse %v", text, err, want)
			}
		}
		if err == nil && !strings.ContainsAny(text, " U+-m") {
			t.Fatalf("%q is %v, but no layout reads it", text, got)
		}
	})
}

func TestRead_TimesAreInstantsInUTC(t *testing.T) { // hazards 32, 41
	t.Parallel()
	zone := time.FixedZone("", -5*3600)
	local := time.Date(2024, 7, 1, 20, 0, 0, 123456000, zone)
	utc := local.UTC()
	case1[time.Time](t, local, utc)
	case1[time.Time](t, []byte("2024-07-02 01:00:00.123456"), utc)
	case1[Stamp](t, local, Stamp{utc})
	case1[time.Time](t, int64(1700000000), ErrType) // hazard 45
	case1[time.Time](t, 1.5, ErrType)
	case1[time.Time](t, "garbage", ErrType)
	case1[time.Time](t, "2024-02-30", ErrRange)
	case1[time.Time](t, nil, ErrNull)
	case1[time.Time](t, time.Time{}, time.Time{})

	var at time.Time
	_, err := ReadValue(typedOne("DATETIME", dialect.MySQL, []byte("0000-00-00 00:00:00")), &at)
	require.ErrorIs(t, err, ErrRange)
	_, err = ReadValue(typedOne("", dialect.SQLite, "2024-07-02 01:00:00.123456"), &at) // MAX(created_at)
	require.NoError(t, err)
	require.Equal(t, utc, at)
}

func TestArg_TimesHaveOneFormPerDatabase(t *testing.T) { // hazards 32, 34, 36, 38
	t.Parallel()
	zone := time.FixedZone("", 2*3600)
	at := time.Date(2024, 7, 1, 1, 2, 3, 123456789, zone)
	micro := at.Truncate(time.Microsecond)

	got, err := Arg(at, dialect.Postgres)
	require.NoError(t, err)
	require.Equal(t, micro, got)
	got, err = Arg(at, dialect.MySQL)
	require.NoError(t, err)
	require.Equal(t, micro.UTC(), got)
	got, err = Arg(at, dialect.SQLite)
	require.NoError(t, err)
	require.Equal(t, "2024-06-30 23:02:03.123456", got)

	for _, d := range dialects {
		got, err := Arg(time.Time{}, d)
		require.NoError(t, err)
		require.Nil(t, got)
		got, err = Arg(Stamp{}, d)
		require.NoError(t, err)
		require.Nil(t, got)
		for _, year := range []int{0, -44, 10000} {
			_, err = Arg(time.Date(year, 5, 1, 0, 0, 0, 0, time.UTC), d)
			require.ErrorIs(t, err, ErrRange)
		}
	}
}

func TestArg_SQLiteTimesSortAsText(t *testing.T) {
	t.Parallel()
	base := time.Date(2024, 1, 1, 0, 0, 9, 0, time.UTC)
	last := ""
	for _, step := range []time.Duration{0, 1, 10, 100, 101, 1000, 99999, 100000, 123456, 200000, 999999, 1000000, 61000000} {
		got, err := Arg(base.Add(step*time.Microsecond), dialect.SQLite)
		require.NoError(t, err)
		require.Greater(t, got, driver.Value(last))
		last = got.(string)
		require.Equal(t, base.Add(step*time.Microsecond).Format("2006-01-02 15:04:05.999999"), last)
		back, err := parseTime(last)
		require.NoError(t, err)
		require.Equal(t, base.Add(step*time.Microsecond), back)
	}
}

var dialects = []*dialect.Dialect{dialect.Postgres, dialect.MySQL, dialect.SQLite}
