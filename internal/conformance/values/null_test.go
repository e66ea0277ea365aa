package values

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// nullables holds each kind of column in each form that can be NULL.
type nullables struct {
	ID      int64
	IntPtr  *int32
	IntNull sql.Null[int16]
	Text    *string
	Str     sql.NullString
	Bool    *bool
	Flag    sql.NullBool
	Ratio   *float64
	Num     sql.NullFloat64
	Big     sql.NullInt64
	Amount  *string
	At      *time.Time
	Time    sql.NullTime
	Raw     []byte
	Own     reversed
	Deep    **int
	Free    any
}

const nullablesTable = `CREATE TABLE nullables (id {id}, int_ptr {int}, int_null {int}, text {text}, str {text}, bool {bool}, flag {bool},
	ratio {float}, num {float}, big {bigint}, amount {decimal}, at {time}, time {time}, raw {bytes}, own {text}, deep {int}, free {bigint})`

// reversed is a Scanner and Valuer: text stored backwards, "" is NULL.
type reversed string

func (r *reversed) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*r = ""
	case string:
		*r = reversed(backwards(v))
	case []byte:
		*r = reversed(backwards(string(v)))
	default:
		return fmt.Errorf("reversed from %T", src)
	}
	return nil
}

func (r reversed) Value() (driver.Value, error) {
	if r == "" {
		return nil, nil
	}
	return backwards(string(r)), nil
}

func backwards(s string) string {
	runes := []rune(s)
	for i, j := 0, len(runes)-1; i < j; i, j = i+1, j-1 {
		runes[i], runes[j] = runes[j], runes[i]
	}
	return string(runes)
}

func ptr[V any](v V) *V { return &v }

// hazard 2
func TestValues_NullAndValueInEveryNullableForm(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, nullablesTable)
		m := conformance.Model[nullables](t, fl.Registry, dbfleet.ModelConfig{Table: "nullables"})

		at := time.Date(2024, 3, 10, 7, 8, 9, 123456000, time.UTC)
		full := nullables{
			IntPtr: ptr[int32](0), IntNull: sql.Null[int16]{V: -3, Valid: true}, Text: ptr(""), Str: sql.NullString{String: " padded ", Valid: true},
			Bool: ptr(false), Flag: sql.NullBool{Bool: true, Valid: true}, Ratio: ptr(0.1), Num: sql.NullFloat64{Float64: math.Copysign(0, -1), Valid: true},
			Big: sql.NullInt64{Int64: math.MinInt64, Valid: true}, Amount: ptr("1234567890123456.7891"), At: &at, Time: sql.NullTime{Time: at, Valid: true},
			Raw: []byte{0, 255, '\'', '\\'}, Own: "abc", Deep: ptr(ptr(5)), Free: int64(7),
		}
		records := []nullables{{}, full, {}, full}
		records[3].IntPtr, records[3].Text, records[3].At = ptr[int32](9), ptr("other"), ptr(at.Add(time.Hour))
		require.NoError(t, m.CreateMany(ctx, records))
		one := nullables{}
		require.NoError(t, m.Create(ctx, &one))

		got, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, append(records, one), got)
		for i := range records {
			found, err := m.Find(ctx, records[i].ID)
			require.NoError(t, err)
			require.Equal(t, records[i], found)
		}
		// A pointer of one row is not shared with another row's.
		*got[1].IntPtr, *got[1].Text, **got[1].Deep = 77, "changed", 77
		require.EqualValues(t, 9, *got[3].IntPtr)
		require.Equal(t, "other", *got[3].Text)
		require.Equal(t, 5, **got[3].Deep)

		i := 0
		for r, err := range m.OrderBy("id", dbfleet.Asc).Iter(ctx) {
			require.NoError(t, err)
			if i < len(records) {
				require.Equal(t, records[i], r)
			}
			i++
		}
		require.Equal(t, 5, i)

		// NULL is written over a value, and read by every reader.
		full.ID = records[1].ID
		blank := nullables{ID: full.ID}
		require.NoError(t, m.Save(ctx, &blank))
		found, err := m.Find(ctx, full.ID)
		require.NoError(t, err)
		require.Equal(t, blank, found)
		n, err := m.Query().WhereNull("text").WhereNull("at").WhereNull("raw").Where("own", "=", nil).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 4, n)
		texts, err := dbfleet.Pluck[*string](ctx, m.OrderBy("id", dbfleet.Asc), "text")
		require.NoError(t, err)
		require.Equal(t, []*string{nil, nil, nil, ptr("other"), nil}, texts)
		plucked, err := m.OrderBy("id", dbfleet.Asc).Pluck(ctx, "text")
		require.NoError(t, err)
		require.Equal(t, []any{nil, nil, nil, "other", nil}, plucked)
		top, err := dbfleet.Max[sql.NullInt64](ctx, m.Query().WhereNull("big"), "big")
		require.NoError(t, err)
		require.False(t, top.Valid)
	})
}

// bad input: NULL for a field that cannot hold it
func TestValues_NullForAFieldThatCannotHoldItNamesTheField(t *testing.T) {
	t.Parallel()
	type plain struct {
		ID   int64
		I    int
		S    string
		B    bool
		F    float64
		At   time.Time
		U    [16]byte
		Uint uint
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE plain (id {id}, i {int}, s {text}, b {bool}, f {float}, at {time}, u {uuid}, uint {int})`,
			`INSERT INTO plain (id) VALUES (1)`)
		m := conformance.Model[plain](t, fl.Registry, dbfleet.ModelConfig{Table: "plain"})
		for column, field := range map[string]string{"i": "I", "s": "S", "b": "B", "f": "F", "at": "At", "u": "U", "uint": "Uint"} {
			q := m.Select("id", column)
			for name, read := range map[string]func() error{
				"get":   func() error { _, err := q.Get(ctx); return err },
				"first": func() error { _, err := q.First(ctx); return err },
				"find":  func() error { _, err := q.Find(ctx, 1); return err },
				"iter": func() error {
					for _, err := range q.Iter(ctx) {
						return err
					}
					return nil
				},
			} {
				err := read()
				require.ErrorIs(t, err, dbfleet.ErrNull, "%s of %s", name, column)
				var ce *dbfleet.ColumnError
				require.ErrorAs(t, err, &ce)
				require.Equal(t, column, ce.Column)
				require.Equal(t, field, ce.Field)
			}
		}
		_, err := dbfleet.Pluck[string](ctx, m, "s")
		require.ErrorIs(t, err, dbfleet.ErrNull)
		_, err = dbfleet.Max[int](ctx, m, "i")
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		_, err = m.Query().Max(ctx, "i")
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		_, err = m.Query().Avg(ctx, "i")
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		sum, err := m.Query().Sum(ctx, "i")
		require.NoError(t, err)
		require.Zero(t, sum)
		// The other way: NULL for a column that refuses it.
		fl.Create(t, `CREATE TABLE strict_one (id {id}, s {text} NOT NULL)`)
		_, err = fl.DB("main").Table("strict_one").Insert(ctx, dbfleet.Row{"s": nil})
		require.ErrorIs(t, err, dbfleet.ErrNotNull)
		var qe *dbfleet.QueryError
		require.ErrorAs(t, err, &qe)
		require.Equal(t, "s", qe.Column)
	})
}
