package writes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// mixed is a record with a column of each kind.
type mixed struct {
	ID    int64
	N     int
	Small int16
	F     float64
	S     string
	P     *string
	B     bool
	Raw   []byte
	D     string `db:"d"`
	J     dbfleet.JSON[map[string]int]
	U     [16]byte
	On    dbfleet.Date `db:"day"`
	At    time.Time    `db:"moment"`
	Maybe *time.Time
	Long  string
}

const mixedTable = `CREATE TABLE mixeds (id {id}, n {bigint} NOT NULL, small {int} NOT NULL, f {float} NOT NULL, s {text} NOT NULL, p {text}, b {bool} NOT NULL, raw {bytes},
	d {decimal} NOT NULL, j {json}, u {uuid} NOT NULL, day {date} NOT NULL, moment {time} NOT NULL, maybe {time} NULL, {long_} {long} NOT NULL)`

func mixedRecord(i int) mixed {
	text := fmt.Sprintf("text %d é \\ ' \" ?", i)
	at := time.Date(2026, 1, 2, 3, 4, 5, 678000+i*1000, time.UTC)
	m := mixed{
		N: i - 3, Small: int16(i), F: float64(i) / 3, S: text, B: i%2 == 0, Raw: []byte{0, byte(i), 255}, D: fmt.Sprintf("%d.2500", i), J: dbfleet.JSONOf(map[string]int{"a": i}),
		U: [16]byte{1, byte(i)}, On: dbfleet.Date{Year: 2026, Month: 1, Day: 1 + i%28}, At: at, Long: text + text,
	}
	if i%3 == 0 {
		m.P, m.Maybe = &text, &at
	}
	return m
}

// What SaveMany writes is what Save writes, for every kind of column.
func TestSaveMany_WritesWhatSaveWrites(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, quotedLong(fl, mixedTable))
		m := conformance.Model[mixed](t, fl.Registry, dbfleet.ModelConfig{Table: "mixeds"})
		const n = 9
		made := make([]mixed, 2*n)
		for i := range made {
			made[i] = mixedRecord(0)
		}
		require.NoError(t, m.CreateMany(ctx, made))
		many, single := made[:n], made[n:]
		for i := range n {
			a, b := mixedRecord(i), mixedRecord(i)
			a.ID, b.ID = many[i].ID, single[i].ID
			many[i], single[i] = a, b
			require.NoError(t, m.Save(ctx, &single[i]))
		}
		statements := 0
		fl.DB("main").OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { statements++ })
		require.NoError(t, m.SaveMany(ctx, many))
		require.LessOrEqual(t, statements, 3, "begin, one update, commit")
		for i := range n {
			got, err := m.Find(ctx, many[i].ID)
			require.NoError(t, err)
			require.Equal(t, many[i], got)
			want, err := m.Find(ctx, single[i].ID)
			require.NoError(t, err)
			want.ID = got.ID
			require.Equal(t, want, got)
		}
	})
}

func quotedLong(fl conformance.Fleet, ddl string) string {
	name := `"long"`
	if fl.Database.Dialect == "mysql" {
		name = "`long`"
	}
	return strings.ReplaceAll(ddl, "{long_}", name)
}

func TestSaveMany_RaisesVersionsAndTimes(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), pages(t, fl)
		list := make([]page, 150)
		for i := range list {
			list[i] = page{Title: fmt.Sprint("t", i)}
		}
		require.NoError(t, m.CreateMany(ctx, list))
		for i := range list {
			list[i].Body = fmt.Sprint("b", i)
		}
		statements := 0
		fl.DB("main").OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { statements++ })
		require.NoError(t, m.SaveMany(ctx, list))
		require.LessOrEqual(t, statements, 5)
		got, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, list, got)
		require.Equal(t, 2, got[149].Rev)
		require.NoError(t, m.SaveMany(ctx, nil))
	})
}

func TestSaveMany_WritesAllOrNoneAndTellsEachMiss(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), pages(t, fl)
		list := []page{{Title: "a"}, {Title: "b"}, {Title: "c"}, {Title: "d"}}
		require.NoError(t, m.CreateMany(ctx, list))
		_, err := m.Where("title", "=", "b").Update(ctx, dbfleet.Row{"body": "theirs"})
		require.NoError(t, err)
		_, err = m.Where("title", "=", "d").Delete(ctx)
		require.NoError(t, err)
		for i := range list {
			list[i].Body = "mine"
		}
		before := append([]page{}, list...)
		for _, inTx := range []bool{false, true} {
			if inTx {
				require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
					err = m.SaveMany(ctx, list)
					return nil
				}))
			} else {
				err = m.SaveMany(ctx, list)
			}
			require.ErrorIs(t, err, dbfleet.ErrStaleRecord)
			require.ErrorIs(t, err, dbfleet.ErrNotFound)
			var at *dbfleet.RecordError
			require.ErrorAs(t, err, &at)
			require.Equal(t, 1, at.Index)
			require.ErrorContains(t, err, "record 3")
			require.Equal(t, before, list)
			n, err := m.Where("body", "=", "mine").Count(ctx)
			require.NoError(t, err)
			require.Zero(t, n)
		}
		require.NoError(t, m.SaveMany(ctx, []page{list[0], list[2]}))

		var same *dbfleet.SameRowError
		require.ErrorAs(t, m.SaveMany(ctx, []page{list[0], list[0]}), &same)
		require.ErrorContains(t, m.SaveMany(ctx, []page{{Title: "new"}}), "zero")
		undo := errors.New("undo")
		two, err := m.WhereIn("title", []string{"a", "c"}).OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		old := append([]page{}, two...)
		require.ErrorIs(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, m.SaveMany(ctx, two))
			require.Equal(t, old[0].Rev+1, two[0].Rev)
			return undo
		}), undo)
		require.Equal(t, old, two)
	})
}

func TestSaveMany_LeavesDeletedRowsAsTheyAre(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		authors, _ := library(t, fl)
		ann, bob, cid := writers(t, authors)
		list := []author{ann, bob, cid}
		for i := range list {
			list[i].Age = 1
		}
		err := authors.SaveMany(ctx, list)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		var at *dbfleet.RecordError
		require.ErrorAs(t, err, &at)
		require.Equal(t, 1, at.Index)
		two := []author{list[0], list[2]}
		require.NoError(t, authors.SaveMany(ctx, two))
		got, err := authors.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, two, got)
	})
}

// coded is a record with a key of two columns, one of them a text.
type coded struct {
	Code  string
	Part  int
	Price float64
}

func TestSaveMany_FindsRowsByKeysOfSeveralColumns(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE codeds (code {text} NOT NULL, part {int} NOT NULL, price {float} NOT NULL, PRIMARY KEY (code, part))`)
		m := conformance.Model[coded](t, fl.Registry, dbfleet.ModelConfig{Table: "codeds", PrimaryKey: []string{"code", "part"}})
		list := []coded{{"a", 1, 1}, {"a", 2, 1}, {"b", 1, 1}, {"12", 1, 1}, {"12x", 1, 1}}
		require.NoError(t, m.CreateMany(ctx, list))
		for i := range list {
			list[i].Price = float64(i) + 0.5
		}
		require.NoError(t, m.SaveMany(ctx, list))
		for _, want := range list {
			got, err := m.Find(ctx, want.Code, want.Part)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	})
}
