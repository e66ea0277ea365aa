package writes

import (
	"context"
	"database/sql/driver"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// decimal is an amount as the types of libraries are: a Scanner and a Valuer of text.
type decimal string

func (d decimal) Value() (driver.Value, error) { return string(d), nil }

func (d *decimal) Scan(src any) error {
	switch v := src.(type) {
	case string:
		*d = decimal(v)
	case []byte:
		*d = decimal(v)
	default:
		return errors.New("no text")
	}
	return nil
}

// truth 508, 512
func TestIncrement_OfDecimalsIsExactOrChangesNothing(t *testing.T) {
	t.Parallel()
	type text struct {
		ID int64
		D  string
	}
	type custom struct {
		ID int64
		D  decimal
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, map[string]string{
			"sqlite":   `CREATE TABLE prices (id {id}, d TEXT)`,
			"postgres": `CREATE TABLE prices (id {id}, d NUMERIC(40,18))`,
			"mysql":    `CREATE TABLE prices (id {id}, d DECIMAL(40,18))`,
		}[fl.Database.Dialect])
		texts := conformance.Model[text](t, fl.Registry, dbfleet.ModelConfig{Table: "prices"})
		customs := conformance.Model[custom](t, fl.Registry, dbfleet.ModelConfig{Table: "prices"})
		table := fl.DB("main").Table("prices").Where("id", "=", 1)
		require.NoError(t, texts.Create(ctx, &text{D: "1.000000000000000001"}))
		steps := []struct {
			add  func() (int64, error)
			want string
		}{
			{func() (int64, error) { return texts.Where("id", "=", 1).Increment(ctx, "d", 1) }, "2.000000000000000001"},
			{func() (int64, error) { return texts.Where("id", "=", 1).Increment(ctx, "d", "0.000000000000000001") }, "2.000000000000000002"},
			{func() (int64, error) { return texts.Where("id", "=", 1).Decrement(ctx, "d", "0.10") }, "1.900000000000000002"},
			{func() (int64, error) { return texts.Where("id", "=", 1).Increment(ctx, "d", 0.1) }, "2.000000000000000002"},
			{func() (int64, error) {
				return customs.Where("id", "=", 1).Increment(ctx, "d", decimal("9007199254740993"))
			}, "9007199254740995.000000000000000002"},
			{func() (int64, error) {
				return customs.Where("id", "=", 1).Decrement(ctx, "d", decimal("9007199254740993.5"))
			}, "1.500000000000000002"},
			{func() (int64, error) { return table.Increment(ctx, "d", "0.000000000000000001") }, "1.500000000000000003"},
			{func() (int64, error) { return table.Increment(ctx, "d", 0.5) }, "2.000000000000000003"},
			{func() (int64, error) { return table.Decrement(ctx, "d", 2.0) }, "0.000000000000000003"},
			{func() (int64, error) { return table.Increment(ctx, "d", dbfleet.Raw("1 - 1")) }, "0.000000000000000003"},
		}
		for i, s := range steps {
			n, err := s.add()
			if fl.Database.Dialect == "sqlite" {
				if i == len(steps)-1 {
					continue // SQL is the caller's own
				}
				require.Error(t, err, i)
				require.True(t, errors.Is(err, dbfleet.ErrRange) || errors.Is(err, dbfleet.ErrInvalidValue), "%d %v", i, err)
				require.Contains(t, err.Error(), `"d"`)
				s.want = "1.000000000000000001"
			} else {
				require.NoError(t, err, i)
				require.EqualValues(t, 1, n)
			}
			got, err := texts.Find(ctx, 1)
			require.NoError(t, err)
			require.Equal(t, s.want, got.D, i)
		}
		for _, by := range []any{nil, (*int)(nil), "x", "", "1e", true, []int{1}, "NaN"} {
			_, err := texts.Where("id", "=", 1).Increment(ctx, "d", by)
			require.ErrorIs(t, err, dbfleet.ErrType, "%v", by)
			_, err = table.Decrement(ctx, "d", by)
			require.ErrorIs(t, err, dbfleet.ErrType, "%v", by)
		}
		if fl.Database.Dialect != "sqlite" {
			_, err := texts.Where("id", "=", 1).Increment(ctx, "d", "99999999999999999999999")
			require.ErrorIs(t, err, dbfleet.ErrInvalidValue)
		}
	})
}

