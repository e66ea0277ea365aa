package sqlgen

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// truth 126
// The names of a raw select list are read as the databases read them.
func TestOutputs_AreReadFromSQL(t *testing.T) {
	t.Parallel()
	kinds := map[outputKind]string{nameless: "?", aliased: "as", plain: "is", star: "*", unread: "unread"}
	told := func(d *dialect.Dialect, sql string, args ...any) string {
		q := From("t").WithColumns(Column{Expr: raw(sql, args...)})
		var list []string
		for o := range q.outputs(d) {
			s := kinds[o.kind] + " " + o.name
			if o.of != "" {
				s += " of " + o.path()
			}
			if len(o.raw.Args) > 0 {
				s += fmt.Sprint(" ", o.raw.Args)
			}
			list = append(list, s+map[bool]string{true: " folds"}[o.fold])
		}
		return strings.Join(list, ", ")
	}
	for sql, want := range map[string]string{
		"SUM(x) AS total":                          "as total folds",
		"SUM(x) total":                             "as total folds",
		`SUM(x) "Total"`:                           "as Total",
		"SUM(x)as`To``tal`":                        "as To`tal",
		"SUM(x) AS 'total'":                        "as total",
		"a.b AS c, d":                              "as c of a.b folds, is d of d folds",
		"a.b c":                                    "as c of a.b folds",
		`s."A"."b", "x"`:                           "is b of s.A.b, is x of x",
		"DISTINCT city":                            "is city of city folds",
		"*, a.*":                                   "* , * ",
		"COUNT(*), MAX(a, b)":                      "? , ? ",
		"1 n, 2.5 AS m, 3":                         "as n folds, as m folds, ? ",
		"a + b, a OR b, NOT a":                     "? , ? , ? ",
		"CASE WHEN a THEN b ELSE c END":            "? ",
		"CASE WHEN a THEN b ELSE c END total":      "as total folds",
		"a IS NULL, NULL":                          "? , ? ",
		"CAST(a AS int), CAST(a AS int) n":         "? , as n folds",
		"a::int, a::int AS n":                      "? , as n folds",
		"x COLLATE nocase":                         "? ",
		"SUM(x) OVER (PARTITION BY y, z) AS total": "as total folds",
		"SUM(x) OVER w":                            "? ",
		"'a, b' AS c, \"d, e\"":                    "as c folds, is d, e of d, e",
		"":                                         "? ",
		", AS, AS x":                               "? , is AS of AS folds, as x folds",
		"f(":                                       "unread ",
		"'x":                                       "unread ",
		"CURRENT_DATE, a NULL":                     "? , ? ",
	} {
		for _, d := range append(dialects, nil) {
			if strings.Contains(sql, "`") && d == dialect.Postgres {
				continue
			}
			require.Equal(t, want, told(d, sql), "%s %q", d, sql)
		}
	}
	require.Equal(t, "as a [1 2] folds, ? , as b [3] folds", told(nil, "? + ? AS a, 5, ? AS b", 1, 2, 3))
	require.Equal(t, "as a [1] folds, as b [2] folds", told(dialect.Postgres, "x ?? ? AS a, ? ?? y AS b", 1, 2))
	require.Equal(t, "as n folds", told(dialect.MySQL, `CONCAT('it\'s, ', a) AS n`))
	require.Equal(t, "unread ", told(nil, `CONCAT('it\'s, ', a) AS n`))
	require.Equal(t, "as n folds", told(dialect.Postgres, "$$, ?$$ AS n"))
	require.Equal(t, "unread ", told(nil, "a--1 AS n"))
}
