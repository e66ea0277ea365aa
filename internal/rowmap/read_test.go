package rowmap

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type user struct {
	ID      int64
	Name    string
	Email   *string
	Age     sql.Null[int]
	Admin   bool
	Balance float64
	Data    []byte
	SeenAt  time.Time
}

var userColumns = []string{"id", "name", "email", "age", "admin", "balance", "data", "seen_at"}

func userRow(i int) []driver.Value {
	var email, age driver.Value
	if i%3 != 0 {
		email = fmt.Appendf(nil, "u%d@example.com", i)
	}
	if i%2 == 0 {
		age = int64(i)
	}
	return []driver.Value{
		int64(i), fmt.Appendf(nil, "user %d", i), email, age, i%5 == 0, float64(i) / 4,
		[]byte{byte(i)}, time.Date(2024, 1, 1, 0, 0, i, 0, time.UTC),
	}
}

func users(n int) *memory {
	m := &memory{columns: userColumns}
	for i := range n {
		m.rows = append(m.rows, userRow(i))
	}
	return m
}

func requireUser(t *testing.T, i int, u user) {
	t.Helper()
	require.Equal(t, int64(i), u.ID)
	require.Equal(t, fmt.Sprintf("user %d", i), u.Name)
	require.Equal(t, i%3 != 0, u.Email != nil)
	if u.Email != nil {
		require.Equal(t, fmt.Sprintf("u%d@example.com", i), *u.Email)
	}
	require.Equal(t, i%2 == 0, u.Age.Valid)
	require.Equal(t, i%5 == 0, u.Admin)
	require.Equal(t, []byte{byte(i)}, u.Data)
	require.Equal(t, i, int(u.SeenAt.Unix()-1704067200))
}

func TestReadAll_ReadsAnyNumberOfRows(t *testing.T) {
	t.Parallel()
	p := mustPlan[user](t)
	for _, n := range []int{0, 1, 2, 15, 16, 17, 63, 64, 65, 1000, 5000} {
		for _, hint := range []int{0, 1, n, n + 1, 100, -3, math.MaxInt} {
			src := users(n)
			rows, err := ReadAll[user](p, src, hint)
			require.NoError(t, err)
			require.NotNil(t, rows)
			require.Len(t, rows, n)
			require.Equal(t, 1, src.closed)
			for i, u := range rows {
				if i < 70 || i > n-3 {
					requireUser(t, i, u)
				}
			}
		}
	}
}

func TestReadOne_ReadsTheFirstRow(t *testing.T) {
	t.Parallel()
	p := mustPlan[user](t)
	u := user{Name: "old"}
	src := users(3)
	found, err := ReadOne(p, src, &u)
	require.NoError(t, err)
	require.True(t, found)
	requireUser(t, 0, u)
	require.Equal(t, 1, src.closed)

	u = user{Name: "old"}
	found, err = ReadOne(p, users(0), &u)
	require.NoError(t, err)
	require.False(t, found)
	require.Equal(t, "old", u.Name)

	found, err = ReadOne(p, column("name", nil), &u)
	require.ErrorIs(t, err, ErrNull)
	require.False(t, found)
}

func TestRead_BindsByNameNeverByPosition(t *testing.T) { // hazards 84, 92
	t.Parallel()
	p := mustPlan[user](t)
	row := func(columns []string, values ...driver.Value) *memory {
		return &memory{columns: columns, rows: [][]driver.Value{values}}
	}
	rows, err := ReadAll[user](p, row([]string{"name", "id"}, "Ada", int64(1)), 0)
	require.NoError(t, err)
	require.Equal(t, user{ID: 1, Name: "Ada"}, rows[0])
	rows, err = ReadAll[user](p, row([]string{"id", "name"}, int64(2), "Bob"), 0)
	require.NoError(t, err)
	require.Equal(t, user{ID: 2, Name: "Bob"}, rows[0])

	// More columns than fields.
	src := row([]string{"id", "total", "total"}, int64(1), int64(9), int64(9))
	rows, err = ReadAll[user](p, src, 0)
	require.NoError(t, err)
	require.Equal(t, user{ID: 1}, rows[0])

	// Case counts less than an exact name.
	rows, err = ReadAll[user](p, row([]string{"ID", "Name"}, int64(3), "Eve"), 0)
	require.NoError(t, err)
	require.Equal(t, user{ID: 3, Name: "Eve"}, rows[0])
	rows, err = ReadAll[user](p, row([]string{"ID", "id"}, int64(3), int64(4)), 0)
	require.NoError(t, err)
	require.Equal(t, user{ID: 4}, rows[0])
	_, err = ReadAll[user](p, row([]string{"ID", "Id"}, int64(3), int64(4)), 0)
	require.ErrorContains(t, err, "more than one column")

	// A join that gives a name twice.
	src = row([]string{"id", "name", "id"}, int64(1), "Ada", int64(7))
	_, err = ReadAll[user](p, src, 0)
	require.ErrorIs(t, err, ErrColumn)
	require.ErrorContains(t, err, "alias")
	require.Equal(t, 1, src.closed)
	var column *ColumnError
	require.ErrorAs(t, err, &column)
	require.Equal(t, "id", column.Column)
}

