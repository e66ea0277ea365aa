package language

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type sheet struct {
	ID  int64
	Doc dbfleet.JSON[any]
}

// documents are what JSONPath looks into.
var documents = slices.Concat(plainDocuments, randomDocuments(60))

// randomDocuments are of few keys and values, so that paths meet them.
func randomDocuments(n int) (list []string) {
	random := rand.New(rand.NewPCG(3, 4))
	scalars := []string{"null", "true", "false", "1", "1.0", "-0", "1e2", "100", "0.1", "-3", "9007199254740993", `""`, `"1"`, `"x"`, `"true"`, `"é"`, `"a b"`, `"null"`}
	keys := []string{"a", "b", "", "0", "a.b", "*", "é"}
	var made func(depth int) string
	made = func(depth int) string {
		members := []string{}
		switch {
		case depth == 0 || random.IntN(3) == 0:
			return scalars[random.IntN(len(scalars))]
		case random.IntN(2) == 0:
			for range random.IntN(4) {
				members = append(members, made(depth-1))
			}
			return "[" + strings.Join(members, ", ") + "]"
		}
		for _, k := range keys {
			if random.IntN(2) == 0 {
				members = append(members, strconv.Quote(k)+": "+made(depth-1))
			}
		}
		return "{" + strings.Join(members, ", ") + "}"
	}
	for range n {
		list = append(list, made(3))
	}
	return list
}

var plainDocuments = []string{
	``, // SQL's NULL
	`null`, `true`, `1`, `"text"`, `[]`, `{}`,
	`{"a": {"b": "Bern"}}`, `{"a": {"b": "bern"}}`, `{"a": {"b": "Bern "}}`, `{"a": {"b": "Zürich"}}`, `{"a": {"b": ""}}`,
	`{"a": {"b": null}}`, `{"a": null}`, `{"a": {"b": 1}}`, `{"a": {"b": 1.0}}`, `{"a": {"b": 1e0}}`, `{"a": {"b": "1"}}`, `{"a": {"b": 1.5}}`,
	`{"a": {"b": -3}}`, `{"a": {"b": 9007199254740993}}`, `{"a": {"b": 9007199254740992}}`, `{"a": {"b": 0.1}}`, `{"a": {"b": 10}}`, `{"a": {"b": 9}}`,
	`{"a": {"b": true}}`, `{"a": {"b": false}}`, `{"a": {"b": "true"}}`, `{"a": {"b": []}}`, `{"a": {"b": {}}}`, `{"a": {"b": [1, 2]}}`, `{"a": {"b": {"c": 1}}}`,
	`{"a": ["x", "y", {"b": 1}]}`, `{"a": [["deep"], "x"]}`, `{"a": [1, "1", true, null, 2.0]}`, `{"a": {"0": "member"}}`, `{"a": "x"}`, `[{"a": 1}, 5]`, `{"a": ["<&>", "é", "a\"b\\c", "line\nbreak"]}`,
	`{"": "empty key", "a.b": "dotted", "a\"b": "quoted", "a\\b": "slashed", "$": "dollar", "*": "star", "[0]": "bracketed", "é": "accent", "😀": "smile", "a b": "blank",` +
		` "a'b": "apostrophe", "a` + "`" + `b": "tick", "line\nbreak": "line", "tab\tkey": "tab", "<&>": "angles", "last": "last", "-1": "minus", "0": "zero", "to": "to", "?": "mark", "$1": "numbered", "a/b": "slash", "%": "percent", "A": "capital"}`,
	`{"<&>": "raw"}`, `{"<&>": "angles"}`, `{"<&>": "escaped"}`, `{"a": {"b": "😀"}}`, `{"a": {"b": "\ud83d\ude00 \u00e9"}}`, `{"a": {"b": "a'b\"c\\d"}}`,
}

var oddKeys = []string{"", "a.b", `a"b`, `a\b`, "$", "*", "[0]", "é", "😀", "a b", "a'b", "a`b", "line\nbreak", "tab\tkey", "<&>", "last", "-1", "0", "to", "?", "$1", "a/b", "%", "A", `".a`, `a"."b`, "é", "nothing"}

