package values

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

var errNoValue = errors.New("no value today")

// Valuers that misbehave.
type (
	failing   struct{ N int }
	panicking struct{ N int }
	pointless struct{ n int } // Value on the value receiver
	circular  struct{}
	strange   struct{}
)

func (failing) Value() (driver.Value, error) { return nil, errNoValue }

func (*failing) Scan(any) error { return errNoValue }

func (panicking) Value() (driver.Value, error) { panic("value panics") }

func (*panicking) Scan(any) error { panic("scan panics") }

func (p pointless) Value() (driver.Value, error) {
	return int64(p.n), nil
}

func (p *pointless) Scan(src any) error {
	n, ok := src.(int64)
	if !ok {
		return fmt.Errorf("pointless from %T", src)
	}
	p.n = int(n)
	return nil
}

func (c circular) Value() (driver.Value, error) { return c, nil }

func (strange) Value() (driver.Value, error) { return make(chan int), nil }

// hazard 60
func TestValues_ValuersThatFailLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	type odd struct {
		ID int64
		A  *failing
		B  *panicking
		C  *pointless
		D  any
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE odd (id {id}, a {int}, b {int}, c {int}, d {int})`)
		m := conformance.Model[odd](t, fl.Registry, dbfleet.ModelConfig{Table: "odd"})
		fine := odd{ID: 1, D: int64(3)} // nil pointers: Value is not called
		require.NoError(t, m.Create(ctx, &fine))
		with := odd{ID: 2, C: &pointless{7}}
		require.NoError(t, m.Create(ctx, &with))
		got, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []odd{fine, with}, got)

		for column, bad := range map[string]odd{
			"a": {A: &failing{}}, "b": {B: &panicking{}}, "d": {D: circular{}},
		} {
			for _, err := range []error{m.Create(ctx, &bad), m.CreateMany(ctx, []odd{{}, bad}), func() error { bad.ID = 1; return m.Save(ctx, &bad) }()} {
				var ce *dbfleet.ColumnError
				require.ErrorAs(t, err, &ce)
				require.Equal(t, column, ce.Column)
				require.Equal(t, strings.ToUpper(column), ce.Field)
				if column == "a" {
					require.ErrorIs(t, err, errNoValue)
				}
			}
		}
		_, err = m.Where("a", "=", failing{}).Get(ctx)
		require.ErrorIs(t, err, errNoValue)
		require.ErrorContains(t, err, `"a"`)
		_, err = m.Where("b", "=", panicking{}).Get(ctx)
		require.ErrorContains(t, err, `"b"`)
		_, err = m.Where("c", "=", (*pointless)(nil)).Get(ctx)
		require.NoError(t, err)
		n, err := m.Where("c", "=", &pointless{7}).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		_, err = m.Query().AllRows().Update(ctx, dbfleet.Row{"a": failing{}})
		require.ErrorIs(t, err, errNoValue)

		// Scanners that fail name the field, and the connection lives on.
		fl.Create(t, `UPDATE odd SET a = 1, b = 1 WHERE id = 1`)
		_, err = m.Select("a").Find(ctx, 1)
		require.ErrorIs(t, err, errNoValue)
		require.ErrorContains(t, err, "odd.A")
		_, err = m.Select("b").Find(ctx, 1)
		require.ErrorContains(t, err, "odd.B")
		require.ErrorContains(t, err, "panic")
		count, err := m.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, count)
		require.Zero(t, fl.DB("main").Pool().Stats().InUse)
	})
}

// bad input: a value that no driver takes
func TestValues_WhatNoDriverTakesIsRefusedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	type loose struct {
		ID int64
		V  any
		S  string
		N  int
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE loose (id {id}, v {text}, s {text}, n {int})`)
		m := conformance.Model[loose](t, fl.Registry, dbfleet.ModelConfig{Table: "loose", Fillable: []string{"s", "n"}})
		table := fl.DB("main").Table("loose")
		sent := 0
		fl.DB("main").OnAfterQuery(func(context.Context, dbfleet.QueryEvent) { sent++ })
		var nilFunc func()
		for _, v := range []any{
			make(chan int), nilFunc, func() {}, complex(1, 2), struct{ A int }{1}, map[string]any{"$gt": 0}, map[string]int{}, []any{map[string]int{}},
			[2]int{1, 2}, &struct{ A int }{}, strange{}, circular{}, [][]int{{1}}, uintptr(3),
		} {
			for name, err := range map[string]error{
				"create": m.Create(ctx, &loose{V: v}),
				"where":  func() error { _, err := m.Where("s", "=", v).Get(ctx); return err }(),
				"any":    func() error { _, err := m.Where("v", "=", v).Get(ctx); return err }(),
				"in":     func() error { _, err := m.WhereIn("n", []any{1, v}).Get(ctx); return err }(),
				"update": func() error { _, err := m.Query().AllRows().Update(ctx, dbfleet.Row{"n": v}); return err }(),
				"table":  func() error { _, err := table.Where("s", "=", v).Get(ctx); return err }(),
				"insert": func() error { _, err := table.Insert(ctx, dbfleet.Row{"s": v}); return err }(),
				"having": func() error { _, err := table.GroupBy("s").Having("s", "=", v).Get(ctx); return err }(),
				"fill":   m.Fill(&loose{}, dbfleet.Row{"s": v}),
				"find":   func() error { _, err := m.Find(ctx, v); return err }(),
			} {
				require.ErrorIs(t, err, dbfleet.ErrType, "%s of %T", name, v)
				column := map[string]string{"create": "v", "any": "v", "in": "n", "update": "n", "find": "id"}[name]
				if column == "" {
					column = "s"
				}
				require.ErrorContains(t, err, `"`+column+`"`, "%s of %T", name, v)
			}
			_, err := m.Query().WhereRaw("s = ?", v).Get(ctx)
			require.ErrorIs(t, err, dbfleet.ErrType, "raw of %T", v)
		}
		require.Zero(t, sent)
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
	})
}
