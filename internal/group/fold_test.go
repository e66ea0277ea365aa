package group

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// alike says whether fold leaves it to the database whether two texts are equal.
func alike(t *testing.T, a, b string) bool {
	t.Helper()
	p := Part{Values: []any{a, b}, keys: []any{a, b}}
	return !p.differ()
}

// samples are texts that some collation may hold for equal: each character of
// ASCII, all pairs of letters, with one of them doubled and with both, numbers.
func samples() (list []string) {
	for c := rune(1); c < 0x80; c++ {
		list = append(list, string(c), "a"+string(c)+"b", "b"+string(c), string(c)+"b")
	}
	for a := 'a'; a <= 'z'; a++ {
		for b := 'a'; b <= 'z'; b++ {
			x, y := string(a), string(b)
			list = append(list, x+y, x+x+y, x+y+x+y, x+"-"+y, strings.ToUpper(x)+y)
		}
	}
	return append(list, "dzsdzs", "ddzs", "", " ", "a ", "1", "01", "001", "1.0", "10", "0-1", "1-0", "a1", "a01", "a-1", "a 0 1", "a0", "a00", "-1", "1e1")
}

// equalOf calls f with each pair of samples that a grouping of the database holds
// for equal, of which one stands for the others.
func equalOf(t *testing.T, rows *sql.Rows, err error, f func(a, b string)) {
	t.Helper()
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var group string
		require.NoError(t, rows.Scan(&group))
		first := ""
		for i, h := range strings.Split(group, ",") {
			text, err := hex.DecodeString(h)
			require.NoError(t, err)
			if i == 0 {
				first = string(text)
			} else {
				f(first, string(text))
			}
		}
	}
	require.NoError(t, rows.Err())
}

func fill(t *testing.T, db *sql.DB, placeholder func(i int) string) {
	t.Helper()
	for list := samples(); len(list) > 0; list = list[min(1000, len(list)):] {
		part := list[:min(1000, len(list))]
		args, marks := make([]any, len(part)), make([]string, len(part))
		for i := range part {
			args[i], marks[i] = part[i], "("+placeholder(i+1)+")"
		}
		_, err := db.ExecContext(t.Context(), "INSERT INTO samples VALUES "+strings.Join(marks, ","), args...)
		require.NoError(t, err)
	}
}

// truth 313
// All that some collation of MariaDB, of any character set, holds for equal.
func TestFold_IsCoarserThanEveryCollationOfMariaDB(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql").SQL(t)
	db.SetMaxOpenConns(1)
	ctx := t.Context()
	_, err := db.ExecContext(ctx, "CREATE TABLE samples (s VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)")
	require.NoError(t, err)
	_, err = db.ExecContext(ctx, "SET SESSION group_concat_max_len = 1000000")
	require.NoError(t, err)
	fill(t, db, func(int) string { return "?" })
	collations := map[string]string{}
	rows, err := db.QueryContext(ctx, "SELECT FULL_COLLATION_NAME, CHARACTER_SET_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY WHERE CHARACTER_SET_NAME <> 'binary'")
	require.NoError(t, err)
	for rows.Next() {
		var name, set string
		require.NoError(t, rows.Scan(&name, &set))
		collations[name] = set
	}
	require.NoError(t, rows.Close())
	require.Greater(t, len(collations), 300)
	compared := 0
	for name, set := range collations {
		rows, err := db.QueryContext(ctx, fmt.Sprintf("SELECT GROUP_CONCAT(HEX(s) ORDER BY HEX(s)) FROM samples GROUP BY CONVERT(s USING %s) COLLATE %s HAVING COUNT(*) > 1", set, name))
		equalOf(t, rows, err, func(a, b string) {
			compared++
			if a != b && !alike(t, a, b) {
				t.Errorf("%s: %q = %q", name, a, b)
			}
		})
	}
	require.Greater(t, compared, 10_000)
}

