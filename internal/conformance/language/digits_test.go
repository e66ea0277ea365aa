package language

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type long struct {
	ID                            int64
	Mean, Coin, Whole, Cent, Part string
}

var longTypes = []struct {
	column       string
	whole, scale int
}{{"mean", 35, 30}, {"coin", 20, 18}, {"whole", 65, 0}, {"cent", 8, 2}, {"part", 0, 30}}

// randomDecimal is a number of at most so many digits, often few and often all.
func randomDecimal(rnd *rand.Rand, whole, scale int) string {
	digits := func(most int) string {
		n := most
		if rnd.IntN(3) > 0 {
			n = rnd.IntN(most + 1)
		}
		var b strings.Builder
		for range n {
			b.WriteByte([]byte("0123456789999")[rnd.IntN(13)])
		}
		return b.String()
	}
	s := "0" + digits(whole)
	if fraction := digits(scale); fraction != "" {
		s += "." + fraction
	}
	if rnd.IntN(3) == 0 {
		s = "-" + s
	}
	return s
}

func decimalOf(t *testing.T, s string) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(s)
	require.True(t, ok, "%q is no number", s)
	return r
}

// truth 545: what MySQL would cut, or keep as 65 nines, fails; what comes is exact, in each
// place of a query.
func TestArithmetic_OfLongDecimalsIsExactOrFails(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect == "sqlite" {
			return // which has no such decimals
		}
		var types []string
		for _, c := range longTypes {
			types = append(types, fmt.Sprintf("%s DECIMAL(%d, %d) NOT NULL", c.column, c.whole+c.scale, c.scale))
		}
		fl.Create(t, "CREATE TABLE longs (id BIGINT PRIMARY KEY, "+strings.Join(types, ", ")+")")
		m, ctx := conformance.Model[long](t, fl.Registry, dbfleet.ModelConfig{Table: "longs"}), t.Context()
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rnd := rand.New(rand.NewPCG(seed, 1))
		columns := []dbfleet.Col[string]{
			dbfleet.Field(m, func(r *long) *string { return &r.Mean }), dbfleet.Field(m, func(r *long) *string { return &r.Coin }),
			dbfleet.Field(m, func(r *long) *string { return &r.Whole }), dbfleet.Field(m, func(r *long) *string { return &r.Cent }), dbfleet.Field(m, func(r *long) *string { return &r.Part }),
		}
		exact, refused := 0, 0
		for id := int64(1); id <= 40; id++ {
			values := make([]string, len(longTypes))
			for i, c := range longTypes {
				values[i] = randomDecimal(rnd, c.whole, c.scale)
			}
			r := long{id, values[0], values[1], values[2], values[3], values[4]}
			require.NoError(t, m.Create(ctx, &r))
			for range 4 {
				a, b, places := rnd.IntN(len(columns)), rnd.IntN(len(columns)), rnd.IntN(16)
				divisor := decimalOf(t, values[b])
				if divisor.Sign() == 0 {
					continue
				}
				got, err := dbfleet.Pluck[string](ctx, m.Where("id", "=", id).SelectValue(dbfleet.Div(columns[a], columns[b], places), "v"), "v")
				if err != nil {
					require.ErrorIs(t, err, dbfleet.ErrInvalidValue)
					require.Equal(t, "mysql", fl.Database.Dialect, err)
					refused++
					continue
				}
				exact++
				want := decimalOf(t, new(big.Rat).Quo(decimalOf(t, values[a]), divisor).FloatString(places)) // which rounds half away from zero
				require.Zero(t, decimalOf(t, got[0]).Cmp(want), "%s / %s with %d digits is %s, not %s", values[a], values[b], places, got[0], want.FloatString(20))
			}
			for range 12 {
				e, want, text, short := randomArithmetic(t, rnd, columns, values, 1+rnd.IntN(2))
				row := m.Where("id", "=", id).SelectValue(e, "v")
				for how, q := range map[string]*dbfleet.Query[long]{
					"plain": row, "distinct": row.Distinct(), "grouped": row.GroupBy("v"), "sorted": row.OrderBy("v", dbfleet.Asc), "sum": m.Where("id", "=", id).SelectValue(dbfleet.SumOf(e), "v"), "group's sum": m.Where("id", "=", id).Select("id").SelectValue(dbfleet.SumOf(e), "v").GroupBy("id").OrderBy("v", dbfleet.Asc),
				} {
					got, err := dbfleet.Pluck[string](ctx, q, "v")
					if err != nil {
						require.ErrorIs(t, err, dbfleet.ErrInvalidValue, "%s: %s", how, text)
						require.Equal(t, "mysql", fl.Database.Dialect, "%s: %s", how, text)
						require.False(t, short, "%s: %s fits", how, text)
						refused++
						continue
					}
					exact++
					require.Len(t, got, 1)
					require.Zero(t, decimalOf(t, got[0]).Cmp(want), "%s: %s is %s, not %s", how, text, got[0], want.FloatString(80))
				}
			}
		}
		t.Logf("%d exact, %d refused", exact, refused)
		require.Greater(t, exact, refused)
	})
}

