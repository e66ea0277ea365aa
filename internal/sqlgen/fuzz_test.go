package sqlgen

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// FuzzIdentifier: whatever the name, it is refused or read back as itself by
// one who knows nothing but that a doubled quote stands for one.
func FuzzIdentifier(f *testing.F) {
	for _, name := range []string{"a", "", `a"b`, "a`b", `""`, "``", `"`, "a.b", "a\x00b", "\xff", "Größe", "select", `x"; DROP TABLE users; --`, "a\\", "a\nb", strings.Repeat("x", 65)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		for _, d := range dialects {
			quoted, err := QuoteIdent(d, name)
			if err != nil {
				var fault *StatementError
				require.ErrorAs(t, err, &fault)
				require.Empty(t, quoted)
				short := name != "" && utf8.ValidString(name) && !strings.Contains(name, "\x00") && len(name) <= 63
				require.False(t, short, "refused %q: %v", name, err)
				continue
			}
			require.Equal(t, name, readIdentifier(t, quoted, d.Quote))
			require.NotContains(t, quoted, "\x00")
			require.True(t, utf8.ValidString(quoted))
		}
	})
}

// readIdentifier reads all of text as one quoted identifier.
func readIdentifier(t *testing.T, text string, quote byte) string {
	t.Helper()
	require.GreaterOrEqual(t, len(text), 3)
	require.Equal(t, quote, text[0])
	var name []byte
	i := 1
	for ; i < len(text); i++ {
		if text[i] == quote {
			if i+1 == len(text) || text[i+1] != quote {
				break
			}
			i++
		}
		name = append(name, text[i])
	}
	require.Equal(t, len(text)-1, i, "%q ends early", text)
	return string(name)
}

// FuzzPlaceholders: raw SQL with any number of arguments is refused, or has
// one placeholder for each, in order.
func FuzzPlaceholders(f *testing.F) {
	for _, sql := range []string{
		"a = ?", "?", "", " ", "??", "a ?? ?", "'?'", `"?"`, "`?`", "-- ?\n?", "/* ? */ ?", "/* /* ? */ ? */ ?", "$1 ?", "$$?$$ ?", "$tag$ ? $tag$ ?", "E'\\'?' ?", "'it''s ?' ?",
		"a::text = ?", "time = '12:30' AND b = ?", "@a := ?", "'", "/*", "--", "$a$", "# ?\n?", "'\\' ?' ?", "???", "????", "\x00?", "a$1$ ? $1$",
	} {
		for n := range 3 {
			f.Add(sql, n)
		}
	}
	f.Fuzz(func(t *testing.T, sql string, n int) {
		args := make([]any, max(0, min(n, 20)))
		for i := range args {
			args[i] = fmt.Sprint("v", i)
		}
		for _, d := range dialects {
			text, got, err := Text(&Expr{SQL: sql, Args: args}, env(d, nil))
			if err != nil {
				var fault *StatementError
				require.ErrorAs(t, err, &fault)
				require.Empty(t, text)
				continue
			}
			require.Equal(t, args, append([]any{}, got...))
			if d.Numbered {
				// Every argument's placeholder is there, in order, and nothing else changed.
				rest := text
				for i := range args {
					mark := "$" + strconv.Itoa(i+1)
					at := strings.Index(rest, mark)
					require.GreaterOrEqual(t, at, 0, "%q misses %s", text, mark)
					rest = rest[at+len(mark):]
				}
			} else {
				require.GreaterOrEqual(t, strings.Count(text, "?"), len(args))
				require.Equal(t, strings.ReplaceAll(sql, "?", ""), strings.ReplaceAll(text, "?", ""))
			}
			require.GreaterOrEqual(t, strings.Count(sql, "?"), len(args))
		}
	})
}

// script makes a query from the bytes of a fuzzer.
type script struct {
	data []byte
	n    int // numbers that were given out
}

func (c *script) pick(n int) int {
	if len(c.data) == 0 {
		return 0
	}
	b := c.data[0]
	c.data = c.data[1:]
	return int(b) % n
}

// next returns a number that no other part of the query has. All arguments are
// such numbers, and the SQL around a placeholder says which one belongs there.
func (c *script) next() int { c.n++; return c.n }

func (c *script) raw() *Expr {
	n := c.next()
	switch c.pick(4) {
	case 0:
		return raw(fmt.Sprintf("m%d = ? AND '?' <> \"?\" AND m%d < ?", n, n), n, n)
	case 1:
		return &Expr{Sqlizer: squirrel.Eq{fmt.Sprint("m", n): n}}
	case 2:
		m := c.next()
		inner := From("inner").WithColumns(Column{Name: "x"}).WithCond(Compare(fmt.Sprint("m", m), Gt, m))
		k := c.next()
		return raw(fmt.Sprintf("m%d = ? AND x IN ? AND m%d = ?", n, k), n, sub{inner, nil}, k)
	}
	return raw(fmt.Sprintf("m%d IN (?, ?, ?)", n), n, n, n)
}

func (c *script) cond(depth int) Cond {
	n := c.next()
	col := fmt.Sprint("m", n)
	if depth == 0 {
		return Compare(col, Eq, n)
	}
	var out Cond
	switch c.pick(10) {
	case 0:
		out = Compare(col, In, []int{n, n, n})
	case 1:
		out = Compare(col, Between, []int{n, n})
	case 2:
		out = Compare(col, NotIn, []any{n, nil})
	case 3:
		out = Raw(c.raw())
	case 4:
		out = Not(c.conds(depth - 1)...)
	case 5:
		out = Group(c.conds(depth - 1)...)
	case 6:
		out = Exists(sub{c.query(depth - 1), nil})
	case 7:
		out = Compare("x", In, sub{c.query(depth - 1).OnlyColumns(Column{Name: "y"}), nil})
	case 8:
		out = Compare(col, Gt, raw("? + ?", n, n))
	default:
		out = Compare(col, Is, n)
	}
	if c.pick(2) == 0 {
		out = out.Or()
	}
	return out
}

