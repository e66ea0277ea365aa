package rowmap

import (
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Place is embedded by its address, so it must be exported.
type Place struct{ City *string }

type sharer struct {
	*Place
	Name  string
	Note  *string
	Time  *time.Time
	Bytes []byte
	JSON  json.RawMessage
	Any   any
	Deep  **string
	Inner struct{ Note *string } `db:"-"`
	List  []*int64               `db:"-"`
	Map   map[string][]int       `db:"-"`
	Whole *big.Int               `db:"-"`
	Pairs [2]*int64              `db:"-"`
}

// truth 314
func TestDealt_CopiesOfARecordHaveNothingInCommon(t *testing.T) {
	t.Parallel()
	plan, err := Of[sharer]()
	require.NoError(t, err)
	fresh := func() sharer {
		s, deep, n, now := "s", "deep", int64(7), time.Now()
		at := &deep
		out := sharer{Place: &Place{&s}, Name: "n", Note: &s, Time: &now, Bytes: []byte("b"), JSON: json.RawMessage("{}"), Any: []byte("any"), Deep: &at,
			List: []*int64{&n}, Map: map[string][]int{"a": {1}}, Whole: big.NewInt(1), Pairs: [2]*int64{&n, nil}}
		out.Inner.Note = &s
		return out
	}
	list := []sharer{fresh(), fresh()}
	got := *plan.Dealt(&list, []int32{1, 0, 0}).(*[]sharer)
	require.Len(t, got, 3)
	x, y := &got[1], &got[2]
	require.Equal(t, x, y)
	*x.City, *x.Note, *x.Time, x.Bytes[0], x.JSON[0], **x.Deep = "X", "X", time.Time{}, 'X', 'X', "X"
	x.Any.([]byte)[0], *x.Inner.Note, *x.List[0], x.Map["a"][0], *x.Pairs[0] = 'X', "X", 8, 8, 8
	want := fresh()
	want.Time = y.Time
	require.Equal(t, &want, y)
	require.False(t, y.Time.IsZero())
	require.Same(t, x.Whole, y.Whole, "what hides its fields cannot be copied")
	require.Same(t, list[1].Note, got[0].Note, "a record that comes once stays as it is")
	empty := *plan.Dealt(&list, nil).(*[]sharer)
	require.Empty(t, empty)
}

func TestDealt_CopiesPlainRecordsWithoutLookingIntoThem(t *testing.T) {
	t.Parallel()
	type plain struct {
		ID   int64
		Name string
		At   time.Time
	}
	plan, err := Of[plain]()
	require.NoError(t, err)
	require.Empty(t, plan.shared)
	list := []plain{{ID: 1}, {ID: 2}}
	require.Equal(t, []plain{{ID: 2}, {ID: 1}, {ID: 2}}, *plan.Dealt(&list, []int32{1, 0, 1}).(*[]plain))
}