// isShort says whether the numbers of a text have few digits: 13 and 9.
func isShort(text string) bool {
	for _, word := range strings.Fields(strings.Trim(text, "()")) {
		whole, fraction, _ := strings.Cut(strings.TrimLeft(word, "-0"), ".")
		if len(whole) > 13 || len(strings.TrimRight(fraction, "0")) > 9 {
			return false
		}
	}
	return true
}

// computed is a column or an expression.
type computed interface {
	dbfleet.Operand[string]
	Add(dbfleet.Operand[string]) dbfleet.Expression[string]
	Sub(dbfleet.Operand[string]) dbfleet.Expression[string]
	Mul(dbfleet.Operand[string]) dbfleet.Expression[string]
}

// randomArithmetic is an expression with so many operations, its value and its text. short
// says that it is one of numbers whose digits MySQL has in any case.
func randomArithmetic(t *testing.T, rnd *rand.Rand, columns []dbfleet.Col[string], values []string, operations int) (e computed, want *big.Rat, text string, short bool) {
	t.Helper()
	i := rnd.IntN(len(columns))
	e, want, text = columns[i], decimalOf(t, values[i]), values[i]
	for range operations {
		i = rnd.IntN(len(columns))
		var right dbfleet.Operand[string] = columns[i]
		number := values[i]
		if rnd.IntN(3) == 0 {
			number = randomDecimal(rnd, rnd.IntN(20), rnd.IntN(12))
			right = dbfleet.Value(number)
		}
		r := decimalOf(t, number)
		switch op := rnd.IntN(3); op {
		case 0:
			e, want, text = e.Add(right), new(big.Rat).Add(want, r), "("+text+" + "+number+")"
		case 1:
			e, want, text = e.Sub(right), new(big.Rat).Sub(want, r), "("+text+" - "+number+")"
		default:
			e, want, text = e.Mul(right), new(big.Rat).Mul(want, r), "("+text+" * "+number+")"
		}
	}
	return e, want, text, operations == 1 && isShort(text)
}

type texted struct {
	ID    int64
	Exact string
	Count int64
	Share float64
}