// truth 313
// All that ICU holds for equal in any language where only the letters themselves
// count, punctuation does not, and digits are numbers.
func TestFold_IsCoarserThanEveryLanguageOfICU(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres").SQL(t)
	db.SetMaxOpenConns(1)
	ctx := t.Context()
	_, err := db.ExecContext(ctx, "CREATE TABLE samples (s text)")
	require.NoError(t, err)
	fill(t, db, func(i int) string { return fmt.Sprint("$", i) })
	rows, err := db.QueryContext(ctx, `SELECT DISTINCT split_part(replace(collname, '-x-icu', ''), '-', 1) FROM pg_collation WHERE collprovider = 'i'`)
	require.NoError(t, err)
	languages := []string{"de-u-co-phonebk", "es-u-co-trad", "sv-u-co-trad", "fi-u-co-trad", "und-u-co-search", "und-u-co-eor", "az-Cyrl", "sr-Latn", "zh-u-co-pinyin"}
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		languages = append(languages, name+"-u")
	}
	require.NoError(t, rows.Close())
	require.Greater(t, len(languages), 100)
	compared := 0
	for i, language := range languages {
		if !strings.Contains(language, "-u") {
			language += "-u"
		}
		name := fmt.Sprint("language", i)
		_, err := db.ExecContext(ctx, fmt.Sprintf("CREATE COLLATION %s (provider = icu, deterministic = false, locale = '%s-ks-level1-ka-shifted-kn-true')", name, language))
		require.NoError(t, err, language)
		rows, err := db.QueryContext(ctx, "SELECT string_agg(encode(convert_to(s, 'UTF8'), 'hex'), ',') FROM samples GROUP BY s COLLATE "+name+" HAVING COUNT(*) > 1")
		equalOf(t, rows, err, func(a, b string) {
			compared++
			if a != b && !alike(t, a, b) {
				t.Errorf("%s: %q = %q", language, a, b)
			}
		})
	}
	require.Greater(t, compared, 10_000)
}

// truth 313
func TestFold_IsCoarserThanTheCollationsOfSQLite(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "sqlite").SQL(t)
	db.SetMaxOpenConns(1)
	_, err := db.ExecContext(context.Background(), "CREATE TABLE samples (s TEXT)")
	require.NoError(t, err)
	fill(t, db, func(int) string { return "?" })
	compared := 0
	for _, name := range []string{"BINARY", "NOCASE", "RTRIM"} {
		rows, err := db.QueryContext(t.Context(), "SELECT group_concat(hex(s)) FROM samples GROUP BY s COLLATE "+name+" HAVING COUNT(*) > 1")
		equalOf(t, rows, err, func(a, b string) {
			compared++
			require.True(t, a == b || alike(t, a, b), "%s: %q = %q", name, a, b)
		})
	}
	require.Greater(t, compared, 100)
}

// truth 313
// Whatever stands around a pair of letters that a collation takes for one.
func TestFold_OfDoubledPairsIsTheSameInEveryText(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // texts for a test
	around := func() string {
		out := make([]byte, random.IntN(8))
		for i := range out {
			out[i] = "csdzgylnt-0a"[random.IntN(12)]
		}
		return string(out)
	}
	for range 200_000 {
		pair := []string{"cs", "dz", "dzs", "gy", "ly", "ny", "sz", "ty", "zs"}[random.IntN(9)]
		before, after := around(), around()
		a, b := before+pair[:1]+pair+after, before+pair+pair+after
		require.True(t, alike(t, a, b), "%q = %q", a, b)
	}
}

func TestFold_TellsUsualKeysApart(t *testing.T) {
	t.Parallel()
	p := Part{}
	for i := range 2000 {
		for _, k := range []string{fmt.Sprint("c", i), fmt.Sprint(i), fmt.Sprintf("SKU-%05d", i), fmt.Sprintf("user%d@example.com", i), fmt.Sprintf("%08x-9c0b-4ef8-bb6d-6bb9bd380a11", i*7919+1<<28)} {
			p.Values, p.keys = append(p.Values, k), append(p.keys, k)
		}
	}
	for _, k := range strings.Fields("AT BE CH DE DK EE ES FI FR GB GR HR HU IE IS IT LT LU MT NL NO PL PT RO SE SI SK UA US") {
		p.Values, p.keys = append(p.Values, k), append(p.keys, k)
	}
	require.True(t, p.differ())
}
