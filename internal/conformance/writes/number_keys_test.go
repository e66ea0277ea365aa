package writes

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// number is a key of a type of its own, which is sent as a whole number.
type number struct{ n int64 }

func (n number) Value() (driver.Value, error) { return n.n, nil }

func (n *number) Scan(v any) error {
	if b, ok := v.([]byte); ok {
		v = string(b)
	}
	_, err := fmt.Sscan(fmt.Sprint(v), &n.n)
	return err
}

type numbered[K any] struct {
	Code      K
	N         int64
	UpdatedAt time.Time
	DeletedAt *time.Time
}

// truth 418
func TestSave_ByANumberFindsTheRowWhoseTextItIs(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "mysql" {
			return // SQLite stores a number in its column's type, PostgreSQL compares none with a text
		}
		fl.Create(t, "CREATE TABLE numbers (code VARCHAR(40) PRIMARY KEY, n {bigint} NOT NULL, updated_at {time}, deleted_at {time})")
		t.Run("int64", func(t *testing.T) { byNumber(t, fl, func(n int64) int64 { return n }) })
		t.Run("uint64", func(t *testing.T) { byNumber(t, fl, func(n int64) uint64 { return uint64(n) }) })
		t.Run("own type", func(t *testing.T) { byNumber(t, fl, func(n int64) number { return number{n} }) })
	})
}

