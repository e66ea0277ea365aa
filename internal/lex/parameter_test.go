package lex_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// parameters writes the names of a text, "?" for a placeholder, with a star behind a
// member of a list and two behind its only one.
func parameters(text string, d *dialect.Dialect) string {
	var out []string
	list := lex.NewParameters(text, d)
	for p, ok := list.Next(); ok; p, ok = list.Next() {
		name := p.Name
		switch {
		case name == "":
			name = "?"
		case text[p.At:p.End] != ":"+name:
			name = "misplaced"
		}
		if p.Member {
			name += "*"
		}
		if p.List.End > 0 {
			name += "*"
		}
		if p.Not {
			name += "!"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func TestParameters_AreReadAsEachDatabaseReads(t *testing.T) {
	t.Parallel()
	all := []*dialect.Dialect{pg, my, lite}
	for _, c := range []struct {
		on         []*dialect.Dialect
		text, want string
	}{
		{all, "a = :id AND b=:b_2 or:c", "id b_2 c"},
		{all, "':a' || \":b\" -- :c\n /* :d */ :e", "e"},
		{all, "t > '12:30' AND u = :u", "u"},
		{all, "a IN (:ids)", "ids**"},
		{all, "a NOT  IN ( /* x */ :ids )", "ids**!"},
		{all, "a IN (1, :a, :b)", "a* b*"},
		{all, "a IN (:a + 1, f(:b), (:c))", "a b c"},
		{all, "a IN (SELECT b FROM c WHERE d = :d)", "d"},
		{all, "f(:a), (:b)", "a b"},
		{all, ": a :1 a:", ""},
		{all, ":id:id", "id id"},
		{all, ":größe", "größe"},
		{[]*dialect.Dialect{pg}, "a::int = :a::bigint AND '1'::text = b ::name", "a"},
		{[]*dialect.Dialect{pg}, "f(a := :b, c => :d)", "b d"},
		{[]*dialect.Dialect{pg}, "a[1:n] a[b:c] a[:i] a[:i + :j] ARRAY[:a, :b] a[1:2]", "i i j a b"},
		{[]*dialect.Dialect{pg}, "a[:lo : :hi], (ARRAY[1, :x])[1:n]", "lo hi x"},
		{[]*dialect.Dialect{pg}, "doc ? :key AND doc ?| :keys AND doc ?& :k AND doc->>:f = :v AND doc #> :p AND doc @> :q", "key keys k f v p q"},
		{[]*dialect.Dialect{pg}, "a = $1 AND $$ :x $$ = E'\\' :y' AND b = :b", "? b"},
		{[]*dialect.Dialect{my, lite}, "a = ? AND b = :b", "? b"},
		{[]*dialect.Dialect{my}, "SET @a := :a; # :b\n SELECT @a:=1, 'x\\' :y', :c", "a c"},
		{[]*dialect.Dialect{my}, "doc->'$.a:b' = :c", "c"},
		{[]*dialect.Dialect{lite}, "[a:b] = :c AND [:d] = e", "c"},
	} {
		for _, d := range c.on {
			require.Equal(t, c.want, parameters(c.text, d), "%s: %s", d.Name, c.text)
		}
	}
}

func TestChanges_KnowsWhatWrites(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]bool{
		"SELECT 1":                                                   {},
		"SELECT replace(a, b, c) FROM t":                             {},
		"REPLACE INTO t VALUES (1)":                                  {true, true},
		" ; INSERT INTO t VALUES (1)":                                {true, true},
		"(DELETE FROM t)":                                            {true, false},
		"delete from t returning id;":                                {true, false},
		"UPDATE t SET a = (SELECT 1 FROM x RETURNING)":               {true, true},
		"WITH a AS (INSERT INTO t VALUES (1) RETURNING id) SELECT 1": {true, false},
		"WITH a AS (SELECT 1) UPDATE t SET b = 1":                    {true, true},
		"WITH a AS (SELECT 1) UPDATE t SET b = 1 RETURNING b":        {true, false},
		"SELECT a FROM t FOR UPDATE":                                 {},
		"SELECT (replace(a, 'x', 'y')) FROM t":                       {},
		"SELECT 'DELETE' -- DELETE":                                  {},
		"SELECT 1; DELETE FROM t RETURNING a":                        {true, false},
		"SELECT max(update), (delete + 1) FROM t":                    {},
		"SELECT 1;":  {},
		"VALUES (1)": {},
		"":           {},
	} {
		for _, d := range []*dialect.Dialect{pg, my, lite} {
			changes, silent := lex.Changes(text, d)
			require.Equal(t, want, [2]bool{changes, silent}, "%s: %s", d.Name, text)
		}
	}
}

func FuzzParameters(f *testing.F) {
	for _, text := range []string{"a IN (:ids) AND b[1:c] = :d::int", "?1 $1 :a:b::c:=d [:x] 'y :z", "((([:a"} {
		f.Add(text, uint8(0))
	}
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		d := []*dialect.Dialect{pg, my, lite}[which%3]
		at := 0
		list := lex.NewParameters(text, d)
		for p, ok := list.Next(); ok; p, ok = list.Next() {
			require.GreaterOrEqual(t, p.At, at)
			at = p.End
			if p.Name != "" {
				require.Equal(t, ":"+p.Name, text[p.At:p.End])
			}
			if p.List.End > 0 {
				require.LessOrEqual(t, p.List.At, p.At)
				require.Greater(t, p.List.End, p.End)
			}
		}
		lex.Changes(text, d)
	})
}
