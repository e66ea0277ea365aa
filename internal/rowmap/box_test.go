package rowmap

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

type (
	shout string
	count int32
	day   struct{ time.Time }
)

// holder has a field of each kind, on its own, in pointers and in sql.Nulls.
type holder struct {
	Int     int
	Int8    int8
	Int16   int16
	Int32   int32
	Int64   int64
	Uint    uint
	Uint8   uint8
	Uint16  uint16
	Uint32  uint32
	Uint64  uint64
	Float32 float32
	Float64 float64
	Bool    bool
	String  string
	Shout   shout
	Count   count
	Time    time.Time
	Day     day
	Bytes   []byte
	Raw     json.RawMessage
	UUID    [16]byte
	Any     any
	Money   money
	List    []int64 `db:"list"`

	PInt    *int64
	PString *string
	PTime   *time.Time
	PFloat  *float64
	PBool   *bool
	PShout  *shout
	PMoney  *money
	PPInt   **int64
	NString sql.NullString
	NInt    sql.NullInt64
	NInt16  sql.NullInt16
	NTime   sql.NullTime
	NFloat  sql.Null[float64]
	NShout  sql.Null[shout]
	PNInt   *sql.NullInt32
	NPInt   sql.Null[*int64]
	*heldInner
}

type heldInner struct {
	Inner string
	Deep  int64
}

var heldTimes = []time.Time{
	{}, time.Unix(0, 0), time.Unix(1, 0), time.Now(), time.Date(2024, 2, 29, 23, 59, 59, 123456789, time.FixedZone("x", -5*3600)),
	time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
	time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC),
	time.Date(1999, 12, 31, 23, 59, 59, 100000000, time.UTC), time.Date(100, 1, 2, 3, 4, 5, 1000, time.UTC),
}

// heldRecords are zero, filled with each of the values that matter, and full of
// pointers to them.
func heldRecords() []*holder {
	ints := []int64{0, 1, -1, 255, 256, math.MaxInt64, math.MinInt64}
	uints := []uint64{0, 255, 256, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64}
	floats := []float64{0, math.Copysign(0, -1), 1.5, math.MaxFloat64, math.NaN(), math.Inf(1), math.Inf(-1)}
	texts := []string{"", "a", "longer than that\x00"}
	list := []*holder{{}}
	for i := range 12 {
		n, u, f, s, at := ints[i%len(ints)], uints[i%len(uints)], floats[i%len(floats)], texts[i%len(texts)], heldTimes[i%len(heldTimes)]
		b, sh, m, pn := i%2 == 0, shout(s), money{n}, new(n)
		list = append(list, &holder{
			Int: int(n), Int8: int8(n), Int16: int16(n), Int32: int32(n), Int64: n, Uint: uint(u), Uint8: uint8(u), Uint16: uint16(u),
			Uint32: uint32(u), Uint64: u, Float32: float32(f), Float64: f, Bool: b, String: s, Shout: sh, Count: count(n), Time: at,
			Day: day{at}, Bytes: []byte(s), Raw: json.RawMessage(s), UUID: [16]byte{byte(i)}, Any: n, Money: m, List: []int64{n},
		}, &holder{
			PInt: &n, PString: &s, PTime: &at, PFloat: &f, PBool: &b, PShout: &sh, PMoney: &m, PPInt: &pn,
			NString: sql.NullString{String: s, Valid: true}, NInt: sql.NullInt64{Int64: n, Valid: true}, NInt16: sql.NullInt16{Int16: int16(n), Valid: b},
			NTime: sql.NullTime{Time: at, Valid: true}, NFloat: sql.Null[float64]{V: f, Valid: true}, NShout: sql.Null[shout]{V: sh, Valid: true},
			PNInt: &sql.NullInt32{Int32: int32(n), Valid: b}, NPInt: sql.Null[*int64]{V: pn, Valid: true}, heldInner: &heldInner{s, n},
		})
	}
	return list
}

