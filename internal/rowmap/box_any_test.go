package rowmap

import (
	"fmt"
	"math"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What boxes make is what Go's own conversion makes: of the same type, equal as an
// any, as a map's key, in a type switch and to reflect, while there is room and
// after, and it lasts.
func TestBoxes_AreWhatGoMakes(t *testing.T) {
	t.Parallel()
	const rows = 300
	var b boxes
	b.reserve(roomText+2*roomWord+roomTime, rows/2)
	type pair struct{ boxed, plain any }
	var pairs []pair
	for i := range rows {
		text, n, f, at := fmt.Sprint("text ", i), int64(i-rows/2)*1000, float64(i)/8, time.Unix(int64(i), 5).UTC()
		pairs = append(pairs, pair{b.text(text), text}, pair{b.int(n), n}, pair{b.float(f), f}, pair{b.time(at), at})
	}
	b = boxes{}
	runtime.GC()
	for _, p := range pairs {
		require.Equal(t, reflect.TypeOf(p.plain), reflect.TypeOf(p.boxed))
		require.True(t, p.plain == p.boxed, "%v", p.plain)
		require.Contains(t, map[any]bool{p.plain: true}, p.boxed)
		require.Equal(t, p.plain, reflect.ValueOf(p.boxed).Interface())
		switch v := p.boxed.(type) {
		case string:
			require.Equal(t, p.plain, v)
		case int64:
			require.Equal(t, p.plain, v)
		case float64:
			require.Equal(t, p.plain, v)
		case time.Time:
			require.Equal(t, p.plain, v)
		default:
			t.Fatalf("a %T", v)
		}
	}
	b.reserve(roomWord, 1)
	nan, ok := b.float(math.NaN()).(float64)
	require.True(t, ok && math.IsNaN(nan))
}