// truth 509, 510, 511
func TestIncrement_ThatDoesNotFitChangesNoRow(t *testing.T) {
	t.Parallel()
	type counter struct {
		ID   int64
		N    *int64
		U    uint64
		F    float64
		Name string
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, map[string]string{
			"sqlite":   `CREATE TABLE counters (id {id}, n INTEGER, u INTEGER, f REAL, name TEXT)`,
			"postgres": `CREATE TABLE counters (id {id}, n BIGINT, u NUMERIC(20), f {float}, name TEXT)`,
			"mysql":    `CREATE TABLE counters (id {id}, n BIGINT, u BIGINT UNSIGNED, f {float}, name TEXT)`,
		}[fl.Database.Dialect], `CREATE INDEX counters_n ON counters (n)`)
		m := conformance.Model[counter](t, fl.Registry, dbfleet.ModelConfig{Table: "counters"})
		table := fl.DB("main").Table("counters")
		most, few := int64(math.MaxInt64), int64(1)
		before := []counter{{N: &few, U: 5, F: 0.5, Name: "a"}, {N: &most, U: 3, F: 1e17, Name: "b"}, {U: 9, Name: "c"}}
		require.NoError(t, m.CreateMany(ctx, before))
		unchanged := func(name string) {
			got, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
			require.NoError(t, err, name)
			require.Equal(t, before, got, name)
		}
		all := m.Query().AllRows()
		for name, change := range map[string]func() error{
			"overflow":             func() error { _, err := all.Increment(ctx, "n", 1); return err },
			"overflow of a table":  func() error { _, err := table.AllRows().Increment(ctx, "n", 1); return err },
			"below zero":           func() error { _, err := all.Decrement(ctx, "u", 4); return err },
			"a fraction":           func() error { _, err := all.Increment(ctx, "n", 0.5); return err },
			"a fraction as text":   func() error { _, err := all.Increment(ctx, "n", "0.5"); return err },
			"more than an integer": func() error { _, err := all.Increment(ctx, "n", "99999999999999999999999"); return err },
			"in a transaction": func() error {
				var inside error
				err := fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
					_, inside = all.Increment(ctx, "n", 1)
					return nil
				})
				return errors.Join(inside, err)
			},
		} {
			err := change()
			require.Error(t, err, name)
			require.True(t, errors.Is(err, dbfleet.ErrInvalidValue) || errors.Is(err, dbfleet.ErrRange) || errors.Is(err, dbfleet.ErrType), "%s: %v", name, err)
			unchanged(name)
		}
		// What fits goes on as before: NULL stays NULL.
		_, err := m.Where("id", "<>", before[1].ID).Increment(ctx, "n", uint8(3))
		require.NoError(t, err)
		_, err = all.Decrement(ctx, "u", 3)
		require.NoError(t, err)
		_, err = all.Increment(ctx, "f", 0.25)
		require.NoError(t, err)
		_, err = all.Increment(ctx, "f", "0.25")
		require.NoError(t, err)
		_, err = all.Increment(ctx, "f", 1)
		require.NoError(t, err)
		_, err = m.Where("id", "=", before[0].ID).Increment(ctx, "n", 4.0)
		require.NoError(t, err)
		got, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 8, *got[0].N)
		require.Nil(t, got[2].N)
		require.Equal(t, []uint64{2, 0, 6}, []uint64{got[0].U, got[1].U, got[2].U})
		require.Equal(t, []float64{2, 1e17, 1.5}, []float64{got[0].F, got[1].F, got[2].F})
	})
}

// truth 513, 514
func TestIncrement_OfTextIsRefused(t *testing.T) {
	t.Parallel()
	type note struct {
		ID   int64
		Text string
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE notes (id {id}, text {text})`, `INSERT INTO notes (text) VALUES ('9007199254740993.5'), ('')`)
		notes := conformance.Model[note](t, fl.Registry, dbfleet.ModelConfig{Table: "notes"})
		table := fl.DB("main").Table("notes")
		for name, add := range map[string]func() error{
			"int":     func() error { _, err := notes.Query().AllRows().Increment(ctx, "text", 1); return err },
			"decimal": func() error { _, err := notes.Query().AllRows().Increment(ctx, "text", "0.5"); return err },
			"table":   func() error { _, err := table.AllRows().Increment(ctx, "text", 1); return err },
			"empty":   func() error { _, err := notes.Where("text", "=", "").Increment(ctx, "text", 1); return err },
			"float":   func() error { _, err := table.AllRows().Decrement(ctx, "text", 0.5); return err },
		} {
			require.Error(t, add(), name)
			got, err := notes.OrderBy("id", dbfleet.Asc).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, []note{{1, "9007199254740993.5"}, {2, ""}}, got, name)
		}
	})
}

// truth 523
func TestIncrement_OfATextColumnThroughAnIntegerFieldChangesNothing(t *testing.T) {
	t.Parallel()
	type counter struct{ ID, V int64 }
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE counts (id {id}, v VARCHAR(40))`, `INSERT INTO counts (id, v) VALUES (1, '9007199254740993')`)
		m := conformance.Model[counter](t, fl.Registry, dbfleet.ModelConfig{Table: "counts"})
		_, err := m.Where("id", "=", 1).Increment(t.Context(), "v", 1)
		require.Error(t, err)
		var text string
		require.NoError(t, fl.Database.SQL(t).QueryRowContext(t.Context(), `SELECT v FROM counts`).Scan(&text))
		require.Equal(t, "9007199254740993", text)
	})
}