var allDialects = []*dialect.Dialect{nil, dialect.Postgres, dialect.MySQL, dialect.SQLite}

// equalArg is equality of value and type, with NaN equal to itself.
func equalArg(a, b any) bool {
	x, isFloat := a.(float64)
	y, both := b.(float64)
	if isFloat && both {
		return math.Float64bits(x) == math.Float64bits(y)
	}
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.DeepEqual(a, b)
}

func TestArgPlan_GivesWhatTheCodecsGive(t *testing.T) {
	t.Parallel()
	p, err := Of[holder]()
	require.NoError(t, err)
	all := make([]int, len(p.Columns()))
	for i := range all {
		all[i] = i
	}
	for _, d := range allDialects {
		t.Run(fmt.Sprint(d), func(t *testing.T) {
			t.Parallel()
			many := p.ArgPlan(all...).Batch(d, 5)
			for n, rec := range heldRecords() {
				var good []int
				for _, i := range all {
					want, wantErr := p.Arg(i, rec, d)
					got, _, err := p.ArgPlan(i).Args(rec, d)
					if wantErr != nil {
						require.EqualError(t, err, wantErr.Error(), "record %d: the same error, of the same column", n)
						var column *ColumnError
						require.ErrorAs(t, err, &column)
						require.Equal(t, p.Field(i).Column, column.Column)
						continue
					}
					require.NoError(t, err)
					require.True(t, equalArg(want, got[0]), "record %d, %s: %#v, not %#v", n, p.Field(i).Column, got[0], want)
					good = append(good, i)
				}
				want := make([]any, len(good))
				for k, i := range good {
					want[k], _ = p.Arg(i, rec, d)
				}
				got, _, err := p.ArgPlan(good...).Args(rec, d)
				require.NoError(t, err)
				for k := range want {
					require.True(t, equalArg(want[k], got[k]), "record %d: %#v, not %#v", n, got[k], want[k])
				}
				_, _, errOne := p.ArgPlan(all...).Args(rec, d)
				_, errMany := many.AppendArgs(nil, rec)
				require.Equal(t, errOne == nil, errMany == nil)
				if errOne != nil {
					require.EqualError(t, errMany, errOne.Error())
				}
			}
		})
	}
}

func TestArgPlan_WantsItsOwnRecords(t *testing.T) {
	t.Parallel()
	p, err := Of[heldInner]()
	require.NoError(t, err)
	b := p.ArgPlan(0).Batch(dialect.SQLite, 1)
	for _, rec := range []any{nil, heldInner{}, &holder{}, (*heldInner)(nil), "x", 7} {
		_, _, err := p.ArgPlan(0).Args(rec, dialect.SQLite)
		require.ErrorIs(t, err, ErrType, "%T", rec)
		_, err = b.AppendArgs(nil, rec)
		require.ErrorIs(t, err, ErrType, "%T", rec)
	}
}

// usual is the kind of record that the boxes were made for.
type usual struct {
	ID   int64
	Name string
	Note *string
	Rate float64
	At   time.Time
	Seen *time.Time
}

// Values that share memory mean what values of their own mean: they outlive the
// record and the batch, and one that is kept is enough to keep its memory.
func TestBatch_ValuesLastAndDoNotFollowTheRecord(t *testing.T) {
	t.Parallel()
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	p, err := Of[usual]()
	require.NoError(t, err)
	columns := []int{0, 1, 2, 3, 4, 5}
	text := func(i int) string { return fmt.Sprintf("text %d", i) }
	for _, d := range allDialects {
		const rows = 700 // more than share memory
		var kept, want []any
		b := p.ArgPlan(columns...).Batch(d, rows)
		rec := &usual{Note: new(string), Seen: new(time.Time)}
		for i := range rows + 50 { // and more than were told
			at := time.Unix(int64(i), 5000).UTC()
			rec.ID, rec.Name, *rec.Note, rec.Rate, rec.At, *rec.Seen = int64(i*1000), text(i), text(-i), float64(i)/2, at, at.Add(time.Hour)
			args, err := b.AppendArgs(nil, rec)
			require.NoError(t, err)
			one, _, err := p.ArgPlan(columns...).Args(rec, d)
			require.NoError(t, err)
			k := i % len(args)
			kept = append(kept, args[k], one[k])
			again, err := p.Arg(columns[k], &usual{
				ID: int64(i * 1000), Name: text(i), Note: new(text(-i)), Rate: float64(i) / 2, At: at, Seen: new(at.Add(time.Hour)),
			}, d)
			require.NoError(t, err)
			want = append(want, again, again)
			if i%100 == 0 {
				runtime.GC()
				_ = make([]byte, 1<<20) // what was freed is used again
			}
		}
		runtime.GC()
		for range 50 {
			_ = make([]string, 4096)
		}
		require.Equal(t, want, kept)
	}
}