func TestRead_NamesTheCulprit(t *testing.T) {
	t.Parallel()
	src := column("name", "Ada", nil)
	rows, err := ReadAll[user](mustPlan[user](t), src, 0)
	require.Nil(t, rows)
	require.ErrorIs(t, err, ErrNull)
	var column *ColumnError
	require.ErrorAs(t, err, &column)
	require.Equal(t, ColumnError{Model: "rowmap.user", Column: "name", Field: "Name", Err: column.Err}, *column)
	require.Equal(t, `dbfleet: rowmap.user.Name (column "name"): NULL for a type that cannot hold it: string`, err.Error())
	require.Equal(t, 1, src.closed)
}

type hasScanner struct {
	ID int64
	S  exploding
}

type exploding struct{}

func (*exploding) Scan(any) error { panic(io.ErrUnexpectedEOF) }

func TestRead_ClosesTheSourceOnEveryPath(t *testing.T) {
	t.Parallel()
	p := mustPlan[hasScanner](t)
	src := column("s", "x")
	_, err := ReadAll[hasScanner](p, src, 0)
	require.ErrorContains(t, err, "panicked")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, 1, src.closed)

	lost := errors.New("connection lost")
	src = column("id", int64(1))
	src.err = lost
	rows, err := ReadAll[hasScanner](p, src, 0)
	require.ErrorIs(t, err, lost)
	require.Nil(t, rows)
	require.Equal(t, 1, src.closed)

	src = column("id", int64(1))
	src.closeErr = lost
	rows, err = ReadAll[hasScanner](p, src, 0)
	require.ErrorIs(t, err, lost)
	require.Nil(t, rows)

	src = column("id", int64(1))
	_, err = ReadAll[user](p, src, 0)
	require.ErrorIs(t, err, ErrType)
	require.Equal(t, 1, src.closed)
	src = column("id", int64(1))
	_, err = Each(p, src, func(*user) bool { return true })
	require.ErrorIs(t, err, ErrType)
	require.Zero(t, src.closed, "the caller closes it")
	src = column("id", int64(1))
	_, err = ReadColumn[chan int](src)
	require.ErrorIs(t, err, ErrType)
	require.Equal(t, 1, src.closed)
	_, err = ReadColumn[int](users(1))
	require.ErrorContains(t, err, "8 columns")

	src = users(1)
	require.Panics(t, func() { _, _ = ReadAll[user](mustPlan[user](t), panicking{src}, 0) })
	require.Equal(t, 1, src.closed)
}

// panicking is a source whose driver is broken.
type panicking struct{ *memory }

func (panicking) Next([]driver.Value) error { panic("broken driver") }

func TestReadColumn_TakesEveryColumnType(t *testing.T) {
	t.Parallel()
	ids, err := ReadColumn[int64](column("id", int64(1), int64(2)))
	require.NoError(t, err)
	require.Equal(t, []int64{1, 2}, ids)
	none, err := ReadColumn[int64](column("id"))
	require.NoError(t, err)
	require.Equal(t, []int64{}, none)
	_, err = ReadColumn[int64](column("id", int64(1), nil))
	require.ErrorIs(t, err, ErrNull)
	require.ErrorContains(t, err, `column "id"`)

	n := 7
	found, err := ReadValue(column("max(id)"), &n)
	require.NoError(t, err)
	require.False(t, found)
	require.Equal(t, 7, n)
}

func TestPlan_BoundsItsBindings(t *testing.T) {
	t.Parallel()
	type narrow struct{ ID int64 }
	p := mustPlan[narrow](t)
	for i := range 3 * maxBindings {
		_, err := ReadAll[narrow](p, &memory{columns: []string{"id", strings.Repeat("x", i+1)}}, 0)
		require.NoError(t, err)
	}
	require.Len(t, *p.bindings.Load(), maxBindings)
}

func TestRead_RepeatedBindingAllocatesNothing(t *testing.T) {
	p := mustPlan[user](t)
	src := users(1)
	var u user
	src.rows[0] = []driver.Value{int64(1), "Ada", nil, nil, true, 1.5, nil, time.Unix(0, 0)}
	allocs := testing.AllocsPerRun(100, func() {
		src.next = 0
		if ok, err := ReadOne(p, src, &u); !ok || err != nil {
			t.Error(err)
		}
	})
	if !raceEnabled {
		require.LessOrEqual(t, allocs, 0.5)
	}
}
