package rowmap

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/dialect"
)

// cellMemory is a memory that gives its rows as cells. With text its strings
// are Text in a buffer, as the direct readers have them.
type cellMemory struct {
	*memory
	text bool
}

func (m *cellMemory) Next([]driver.Value) error { panic("read as values") }

func (m *cellMemory) NextCells(row []cell.Cell) error {
	dest := make([]driver.Value, len(row))
	if err := m.memory.Next(dest); err != nil {
		return err
	}
	for i, v := range dest {
		row[i].Set(v)
		if s, ok := v.(string); ok && m.text {
			b := []byte(s)
			m.bufs = append(m.bufs, b)
			row[i].SetText(b)
		}
		if _, ok := v.([]byte); ok && m.TypeName(i) == "BIT" {
			row[i].Kind, row[i].Other = cell.Other, v // as MySQL's rows give it
		}
	}
	return nil
}

// inAllWays reads v as a driver value and as cells and requires the same, be it
// an error.
func inAllWays[V any](t *testing.T, v driver.Value, typeName string, d *dialect.Dialect) {
	t.Helper()
	var want V
	_, wantErr := ReadValue(typedOne(typeName, d, v), &want)
	for _, text := range []bool{false, true} {
		var got V
		_, err := ReadValue(&cellMemory{typedOne(typeName, d, v), text}, &got)
		requireSame(t, v, want, got, wantErr, err)
		list, err := ReadColumn[V](&cellMemory{typedOne(typeName, d, v), text})
		if err == nil {
			got = list[0]
		}
		requireSame(t, v, want, got, wantErr, err)
	}
}

func requireSame(t *testing.T, v driver.Value, want, got any, wantErr, err error) {
	t.Helper()
	if wantErr != nil {
		require.EqualError(t, err, wantErr.Error(), "%T(%v) into %T", v, v, want)
		for _, is := range []error{ErrNull, ErrRange, ErrType} {
			require.Equal(t, errors.Is(wantErr, is), errors.Is(err, is))
		}
		return
	}
	require.NoError(t, err, "%T(%v) into %T", v, v, want)
	require.True(t, same(want, got), "%T(%v) into %T: %#v and %#v", v, v, want, want, got)
}

// kindsInAllWays reads v into every kind of field.
func kindsInAllWays(t *testing.T, v driver.Value, typeName string, d *dialect.Dialect) {
	t.Helper()
	inAllWays[bool](t, v, typeName, d)
	inAllWays[int](t, v, typeName, d)
	inAllWays[int8](t, v, typeName, d)
	inAllWays[int16](t, v, typeName, d)
	inAllWays[int32](t, v, typeName, d)
	inAllWays[int64](t, v, typeName, d)
	inAllWays[uint](t, v, typeName, d)
	inAllWays[uint8](t, v, typeName, d)
	inAllWays[uint16](t, v, typeName, d)
	inAllWays[uint32](t, v, typeName, d)
	inAllWays[uint64](t, v, typeName, d)
	inAllWays[float32](t, v, typeName, d)
	inAllWays[float64](t, v, typeName, d)
	inAllWays[string](t, v, typeName, d)
	inAllWays[[]byte](t, v, typeName, d)
	inAllWays[json.RawMessage](t, v, typeName, d)
	inAllWays[time.Time](t, v, typeName, d)
	inAllWays[[16]byte](t, v, typeName, d)
	inAllWays[any](t, v, typeName, d)
	inAllWays[myInt](t, v, typeName, d)
	inAllWays[myString](t, v, typeName, d)
	inAllWays[myBool](t, v, typeName, d)
	inAllWays[myFloat](t, v, typeName, d)
	inAllWays[*int64](t, v, typeName, d)
	inAllWays[*string](t, v, typeName, d)
	inAllWays[*time.Time](t, v, typeName, d)
	inAllWays[**float64](t, v, typeName, d)
	inAllWays[sql.NullString](t, v, typeName, d)
	inAllWays[sql.NullTime](t, v, typeName, d)
	inAllWays[sql.Null[int32]](t, v, typeName, d)
	inAllWays[[]int64](t, v, typeName, d)
	inAllWays[[]*string](t, v, typeName, d)
	inAllWays[scanned](t, v, typeName, d)
	inAllWays[*scanned](t, v, typeName, d)
}

func TestCells_AreReadAsTheirValues(t *testing.T) {
	t.Parallel()
	values := append([]driver.Value{
		time.Time{}, time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC),
		"{1,NULL}", "{a,b}", "infinity", "0b1e9a5c-9f4e-4b3a-8f57-3d2b1c0a9e8d", []byte("0123456789abcdef"), math.Inf(-1),
	}, differentialValues...)
	for _, d := range []*dialect.Dialect{nil, dialect.Postgres, dialect.MySQL, dialect.SQLite} {
		for _, typeName := range []string{"", "BIT", "DATETIME", "DECIMAL", "FLOAT4"} {
			for _, v := range values {
				kindsInAllWays(t, v, typeName, d)
			}
		}
	}
}

func FuzzCells(f *testing.F) {
	f.Add("text", int64(1), 1.5, uint8(0))
	f.Add("2024-02-29 01:02:03.5+02", int64(math.MaxInt64), math.NaN(), uint8(2))
	f.Add("123456789012345678901234567890.5", int64(-1), 1e300, uint8(5))
	f.Fuzz(func(t *testing.T, s string, n int64, x float64, kind uint8) {
		values := []driver.Value{s, []byte(s), n, x, n&1 == 0, time.UnixMicro(n), uint64(n), float32(x), nil}
		kindsInAllWays(t, values[int(kind)%len(values)], "", nil)
	})
}

func TestReadAll_OfCellsIsReadAllOfValues(t *testing.T) {
	t.Parallel()
	p := mustPlan[user](t)
	for _, n := range []int{0, 1, 2, 100, 1000} {
		for _, hint := range []int{0, 1, n} {
			var rows [][]driver.Value
			for i := range n {
				rows = append(rows, userRow(i))
			}
			want, err := ReadAll[user](p, &memory{columns: userColumns, rows: rows}, hint)
			require.NoError(t, err)
			got, err := ReadAll[user](p, &cellMemory{&memory{columns: userColumns, rows: rows}, true}, hint)
			require.NoError(t, err)
			require.Equal(t, want, got)

			var list []user
			read, err := Each(p, &cellMemory{&memory{columns: userColumns, rows: rows}, true}, func(u *user) bool {
				list = append(list, *u)
				return true
			})
			require.NoError(t, err)
			require.EqualValues(t, n, read)
			require.Len(t, list, n)
			if n > 0 {
				require.Equal(t, want, list)
			}
		}
	}
}

// One plan reads sources of both forms in turn, with pooled state between.
func TestReadAll_TakesTheFormsInTurn(t *testing.T) {
	t.Parallel()
	p := mustPlan[user](t)
	for i := range 20 {
		src := Source(&memory{columns: userColumns, rows: [][]driver.Value{userRow(i)}})
		if i%2 == 0 {
			src = &cellMemory{src.(*memory), true}
		}
		rows, err := ReadAll[user](p, src, 0)
		require.NoError(t, err)
		require.EqualValues(t, i, rows[0].ID)
	}
}
