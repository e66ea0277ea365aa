package value_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/value"
)

func TestTime_IsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	for i := range int64(20_000) {
		at := time.Unix(value.FirstSecond+i*(value.LastSecond-value.FirstSecond)/20_000, i%1000*1_000_100).In(time.FixedZone("z", int(i)%50_000-25_000))
		if !value.InYears(at) {
			continue
		}
		text := value.FormatTime(at)
		require.Equal(t, at.UTC().Format("2006-01-02 15:04:05.999999"), text)
		back, ok := value.ParseTime(text)
		require.True(t, ok, text)
		require.Equal(t, value.CutToMicro(at).UTC(), back, text)
	}
}

// A text of another year is one that nobody takes for a time of these.
func TestTime_OfOtherYearsIsWrittenWithoutHarm(t *testing.T) {
	t.Parallel()
	for _, year := range []int{-20_000, -1, 0, 10_000, 123_456} {
		at := time.Date(year, 3, 1, 4, 5, 6, 0, time.UTC)
		require.Equal(t, at.Format("2006-01-02 15:04:05"), value.FormatTime(at))
		_, ok := value.ParseTime(value.FormatTime(at))
		require.False(t, ok, year)
	}
}

func TestTime_DatesThatDoNotExistAreToldFromOtherTexts(t *testing.T) {
	t.Parallel()
	for text, dated := range map[string]bool{"2024-02-30": true, "0000-00-00": true, "infinity": true, "0044-03-15 BC": true, "garbage": false, "": false} {
		_, ok := value.ParseTime(text)
		require.False(t, ok, text)
		require.Equal(t, dated, value.NamesDate(text), text)
	}
}

func TestUUID_IsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	u := [16]byte{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
	text := value.FormatUUID(u)
	require.Equal(t, "6ba7b810-9dad-11d1-80b4-00c04fd430c8", text)
	for _, form := range []string{text, strings.ToUpper(text), strings.ReplaceAll(text, "-", "")} {
		got, ok := value.ParseUUID(form)
		require.True(t, ok, form)
		require.Equal(t, u, got)
	}
	for _, bad := range []string{"", text[1:], text + "0", "x" + text[1:], strings.Replace(text, "-", "0", 1), "{" + text[:34] + "}"} {
		_, ok := value.ParseUUID(bad)
		require.False(t, ok, bad)
	}
}

func TestWiden_KeepsTheDigits(t *testing.T) {
	t.Parallel()
	for f, want := range map[float32]float64{1.1: 1.1, 3.3: 3.3, 16777216: 16777216, -0.1: -0.1, 0: 0, math.MaxFloat32: 3.4028235e38} {
		require.Equal(t, want, value.Widen(f))
	}
	require.True(t, math.IsInf(value.Widen(float32(math.Inf(1))), 1))
	require.True(t, math.IsNaN(value.Widen(float32(math.NaN()))))
}

func FuzzParseTime(f *testing.F) {
	for _, text := range []string{"2024-02-29", "2024-02-29 23:59", "2024-02-29T23:59:58.1+05:30", "2024-02-29 23:59:58 +0200 CEST m=+0.0012", "0001-01-01 00:00:00+01", "x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, ok := value.ParseTime(text)
		if !ok {
			return
		}
		require.True(t, value.InYears(at), text)
		back, ok := value.ParseTime(at.Format("2006-01-02 15:04:05.999999999"))
		require.True(t, ok, text)
		require.Equal(t, at, back)
	})
}
