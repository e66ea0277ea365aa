package rowmap

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// made is a record of which the database makes a part.
type made struct {
	ID    int64
	Name  string
	Note  *string
	Rank  sql.Null[int]
	At    time.Time
	Extra extra
}

// extra is a Scanner that counts on being fresh.
type extra struct{ words []string }

func (e *extra) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return errors.New("no text")
	}
	e.words = append(e.words, s)
	return nil
}

var madeAt = time.Date(2024, 2, 29, 1, 2, 3, 0, time.UTC)

func madeRow(id int64) []driver.Value {
	return []driver.Value{madeAt.Add(time.Duration(id) * time.Second), "left out", id, nil, "x"}
}

func madeRows(ids ...int64) *memory {
	src := &memory{columns: []string{"AT", "name", "id", "note", "extra"}}
	for _, id := range ids {
		src.rows = append(src.rows, madeRow(id))
	}
	return src
}

// fieldsOf are the numbers of columns.
func fieldsOf(t testing.TB, p *Plan, columns ...string) []int {
	t.Helper()
	list := make([]int, len(columns))
	for i, c := range columns {
		n, ok := p.Column(c)
		require.True(t, ok, c)
		list[i] = n
	}
	return list
}

// bothForms runs f with a source of values and with one of cells.
func bothForms(t *testing.T, f func(t *testing.T, form func(*memory) Source)) {
	t.Helper()
	for name, form := range map[string]func(*memory) Source{
		"values": func(m *memory) Source { return m },
		"cells":  func(m *memory) Source { return &cellMemory{m, true} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, form)
		})
	}
}

func TestReadInto_WritesTheChosenFieldsOfExistingRecords(t *testing.T) {
	t.Parallel()
	bothForms(t, func(t *testing.T, form func(*memory) Source) {
		p := mustPlan[made](t)
		records := []made{
			{ID: 1, Name: "one", Note: new("old"), Rank: sql.Null[int]{V: 7, Valid: true}, At: time.Unix(1, 0), Extra: extra{words: []string{"old"}}},
			{Name: "two"},
			{Name: "three", Note: new("old")},
		}
		src := madeRows(11, 12, 13)
		rows, err := p.ReadInto(form(src), fieldsOf(t, p, "id", "at", "note", "extra"), 3, func(i int) any { return &records[i] })
		require.NoError(t, err)
		require.EqualValues(t, 3, rows)
		require.Equal(t, 1, src.closed)
		for i, name := range []string{"one", "two", "three"} {
			id := int64(11 + i)
			rank := sql.Null[int]{V: 7, Valid: true}
			if i > 0 {
				rank = sql.Null[int]{}
			}
			require.Equal(t, made{ID: id, Name: name, Rank: rank, At: madeAt.Add(time.Duration(id) * time.Second), Extra: extra{words: []string{"x"}}}, records[i])
		}
	})
}

func TestReadInto_CountsRowsThatNoRecordIsFor(t *testing.T) {
	t.Parallel()
	bothForms(t, func(t *testing.T, form func(*memory) Source) {
		p := mustPlan[made](t)
		id := fieldsOf(t, p, "id")
		var record made
		src := madeRows(1, 2, 3)
		rows, err := p.ReadInto(form(src), id, 1, func(i int) any { require.Zero(t, i); return &record })
		require.NoError(t, err)
		require.EqualValues(t, 3, rows)
		require.Equal(t, made{ID: 1}, record)

		records := []made{{Name: "a"}, {Name: "b"}}
		rows, err = p.ReadInto(form(madeRows(5)), id, 2, func(i int) any { return &records[i] })
		require.NoError(t, err)
		require.EqualValues(t, 1, rows)
		require.Equal(t, []made{{ID: 5, Name: "a"}, {Name: "b"}}, records)

		rows, err = p.ReadInto(form(madeRows()), id, 0, nil)
		require.NoError(t, err)
		require.Zero(t, rows)
	})
}