// byNumber writes rows of texts by keys of numbers.
func byNumber[K any](t *testing.T, fl conformance.Fleet, key func(int64) K) {
	ctx := t.Context()
	soft := conformance.Model[numbered[K]](t, fl.Registry, dbfleet.ModelConfig{Table: "numbers", PrimaryKey: []string{"code"}, SoftDelete: "deleted_at", Timestamps: true})
	hard := conformance.Model[numbered[K]](t, fl.Registry, dbfleet.ModelConfig{Table: "numbers", PrimaryKey: []string{"code"}})
	record := func(n int64) *numbered[K] { return &numbered[K]{Code: key(n), N: 9} }
	const far int64 = 1<<53 + 1 // a float is the same for it and the number below
	for name, c := range map[string]struct {
		do   func() error
		want []string
	}{
		"Save":                   {func() error { return soft.Save(ctx, record(7)) }, []string{"7"}},
		"Save of a large number": {func() error { return soft.Save(ctx, record(far)) }, []string{fmt.Sprint(far)}},
		"SaveColumns":            {func() error { return soft.SaveColumns(ctx, record(7), "n") }, []string{"7"}},
		"SaveMany of one":        {func() error { return soft.SaveMany(ctx, []numbered[K]{*record(7)}) }, []string{"7"}},
		"SaveMany":               {func() error { return soft.SaveMany(ctx, []numbered[K]{*record(7), *record(8)}) }, []string{"7", "8"}},
		"SaveMany of large ones": {func() error { return soft.SaveMany(ctx, []numbered[K]{*record(far), *record(8)}) }, []string{"8", fmt.Sprint(far)}},
		"Update of a query":      {func() error { return updated(soft.Where("code", "=", key(7)).Update(ctx, map[string]any{"n": 9})) }, []string{"7"}},
		"Update by a list": {func() error {
			return updated(soft.WhereIn("code", []K{key(7), key(8)}).Update(ctx, map[string]any{"n": 9}))
		}, []string{"7", "8"}},
		"Increment":  {func() error { return updated(soft.Where("code", "=", key(7)).Increment(ctx, "n", 8)) }, []string{"7"}},
		"Upsert":     {func() error { return soft.Upsert(ctx, record(7)) }, []string{"7"}},
		"UpsertMany": {func() error { return soft.UpsertMany(ctx, []numbered[K]{*record(7), *record(8)}) }, []string{"7", "8"}},
		"Update of all but a key's": {func() error {
			return updated(soft.Where("code", "<>", key(7)).Where("n", "=", 1).Update(ctx, map[string]any{"n": 9}))
		}, []string{"+7", "007", "07", "7x", "8", fmt.Sprint(far - 1), fmt.Sprint(far), "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			numberRows(t, fl, far)
			require.NoError(t, c.do())
			require.ElementsMatch(t, c.want, codesWhere(t, fl, "n = 9"))
		})
	}
	t.Run("IS", func(t *testing.T) {
		numberRows(t, fl, far)
		require.NoError(t, updated(soft.Where("code", "IS", key(7)).Update(ctx, map[string]any{"n": 9})))
		require.Equal(t, []string{"7"}, codesWhere(t, fl, "n = 9"))
		require.NoError(t, updated(soft.Where("code", "IS NOT", key(7)).Update(ctx, map[string]any{"n": 8})))
		require.Equal(t, []string{"7"}, codesWhere(t, fl, "n <> 8"))
	})
	t.Run("Refresh, FirstOrCreate, UpdateOrCreate", func(t *testing.T) {
		numberRows(t, fl, far)
		fl.Create(t, "UPDATE numbers SET n = 5, updated_at = NOW() WHERE code = '7'")
		r := record(7)
		require.NoError(t, soft.Refresh(ctx, r))
		require.EqualValues(t, 5, r.N)
		for _, find := range []func(context.Context, *numbered[K], ...string) (bool, error){soft.FirstOrCreate, hard.FirstOrCreate} {
			r = record(7)
			created, err := find(ctx, r, "code")
			require.NoError(t, err)
			require.False(t, created)
			require.EqualValues(t, 5, r.N)
		}
		created, err := soft.UpdateOrCreate(ctx, record(7), "code")
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, []string{"7"}, codesWhere(t, fl, "n = 9"))
		fl.Create(t, "DELETE FROM numbers WHERE code = '7'")
		require.ErrorIs(t, soft.Refresh(ctx, record(7)), dbfleet.ErrNotFound)
		created, err = soft.FirstOrCreate(ctx, record(7), "code")
		require.NoError(t, err)
		require.True(t, created)
	})
	t.Run("Touch", func(t *testing.T) {
		numberRows(t, fl, far)
		require.NoError(t, dbfleet.Touch(ctx, soft, record(7)))
		require.Equal(t, []string{"7"}, codesWhere(t, fl, "updated_at IS NOT NULL"))
	})
	t.Run("Delete and Restore", func(t *testing.T) {
		numberRows(t, fl, far)
		require.NoError(t, soft.Delete(ctx, record(7)))
		require.Equal(t, []string{"7"}, codesWhere(t, fl, "deleted_at IS NOT NULL"))
		fl.Create(t, "UPDATE numbers SET deleted_at = NOW()")
		require.NoError(t, soft.Restore(ctx, record(7)))
		require.Equal(t, []string{"7"}, codesWhere(t, fl, "deleted_at IS NULL"))
	})
	for name, del := range map[string]func() error{
		"Delete": func() error { return hard.Delete(ctx, record(7)) }, "ForceDelete": func() error { return soft.ForceDelete(ctx, record(7)) },
	} {
		t.Run(name+" for good", func(t *testing.T) {
			numberRows(t, fl, far)
			require.NoError(t, del())
			require.ElementsMatch(t, []string{"+7", "007", "07", "7x", "8", fmt.Sprint(far - 1), fmt.Sprint(far), "x"}, codesWhere(t, fl, "1 = 1"))
		})
	}
	t.Run("no such row", func(t *testing.T) {
		numberRows(t, fl, far)
		fl.Create(t, "DELETE FROM numbers WHERE code = '7'")
		require.ErrorIs(t, soft.Save(ctx, record(7)), dbfleet.ErrNotFound)
		require.ErrorIs(t, soft.SaveMany(ctx, []numbered[K]{*record(8), *record(7)}), dbfleet.ErrNotFound)
		require.ErrorIs(t, soft.Delete(ctx, record(7)), dbfleet.ErrNotFound)
		require.ErrorIs(t, hard.Delete(ctx, record(7)), dbfleet.ErrNotFound)
		require.Empty(t, codesWhere(t, fl, "n = 9 OR deleted_at IS NOT NULL"))
	})
}

