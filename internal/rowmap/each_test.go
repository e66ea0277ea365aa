package rowmap

import (
	"database/sql/driver"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

func TestEach_ReadsRowByRowIntoOneRecord(t *testing.T) {
	t.Parallel()
	src := users(70)
	var first *user
	var kept []user
	rows, err := Each(mustPlan[user](t), src, func(u *user) bool {
		if first == nil {
			first = u
		}
		require.Same(t, first, u)
		requireUser(t, len(kept), *u)
		kept = append(kept, *u)
		return true
	})
	require.NoError(t, err)
	require.EqualValues(t, 70, rows)
	for i, u := range kept {
		requireUser(t, i, u) // what a copy holds does not change
	}
	require.Zero(t, src.closed, "the caller closes it")
}

func TestEach_EndsWhenYieldSaysSo(t *testing.T) {
	t.Parallel()
	src := users(70)
	rows, err := Each(mustPlan[user](t), src, func(u *user) bool { return u.ID < 3 })
	require.NoError(t, err)
	require.EqualValues(t, 4, rows)
	require.Equal(t, 4, src.next, "no row is read ahead")

	rows, err = EachRow(users(5), dialect.MySQL, func(row map[string]any) bool { return row["id"].(int64) < 1 })
	require.NoError(t, err)
	require.EqualValues(t, 2, rows)
}

func TestEach_TellsWhatFailed(t *testing.T) {
	t.Parallel()
	lost := fmt.Errorf("lost")
	src := users(3)
	src.err = lost
	given := 0
	rows, err := Each(mustPlan[user](t), src, func(*user) bool { given++; return true })
	require.ErrorIs(t, err, lost)
	require.EqualValues(t, 3, rows)
	require.Equal(t, 3, given)

	src = users(3)
	src.rows[1][0] = nil
	rows, err = Each(mustPlan[user](t), src, func(*user) bool { return true })
	var column *ColumnError
	require.ErrorAs(t, err, &column)
	require.Equal(t, "id", column.Column)
	require.ErrorIs(t, err, ErrNull)
	require.EqualValues(t, 1, rows)

	_, err = EachRow(&memory{columns: []string{"id", "id"}}, nil, func(map[string]any) bool { return true })
	require.ErrorIs(t, err, ErrColumn)
}

func TestEachRow_GivesWhatReadRowsGives(t *testing.T) {
	t.Parallel()
	want, err := ReadRows(users(20), dialect.Postgres)
	require.NoError(t, err)
	var got []map[string]any
	rows, err := EachRow(users(20), dialect.Postgres, func(row map[string]any) bool {
		got = append(got, row)
		return true
	})
	require.NoError(t, err)
	require.EqualValues(t, 20, rows)
	require.Equal(t, want, got)
}

// truth 901
// A connection that breaks between two rows gives an error that wraps io.EOF. It
// is no end of the rows.
func TestRead_AnErrorThatWrapsEOFIsNoEnd(t *testing.T) {
	t.Parallel()
	p := mustPlan[user](t)
	broken := func() *memory {
		src := users(2)
		src.err = fmt.Errorf("connection lost: %w", io.EOF)
		return src
	}
	column := func() *memory {
		src := column("c", int64(1))
		src.err = fmt.Errorf("connection lost: %w", io.EOF)
		return src
	}
	empty := broken()
	empty.rows = nil
	for name, read := range map[string]func() error{
		"ReadAll":    func() error { _, err := ReadAll[user](p, broken(), 0); return err },
		"ReadOne":    func() error { _, err := ReadOne(p, empty, new(user)); return err },
		"Each":       func() error { _, err := Each(p, broken(), func(*user) bool { return true }); return err },
		"ReadRows":   func() error { _, err := ReadRows(broken(), nil); return err },
		"ReadColumn": func() error { _, err := ReadColumn[int](column()); return err },
		"ReadInto": func() error {
			_, err := p.ReadInto(broken(), []int{0}, 2, func(int) any { return new(user) })
			return err
		},
		"ReadMatched": func() error {
			_, err := p.ReadMatched(broken(), []int{0}, 0, func(any) any { return new(user) })
			return err
		},
	} {
		require.ErrorContains(t, read(), "connection lost", name)
	}
}

// A row shows nothing of the one before, and shares nothing with it.
func TestEach_StartsEachRowAfresh(t *testing.T) {
	t.Parallel()
	type Address struct{ City string }
	type place struct {
		*Address
		Extra extra
	}
	src := &memory{columns: []string{"city", "extra"}, rows: [][]driver.Value{{"Bern", "a"}, {"Rome", "b"}}}
	var kept []place
	_, err := Each(mustPlan[place](t), src, func(p *place) bool {
		kept = append(kept, *p)
		return true
	})
	require.NoError(t, err)
	require.Equal(t, []place{{&Address{"Bern"}, extra{[]string{"a"}}}, {&Address{"Rome"}, extra{[]string{"b"}}}}, kept)
}
