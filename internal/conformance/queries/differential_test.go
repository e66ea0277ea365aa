package queries

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type (
	ra struct {
		ID          int64
		N, K, Total *int64
	}
	rb struct {
		ID                    int64
		RaID, N, Total, Extra *int64
	}
	rc struct {
		ID                   int64
		RbID, K, Total, Kind *int64
	}
)

// models are the tables of the random queries.
type models struct {
	conformance.Fleet
	a *dbfleet.Model[ra]
	b *dbfleet.Model[rb]
	c *dbfleet.Model[rc]
}

func (m *models) rows(table string) *dbfleet.Query[dbfleet.Row] {
	return m.DB("main").Table(table)
}

// exists is the query for the rows of a table that have in a column what a query
// around it has.
func (m *models) exists(modelled bool, table, column, outer string) dbfleet.Queryable {
	switch {
	case !modelled:
		return m.rows(table).As("e").WhereColumn(column, "=", outer)
	case table == "ra":
		return m.a.Query().As("e").WhereColumn(column, "=", outer)
	case table == "rb":
		return m.b.Query().As("e").WhereColumn(column, "=", outer)
	}
	return m.c.Query().As("e").WhereColumn(column, "=", outer)
}

// told is the query as a subquery.
func (w *wanted) told(m *models) dbfleet.Queryable {
	switch {
	case !w.modelled:
		return tellAll(m, m.rows(w.base.table), w)
	case w.base.table == "ra":
		return tellAll(m, m.a.Query(), w)
	case w.base.table == "rb":
		return tellAll(m, m.b.Query(), w)
	}
	return tellAll(m, m.c.Query(), w)
}

// table of results, as text.
func readAll(ctx context.Context, db interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, text string, args ...any) ([][]string, error) {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	out := [][]string{}
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]string, len(columns))
		for i, v := range values {
			row[i] = "NULL"
			if v.Valid {
				row[i] = v.String
			}
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// fromEnv is an environment variable, or else what it is without.
func fromEnv(t *testing.T, variable string, without int64) int64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return without
	}
	n, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err, variable)
	return n
}

// truth 113, 119, 127
// Random queries over joined, aliased, grouped, limited and united tables whose
// columns have the same names on purpose give the rows of SQL that was written
// without the library. DBFLEET_TEST_QUERIES is how many are asked of each database,
// DBFLEET_TEST_SEED makes them the same again.
func TestNames_RandomQueriesMeanWhatTheirSQLMeans(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m := newModels(t, fl)
		queries := fromEnv(t, "DBFLEET_TEST_QUERIES", 300)
		seed := fromEnv(t, "DBFLEET_TEST_SEED", time.Now().UnixNano())
		stranger := fl.Database.SQL(t)
		until := time.Now().Add(8 * time.Second)
		for i := range queries {
			if os.Getenv("DBFLEET_TEST_QUERIES") == "" && i >= 100 && time.Now().After(until) {
				break // a slow machine
			}
			r := wishes{rand.New(rand.NewPCG(uint64(seed), uint64(i)))}
			w := r.query(r.IntN(3) > 0)
			if r.IntN(6) == 0 {
				r.united(w)
			}
			q := w.told(m)
			told := fmt.Sprintf("DBFLEET_TEST_SEED=%d, query %d of %s\n%s", seed, i, fl.Database.Dialect, w.sql())
			want, err := readAll(ctx, stranger, w.sql())
			if err != nil && fl.Database.Dialect == "mysql" && strings.Contains(err.Error(), "in 'HAVING'") {
				// HAVING finds the first of two grouped columns with one name only.
				_, err = q.(inner).Count(ctx)
				require.ErrorIs(t, err, dbfleet.ErrUndefined, told)
				continue
			}
			require.NoError(t, err, told)
			m.check(t, q, w, want, told)
		}
	})
}

func newModels(t *testing.T, fl conformance.Fleet) *models {
	t.Helper()
	fl.Create(t, `CREATE TABLE ra (id {bigint} PRIMARY KEY, n {bigint}, k {bigint}, total {bigint})`,
		`CREATE TABLE rb (id {bigint} PRIMARY KEY, ra_id {bigint}, n {bigint}, total {bigint}, extra {bigint})`,
		`CREATE TABLE rc (id {bigint} PRIMARY KEY, rb_id {bigint}, k {bigint}, total {bigint}, kind {bigint})`)
	m := &models{
		Fleet: fl, a: conformance.Model[ra](t, fl.Registry, dbfleet.ModelConfig{Table: "ra"}),
		b: conformance.Model[rb](t, fl.Registry, dbfleet.ModelConfig{Table: "rb"}), c: conformance.Model[rc](t, fl.Registry, dbfleet.ModelConfig{Table: "rc"}),
	}
	value := func(n int64) *int64 {
		if n %= 8; n < 7 {
			return &n
		}
		return nil
	}
	var as []ra
	var bs []rb
	var cs []rc
	for i := range int64(9) { // no two columns have the same order
		as = append(as, ra{i + 1, value(i * 3), value(i * 5), value(7 - i%7)})
		bs = append(bs, rb{i + 2, value(i * 2), value(i * 7), value(i*i + 1), value(i * 5)})
		cs = append(cs, rc{9 - i, value(i*3 + 1), value(i * i), value(i * 7), value(i + 2)})
	}
	require.NoError(t, m.a.CreateMany(t.Context(), as))
	require.NoError(t, m.b.CreateMany(t.Context(), bs))
	require.NoError(t, m.c.CreateMany(t.Context(), cs))
	return m
}

// inner is what both Query[T] and the tests of it need here.
type inner interface {
	dbfleet.Queryable
	SQL(ctx context.Context) (string, []any, error)
	Count(ctx context.Context) (int64, error)
	Exists(ctx context.Context) (bool, error)
}

// check compares what the library asks for with what is wanted.
func (m *models) check(t *testing.T, sub dbfleet.Queryable, w *wanted, want [][]string, told string) {
	t.Helper()
	ctx := t.Context()
	q := sub.(inner)
	text, args, err := q.SQL(ctx)
	require.NoError(t, err, told)
	told += "\n" + text + "\n" + fmt.Sprint(args)
	got, err := readAll(ctx, m.DB("main"), text, args...)
	require.NoError(t, err, told)
	require.Equal(t, want, got, told)
	n, err := q.Count(ctx)
	require.NoError(t, err, told)
	require.EqualValues(t, len(want), n, told)
	found, err := q.Exists(ctx)
	require.NoError(t, err, told)
	require.Equal(t, len(want) > 0, found, told)

	// A column of the result, by its name.
	outputs := w.outputs()
	i := len(want) % len(outputs)
	plucked, err := dbfleet.Pluck[*int64](ctx, q.(dbfleet.Queryable), outputs[i].name)
	require.NoError(t, err, told)
	values := [][]string{}
	sum := int64(0)
	for _, v := range plucked {
		s := "NULL"
		if v != nil {
			s = strconv.FormatInt(*v, 10)
			sum += *v
		}
		values = append(values, []string{s})
	}
	column := [][]string{}
	for _, row := range want {
		column = append(column, row[i:i+1])
	}
	require.Equal(t, column, values, "Pluck(%q) of %s", outputs[i].name, told)
	total, err := dbfleet.Sum[*int64](ctx, q.(dbfleet.Queryable), outputs[i].name)
	require.NoError(t, err, "Sum(%q) of %s", outputs[i].name, told)
	if total != nil {
		require.Equal(t, sum, *total, "Sum(%q) of %s", outputs[i].name, told)
	}
}
