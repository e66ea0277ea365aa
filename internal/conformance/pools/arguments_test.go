package pools

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// A question is a query with arguments, whose one row has one column.
type question struct {
	query string
	args  []any
}

type named struct{ text string }

func (n named) Value() (driver.Value, error) { return n.text, nil }

var (
	seven   = int64(7)
	noText  *string
	instant = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.FixedZone("", 2*3600))
)

// questions are asked of the database's own driver and of everything that is lent of it.
var questions = map[string][]question{
	"postgres": {
		{"SELECT $1::int + 1", []any{pgx.QueryExecModeSimpleProtocol, 41}},
		{"SELECT $1::int + 1", []any{pgx.QueryExecModeExec, 41}},
		{"SELECT $1::int + 1", []any{pgx.QueryExecModeDescribeExec, 41}},
		{"SELECT $1::int + 1", []any{pgx.QueryExecModeCacheDescribe, 41}},
		{"SELECT $1::int + 1", []any{pgx.QueryExecModeCacheStatement, 41}},
		{"SELECT 1, 2 LIMIT 1", []any{pgx.QueryExecModeSimpleProtocol}},
		{"SELECT now() > $1", []any{pgx.QueryExecModeSimpleProtocol, instant}},
		{"SELECT $1::bytea", []any{pgx.QueryExecModeSimpleProtocol, []byte{0, 255}}},
		{"SELECT 12.50::numeric", []any{pgx.QueryResultFormats{pgx.BinaryFormatCode}}},
		{"SELECT '2024-05-06'::date", []any{pgx.QueryResultFormats{pgx.TextFormatCode}}},
		{"SELECT '{1,2}'::int[]", []any{pgx.QueryResultFormatsByOID{pgtype.Int4ArrayOID: pgx.TextFormatCode}}},
		{"SELECT @a::text || @b::text", []any{pgx.NamedArgs{"a": "x", "b": "y"}}},
		{"SELECT @a::int", []any{pgx.QueryExecModeExec, pgx.NamedArgs{"a": 7}}},
		{"SELECT @a::int", []any{pgx.StrictNamedArgs{"b": 7}}},
		{"SELECT $1::int", []any{pgx.QueryExecModeExec}},
		{"SELECT 1/0", []any{pgx.QueryExecModeExec}},
		{"SELECT $1::int", []any{pgx.QueryExecModeExec, make(chan int)}},
		{"SELECT $1::int[]", []any{[]int{1, 2}}},
		{"SELECT $1::int[]", []any{[]int32{1, 2}}},
		{"SELECT $1::text[]", []any{[]string{"a", `b"c`}}},
		{"SELECT $1::text[]", []any{[]*string{noText}}},
		{"SELECT $1::int[][]", []any{[][]int{{1}, {2}}}},
		{"SELECT $1::uuid", []any{[16]byte{1, 2}}},
		{"SELECT $1::uuid", []any{pgtype.UUID{Bytes: [16]byte{1}, Valid: true}}},
		{"SELECT $1::numeric", []any{pgtype.Numeric{NaN: true, Valid: true}}},
		{"SELECT $1::interval", []any{pgtype.Interval{Days: 3, Valid: true}}},
		{"SELECT $1::interval", []any{3 * time.Hour}},
		{"SELECT $1::int4range", []any{pgtype.Range[pgtype.Int4]{Lower: pgtype.Int4{Int32: 1, Valid: true}, Upper: pgtype.Int4{Int32: 5, Valid: true}, LowerType: pgtype.Inclusive, UpperType: pgtype.Exclusive, Valid: true}}},
		{"SELECT $1::point", []any{pgtype.Point{P: pgtype.Vec2{X: 1, Y: 2}, Valid: true}}},
		{"SELECT $1::inet", []any{netip.MustParsePrefix("10.0.0.0/8")}},
		{"SELECT $1::timestamptz", []any{pgtype.Timestamptz{Time: instant, Valid: true}}},
		{"SELECT $1::timestamptz", []any{pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}}},
		{"SELECT $1::jsonb", []any{map[string]any{"a": 1}}},
		{"SELECT $1::jsonb", []any{json.RawMessage(`{"a":1}`)}},
		{"SELECT $1::json", []any{[]byte(`{"a":1}`)}},
		{"SELECT $1::bigint", []any{uint64(math.MaxInt64)}},
		{"SELECT $1::numeric", []any{uint64(math.MaxUint64)}},
		{"SELECT $1::text", []any{named{"x"}}},
		{"SELECT $1::text", []any{(*named)(nil)}},
		{"SELECT $1::text", []any{noText}},
		{"SELECT $1::int", []any{&seven}},
		{"SELECT $1::int", []any{struct{}{}}},
		{"SELECT $1::int", nil},
		{"SELECT $1::int", []any{1, 2}},
		{"SELECT 1; SELECT 2", nil},
	},
	"mysql": {
		{"SELECT CAST(? AS CHAR)", []any{uint64(math.MaxUint64)}},
		{"SELECT ?", []any{json.RawMessage(`{"a":1}`)}},
		{"SELECT ?", []any{json.RawMessage(nil)}},
		{"SELECT ?", []any{[]byte{0, 255}}},
		{"SELECT ?", []any{named{"x"}}},
		{"SELECT ?", []any{(*named)(nil)}},
		{"SELECT ?", []any{noText}},
		{"SELECT ?", []any{&seven}},
		{"SELECT ?", []any{instant}},
		{"SELECT ?", []any{true}},
		{"SELECT ?", []any{struct{}{}}},
		{"SELECT ?", []any{[]string{"a"}}},
		{"SELECT ?", []any{sql.Named("a", 1)}},
		{"SELECT ?", []any{sql.Out{}}},
		{"SELECT ?", nil},
		{"SELECT ?", []any{1, 2}},
		{"SELECT 1; SELECT 2", nil},
	},
	"sqlite": {
		{"SELECT ?", []any{sql.Named("a", 1)}},
		{"SELECT :a || @b || $c", []any{sql.Named("a", "x"), sql.Named("b", "y"), sql.Named("c", "z")}},
		{"SELECT :a", []any{sql.Named("b", 1)}},
		{"SELECT ?2 || ?1", []any{"a", "b"}},
		{"SELECT ?", []any{[]byte{0, 255}}},
		{"SELECT ?", []any{named{"x"}}},
		{"SELECT ?", []any{(*named)(nil)}},
		{"SELECT ?", []any{noText}},
		{"SELECT ?", []any{&seven}},
		{"SELECT ?", []any{true}},
		{"SELECT ?", []any{uint64(7)}},
		{"SELECT ?", []any{struct{}{}}},
		{"SELECT ?", []any{[]string{"a"}}},
		{"SELECT ?", []any{sql.Out{}}},
		{"SELECT ?", nil},
		{"SELECT ?", []any{json.RawMessage(`{"a":1}`)}},
	},
}

