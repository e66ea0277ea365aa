package language

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type share struct {
	ID     int64
	Pieces *int64
	People int64
	Sum    string
}

type shares struct {
	*dbfleet.Model[share]
	pieces, people dbfleet.Col[int64]
	sum            dbfleet.Col[string]
}

func newShares(t *testing.T, fl conformance.Fleet) shares {
	t.Helper()
	fl.Create(t, `CREATE TABLE shares (id {id}, pieces {bigint}, people {bigint} NOT NULL, sum {decimal} NOT NULL)`)
	m := conformance.Model[share](t, fl.Registry, dbfleet.ModelConfig{Table: "shares"})
	s := shares{
		Model: m, pieces: dbfleet.FieldPointer(m, func(s *share) **int64 { return &s.Pieces }),
		people: dbfleet.Field(m, func(s *share) *int64 { return &s.People }), sum: dbfleet.Field(m, func(s *share) *string { return &s.Sum }),
	}
	n := func(n int64) *int64 { return &n }
	require.NoError(t, m.CreateMany(t.Context(), []share{
		{1, n(7), 2, "10"}, {2, n(-7), 2, "0"}, {3, n(7), -2, "0"}, {4, nil, 2, "0"}, {5, n(1), 8, "0"}, {6, n(-1), 8, "0"}, {7, n(2), 3, "0"}, {8, n(9223372036854775807), 1, "0"},
	}))
	return s
}

func TestDivInt_LeavesTheFractionOut(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		s, ctx := newShares(t, fl), t.Context()
		type row struct{ Each, Tens *int64 }
		n := func(n int64) *int64 { return &n }
		rows, err := dbfleet.Into[row](s.Query().SelectValue(dbfleet.DivInt(s.pieces, s.people), "each").
			SelectValue(dbfleet.DivInt(dbfleet.Value[int64](100), s.people), "tens").OrderBy("id", dbfleet.Asc)).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []row{{n(3), n(50)}, {n(-3), n(50)}, {n(-3), n(-50)}, {nil, n(50)}, {n(0), n(12)}, {n(0), n(12)}, {n(0), n(33)}, {n(9223372036854775807), n(100)}}, rows)

		type mean struct{ Mean int64 }
		means, err := dbfleet.Into[mean](s.Where("id", "<", 6).SelectValue(dbfleet.DivInt(dbfleet.SumOf(s.people), dbfleet.CountRows()), "mean")).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []mean{{2}}, means, "12 over 5, also where a sum is a NUMERIC")

		ids, err := dbfleet.Pluck[int64](ctx, s.Query().Filter(dbfleet.DivInt(s.pieces, dbfleet.Value[int64](2)).Eq(3)).OrderBy("id", dbfleet.Asc), "id")
		require.NoError(t, err)
		require.Equal(t, []int64{1, 3}, ids)
		_, err = s.Where("id", "=", 1).Update(ctx, dbfleet.Row{"pieces": dbfleet.DivInt(s.pieces, s.people)})
		require.NoError(t, err)
		r, err := s.Find(ctx, 1)
		require.NoError(t, err)
		require.EqualValues(t, 3, *r.Pieces)
	})
}

