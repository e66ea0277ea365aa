package language

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type coded struct {
	ID     int64
	Code   *string
	Number *int64
}

// truth 429
func TestValue_InAConditionIsComparedAsThePlainValueIs(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, "CREATE TABLE coded (id {id}, code {text}, number {bigint})", "INSERT INTO coded (code, number) VALUES ('7', 0), ('07', 7), ('7x', NULL), (NULL, 1)")
		m := conformance.Model[coded](t, fl.Registry, dbfleet.ModelConfig{Table: "coded"})
		found := func(q interface {
			Count(ctx context.Context) (int64, error)
		},
		) (n int64, refused bool) {
			n, err := q.Count(t.Context())
			return n, err != nil
		}
		table := fl.DB("main").Table("coded")
		for _, c := range []struct {
			column, op string
			v          any
			value      dbfleet.Term
		}{
			{"code", "=", 7, dbfleet.Value(7)},
			{"code", "<>", 7, dbfleet.Value(7)},
			{"code", "=", "7", dbfleet.Value("7")},
			{"code", "=", 0, dbfleet.Value(0)},
			{"code", "=", 7.0, dbfleet.Value(7.0)},
			{"code", ">", 7, dbfleet.Value(7)},
			{"code", "IN", []any{7, "7x"}, dbfleet.Value([]any{7, "7x"})},
			{"code", "NOT IN", []int{7, 8}, dbfleet.Value([]int{7, 8})},
			{"number", "=", "abc", dbfleet.Value("abc")},
			{"number", "<>", "abc", dbfleet.Value("abc")},
			{"number", "=", "", dbfleet.Value("")},
			{"number", "=", "7", dbfleet.Value("7")},
			{"number", "=", "7x", dbfleet.Value("7x")},
			{"number", "=", nil, dbfleet.Value[*int64](nil)},
			{"number", "<>", nil, dbfleet.Value[*int64](nil)},
		} {
			n, refused := found(table.Where(c.column, c.op, c.v))
			got, also := found(table.Where(c.column, c.op, c.value))
			require.Equal(t, refused, also, "%s %s %v without a model", c.column, c.op, c.v)
			require.Equal(t, n, got, "%s %s %v without a model", c.column, c.op, c.v)
			n, refused = found(m.Where(c.column, c.op, c.v))
			got, also = found(m.Where(c.column, c.op, c.value))
			require.Equal(t, refused, also, "%s %s %v", c.column, c.op, c.v)
			require.Equal(t, n, got, "%s %s %v", c.column, c.op, c.v)
		}
		code, number := dbfleet.Col[int64]("code"), dbfleet.Col[string]("number")
		pairs := map[string][2]dbfleet.Cond{
			"a value on the left": {code.Eq(7), dbfleet.Compare[int64](dbfleet.Value(int64(7)), "=", code)},
			"Coalesce of numbers": {number.Eq("abc"), dbfleet.Coalesce[string](number, number).Eq("abc")},
		}
		if fl.Database.Dialect == "mysql" { // which compares texts with numbers
			pairs["Coalesce of texts"] = [2]dbfleet.Cond{code.Eq(7), dbfleet.Coalesce[int64](code, dbfleet.Value(int64(-1))).Eq(7)}
			pairs["Coalesce in a list"] = [2]dbfleet.Cond{code.In(7, 8), dbfleet.Coalesce[int64](code, dbfleet.Value(int64(-1))).In(7, 8)}
		}
		for claim, pair := range pairs {
			n, refused := found(table.Filter(pair[0]))
			got, also := found(table.Filter(pair[1]))
			require.Equal(t, refused, also, claim)
			require.Equal(t, n, got, claim)
		}
	})
}