// sheets has the documents as rows whose ids are their places, from 1.
func sheets(t *testing.T, fl conformance.Fleet) (*dbfleet.Model[sheet], dbfleet.Col[dbfleet.JSON[any]]) {
	t.Helper()
	fl.Create(t, `CREATE TABLE sheets (id {id}, doc {json})`)
	m := conformance.Model[sheet](t, fl.Registry, dbfleet.ModelConfig{Table: "sheets"})
	for i, text := range documents {
		s := sheet{ID: int64(i + 1)}
		if text != "" {
			s.Doc = dbfleet.JSONOf(decoded(t, text))
		}
		if i%2 == 0 || text == "" {
			require.NoError(t, m.Create(t.Context(), &s))
			continue
		}
		_, err := fl.DB("main").Table("sheets").Insert(t.Context(), dbfleet.Row{"id": s.ID, "doc": text}) // not as encoding/json writes it
		require.NoError(t, err)
	}
	return m, dbfleet.Field(m, func(s *sheet) *dbfleet.JSON[any] { return &s.Doc })
}

func decoded(t *testing.T, text string) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	require.NoError(t, d.Decode(&v), text)
	return v
}

// place is what Go finds at a path; there is false for nothing.
func place(t *testing.T, text string, steps []any) (v any, there bool) {
	t.Helper()
	if text == "" {
		return nil, false
	}
	v = decoded(t, text)
	for _, s := range steps {
		switch s := s.(type) {
		case string:
			object, ok := v.(map[string]any)
			if v, there = object[s]; !ok || !there {
				return nil, false
			}
		case int:
			array, ok := v.([]any)
			if !ok || s >= len(array) {
				return nil, false
			}
			v = array[s]
		}
	}
	return v, true
}

// where are the ids of the documents of which f holds.
func where(t *testing.T, steps []any, f func(v any, there bool) bool) []int64 {
	t.Helper()
	ids := []int64{}
	for i, text := range documents {
		if f(place(t, text, steps)) {
			ids = append(ids, int64(i+1))
		}
	}
	return ids
}

// hyphened says whether MariaDB cannot take the path.
func hyphened(path []any) bool {
	return slices.ContainsFunc(path, func(s any) bool { k, _ := s.(string); return strings.HasPrefix(k, "-") })
}

func numberIn(v any) *big.Rat {
	n, ok := v.(json.Number)
	if !ok {
		return nil
	}
	r, _ := new(big.Rat).SetString(n.String())
	return r
}