func TestDiv_RoundsHalfAwayFromZero(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		s, ctx := newShares(t, fl), t.Context()
		type row struct{ Each *string }
		for digits, want := range map[int][]string{
			0: {"4", "-4", "-4", "", "0", "0", "1"},
			2: {"3.5", "-3.5", "-3.5", "", "0.13", "-0.13", "0.67"},
			9: {"3.5", "-3.5", "-3.5", "", "0.125", "-0.125", "0.666666667"},
		} {
			rows, err := dbfleet.Into[row](s.Where("id", "<", 8).SelectValue(dbfleet.Div(s.pieces, s.people, digits), "each").OrderBy("id", dbfleet.Asc)).Get(ctx)
			require.NoError(t, err)
			for i, w := range want {
				if w == "" {
					require.Nil(t, rows[i].Each)
					continue
				}
				require.NotNil(t, rows[i].Each)
				got, err := strconv.ParseFloat(*rows[i].Each, 64)
				require.NoError(t, err)
				wanted, err := strconv.ParseFloat(w, 64)
				require.NoError(t, err)
				require.Equal(t, wanted, got, "%d digits of row %d: %s", digits, i, *rows[i].Each) //nolint:testifylint // both are the nearest float
				if fl.Database.Dialect != "sqlite" && digits == 2 {
					require.Regexp(t, `^-?[0-9]+\.[0-9]{2}$`, *rows[i].Each)
				}
			}
		}
		each := dbfleet.Div(s.pieces.Times(20), s.people, 2)
		ids, err := dbfleet.Pluck[int64](ctx, s.Where("id", "<", 8).Filter(each.Gt("9")).OrderWith(each.Asc()), "id")
		require.NoError(t, err)
		require.Equal(t, []int64{7, 1}, ids, "compared and ordered as numbers: 13.33, 70.00")
		ids, err = dbfleet.Pluck[int64](ctx, s.Where("id", "<", 8).Filter(each.Eq("13.33")), "id")
		if fl.Database.Dialect == "sqlite" {
			require.ErrorContains(t, err, "SQLite compares numbers as floats")
			return
		}
		require.NoError(t, err)
		require.Equal(t, []int64{7}, ids)
	})
}

// What cannot be exact fails, and so does a divisor of zero.
func TestDivision_IsExactOrFails(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		s, ctx := newShares(t, fl), t.Context()
		zero := s.people.Minus(2)
		for name, value := range map[string]dbfleet.Term{
			"DivInt by zero": dbfleet.DivInt(s.pieces, zero), "Div by zero": dbfleet.Div(s.pieces, zero, 2),
			"DivInt beyond int64": dbfleet.DivInt(dbfleet.RawValue[int64]("-9223372036854775807 - 1"), s.people.Minus(3)),
		} {
			_, err := s.Where("id", "=", 1).SelectValue(value, "v").Get(ctx)
			require.Error(t, err, name)
			_, err = dbfleet.Into[struct{ V *string }](s.Where("id", "=", 1).SelectValue(value, "v")).Get(ctx)
			require.Error(t, err, name)
			if fl.Database.Dialect != "sqlite" || name != "DivInt beyond int64" {
				continue
			}
			require.ErrorIs(t, err, dbfleet.ErrInvalidValue, name)
		}
		for want, value := range map[string]dbfleet.Term{
			"DivInt: the divisor is zero":     dbfleet.DivInt(s.pieces, dbfleet.Value[int64](0)),
			"Div: the divisor is zero":        dbfleet.Div(s.pieces, dbfleet.Value("0.00"), 2),
			"DivInt: the numbers are no":      dbfleet.DivInt(s.sum, s.sum),
			"Div: a float is no exact number": dbfleet.Div(dbfleet.Value(1.5), s.pieces, 2),
			"Div: 16 digits":                  dbfleet.Div(s.pieces, s.people, 16),
			"Div: -1 digits":                  dbfleet.Div(s.pieces, s.people, -1),
			"Div: an operand is nil":          dbfleet.Div[int64, int64](nil, s.people, 2),
		} {
			_, err := s.Query().SelectValue(value, "v").Get(ctx)
			require.ErrorContains(t, err, want)
		}
		big := dbfleet.Into[struct{ V string }](s.Where("id", "=", 8).SelectValue(dbfleet.Div(s.pieces, s.people, 2), "v"))
		got, err := big.Get(ctx)
		if fl.Database.Dialect == "postgres" {
			require.NoError(t, err)
			require.Equal(t, "9223372036854775807.00", got[0].V)
		} else {
			require.Error(t, err)
		}
		decimal := dbfleet.Into[struct{ V string }](s.Where("id", "=", 1).SelectValue(dbfleet.Div(s.sum, dbfleet.Value("0.7"), 3), "v"))
		got, err = decimal.Get(ctx)
		if fl.Database.Dialect == "sqlite" {
			require.ErrorIs(t, err, dbfleet.ErrRange, "it has no decimals")
		} else {
			require.NoError(t, err)
			require.Equal(t, "14.286", got[0].V)
		}
	})
}