// truth 546: a text is no number: SQLite and MySQL would compute with what it begins with,
// as a float.
func TestArithmetic_OfTextsFails(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE texts (id {id}, exact VARCHAR(50) NOT NULL, count VARCHAR(50) NOT NULL, share VARCHAR(50) NOT NULL)`,
			`INSERT INTO texts (id, exact, count, share) VALUES (1, '12 pieces', '9007199254740993', '1.5')`)
		m, ctx := conformance.Model[texted](t, fl.Registry, dbfleet.ModelConfig{Table: "texts"}), t.Context()
		exact, count := dbfleet.Field(m, func(r *texted) *string { return &r.Exact }), dbfleet.Field(m, func(r *texted) *int64 { return &r.Count })
		share := dbfleet.Field(m, func(r *texted) *float64 { return &r.Share })
		type term struct {
			column string
			value  dbfleet.Term
		}
		terms := map[string]term{
			"a decimal": {"exact", exact.Plus("1")}, "decimals": {"exact", exact.Mul(exact)}, "a product": {"exact", exact.Times("1000")},
			"an integer": {"count", count.Plus(1)}, "integers": {"count", count.Mul(count)}, "a difference of products": {"count", count.Times(2).Sub(count)},
			"a float": {"share", share.Times(2)}, "a value of two": {"count", dbfleet.Coalesce(count, dbfleet.Value[int64](1)).Plus(1)},
		}
		if fl.Database.Dialect != "postgres" { // which reads the number
			terms["a quotient"] = term{"count", dbfleet.DivInt(count, dbfleet.Value[int64](2))}
			terms["a quotient's divisor"] = term{"count", dbfleet.DivInt(dbfleet.Value[int64](2), count)}
			terms["a decimal quotient"] = term{"exact", dbfleet.Div(exact, count, 2)}
		}
		refusal := dbfleet.ErrInvalidValue
		if fl.Database.Dialect == "postgres" {
			refusal = dbfleet.ErrUndefined // there is no such operator
		}
		for name, e := range terms {
			if name == "a value of two" && fl.Database.Dialect == "postgres" {
				continue // a type error before it is one of arithmetic
			}
			rows, err := dbfleet.Into[dbfleet.Row](m.Query().SelectValue(e.value, "v")).Get(ctx)
			require.ErrorIs(t, err, refusal, "%s: %v", name, rows)
			n, err := m.Where("id", "=", 1).Update(ctx, dbfleet.Row{e.column: e.value})
			require.ErrorIs(t, err, refusal, name)
			require.Zero(t, n)
		}
		left, err := dbfleet.Pluck[string](ctx, m.Query(), "count")
		require.NoError(t, err)
		require.Equal(t, []string{"9007199254740993"}, left)
	})
}

// truth 545: a product that is stored and would be cut changes no row, and a quotient is
// rounded from all digits.
func TestArithmetic_OfLongDecimalsThatIsStoredIsExactOrChangesNothing(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect == "sqlite" {
			return // which has no such decimals
		}
		fl.Create(t, `CREATE TABLE coins (id {id}, amount DECIMAL(65,30) NOT NULL, rate DECIMAL(65,30) NOT NULL)`)
		type coin struct {
			ID           int64
			Amount, Rate string
		}
		m, ctx := conformance.Model[coin](t, fl.Registry, dbfleet.ModelConfig{Table: "coins"}), t.Context()
		amount, rate := dbfleet.Field(m, func(r *coin) *string { return &r.Amount }), dbfleet.Field(m, func(r *coin) *string { return &r.Rate })
		require.NoError(t, m.CreateMany(ctx, []coin{{1, "2.5", "1.1"}, {2, "0.000000000000000000000000000003", "0.000000000000000000000000000007"}, {3, "10000000000000000000000000000000000", "0.3"}}))
		_, err := m.Where("id", "=", 1).Update(ctx, dbfleet.Row{"amount": amount.Mul(rate)})
		require.NoError(t, err)
		if fl.Database.Dialect == "mysql" { // PostgreSQL rounds to the column's digits
			n, err := m.Query().AllRows().Update(ctx, dbfleet.Row{"amount": amount.Mul(rate)})
			require.ErrorIs(t, err, dbfleet.ErrInvalidValue)
			require.Zero(t, n)
			kept, err := dbfleet.Pluck[string](ctx, m.Query().OrderBy("id", dbfleet.Asc), "amount")
			require.NoError(t, err)
			require.Equal(t, []string{"2.750000000000000000000000000000", "0.000000000000000000000000000003", "10000000000000000000000000000000000.000000000000000000000000000000"}, kept)
		}
		for digits, want := range map[int]string{0: "0", 15: "0.428571428571429"} {
			got, err := dbfleet.Pluck[string](ctx, m.Where("id", "=", 2).SelectValue(dbfleet.Div(amount, rate, digits), "v"), "v")
			require.NoError(t, err)
			require.Len(t, got, 1)
			require.Zero(t, decimalOf(t, got[0]).Cmp(decimalOf(t, want)), got[0])
		}
	})
}

// Arithmetic with windows has its conditions too, and MariaDB makes NULL of nested ones.
func TestArithmetic_OfWindowsOfDecimalsIsExact(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		s, ctx := newShares(t, fl), t.Context()
		sums := []string{"12", "9", "20", "7", "1", "2", "30", "15"}
		for i, sum := range sums {
			_, err := s.Where("id", "=", i+1).Update(ctx, dbfleet.Row{"sum": sum})
			require.NoError(t, err)
		}
		inOrder := dbfleet.Window{OrderBy: []dbfleet.Order{dbfleet.Field(s.Model, func(s *share) *int64 { return &s.ID }).Asc()}}
		before, total := dbfleet.Lag(s.sum, 1).Over(inOrder), dbfleet.SumOf(s.sum).Over(inOrder)
		type row struct {
			Change, Product, Twice, Rest, Share *string
		}
		shares := dbfleet.Div(total, s.sum, 0)
		if fl.Database.Dialect == "sqlite" { // which divides no texts
			shares = dbfleet.Div(total, s.sum.Plus("0"), 0)
		}
		rows, err := dbfleet.Into[row](s.Query().SelectValue(s.sum.Sub(before), "change").SelectValue(before.Mul(s.sum), "product").
			SelectValue(before.Times("2"), "twice").SelectValue(total.Sub(s.sum).Minus("1"), "rest").SelectValue(shares, "share").OrderBy("id", dbfleet.Asc)).Get(ctx)
		require.NoError(t, err)
		require.Len(t, rows, len(sums))
		sum := new(big.Rat)
		for i := range sums {
			value := decimalOf(t, sums[i])
			sum.Add(sum, value)
			require.Zero(t, decimalOf(t, *rows[i].Rest).Cmp(new(big.Rat).Sub(new(big.Rat).Sub(sum, value), big.NewRat(1, 1))), "row %d: %s", i, *rows[i].Rest)
			require.Zero(t, decimalOf(t, *rows[i].Share).Cmp(decimalOf(t, new(big.Rat).Quo(sum, value).FloatString(0))), "row %d: %s", i, *rows[i].Share)
			if i == 0 {
				require.Nil(t, rows[i].Change)
				require.Nil(t, rows[i].Product)
				require.Nil(t, rows[i].Twice)
				continue
			}
			last := decimalOf(t, sums[i-1])
			require.Zero(t, decimalOf(t, *rows[i].Change).Cmp(new(big.Rat).Sub(value, last)), "row %d: %s", i, *rows[i].Change)
			require.Zero(t, decimalOf(t, *rows[i].Product).Cmp(new(big.Rat).Mul(value, last)), "row %d: %s", i, *rows[i].Product)
			require.Zero(t, decimalOf(t, *rows[i].Twice).Cmp(new(big.Rat).Add(last, last)), "row %d: %s", i, *rows[i].Twice)
		}
	})
}

// What docs/language.md says of sums: Sum has all digits, of more than MySQL's 65 too, and
// SumOf over a window has nines there.
func TestSums_OfMoreDigitsThanMySQLKeeps(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect == "sqlite" {
			return // which has no such decimals
		}
		fl.Create(t, "CREATE TABLE wholes (id {bigint} PRIMARY KEY, whole DECIMAL(65, 30) NOT NULL)")
		type whole struct {
			ID    int64
			Whole string
		}
		m, ctx := conformance.Model[whole](t, fl.Registry, dbfleet.ModelConfig{Table: "wholes"}), t.Context()
		nines := strings.Repeat("9", 35)
		require.NoError(t, m.CreateMany(ctx, []whole{{1, nines}, {2, nines}}))
		want := new(big.Rat).Mul(decimalOf(t, nines), big.NewRat(2, 1))
		sum, err := dbfleet.Sum[string](ctx, m, "whole")
		require.NoError(t, err)
		require.Zero(t, decimalOf(t, sum).Cmp(want), sum)
		over := dbfleet.SumOf(dbfleet.Field(m, func(w *whole) *string { return &w.Whole })).Over(dbfleet.Window{})
		of, err := dbfleet.Pluck[string](ctx, m.Query().SelectValue(over, "v"), "v")
		require.NoError(t, err)
		if fl.Database.Dialect == "mysql" {
			want = decimalOf(t, nines+"."+strings.Repeat("9", 30))
		}
		require.Zero(t, decimalOf(t, of[0]).Cmp(want), of[0])
	})
}