func updated(_ int64, err error) error { return err }

// numberRows makes rows whose texts begin with numbers.
func numberRows(t *testing.T, fl conformance.Fleet, far int64) {
	t.Helper()
	fl.Create(t, "DELETE FROM numbers")
	for _, code := range []string{"007", "07", "7", "+7", "7x", "x", "8", fmt.Sprint(far - 1), fmt.Sprint(far)} {
		fl.Create(t, "INSERT INTO numbers (code, n) VALUES ('"+code+"', 1)")
	}
}

func codesWhere(t *testing.T, fl conformance.Fleet, condition string) []string {
	t.Helper()
	codes, err := dbfleet.Select[string](t.Context(), fl.DB("main"), "SELECT code FROM numbers WHERE "+condition)
	require.NoError(t, err)
	return codes
}

// truth 418
func TestSave_ByKeysOfEveryKindOfColumnFindsTheirRow(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "mysql" {
			return
		}
		for kind, keys := range map[string][]string{
			"BIGINT": {"9007199254740993", "9007199254740992", "7", "70"}, "BIGINT ZEROFILL": {"7", "70", "9007199254740993", "9007199254740992"},
			"INT": {"7", "55", "-7"}, "DECIMAL(30,4)": {"9007199254740993", "9007199254740992", "7"}, "DOUBLE": {"7", "55"}, "FLOAT": {"7", "55"},
			"BIT(64)": {"7", "55", "12", "18"}, "YEAR": {"2024", "2007"}, "VARBINARY(20)": {"'7'", "'07'", "'7x'"}, "TEXT CHARACTER SET latin1": {"'7'", "'07'"},
			"CHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin": {"'7'", "'07'"},
		} {
			fl.Create(t, "DROP TABLE IF EXISTS kinds", "CREATE TABLE kinds (code "+kind+" NOT NULL, part {bigint} NOT NULL, n {bigint} NOT NULL)")
			for _, k := range keys {
				fl.Create(t, "INSERT INTO kinds VALUES ("+k+", 1, 1), ("+k+", 2, 1)")
			}
			type row struct{ Code, Part, N int64 }
			m := conformance.Model[row](t, fl.Registry, dbfleet.ModelConfig{Table: "kinds", PrimaryKey: []string{"code", "part"}})
			var mine []row
			for _, k := range keys {
				var code int64
				if _, err := fmt.Sscanf(k+" ", "%d ", &code); err == nil {
					mine = append(mine, row{code, 1, code + 1}, row{code, 2, code + 2})
				}
			}
			if len(mine) == 0 {
				mine = []row{{7, 1, 8}, {7, 2, 9}}
			}
			check := func(verb string, wanted int) {
				require.EqualValues(t, wanted, countOf(t, fl, "kinds WHERE n <> 1 AND n = code + part"), "%s by %s", verb, kind)
				require.EqualValues(t, wanted, countOf(t, fl, "kinds WHERE n <> 1"), "%s by %s", verb, kind)
				fl.Create(t, "UPDATE kinds SET n = 1")
			}
			require.NoError(t, m.SaveMany(t.Context(), mine), "%s", kind)
			check("SaveMany", len(mine))
			for i := range mine {
				require.NoError(t, m.Save(t.Context(), &mine[i]), "%s", kind)
				check("Save", 1)
			}
			for i := range mine {
				require.NoError(t, m.Delete(t.Context(), &mine[i]), "%s", kind)
				require.EqualValues(t, 2*len(keys)-i-1, countOf(t, fl, "kinds"), "Delete by %s", kind)
			}
		}
	})
}