type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// answer is the first column of the row, or that there was an error: its words are the
// library's own where nothing was sent.
func answer(ctx context.Context, q queryer, asked question) string {
	rows, err := q.QueryContext(ctx, asked.query, asked.args...)
	if err != nil {
		return "an error"
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	dest := make([]any, len(columns))
	for i := range dest {
		dest[i] = new(any)
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return "an error of Scan"
		}
	}
	if rows.Err() != nil {
		return "an error of the rows"
	}
	if len(dest) == 0 {
		return "no columns"
	}
	return text(*dest[0].(*any))
}

// onlyOf is the only one of the arguments, nil if they are several.
func onlyOf(args []any) any {
	if len(args) != 1 {
		return nil
	}
	return args[0]
}

// What a driver takes as an argument is taken through a pool, and by the raw methods of
// a connection, of its reads and of a transaction.
func TestArguments_AreTakenAsByTheDriver(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, db := t.Context(), fl.DB("main")
		driver := plain(t, fl.Database)
		for _, q := range questions[fl.Database.Dialect] {
			what := fmt.Sprintf("%s %T", q.query, q.args)
			for _, a := range q.args {
				what += fmt.Sprintf(" %T", a)
			}
			want := answer(ctx, driver, q)
			require.Equal(t, want, answer(ctx, db.Pool(), q), what)
			require.Equal(t, want, answer(ctx, db.ReplicaPool(), q), what)
			inPool := want
			if raw, ok := onlyOf(q.args).(json.RawMessage); ok && raw != nil && fl.Database.Dialect == "sqlite" {
				want = text(string(raw)) // whose functions for JSON take no bytes
			}
			require.Equal(t, want, answer(ctx, db, q), what)
			require.Equal(t, want, answer(ctx, db.Read(), q), what)
			var inTx string
			_ = fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
				inTx = answer(ctx, tx, q)
				return nil
			})
			require.Equal(t, want, inTx, what)
			if tx, err := db.Pool().BeginTx(ctx, nil); err == nil {
				require.Equal(t, inPool, answer(ctx, tx, q), what)
				require.NoError(t, tx.Rollback())
			}
		}
		require.Zero(t, db.Pool().Stats().InUse)
	})
}

// pgx's options serve statements without rows too, and errors of pgx's own cost neither
// the connection nor the certainty that nothing was done.
func TestArguments_OptionsOfPgxForExec(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "postgres" {
			return
		}
		ctx, db := t.Context(), fl.DB("main")
		_, err := db.ExecContext(ctx, "CREATE TABLE notes (id INT, body TEXT)")
		require.NoError(t, err)
		for _, exec := range []func(context.Context, string, ...any) (sql.Result, error){db.ExecContext, db.Pool().ExecContext} {
			res, err := exec(ctx, "INSERT INTO notes VALUES (@id, @body)", pgx.NamedArgs{"id": 1, "body": "a"})
			require.NoError(t, err)
			n, err := res.RowsAffected()
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
			_, err = exec(ctx, "INSERT INTO notes VALUES ($1, $2)", pgx.QueryExecModeSimpleProtocol, 2, "b")
			require.NoError(t, err)
			_, err = exec(ctx, "INSERT INTO notes VALUES (@id, @body)", pgx.StrictNamedArgs{"id": 1})
			require.Error(t, err)
			require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
		}
		require.EqualValues(t, 1, db.Stats()["main"].OpenConnections)
		require.Equal(t, 4, conformance.Counted(t, fl.Database, "SELECT COUNT(*) FROM notes"))
	})
}
