package rowmap

import (
	"database/sql"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

func TestArrays_ReadPostgresText(t *testing.T) { // hazard 56
	t.Parallel()
	case1[[]string](t, `{}`, []string{})
	case1[[]string](t, nil, []string(nil))
	case1[[]string](t, `{a,"b,c","d\"e","f\\g"," h ","","NULL","{x}"}`, []string{"a", "b,c", `d"e`, `f\g`, " h ", "", "NULL", "{x}"})
	case1[[]string](t, []byte(`{ä, b c ,d}`), []string{"ä", "b c", "d"})
	case1[[]string](t, `[0:1]={a,b}`, []string{"a", "b"})
	case1[[]string](t, `{a,NULL}`, ErrNull)
	case1[[]*string](t, `{a,NULL,null,"NULL"}`, []*string{new("a"), nil, nil, new("NULL")})
	case1[[]sql.NullInt64](t, `{1,NULL}`, []sql.NullInt64{{Int64: 1, Valid: true}, {}})
	case1[[]int64](t, `{1,-2,9223372036854775807}`, []int64{1, -2, math.MaxInt64})
	case1[[]int8](t, `{1,300}`, ErrRange)
	case1[[]int](t, `{1,x}`, ErrType)
	case1[[]float64](t, `{1.5,NaN2}`, ErrType)
	case1[[]float64](t, `{1.5,Infinity,-Infinity}`, []float64{1.5, math.Inf(1), math.Inf(-1)})
	case1[[]bool](t, `{t,f}`, []bool{true, false})
	case1[[]myString](t, `{a}`, []myString{"a"})
	case1[[][16]byte](t, `{00000000-0000-0000-0000-000000000001}`, [][16]byte{{15: 1}})
	case1[[]time.Time](t, `{"2024-01-02 03:04:05+00"}`, []time.Time{time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)})
	for _, bad := range []string{
		"", "a", "{", "}", "{a", "a}", "{{a},{b}}", "{a,{b}}", `{"a}`, `{"a"b}`, "{,}", "{a,}", "{,a}", `{a"b"}`, `{"a`, `{a\}`, "[0:1]{a,b}",
		"[0:1][0:1]={{a,b}}", "[x:y]={a}", `{"a\}`, "{a}{b}", `{"a",}`, `{a\,b}`,
	} {
		case1[[]string](t, bad, ErrType)
	}
	case1[[]string](t, int64(1), ErrType)

	var list []string
	for _, d := range []*dialect.Dialect{dialect.MySQL, dialect.SQLite} {
		_, err := ReadValue(typedOne("TEXT", d, "{a}"), &list)
		require.ErrorIs(t, err, ErrType)
	}
}

func TestArrays_WritePostgresText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   any
		want any
	}{
		{[]string{"a", `q"`, `b\`, "", "x,y"}, `{"a","q\"","b\\","","x,y"}`},
		{[]string{}, "{}"}, {[]string(nil), nil}, {[]*string{nil, new("NULL")}, `{NULL,"NULL"}`},
		{[]int64{1, -2}, "{1,-2}"}, {[]uint64{math.MaxUint64}, "{18446744073709551615}"}, {[]bool{true, false}, "{true,false}"},
		{[]float64{1.5, math.Inf(1), math.Inf(-1)}, "{1.5,Infinity,-Infinity}"}, {[]float64{math.NaN()}, "{NaN}"},
		{[][16]byte{{15: 1}}, `{"00000000-0000-0000-0000-000000000001"}`},
		{[]time.Time{time.Date(2024, 1, 2, 3, 4, 5, 6000, time.UTC)}, `{"2024-01-02T03:04:05.000006Z"}`},
		{[]money{{5}}, "{5}"},
	} {
		got, err := Arg(c.in, dialect.Postgres)
		require.NoError(t, err, "%T", c.in)
		require.Equal(t, c.want, got, "%T", c.in)
	}
	_, err := Arg([]failing{{errScan}}, dialect.Postgres)
	require.ErrorIs(t, err, errScan)
}

// FuzzArray holds that a list of texts survives being an array.
func FuzzArray(f *testing.F) {
	f.Add("a", `b"c`, "NULL", `\`)
	f.Add("", " ", "{}", ",")
	f.Add("\x00", "\xff", "\n\t", `\\"`)
	f.Fuzz(func(t *testing.T, a, b, c, text string) {
		list := []*string{&a, nil, &b, &c, &text}
		arg, err := Arg(list, dialect.Postgres)
		require.NoError(t, err)
		back, err := read[[]*string](arg)
		require.NoError(t, err)
		require.Equal(t, list, back)

		// Anything else is a list or an error, and what is a list survives.
		got, err := read[[]*string](text)
		if err == nil {
			arg, err := Arg(got, dialect.Postgres)
			require.NoError(t, err)
			again, err := read[[]*string](arg)
			require.NoError(t, err)
			require.Equal(t, got, again)
			require.True(t, strings.HasSuffix(text, "}"))
		}
	})
}
