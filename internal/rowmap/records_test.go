package rowmap

import (
	"reflect"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRecords_AreWhatGoMakes(t *testing.T) {
	t.Parallel()
	type stored struct {
		ID   int64
		Name string
	}
	plan, err := Of[stored]()
	require.NoError(t, err)
	list := []stored{{1, "a"}, {2, "b"}, {3, "c"}}
	records := plan.Records(&list)
	require.Equal(t, len(list), records.N)
	for i := range list {
		at := records.At(i)
		require.Same(t, &list[i], at)
		require.Equal(t, reflect.TypeFor[*stored](), reflect.TypeOf(at))
		_, err := plan.record(at)
		require.NoError(t, err)
	}
	at := records.At(2)
	list, records = nil, Records{}
	runtime.GC()
	require.Equal(t, &stored{3, "c"}, at, "the pointer keeps the records' memory")
	require.Zero(t, plan.Records(&list).N)
}