func (c *script) conds(depth int) []Cond {
	out := make([]Cond, 1+c.pick(3))
	for i := range out {
		out[i] = c.cond(depth)
	}
	return out
}

func (c *script) query(depth int) Query {
	q := From("table")
	if c.pick(3) == 0 {
		n := c.next()
		q = q.WithColumns(Column{Name: "x"}, Column{Expr: raw(fmt.Sprintf("m%d + ?", n), n), As: "y"})
	}
	if depth > 0 && c.pick(4) == 0 {
		q = q.WithColumns(Column{Sub: sub{c.query(depth - 1), nil}, As: "z"})
	}
	if c.pick(3) == 0 {
		n := c.next()
		q = q.WithRawJoin(raw(fmt.Sprintf("JOIN j ON m%d = ?", n), n))
	}
	for range c.pick(4) {
		q = q.WithCond(c.cond(depth))
	}
	if c.pick(3) == 0 {
		q = q.WithGroups("x").WithHaving(Raw(c.raw())).WithHaving(c.cond(0))
	}
	if depth > 0 && c.pick(3) == 0 {
		q = q.WithUnion(sub{c.query(depth - 1), nil}, c.pick(2) == 0)
	}
	if c.pick(3) == 0 {
		n := c.next()
		q = q.WithOrder(Order{Expr: raw(fmt.Sprintf("m%d = ?", n), n)})
	}
	if c.pick(3) == 0 {
		n := int64(c.next())
		q = q.WithLimit(limits + n)
		if c.pick(3) > 0 {
			q = q.WithOffset(offsets + n)
		}
	}
	return q
}

// The arguments of LIMIT and OFFSET are a query's number above these.
const (
	limits  = 1_000_000
	offsets = 2_000_000
)

var marker = regexp.MustCompile("'[^']*'|\"\\?\"|m([0-9]+)|(LIMIT|OFFSET) (\\?|\\$)|\\?|\\$([0-9]+)")

// FuzzConditions: in whatever nesting of conditions, raw SQL, subqueries,
// joins, HAVING and unions, each argument stands at the place that it was
// written for. hazard 227.
func FuzzConditions(f *testing.F) {
	for seed := range 64 {
		data := make([]byte, 40+seed)
		for i := range data {
			data[i] = byte((i*i*31 + i*seed*17 + seed*seed) >> 2)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 400 {
			return
		}
		c := &script{data: data}
		q := c.query(4)
		before := fmt.Sprintf("%+v", q.Conditions())
		for _, render := range []Query{q, q.Aggregated("COUNT", ""), q.ForExistence()} {
			for _, d := range dialects {
				text, args, err := Select(&render, env(d, nil))
				require.NoError(t, err)
				checkArguments(t, d, text, args)
				again, _, err := Select(&render, env(d, nil))
				require.NoError(t, err)
				require.Equal(t, text, again, "rendering changes nothing")
			}
		}
		if q.HasConditions() {
			w := From("table")
			for _, c := range q.Conditions() {
				w = w.WithCond(c)
			}
			n := c.next()
			for _, d := range dialects {
				text, args, err := Update(&w, []Set{{Column: fmt.Sprint("m", n), Value: n}, {Column: "x", Value: c.raw()}}, env(d, nil))
				require.NoError(t, err)
				checkArguments(t, d, text, args)
				text, args, err = Delete(&w, env(d, nil))
				require.NoError(t, err)
				checkArguments(t, d, text, args)
			}
		}
		require.Equal(t, before, fmt.Sprintf("%+v", q.Conditions()))
	})
}

func checkArguments(t *testing.T, d *dialect.Dialect, text string, args []any) {
	t.Helper()
	belongs, seen, limit := 0, 0, int64(0)
	for _, at := range marker.FindAllStringSubmatchIndex(text, -1) {
		word := text[at[0]:at[1]]
		switch {
		case word[0] == 'L':
			require.Less(t, seen, len(args), text)
			limit = args[seen].(int64) - limits
			require.True(t, 0 < limit && limit < limits, "%s\n%v", text, args)
			seen++
		case word[0] == 'O':
			require.Less(t, seen, len(args), text)
			require.Equal(t, limit, args[seen].(int64)-offsets, "%s\n%v", text, args)
			seen++
		case word[0] == 'm':
			belongs, _ = strconv.Atoi(word[1:])
		case word == "?" || word[0] == '$':
			if word[0] == '$' {
				require.Equal(t, strconv.Itoa(seen+1), word[1:], text)
			}
			require.Less(t, seen, len(args), text)
			want := strconv.Itoa(belongs) // a number may travel as text
			if list, ok := args[seen].([]any); ok {
				require.False(t, slices.ContainsFunc(list, func(v any) bool { return fmt.Sprint(v) != want }), "%s\n%v", text, args)
			} else {
				require.Equal(t, want, fmt.Sprint(args[seen]), "%s\n%v", text, args)
			}
			seen++
		}
	}
	require.Len(t, args, seen, text)
	require.Equal(t, strings.Count(text, "("), strings.Count(text, ")"), text)
	if !d.Numbered {
		require.NotContains(t, text, "$", text)
	}
}