func TestReadInto_TellsWhatFailed(t *testing.T) {
	t.Parallel()
	bothForms(t, func(t *testing.T, form func(*memory) Source) {
		p := mustPlan[made](t)
		at := func(i int) any { return new(made) }
		src := madeRows(1, 2)
		src.rows[1][2] = nil
		_, err := p.ReadInto(form(src), fieldsOf(t, p, "id"), 2, at)
		var column *ColumnError
		require.ErrorAs(t, err, &column)
		require.Equal(t, "id", column.Column)
		require.Equal(t, "ID", column.Field)
		require.ErrorIs(t, err, ErrNull)
		require.Equal(t, 1, src.closed)

		src = madeRows(1)
		_, err = p.ReadInto(form(src), fieldsOf(t, p, "id", "rank"), 1, at)
		require.ErrorAs(t, err, &column)
		require.Equal(t, "rank", column.Column)
		require.ErrorIs(t, err, ErrColumn)
		require.Equal(t, 1, src.closed)

		src = madeRows(1)
		_, err = p.ReadInto(form(src), fieldsOf(t, p, "id"), 1, func(int) any { return new(user) })
		require.ErrorIs(t, err, ErrType)
		require.Equal(t, 1, src.closed)

		src = madeRows(1)
		src.columns = []string{"id", "x", "id", "y", "z"}
		_, err = p.ReadInto(form(src), fieldsOf(t, p, "id"), 1, at)
		require.ErrorIs(t, err, ErrColumn)

		src = madeRows(1)
		src.closeErr = errors.New("lost")
		_, err = p.ReadInto(form(src), fieldsOf(t, p, "id"), 1, at)
		require.ErrorIs(t, err, src.closeErr)
	})
}

func TestReadInto_AllocatesEmbeddedPointersOnTheWay(t *testing.T) {
	t.Parallel()
	type Address struct{ City string }
	type person struct {
		ID int64
		*Address
	}
	p := mustPlan[person](t)
	record := person{ID: 1}
	rows, err := p.ReadInto(column("city", "Bern"), fieldsOf(t, p, "city"), 1, func(int) any { return &record })
	require.NoError(t, err)
	require.EqualValues(t, 1, rows)
	require.Equal(t, person{ID: 1, Address: &Address{City: "Bern"}}, record)
}

func TestReadMatched_FindsRecordsByTheirKey(t *testing.T) {
	t.Parallel()
	bothForms(t, func(t *testing.T, form func(*memory) Source) {
		p := mustPlan[made](t)
		key := fieldsOf(t, p, "id")[0]
		records := []made{{ID: 3, Name: "c"}, {ID: 1000, Name: "a"}, {ID: 2, Name: "b"}}
		byKey := map[any]any{}
		for i := range records {
			k, ok := p.FieldKey(key, &records[i])
			require.True(t, ok)
			byKey[k] = &records[i]
		}
		src := madeRows(1000, 2, 77, 3)
		src.rows = append(src.rows, slices.Clone(src.rows[0]))
		src.rows[4][2] = nil // nobody's
		rows, err := p.ReadMatched(form(src), fieldsOf(t, p, "at", "extra"), key, func(k any) any { return byKey[k] })
		require.NoError(t, err)
		require.EqualValues(t, 3, rows)
		require.Equal(t, 1, src.closed)
		for _, r := range records {
			require.Equal(t, made{ID: r.ID, Name: r.Name, At: madeAt.Add(time.Duration(r.ID) * time.Second), Extra: extra{words: []string{"x"}}}, r)
		}

		_, err = p.ReadMatched(column("at", madeAt), fieldsOf(t, p, "at"), key, func(any) any { return nil })
		require.ErrorIs(t, err, ErrColumn)
		_, err = p.ReadMatched(form(madeRows(1)), fieldsOf(t, p, "at"), key, func(any) any { return new(user) })
		require.ErrorIs(t, err, ErrType)
		src = madeRows(1)
		src.rows[0][2] = "one"
		_, err = p.ReadMatched(form(src), fieldsOf(t, p, "at"), key, func(any) any { return nil })
		require.ErrorIs(t, err, ErrType)
		_, err = p.ReadMatched(form(madeRows(1)), fieldsOf(t, p, "rank"), key, func(any) any { return nil })
		require.ErrorIs(t, err, ErrColumn)
	})
}