func jsonType(v any, there bool) string {
	switch v.(type) {
	case string:
		return "string"
	case json.Number:
		return "number"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	if there {
		return "null"
	}
	return ""
}

// What Go finds in the documents is what each database finds.
func TestJSONPath_FindsTheSameOnAllDatabases(t *testing.T) {
	t.Parallel()
	paths := [][]any{{}, {"a"}, {"a", "b"}, {"a", "b", 0}, {"a", 0}, {"a", 1}, {"a", 2}, {"a", 0, 0}, {0}, {0, "a"}, {1}, {"a", "0"}, {"a", 2, "b"}, {"a", "b", "c"}, {"a", 99}, {"a", 0, "b"}}
	plain := len(paths)
	for _, k := range oddKeys {
		paths = append(paths, []any{k})
	}
	odd := len(paths)
	random, steps := rand.New(rand.NewPCG(5, 6)), []any{"a", "b", "", "0", "a.b", "*", "é", 0, 1, 2}
	for range 30 {
		path := []any{}
		for range 1 + random.IntN(3) {
			path = append(path, steps[random.IntN(len(steps))])
		}
		paths = append(paths, path)
	}
	texts := []string{"1", "", "x", "true", "Bern", "bern", "text", "😀", "😀 é", `a'b"c\d`, "M", "z", "deep", "member"}
	ofKeys := []string{"", "dotted", "star", "angles", "line", "smile"}
	wholes := []int64{1, 0, -3, 9007199254740993, 9007199254740992, 10}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m, doc := sheets(t, fl)
		check := func(name string, want []int64, cond dbfleet.Cond) {
			t.Helper()
			got, err := dbfleet.Pluck[int64](t.Context(), m.Filter(cond).OrderBy("id", dbfleet.Asc), "id")
			require.NoError(t, err, name)
			require.Equal(t, want, got, name)
		}
		for i, path := range paths {
			texts, wholes := texts, wholes
			switch {
			case i >= odd:
				texts, wholes = texts[:4], wholes[:2]
			case i >= plain:
				texts, wholes = ofKeys, nil
			}
			if hyphened(path) && fl.Database.Dialect == "mysql" {
				_, err := m.Filter(dbfleet.JSONExists(doc, path...)).Get(t.Context())
				require.ErrorContains(t, err, "begins with a hyphen")
				continue
			}
			name := fmt.Sprintf("%q", path)
			check(name+" exists", where(t, path, func(_ any, there bool) bool { return there }), dbfleet.JSONExists(doc, path...))
			for _, kind := range []string{"string", "number", "boolean", "null", "array", "object"} {
				check(name+" is "+kind, where(t, path, func(v any, there bool) bool { return jsonType(v, there) == kind }), dbfleet.JSONType(doc, path...).Eq(kind))
			}
			text, whole, float, truth := dbfleet.JSONPath[string](doc, path...), dbfleet.JSONPath[int64](doc, path...), dbfleet.JSONPath[float64](doc, path...), dbfleet.JSONPath[bool](doc, path...)
			check(name+" is no text", where(t, path, func(v any, there bool) bool { return jsonType(v, there) != "string" }), text.IsNull())
			for _, want := range texts {
				is := func(f func(s string) bool) []int64 {
					return where(t, path, func(v any, _ bool) bool { s, ok := v.(string); return ok && f(s) })
				}
				check(name+" = "+want, is(func(s string) bool { return s == want }), text.Eq(want))
				check(name+" <> "+want, is(func(s string) bool { return s != want }), text.NotEq(want))
				check(name+" < "+want, is(func(s string) bool { return s < want }), text.Lt(want))
				check(name+" in "+want, is(func(s string) bool { return s == want || s == "y" }), text.In(want, "y"))
				check(name+" between "+want, is(func(s string) bool { return s >= want && s <= "z" }), text.Between(want, "z"))
				check(name+" begins with "+want, is(func(s string) bool { return strings.HasPrefix(s, want) }), text.LikeExact(dbfleet.EscapeLike(want)+"%"))
				check(name+" has "+want, where(t, path, func(v any, _ bool) bool {
					list, _ := v.([]any)
					return slices.Contains(list, any(want))
				}), dbfleet.JSONContains(doc, want, path...))
			}
			for _, want := range wholes {
				is := func(f func(order int) bool) []int64 {
					return where(t, path, func(v any, _ bool) bool {
						r := numberIn(v)
						return r != nil && f(r.Cmp(new(big.Rat).SetInt64(want)))
					})
				}
				name := fmt.Sprint(name, " ", want)
				check(name+" =", is(func(o int) bool { return o == 0 }), whole.Eq(want))
				check(name+" >", is(func(o int) bool { return o > 0 }), whole.Gt(want))
				check(name+" <=", is(func(o int) bool { return o <= 0 }), whole.LtEq(want))
				check(name+" in", is(func(o int) bool { return o == 0 }), whole.In(want, want))
				if want < 1<<53 {
					check(name+" > as a float", is(func(o int) bool { return o > 0 }), float.Gt(float64(want)))
				}
				has := func(v any, _ bool) bool {
					list, _ := v.([]any)
					return slices.ContainsFunc(list, func(e any) bool {
						r := numberIn(e)
						return r != nil && r.Cmp(new(big.Rat).SetInt64(want)) == 0
					})
				}
				check(name+" contained", where(t, path, has), dbfleet.JSONContains(doc, want, path...))
				check(name+" not contained", where(t, path, func(v any, there bool) bool { return !has(v, there) }), dbfleet.Not(dbfleet.JSONContains(doc, want, path...)))
			}
			check(name+" = 0.1", where(t, path, func(v any, _ bool) bool { return v == json.Number("0.1") }), float.Eq(0.1))
			for _, want := range []bool{true, false} {
				check(fmt.Sprint(name, " = ", want), where(t, path, func(v any, _ bool) bool { return v == want }), truth.Eq(want))
				check(fmt.Sprint(name, " has ", want), where(t, path, func(v any, _ bool) bool {
					list, _ := v.([]any)
					return slices.Contains(list, any(want))
				}), dbfleet.JSONContains(doc, want, path...))
			}
		}
	})
}

