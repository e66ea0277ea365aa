package value

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecimal_IsReadWithoutLosses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0": "0", "-0": "0", "-0.00": "0", "1": "1", "+1": "1", "007": "7", "1.50": "1.5", "-1.5": "-1.5", ".5": "0.5", "5.": "5",
		"1e3": "1000", "1.5E+2": "150", "15e-1": "1.5", "1e-3": "0.001", "100": "100", "0.0100": "0.01", "-12.345e1": "-123.45",
		"123456789012345678901234567890.123456789012345678": "123456789012345678901234567890.123456789012345678",
	} {
		d, ok := ParseDecimal(text)
		require.True(t, ok, text)
		require.Equal(t, want, d.String(), text)
		require.True(t, IsDecimal(text))
	}
	for _, text := range []string{"", "-", ".", "+.", "1e", "1e+", "e1", "1.2.3", " 1", "1 ", "0x10", "1_000", "NaN", "Inf", "1e9999", "1e-9999", "1,5", "--1", "1e1.5", "١"} {
		_, ok := ParseDecimal(text)
		require.False(t, ok, text)
		require.False(t, IsDecimal(text), text)
	}
}

func TestDecimal_OfAFloatIsItsShortestText(t *testing.T) {
	t.Parallel()
	for f, want := range map[float64]string{0: "0", 0.1: "0.1", -2.5: "-2.5", 1e21: "1000000000000000000000", 1e-7: "0.0000001"} {
		text, ok := DecimalFloat(f)
		require.True(t, ok)
		require.Equal(t, want, text)
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e300, 5e-324} {
		_, ok := DecimalFloat(f)
		require.False(t, ok, f)
	}
}
