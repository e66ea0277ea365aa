package readtest

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	fleet "github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// wide is the row of eight mixed columns that costs are measured with.
type wide struct {
	ID        int64
	Name      string
	Email     string
	Age       *int64
	Score     *float64
	Note      *string
	CreatedAt time.Time
	UpdatedAt time.Time
}

const wideColumns = "id, name, email, age, score, note, created_at, updated_at"

// newWide makes a table of n rows, a tenth of whose nullable values are NULL.
func newWide(t testing.TB, dialect string, n int) (*fleet.Pool, dbtest.Database) {
	t.Helper()
	db := dbtest.New(t, dialect)
	p := open(t, db)
	float, at := "DOUBLE PRECISION", map[string]string{"postgres": "TIMESTAMPTZ", "mysql": "DATETIME(6)", "sqlite": "DATETIME"}[dialect]
	_, err := p.DB().Exec("CREATE TABLE wide (id BIGINT PRIMARY KEY, name VARCHAR(100), email VARCHAR(100), age BIGINT, score " + float +
		", note VARCHAR(100), created_at " + at + ", updated_at " + at + ")")
	require.NoError(t, err)
	tx, err := p.DB().Begin()
	require.NoError(t, err)
	for i := range n {
		rest := fmt.Sprintf("%d, %d.5, 'a note about %d'", 1000+i, i, i)
		if i%10 == 0 {
			rest = "NULL, NULL, NULL"
		}
		_, err := tx.Exec(fmt.Sprintf("INSERT INTO wide VALUES (%d, 'name %d', 'name%d@example.com', %s, '2024-02-29 10:11:12.123456', '2024-02-29 10:11:12')", 1000+i, i, i, rest))
		require.NoError(t, err)
	}
	require.NoError(t, tx.Commit())
	return p, db
}

func byKey(dialect string) string {
	mark := "?"
	if dialect == "postgres" {
		mark = "$1"
	}
	return "SELECT " + wideColumns + " FROM wide WHERE id = " + mark
}

// find reads one row as the library does.
func find(ctx context.Context, p *fleet.Pool, plan *rowmap.Plan, text string, args []any) (w wide, err error) {
	c, err := p.Acquire(ctx, time.Second)
	if err != nil {
		return w, err
	}
	defer c.Release()
	rows, err := c.Query(ctx, text, args)
	if err != nil {
		return w, err
	}
	_, err = plan.ReadFirst(rows, &w)
	return w, err
}

func list(ctx context.Context, p *fleet.Pool, plan *rowmap.Plan, n int) ([]wide, error) {
	c, err := p.Acquire(ctx, time.Second)
	if err != nil {
		return nil, err
	}
	defer c.Release()
	rows, err := c.Query(ctx, fmt.Sprintf("SELECT %s FROM wide LIMIT %d", wideColumns, n), nil)
	if err != nil {
		return nil, err
	}
	return readAll[wide](plan, rows, n)
}

func listByHand(ctx context.Context, db *sql.DB, n int) (all []wide, err error) {
	rows, err := db.QueryContext(ctx, fmt.Sprintf("SELECT %s FROM wide LIMIT %d", wideColumns, n))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var w wide
		if err := rows.Scan(w.fields()...); err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, rows.Err()
}

func (w *wide) fields() []any {
	return []any{&w.ID, &w.Name, &w.Email, &w.Age, &w.Score, &w.Note, &w.CreatedAt, &w.UpdatedAt}
}

func BenchmarkRead(b *testing.B) {
	for _, dialect := range dbtest.Dialects {
		p, db := newWide(b, dialect, 10000)
		hand := db.SQL(b)
		hand.SetMaxIdleConns(2)
		plan, err := rowmap.Of[wide]()
		require.NoError(b, err)
		ctx, text, args := context.Background(), byKey(dialect), []any{int64(1055)}
		b.Run(dialect+"/1/dbfleet", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := find(ctx, p, plan, text, args); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(dialect+"/1/database_sql", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var w wide
				if err := hand.QueryRowContext(ctx, text, int64(1055)).Scan(w.fields()...); err != nil {
					b.Fatal(err)
				}
			}
		})
		for _, n := range []int{100, 10000} {
			b.Run(fmt.Sprintf("%s/%d/dbfleet", dialect, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if all, err := list(ctx, p, plan, n); err != nil || len(all) != n {
						b.Fatal(err)
					}
				}
			})
			b.Run(fmt.Sprintf("%s/%d/database_sql", dialect, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if all, err := listByHand(ctx, hand, n); err != nil || len(all) != n {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
