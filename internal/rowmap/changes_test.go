package rowmap

import (
	"database/sql"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type changedInner struct {
	Code  int32
	Since time.Time
}

// ChangedOuter lies behind a pointer and leads to another.
type ChangedOuter struct {
	Region string
	*ChangedDeep
}

type ChangedDeep struct{ Depth int64 }

type changed struct {
	ID      int64
	Name    string
	Note    *string
	Flag    bool
	Small   int8
	Ratio   float64
	Data    []byte
	Maybe   sql.Null[time.Time]
	Text    sql.NullString
	Created time.Time
	changedInner
	*ChangedOuter
	Loose map[string]int `db:"-"`
}

// columnChanges change one column each, to a value that depends on n.
var columnChanges = []func(r *changed, n int){
	func(r *changed, n int) { r.ID = int64(n) },
	func(r *changed, n int) { r.Name = strings.Repeat("n", n) },
	func(r *changed, n int) { r.Note = new(strings.Repeat("o", n)) },
	func(r *changed, _ int) { r.Flag = !r.Flag },
	func(r *changed, n int) { r.Small = int8(n) },
	func(r *changed, _ int) { r.Ratio = math.NaN() },
	func(r *changed, n int) { r.Data = []byte{byte(n)} },
	func(r *changed, n int) { r.Maybe = sql.Null[time.Time]{V: time.Unix(int64(n), 0), Valid: true} },
	func(r *changed, n int) { r.Text = sql.NullString{String: strings.Repeat("t", n), Valid: true} },
	func(r *changed, n int) { r.Created = time.Unix(int64(n), 0).UTC() },
	func(r *changed, n int) { r.Code = int32(n) },
	func(r *changed, n int) { r.Since = time.Unix(int64(n), 1) },
	func(r *changed, n int) { r.outer().Region = strings.Repeat("r", n) },
	func(r *changed, n int) {
		if r.outer().ChangedDeep == nil {
			r.ChangedDeep = &ChangedDeep{}
		}
		r.Depth = int64(n)
	},
}

func (r *changed) outer() *ChangedOuter {
	if r.ChangedOuter == nil {
		r.ChangedOuter = &ChangedOuter{}
	}
	return r.ChangedOuter
}

func randomRecord() changed {
	var r changed
	for _, change := range columnChanges {
		if rand.N(2) == 0 {
			change(&r, 1+rand.N(50))
		}
	}
	r.Ratio = 1.5 // which equals itself
	return r
}

func planOfChanged(t testing.TB) (*Plan, []int) {
	t.Helper()
	p, err := Of[changed]()
	require.NoError(t, err)
	id, ok := p.Column("id")
	require.True(t, ok)
	return p, []int{id}
}

// ownedRecord is what a record is, whatever is written into it later.
func ownedRecord(p *Plan, r changed) changed {
	p.OwnEmbedded(&r)
	return r
}

func TestChanges_UndoneInReverseLeaveWhatWas(t *testing.T) {
	t.Parallel()
	p, key := planOfChanged(t)
	for range 500 { // more sets of columns than there are layouts
		list := make([]changed, 1+rand.N(4))
		was := make([]changed, len(list))
		for i := range list {
			list[i] = randomRecord()
			was[i] = ownedRecord(p, list[i])
		}
		var all []*Changes
		for range 1 + rand.N(4) {
			if rand.N(2) == 0 {
				s := p.Snapshot(&list)
				for i := range list {
					changeSome(&list[i])
				}
				all = append(all, s.Changes(key))
				continue
			}
			r := &list[rand.N(len(list))]
			s := p.SnapshotOne(r)
			changeSome(r)
			all = append(all, s.Changes(key))
		}
		if rand.N(50) == 0 {
			runtime.GC()
		}
		for i := len(all) - 1; i >= 0; i-- {
			if all[i] != nil {
				all[i].Undo()
			}
		}
		require.Equal(t, was, list)
	}
	require.LessOrEqual(t, len(*p.layouts.known.Load()), maxChangeLayouts)
}

func changeSome(r *changed) {
	for _, change := range columnChanges {
		if rand.N(4) == 0 {
			change(r, 1+rand.N(50))
		}
	}
}

func TestSnapshot_RestoresWhatLiesBehindEmbeddedPointers(t *testing.T) {
	t.Parallel()
	p, _ := planOfChanged(t)
	for range 200 {
		r := randomRecord()
		was, outer := ownedRecord(p, r), r.ChangedOuter
		s := p.SnapshotOne(&r)
		changeSome(&r)
		r.Loose = map[string]int{"a": 1}
		s.Restore()
		require.Equal(t, was, r)
		require.Same(t, outer, r.ChangedOuter)
	}
}

func TestChanges_AreNoneWhereNothingChanged(t *testing.T) {
	t.Parallel()
	p, key := planOfChanged(t)
	r := randomRecord()
	s := p.SnapshotOne(&r)
	r.Loose = map[string]int{"a": 1}
	r.Name = strings.Clone(r.Name)
	require.Nil(t, s.Changes(key))
	require.Nil(t, p.Snapshot(&[]changed{}).Changes(key))
}

// A struct may have more columns than a set tells apart.
func TestChanges_OfAWideRecord(t *testing.T) {
	t.Parallel()
	type wide struct {
		ID int64
		A  [300]int64 `db:"-"`
	}
	p, err := Of[wide]()
	require.NoError(t, err)
	for _, n := range []int{0, 63, 64, 255, 256, 299} {
		var set columnSet
		set.add(n)
		require.True(t, set.has(n))
		require.Equal(t, n >= 255, set.has(280))
	}
	r, was := wide{ID: 5}, wide{}
	now := r
	r = was
	s := p.SnapshotOne(&r)
	r = now
	c := s.Changes([]int{0})
	c.Undo()
	require.Zero(t, r.ID)
}
