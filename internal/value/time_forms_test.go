package value_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/value"
)

func TestTimeForms_AreTextsOfOneTime(t *testing.T) {
	t.Parallel()
	for text, others := range map[string][]any{
		"2024-05-06 07:08:09.123456": {"2024-05-06 07:08:09.123456+00:00"},
		"2024-05-06 07:08:09.1234":   {"2024-05-06 07:08:09.1234+00:00", "2024-05-06 07:08:09.123400", "2024-05-06 07:08:09.123400+00:00"},
		"2024-05-06 07:08:09.5": {
			"2024-05-06 07:08:09.5+00:00", "2024-05-06 07:08:09.500", "2024-05-06 07:08:09.500+00:00", "2024-05-06 07:08:09.500000", "2024-05-06 07:08:09.500000+00:00",
		},
		"2024-05-06 07:08:09": {
			"2024-05-06 07:08:09+00:00", "2024-05-06 07:08:09.000", "2024-05-06 07:08:09.000+00:00", "2024-05-06 07:08:09.000000", "2024-05-06 07:08:09.000000+00:00",
		},
		"2024-05-06 00:00:00": {
			"2024-05-06", "2024-05-06 00:00:00+00:00", "2024-05-06 00:00:00.000", "2024-05-06 00:00:00.000+00:00", "2024-05-06 00:00:00.000000", "2024-05-06 00:00:00.000000+00:00",
		},
		"2024-05-06": {
			"2024-05-06 00:00:00", "2024-05-06 00:00:00+00:00", "2024-05-06 00:00:00.000", "2024-05-06 00:00:00.000+00:00", "2024-05-06 00:00:00.000000", "2024-05-06 00:00:00.000000+00:00",
		},
	} {
		f, ok := value.TimeFormsOf(text)
		require.True(t, ok, text)
		require.ElementsMatch(t, others, f.AppendOthers(nil), text)
		want, _ := value.ParseTime(text)
		all := []string{text}
		for _, other := range others {
			all = append(all, other.(string))
			got, ok := value.ParseTime(other.(string))
			require.True(t, ok, other)
			require.Equal(t, want, got, other)
		}
		require.Equal(t, slices.Min(all), f.First(), text)
		require.Equal(t, slices.Max(all), f.Last(), text)
	}
}

func TestTimeForms_OfTwoTimesAreOrderedAsTheseAre(t *testing.T) {
	t.Parallel()
	day := time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)
	times := []time.Time{}
	for _, d := range []time.Duration{
		-time.Microsecond, 0, time.Microsecond, 10 * time.Microsecond, 99 * time.Microsecond, time.Millisecond, 999999 * time.Microsecond, time.Second,
		time.Second + 500*time.Millisecond, time.Second + 500001*time.Microsecond, time.Second + 510*time.Millisecond, time.Minute, 24*time.Hour - time.Microsecond, 24 * time.Hour,
	} {
		times = append(times, day.Add(d))
	}
	for i, at := range times[1:] {
		before, ok := value.TimeFormsOf(value.FormatTime(times[i]))
		require.True(t, ok)
		after, ok := value.TimeFormsOf(value.FormatTime(at))
		require.True(t, ok)
		require.Negative(t, strings.Compare(before.Last(), after.First()), "%s and %s", before, after)
	}
}

func TestTimeForms_AreOfNoOtherText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "x", "2024-05-06T07:08:09", "2024-05-06 07:08:09Z", "2024-05-06 07:08:09+00:00", "2024-05-06 07:08:09.", "2024-05-06 07:08:09.50", "2024-05-06 07:08:09.500",
		"2024-02-30", "2024-05-06 07:08", "2024-05-06 07:08:09.1234567", "2024-05-06 07:08:61", "2024-05-06 07:08 UTC", "2024-05-06 07:08:09 UTC", "2024-05-06 07:08+02:00", "2024-05-06 07:08 +02", "2024-05-06 07:08+02", "2024-05-06 07:08+02:01", "2024-05-06 07:08:09+02:01",
		"2024-05-06 07:08:09 +02", "2024-05-06 07:08:09.5+02",
	} {
		_, ok := value.TimeFormsOf(text)
		require.False(t, ok, text)
	}
}

// truth 415
func TestTimeForms_OfNanosecondsAreThoseOfTheMicrosecondToo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cut    string
		nanos  int
		others []any // beside those of cut
	}{
		{"2024-05-06 07:08:09.123456", 789, []any{"2024-05-06 07:08:09.123456789", "2024-05-06 07:08:09.123456789+00:00"}},
		{"2024-05-06 07:08:09.123456", 700, []any{
			"2024-05-06 07:08:09.1234567", "2024-05-06 07:08:09.1234567+00:00", "2024-05-06 07:08:09.123456700", "2024-05-06 07:08:09.123456700+00:00",
		}},
		{"2024-05-06 07:08:09.5", 10, []any{
			"2024-05-06 07:08:09.50000001", "2024-05-06 07:08:09.50000001+00:00", "2024-05-06 07:08:09.500000010", "2024-05-06 07:08:09.500000010+00:00",
		}},
		{"2024-05-06 00:00:00", 1, []any{"2024-05-06 00:00:00.000000001", "2024-05-06 00:00:00.000000001+00:00"}},
	} {
		f, ok := value.TimeFormsOf(c.cut)
		require.True(t, ok)
		n := f.WithNanos(c.nanos)
		require.Equal(t, c.cut, n.Cut())
		require.Equal(t, f.First(), n.First())
		require.ElementsMatch(t, append(f.AppendOthers(nil), c.others...), n.AppendOthers(nil))
		last := n.Last()
		for _, other := range n.AppendOthers(nil) {
			require.LessOrEqual(t, other.(string), last)
		}
		next, ok := value.ParseTime(c.cut)
		require.True(t, ok)
		require.Less(t, last, value.FormatTime(next.Add(time.Microsecond)))
		require.Equal(t, c.cut, f.Cut())
	}
}