func TestJSONPath_IsSelectedAndSorted(t *testing.T) {
	t.Parallel()
	type row struct {
		ID    int64
		Text  *string
		Whole *int64
		Float *float64
		Truth *bool
		Type  *string
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE sheets (id {id}, doc {json})`)
		m := conformance.Model[sheet](t, fl.Registry, dbfleet.ModelConfig{Table: "sheets"})
		doc := dbfleet.Field(m, func(s *sheet) *dbfleet.JSON[any] { return &s.Doc })
		for _, v := range []any{"b", "a", "B", "ä", json.Number("2.0"), json.Number("10"), json.Number("-1"), true, nil} {
			require.NoError(t, m.Create(ctx, &sheet{Doc: dbfleet.JSONOf[any](map[string]any{"v": v})}))
		}
		text, whole := dbfleet.JSONPath[string](doc, "v"), dbfleet.JSONPath[int64](doc, "v")
		rows, err := dbfleet.Into[row](m.Select("id").SelectValue(text, "text").SelectValue(whole, "whole").
			SelectValue(dbfleet.JSONPath[float64](doc, "v"), "float").SelectValue(dbfleet.JSONPath[bool](doc, "v"), "truth").
			SelectValue(dbfleet.JSONType(doc, "v"), "type").OrderWith(text.Asc().NullsLast(), whole.Desc().NullsLast(), dbfleet.Col[int64]("id").Asc())).Get(ctx)
		require.NoError(t, err)
		shown := []string{}
		for _, r := range rows {
			s := ""
			for _, v := range []any{r.Text, r.Whole, r.Float, r.Truth, r.Type} {
				b, err := json.Marshal(v)
				require.NoError(t, err)
				s += string(b) + " "
			}
			shown = append(shown, strings.TrimSpace(s))
		}
		require.Equal(t, []string{
			`"B" null null null "string"`, `"a" null null null "string"`, `"b" null null null "string"`, `"ä" null null null "string"`,
			`null 10 10 null "number"`, `null 2 2 null "number"`, `null -1 -1 null "number"`, `null null null true "boolean"`, `null null null null "null"`,
		}, shown)
		sum, err := dbfleet.Into[int64](m.Query().SelectValue(dbfleet.SumOf(whole), "sum")).First(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 11, sum)
		one, err := m.Filter(dbfleet.Upper(text).Eq("B"), text.Like("b%")).Count(ctx)
		require.NoError(t, err)
		require.Positive(t, one)
		n, err := m.Filter(whole.Eq(2)).Update(ctx, dbfleet.Row{"doc": dbfleet.JSONOf[any]("found")})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = m.Filter(dbfleet.JSONPath[string](doc).Eq("found")).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

func TestJSONPath_WhatIsNoPathIsRefused(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	m, doc := sheets(t, fl)
	tooLarge := int64(1) << 31
	for said, cond := range map[string]dbfleet.Cond{
		"step 2 is negative":              dbfleet.JSONPath[string](doc, "a", -1).Eq("x"),
		"step 1 is a int64":               dbfleet.JSONPath[string](doc, int64(1)).Eq("x"),
		"step 1 is a <nil>":               dbfleet.JSONExists(doc, nil),
		"above 2147483647":                dbfleet.JSONExists(doc, int(tooLarge)),
		"is no text in UTF-8":             dbfleet.JSONExists(doc, "\xff"),
		"zero byte":                       dbfleet.JSONExists(doc, "a\x00"),
		"a []int is no string":            dbfleet.JSONPath[[]int](doc, "a").IsNull(),
		"a struct {} is no string":        dbfleet.JSONContains(doc, struct{}{}, "a"),
		"JSONPath: an operand is nil":     dbfleet.JSONPath[string](nil, "a").Eq("x"),
		`no column "none"`:                dbfleet.JSONPath[string](dbfleet.Col[string]("none"), "a").Eq("x"),
		"an expression is the zero value": dbfleet.JSONPath[string](dbfleet.Expression[string]{}, "a").Eq("x"),
		"the name of a column is empty":   dbfleet.JSONContains(dbfleet.Col[string](""), 1),
	} {
		_, err := m.Filter(cond).Get(t.Context())
		require.ErrorContains(t, err, said)
	}
}

// evilKeys are keys that would be something else in SQL or in a path.
var evilKeys = []string{
	`"] OR 1=1 --`, `'); DROP TABLE canary; --`, `") IS NULL OR 1=1; DROP TABLE canary; --`, `$[*]`, `\`, `\"`, `\\"`, `"`, `""`, `\u0041`, `$.a`, `a" : 1`, "\u2028", "\x7f", "\x01", "\x1f", "\b\f",
	`**`, `$**.a`, `{a}`, `,`, `:`, "::text", "$1", "?", "??", ":name", "e\u0301", "x'00'", "#", "-- ", "/*", "*/", ";", "`", "' || (SELECT 1) || '", "[-1]", "[last]", "[0 to 1]", "@", "\ufffd", "\U0010ffff",
}