func TestSQLiteTime_IsTheFormat(t *testing.T) {
	t.Parallel()
	for i := range 20_000 {
		at := time.Unix(value.FirstSecond+int64(i)*(value.LastSecond-value.FirstSecond)/20_000, int64(i%1000)*1_000_100).In(time.FixedZone("z", i%50_000-25_000))
		if s := at.Unix(); s < value.FirstSecond || s > value.LastSecond {
			continue
		}
		require.Equal(t, at.UTC().Truncate(time.Microsecond).Format("2006-01-02 15:04:05.999999"), value.FormatTime(at))
	}
}

func TestCutTimes_IsTruncateAndIn(t *testing.T) {
	t.Parallel()
	type record struct {
		At time.Time
		P  *time.Time
		PP **time.Time
		N  sql.NullTime
	}
	p, err := Of[record]()
	require.NoError(t, err)
	zone := time.FixedZone("z", 3600)
	for _, at := range heldTimes {
		for _, precision := range []time.Duration{time.Microsecond, 10 * time.Microsecond, time.Millisecond, time.Second, time.Minute, 3 * time.Millisecond} {
			for _, loc := range []*time.Location{nil, time.UTC, zone} {
				want := at
				if !at.IsZero() {
					if want = at.Truncate(precision); loc != nil {
						want = want.In(loc)
					}
				}
				mine, other := at, at
				pp := &other
				r := record{At: at, P: &mine, PP: &pp, N: sql.NullTime{Time: at, Valid: true}}
				p.CutTimes(&r, precision, loc)
				require.Equal(t, []time.Time{want, want, want, want}, []time.Time{r.At, *r.P, **r.PP, r.N.Time}, "%s %s %v", at, precision, loc)
				require.Equal(t, []time.Time{at, at}, []time.Time{mine, other}, "what the record pointed to")
			}
		}
	}
	kept := time.Unix(5, 0).UTC()
	r := record{P: &kept}
	p.CutTimes(&r, time.Microsecond, time.UTC)
	require.Same(t, &kept, r.P, "it is as it is to be")
}

func TestSetIntAndSetTime_AreSet(t *testing.T) {
	t.Parallel()
	type record struct {
		Int   int64
		Small int8
		Text  string
		At    time.Time
		P     *time.Time
		N     sql.NullInt64
	}
	p, err := Of[record]()
	require.NoError(t, err)
	at := time.Date(2024, 1, 2, 3, 4, 5, 6, time.FixedZone("z", 3600))
	for i := range p.Columns() {
		for _, n := range []int64{0, 5, 300} {
			var want, got record
			wantErr, err := p.Set(i, &want, n), p.SetInt(i, &got, n)
			require.Equal(t, wantErr, err)
			require.Equal(t, want, got)
		}
		var want, got record
		wantErr, err := p.Set(i, &want, at), p.SetTime(i, &got, at)
		require.Equal(t, wantErr, err)
		require.Equal(t, want, got)
	}
	require.ErrorIs(t, p.SetInt(0, &usual{}, 1), ErrType)
	require.ErrorIs(t, p.SetTime(3, (*record)(nil), at), ErrType)
}
