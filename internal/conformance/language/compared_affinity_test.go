package language

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 542
func TestCoalesce_OfDigitsIsANumberBesideAGeneratedColumn(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		decimal := map[string]string{"sqlite": "NUMERIC", "mysql": "DECIMAL(24,4)", "postgres": "NUMERIC(24,4)"}[fl.Database.Dialect]
		fl.Create(t, "CREATE TABLE sums (id {id}, price "+decimal+", total "+decimal+" GENERATED ALWAYS AS (price + 1) STORED)",
			"INSERT INTO sums (id, price) VALUES (1, 9), (2, 1), (3, NULL)")
		sums := fl.DB("main").Table("sums")
		total := dbfleet.Coalesce[string](dbfleet.Col[string]("total"), dbfleet.Value("3"))
		ids, err := dbfleet.Pluck[int64](t.Context(), sums.OrderWith(total.Asc()), "id")
		require.NoError(t, err)
		require.Equal(t, []int64{2, 3, 1}, ids)
	})
}

// truth 542
func TestUpdate_OfAColumnOfAnyTypeToATextOfDigitsKeepsTheText(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	fl.Create(t, "CREATE TABLE loose (id INTEGER PRIMARY KEY, v ANY) STRICT", "INSERT INTO loose (id, v) VALUES (1, NULL), (2, '5')")
	loose := fl.DB("main").Table("loose")
	_, err := loose.Where("id", "=", 1).Update(t.Context(), map[string]any{"v": dbfleet.Coalesce[string](dbfleet.Col[string]("v"), dbfleet.Value("5"))})
	require.NoError(t, err)
	ids, err := dbfleet.Pluck[int64](t.Context(), loose.Where("v", "=", "5").OrderBy("id", dbfleet.Asc), "id")
	require.NoError(t, err)
	require.Equal(t, []int64{1, 2}, ids)
}

func TestCase_OfManyTextsOfDigitsIsAskedForItsColumnOnce(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		const many = 200
		m := newAmounts(t, fl)
		require.NoError(t, m.CreateMany(t.Context(), []amount{{ID: 1, Word: at("a")}, {ID: many, Price: at("5")}, {ID: many + 1, Price: at("7.5")}}))
		id, price, word := dbfleet.Col[int64]("id"), dbfleet.Col[string]("price"), dbfleet.Col[string]("word")
		prices, words := dbfleet.Case[string](), dbfleet.Case[string]()
		for i := range many {
			prices = prices.When(id.Eq(int64(i+1)), fmt.Sprintf("%d.50", i))
			words = words.When(id.Eq(int64(i+1)), fmt.Sprintf("%03d", i))
		}
		sql, args, err := m.Query().SelectValue(prices.ElseOf(price), "e").SQL(t.Context())
		require.NoError(t, err)
		require.LessOrEqual(t, strings.Count(sql, "pragma_table_xinfo"), 1)
		require.LessOrEqual(t, len(args), 4*many+2)
		for claim, of := range map[string]struct {
			term dbfleet.Term
			want []string
		}{"prices": {prices.ElseOf(price), []string{"1/2", "399/2", "15/2"}}, "words": {words.ElseOf(word), []string{"000", "199", "NULL"}}} {
			t.Run(claim, func(t *testing.T) {
				got, err := dbfleet.Pluck[*string](t.Context(), m.Query().SelectValue(of.term, "e").OrderBy("id", dbfleet.Asc), "e")
				require.NoError(t, err)
				require.Equal(t, of.want, mapped(got, func(s *string) string {
					if s == nil {
						return "NULL"
					}
					if claim == "prices" {
						return decimalWords(*s)
					}
					return *s
				}))
			})
		}
	})
}