// A key is a key, whatever is in it: it finds its own member and no other, and the canary
// lives on.
func TestJSONPath_AKeyIsNeverSQLNorAPath(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []rune("ab01\"\"\\\\''`$$.*[]{}()?-;:/%_#@ \n\t\r\x01<>&é😀\u2028")
	keys := slices.Concat(oddKeys, evilKeys)
	for range 200 {
		key := ""
		for range 1 + random.IntN(8) {
			key += string(alphabet[random.IntN(len(alphabet))])
		}
		keys = append(keys, key)
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE sheets (id {id}, doc {json})`, `CREATE TABLE canary (id {bigint})`, `INSERT INTO canary VALUES (1)`)
		m := conformance.Model[sheet](t, fl.Registry, dbfleet.ModelConfig{Table: "sheets"})
		doc := dbfleet.Field(m, func(s *sheet) *dbfleet.JSON[any] { return &s.Doc })
		members := map[string]any{}
		for _, k := range keys {
			members[k] = map[string]any{k: "of " + k}
		}
		require.NoError(t, m.Create(ctx, &sheet{Doc: dbfleet.JSONOf[any](members)}))
		require.NoError(t, m.Create(ctx, &sheet{Doc: dbfleet.JSONOf[any]([]any{"nothing"})}))
		for _, k := range keys {
			if hyphened([]any{k}) && fl.Database.Dialect == "mysql" {
				continue
			}
			n, err := m.Filter(dbfleet.JSONPath[string](doc, k, k).Eq("of "+k), dbfleet.JSONExists(doc, k), dbfleet.Not(dbfleet.JSONExists(doc, k, k, k))).Count(ctx)
			require.NoError(t, err, "%q", k)
			require.EqualValues(t, 1, n, "%q", k)
			if _, known := members[k+k]; !known {
				n, err = m.Filter(dbfleet.JSONExists(doc, k+k)).Count(ctx)
				require.NoError(t, err, "%q", k)
				require.Zero(t, n, "%q", k)
			}
		}
		n, err := fl.DB("main").Table("canary").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

func FuzzJSONPath(f *testing.F) {
	for _, k := range slices.Concat(oddKeys, evilKeys) {
		f.Add(k)
	}
	db := dbtest.New(f, "sqlite")
	r, err := dbfleet.Open(dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, r.Close()) })
	for _, s := range []string{`CREATE TABLE sheets (id INTEGER PRIMARY KEY, doc TEXT)`, `CREATE TABLE canary (id INTEGER)`, `INSERT INTO canary VALUES (1)`} {
		_, err := r.DB("main").ExecContext(f.Context(), s)
		require.NoError(f, err)
	}
	m, err := dbfleet.NewModel[sheet](r, dbfleet.ModelConfig{Table: "sheets"})
	require.NoError(f, err)
	doc := dbfleet.Field(m, func(s *sheet) *dbfleet.JSON[any] { return &s.Doc })
	f.Fuzz(func(t *testing.T, key string) {
		ctx := t.Context()
		q := m.Filter(dbfleet.JSONPath[string](doc, key, 0, key).Eq("mine"))
		if !utf8.ValidString(key) || strings.Contains(key, "\x00") {
			_, err := q.Count(ctx)
			require.Error(t, err)
			return
		}
		s := sheet{ID: 1, Doc: dbfleet.JSONOf[any](map[string]any{key: []any{map[string]any{key: "mine", key + "x": "other"}}, key + "y": "other"})}
		require.NoError(t, m.Upsert(ctx, &s))
		n, err := q.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = r.DB("main").Table("canary").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}