// truth 418
func TestSave_ByANumberIsNotByThePlaceOfAnEnum(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "mysql" {
			return
		}
		fl.Create(t, "CREATE TABLE placed (code ENUM('2', '1') PRIMARY KEY, n {bigint} NOT NULL)", "INSERT INTO placed VALUES ('1', 1), ('2', 1)")
		type placed struct{ Code, N int64 }
		m := conformance.Model[placed](t, fl.Registry, dbfleet.ModelConfig{Table: "placed", PrimaryKey: []string{"code"}})
		require.ErrorIs(t, m.Save(t.Context(), &placed{1, 9}), dbfleet.ErrNotFound)
		require.ErrorIs(t, m.SaveMany(t.Context(), []placed{{1, 9}, {2, 9}}), dbfleet.ErrNotFound)
		require.ErrorIs(t, m.Delete(t.Context(), &placed{Code: 1}), dbfleet.ErrNotFound)
		require.Equal(t, 2, int(countOf(t, fl, "placed WHERE n = 1")))
	})
}

func countOf(t *testing.T, fl conformance.Fleet, from string) int64 {
	t.Helper()
	n, err := dbfleet.SelectOne[int64](t.Context(), fl.DB("main"), "SELECT COUNT(*) FROM "+from)
	require.NoError(t, err)
	return n
}

type floated struct {
	Code float64
	N    int64
}

// truth 418
func TestSave_ByAFloatFindsTheDecimalOfItsDigits(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "mysql" {
			return
		}
		fl.Create(t, "CREATE TABLE floated (code DECIMAL(30,20) PRIMARY KEY, n {bigint} NOT NULL)",
			"INSERT INTO floated VALUES (0.1, 1), (0.10000000000000000001, 1), (0.2, 1)")
		m := conformance.Model[floated](t, fl.Registry, dbfleet.ModelConfig{Table: "floated", PrimaryKey: []string{"code"}})
		for _, save := range []func() error{
			func() error { return m.Save(t.Context(), &floated{0.1, 9}) },
			func() error { return m.SaveColumns(t.Context(), &floated{0.1, 9}, "n") },
			func() error { return m.SaveMany(t.Context(), []floated{{0.1, 9}, {0.2, 8}}) },
		} {
			fl.Create(t, "UPDATE floated SET n = 1")
			require.NoError(t, save())
			codes, err := dbfleet.Select[string](t.Context(), fl.DB("main"), "SELECT code FROM floated WHERE n = 9")
			require.NoError(t, err)
			require.Equal(t, []string{"0.10000000000000000000"}, codes)
		}
		require.ErrorIs(t, m.Save(t.Context(), &floated{Code: math.Nextafter(0.1, 1)}), dbfleet.ErrNotFound)
	})
}

// truth 418
func TestSave_OfSeveralKeysIsByAnIndexOfNumbers(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "mysql" {
			return
		}
		fl.Create(t, "CREATE TABLE indexed (code {bigint} PRIMARY KEY, n {bigint} NOT NULL)", "INSERT INTO indexed SELECT seq, 1 FROM seq_1_to_2000")
		type indexed struct{ Code, N int64 }
		m := conformance.Model[indexed](t, fl.Registry, dbfleet.ModelConfig{Table: "indexed", PrimaryKey: []string{"code"}})
		var all []indexed
		for i := range int64(60) {
			all = append(all, indexed{i + 7, 9})
		}
		require.NoError(t, fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			reads := func() int64 {
				n, err := dbfleet.SelectOne[int64](ctx, tx, "SELECT SUM(variable_value) FROM information_schema.session_status WHERE variable_name IN ('Handler_read_next', 'Handler_read_rnd_next')")
				require.NoError(t, err)
				return n
			}
			for name, save := range map[string]func() error{
				"Save": func() error { return m.Save(ctx, &indexed{7, 9}) }, "SaveMany": func() error { return m.SaveMany(ctx, all) },
				"Update": func() error { return updated(m.WhereIn("code", []int64{7, 8}).Update(ctx, map[string]any{"n": 8})) },
				"Delete": func() error { return m.Delete(ctx, &indexed{Code: 1}) },
			} {
				before := reads()
				between := reads() - before
				before = reads()
				require.NoError(t, save())
				require.Less(t, reads()-before-between, int64(300), name)
			}
			return nil
		}))
	})
}
