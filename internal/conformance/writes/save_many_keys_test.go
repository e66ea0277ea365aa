package writes

import (
	"context"
	"database/sql/driver"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// mixedCode is a key that is sent as a whole number where it is one, else as a text.
type mixedCode struct {
	text string
	n    int64
}

func (c mixedCode) Value() (driver.Value, error) {
	if c.text == "" {
		return c.n, nil
	}
	return c.text, nil
}

func (c *mixedCode) Scan(v any) error {
	if b, ok := v.([]byte); ok {
		v = string(b)
	}
	c.text = fmt.Sprint(v)
	return nil
}

// truth 420
func TestSaveMany_GivesEachOfNumbersAndTextsItsOwnRow(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect == "postgres" {
			return // which compares no number with a text
		}
		type mixed struct {
			Code mixedCode
			Part int64
			N    int64
		}
		ctx := t.Context()
		fl.Create(t, "CREATE TABLE mixed (code VARCHAR(20) NOT NULL, part {bigint} NOT NULL, n {bigint} NOT NULL, PRIMARY KEY (code, part))")
		for _, key := range [][]string{{"code"}, {"code", "part"}, {"part", "code"}} {
			m := conformance.Model[mixed](t, fl.Registry, dbfleet.ModelConfig{Table: "mixed", PrimaryKey: key})
			number, text := func(n, to int64) mixed { return mixed{mixedCode{n: n}, 1, to} }, func(code string, to int64) mixed { return mixed{mixedCode{text: code}, 1, to} }
			for name, c := range map[string]struct {
				list []mixed
				want []string
			}{
				"a number, then its text with a zero": {[]mixed{number(7, 1), text("07", 2)}, []string{"07:2", "7:1", "7x:0", "8:0"}},
				"the text first":                      {[]mixed{text("07", 2), number(7, 1)}, []string{"07:2", "7:1", "7x:0", "8:0"}},
				"what begins with the number":         {[]mixed{number(7, 1), text("7x", 2), number(8, 3)}, []string{"07:0", "7:1", "7x:2", "8:3"}},
				"numbers alone":                       {[]mixed{number(7, 1), number(8, 2)}, []string{"07:0", "7:1", "7x:0", "8:2"}},
				"all":                                 {[]mixed{number(7, 1), text("07", 2), text("7x", 3), text("8", 4)}, []string{"07:2", "7:1", "7x:3", "8:4"}},
			} {
				fl.Create(t, "DELETE FROM mixed", "INSERT INTO mixed VALUES ('7', 1, 0), ('07', 1, 0), ('7x', 1, 0), ('8', 1, 0)")
				require.NoError(t, m.SaveMany(ctx, c.list), name)
				type row struct {
					Code string
					N    int64
				}
				list, err := dbfleet.Select[row](ctx, fl.DB("main"), "SELECT code, n FROM mixed ORDER BY code")
				require.NoError(t, err)
				var rows []string
				for _, r := range list {
					rows = append(rows, fmt.Sprint(r.Code, ":", r.N))
				}
				require.Equal(t, c.want, rows, "%s, by %s", name, key)
			}
		}
	})
}

func TestSave_OfColumnsWithADotInTheirNames(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		type dotted struct {
			Code    int64      `db:"the.code"`
			Word    string     `db:"the.word"`
			Rev     int64      `db:"the.rev"`
			Deleted *time.Time `db:"the.end"`
			N       int64      `db:"the.n"`
		}
		ctx := t.Context()
		quoted := func(name string) string {
			return map[bool]string{true: "`" + name + "`", false: `"` + name + `"`}[fl.Database.Dialect == "mysql"]
		}
		fl.Create(t, "CREATE TABLE dotted ("+quoted("the.code")+" {bigint} NOT NULL, "+quoted("the.word")+" VARCHAR(20) NOT NULL, "+
			quoted("the.rev")+" {bigint} NOT NULL, "+quoted("the.end")+" {time}, "+quoted("the.n")+" {bigint} NOT NULL, PRIMARY KEY ("+quoted("the.code")+", "+quoted("the.word")+"))")
		for name, config := range map[string]dbfleet.ModelConfig{
			"a key":          {PrimaryKey: []string{"the.code"}},
			"a text":         {PrimaryKey: []string{"the.word"}},
			"two keys":       {PrimaryKey: []string{"the.code", "the.word"}},
			"a version":      {PrimaryKey: []string{"the.code"}, Version: "the.rev"},
			"a mark":         {PrimaryKey: []string{"the.word"}, SoftDelete: "the.end"},
			"all":            {PrimaryKey: []string{"the.code", "the.word"}, Version: "the.rev", SoftDelete: "the.end"},
			"with a default": {PrimaryKey: []string{"the.word"}, Version: "the.rev"},
		} {
			fl.Create(t, "DELETE FROM dotted")
			config.Table = "dotted"
			m := conformance.Model[dotted](t, fl.Registry, config)
			list := []dotted{{Code: 1, Word: "a", Rev: 1}, {Code: 2, Word: "b", Rev: 1}, {Code: 3, Word: "c", Rev: 1}}
			require.NoError(t, m.CreateMany(ctx, list), name)
			list[0].N = 5
			require.NoError(t, m.Save(ctx, &list[0]), name)
			list[1].N, list[2].N = 6, 7
			require.NoError(t, m.SaveMany(ctx, list), name)
			require.NoError(t, m.SaveColumns(ctx, &list[0], "the.n"), name)
			require.NoError(t, m.Refresh(ctx, &list[1]), name)
			ns, err := dbfleet.Pluck[int64](ctx, m.Query().OrderBy("the.n", dbfleet.Asc), "the.n")
			require.NoError(t, err, name)
			require.Equal(t, []int64{5, 6, 7}, ns, name)
			distinct, err := m.Query().Distinct().OrderBy("the.n", dbfleet.Asc).OrderBy("the.code", dbfleet.Asc).Get(ctx)
			require.NoError(t, err, name)
			require.Len(t, distinct, 3, name)
			require.NoError(t, m.Delete(ctx, &list[2]), name)
			n, err := m.Count(ctx)
			require.NoError(t, err, name)
			require.EqualValues(t, 2, n, name)
			if config.SoftDelete != "" {
				require.ErrorIs(t, m.Save(ctx, &list[2]), dbfleet.ErrNotFound, name)
				require.NoError(t, m.Restore(ctx, &list[2]), name)
				require.NoError(t, m.Save(ctx, &list[2]), name)
			}
		}
	})
}

// Which records have no row is known when they were tried one by one: to see whether two of
// the others are one row, one question is enough.
func TestSaveMany_AsksNothingOfEachRecordBesideOneThatIsMissing(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		type word struct {
			Word string
			N    int64
			End  *time.Time `db:"gone_at"`
		}
		fl.Create(t, "CREATE TABLE words (word VARCHAR(20) PRIMARY KEY, n {bigint} NOT NULL, gone_at {time})")
		m := conformance.Model[word](t, fl.Registry, dbfleet.ModelConfig{Table: "words", PrimaryKey: []string{"word"}, SoftDelete: "gone_at"})
		var list []word
		for i := range 20 {
			list = append(list, word{Word: fmt.Sprint("w", i)})
		}
		require.NoError(t, m.CreateMany(t.Context(), list))
		require.NoError(t, m.Delete(t.Context(), &word{Word: "w7"}))
		var reads []string
		fl.DB("main").OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
			if e.Op == "select" {
				reads = append(reads, e.SQL)
			}
		})
		require.ErrorIs(t, m.SaveMany(t.Context(), append(list[:19:19], word{Word: "none"})), dbfleet.ErrNotFound)
		require.LessOrEqual(t, len(reads), 3, reads)
	})
}
