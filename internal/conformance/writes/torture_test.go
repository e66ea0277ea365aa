package writes_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// tortured is a record that tells by itself whether it is whole: B is the text of A.
type tortured struct {
	ID int64  `db:"id"`
	A  int64  `db:"a"`
	B  string `db:"b"`
}

func (r tortured) fault() error {
	if r.ID == 0 || r.B != strconv.FormatInt(r.A, 10) {
		return fmt.Errorf("wrong value: %+v", r)
	}
	return nil
}

// torture is a table whose schema changes under those who use it.
type torture struct {
	fl   conformance.Fleet
	m    *dbfleet.Model[tortured]
	rows atomic.Int64 // that were written, by what the callers were told
	// The columns and indexes that were added.
	columns, indexes []string

	mu     sync.Mutex // protects following fields
	random *rand.Rand
}

func (o *torture) number(below int) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.random.IntN(below)
}

// most is what every type that the column has in turn holds, and keeps when the
// database makes one of the other: PostgreSQL keeps six digits of a real.
const most = 1_000_000

// one is a new record.
func (o *torture) one() tortured {
	n := int64(o.number(most))
	return tortured{A: n, B: strconv.FormatInt(n, 10)}
}

// uses are what the callers do. Each checks what it reads.
func (o *torture) uses() []func(ctx context.Context) error {
	look := func(list []tortured, err error) error {
		for _, r := range list {
			if err == nil {
				err = r.fault()
			}
		}
		return err
	}
	create := func(ctx context.Context) (tortured, error) {
		r := o.one()
		err := o.m.Create(ctx, &r)
		if err == nil {
			o.rows.Add(1)
			err = r.fault()
		}
		return r, err
	}
	return []func(ctx context.Context) error{
		func(ctx context.Context) error { _, err := create(ctx); return err },
		func(ctx context.Context) error {
			r, err := create(ctx)
			if err != nil {
				return err
			}
			got, err := o.m.Find(ctx, r.ID)
			if err == nil && got != r {
				err = fmt.Errorf("wrong value: %+v, not %+v", got, r)
			}
			return err
		},
		func(ctx context.Context) error {
			r, err := create(ctx)
			if err != nil {
				return err
			}
			next := o.one()
			r.A, r.B = next.A, next.B
			if err := o.m.Save(ctx, &r); err != nil {
				return err
			}
			n, err := o.m.Where("id", "=", r.ID).Where("a", "=", r.A).Where("b", "=", r.B).Count(ctx)
			if err == nil && n != 1 {
				err = fmt.Errorf("wrong count: %d of %+v", n, r)
			}
			return err
		},
		func(ctx context.Context) error {
			list := make([]tortured, 2+o.number(5))
			for i := range list {
				list[i] = o.one()
			}
			err := o.m.CreateMany(ctx, list)
			if err == nil {
				o.rows.Add(int64(len(list)))
			}
			return look(list, err)
		},
		func(ctx context.Context) error {
			return look(o.m.Where("a", ">", o.number(most)).OrderBy("a", dbfleet.Asc).Limit(20).Get(ctx))
		},
		func(ctx context.Context) error {
			row, err := o.fl.DB("main").Table("tortured").OrderBy("id", dbfleet.Desc).First(ctx)
			if err == nil && fmt.Sprint(row["a"]) != fmt.Sprint(row["b"]) && fmt.Sprint(row["a"]) != fmt.Sprintf("%v", mustFloat(row["b"])) {
				err = fmt.Errorf("wrong value: %v", row)
			}
			return err
		},
		func(ctx context.Context) error {
			made := int64(0)
			err := o.fl.DB("main").Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
				made = 0
				for range 2 {
					r := o.one()
					if err := o.m.Create(ctx, &r); err != nil {
						return err
					}
					made++
				}
				return look(o.m.OrderBy("id", dbfleet.Desc).Limit(5).Get(ctx))
			}, dbfleet.TxOptions{Retries: 10})
			if err == nil {
				o.rows.Add(made)
			}
			return err
		},
	}
}

func mustFloat(v any) float64 {
	f, _ := strconv.ParseFloat(fmt.Sprint(v), 64)
	return f
}

// change is the next change of the schema: statements, which are one transaction
// where the database has that.
func (o *torture) change(round int) []string {
	d := o.fl.Database.Dialect
	types := map[string][]string{
		"postgres": {"integer", "bigint", "numeric", "real", "double precision"}, "mysql": {"INT", "BIGINT", "DECIMAL(20,0)", "DOUBLE", "FLOAT"}, "sqlite": {"INTEGER"},
	}[d]
	kind := types[o.number(len(types))]
	again := func(columns string) []string {
		create := conformance.DDL(d, "CREATE TABLE next (id {id}, "+columns+")")
		swap := []string{"DROP TABLE tortured", "ALTER TABLE next RENAME TO tortured"}
		if d == "postgres" {
			swap = append(swap, "SELECT setval(pg_get_serial_sequence('tortured', 'id'), 1 + coalesce((SELECT max(id) FROM tortured), 0))")
		}
		o.columns, o.indexes = nil, nil
		return append([]string{create, "INSERT INTO next (id, a, b) SELECT id, a, b FROM tortured"}, swap...)
	}
	switch next := o.number(10); {
	case next == 0 || next == 4 && len(o.columns) == 0:
		o.columns = append(o.columns, fmt.Sprintf("extra%d", round))
		return []string{fmt.Sprintf("ALTER TABLE tortured ADD COLUMN extra%d INTEGER DEFAULT 5", round)}
	case next == 1:
		return again(conformance.DDL(d, "b {text}, a "+kind))
	case next == 2:
		return again(conformance.DDL(d, "more INTEGER, a "+kind+", b {text}, last {text}"))
	case next == 3 || next == 5 && len(o.indexes) == 0:
		o.indexes = append(o.indexes, fmt.Sprintf("tortured_%d", round))
		return []string{fmt.Sprintf("CREATE INDEX tortured_%d ON tortured (a)", round)}
	case next == 4:
		column := o.columns[0]
		o.columns = o.columns[1:]
		return []string{"ALTER TABLE tortured DROP COLUMN " + column}
	case next == 5:
		index := o.indexes[0]
		o.indexes = o.indexes[1:]
		if d == "mysql" {
			index += " ON tortured"
		}
		return []string{"DROP INDEX " + index}
	case next == 6 && d == "postgres": // a type is made anew
		return []string{
			"ALTER TABLE tortured ALTER COLUMN b TYPE text", "DROP DOMAIN IF EXISTS word", "CREATE DOMAIN word AS text",
			"ALTER TABLE tortured ALTER COLUMN b TYPE word",
		}
	default:
		switch d {
		case "postgres":
			return []string{"ALTER TABLE tortured ALTER COLUMN a TYPE " + kind}
		case "mysql":
			return []string{"ALTER TABLE tortured MODIFY a " + kind}
		}
		return []string{"ALTER TABLE tortured ADD COLUMN other INTEGER", "ALTER TABLE tortured DROP COLUMN other"}
	}
}

// truth 809
// The schema changes under prepared statements while others read and write: no value
// is wrong, no row is lost or doubled, and once the change is done the next call of
// everybody succeeds. DBFLEET_TORTURE is how many changes there are, and
// DBFLEET_TORTURE_SEED chooses them.
func TestTorture_ChangesOfTheSchemaUnderTraffic(t *testing.T) {
	t.Parallel()
	setting := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return otherwise
	}
	rounds, seed := setting("DBFLEET_TORTURE", 12), setting("DBFLEET_TORTURE_SEED", 1)
	t.Logf("DBFLEET_TORTURE=%d DBFLEET_TORTURE_SEED=%d", rounds, seed)
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE tortured (id {id}, a {int}, b {text})`)
		o := &torture{fl: fl, random: rand.New(rand.NewPCG(uint64(seed), 0))}
		o.m = conformance.Model[tortured](t, fl.Registry, dbfleet.ModelConfig{Table: "tortured"})
		stranger := fl.Database.SQL(t)
		const callers = 3
		uses := o.uses()
		require.NoError(t, uses[0](t.Context()))
		for round := range rounds {
			change := o.change(round)
			quiet := fl.Database.Dialect == "mysql" && len(change) > 1 // there is no transaction for it
			over := make(chan struct{})
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					for !quiet {
						if err := uses[o.number(len(uses))](t.Context()); err != nil && !during(err) {
							t.Errorf("round %d, during %q: %v", round, change, err)
						}
						select {
						case <-over:
							return
						default:
						}
					}
				})
			}
			apply(t, fl, stranger, change)
			close(over)
			all.Wait()
			for range callers { // the next use is right, on every connection
				all.Go(func() {
					for _, i := range rand.New(rand.NewPCG(uint64(seed), uint64(round))).Perm(len(uses)) {
						if err := uses[i](t.Context()); err != nil {
							t.Errorf("round %d, after %q: %v", round, change, err)
						}
					}
				})
			}
			all.Wait()
			n, err := o.m.Count(t.Context())
			require.NoError(t, err)
			require.Equal(t, o.rows.Load(), n, "round %d, %q", round, change)
			list, err := o.m.Get(t.Context())
			require.NoError(t, err)
			require.False(t, slices.ContainsFunc(list, func(r tortured) bool { return r.fault() != nil }), "round %d, %q", round, change)
			if n > 400 {
				n, err = o.m.Where("id", "<", list[len(list)-1].ID).Delete(t.Context())
				require.NoError(t, err)
				o.rows.Add(-n)
			}
			if t.Failed() {
				return
			}
		}
	})
}

// during says that an error may come while the schema changes: the database refused
// the statement and did nothing of it.
func during(err error) bool {
	var qe *dbfleet.QueryError
	return errors.As(err, &qe) && !errors.Is(err, dbfleet.ErrOutcomeUnknown) && !errors.Is(err, dbfleet.ErrConnection)
}

// apply makes a change, as a stranger to the library does, and again what lost against
// the traffic.
func apply(t *testing.T, fl conformance.Fleet, db *sql.DB, change []string) {
	t.Helper()
	if fl.Database.Dialect == "postgres" {
		change = append([]string{"LOCK TABLE tortured IN ACCESS EXCLUSIVE MODE"}, change...)
	}
	for {
		err := func() error {
			if fl.Database.Dialect == "mysql" {
				for _, s := range change {
					if _, err := db.ExecContext(t.Context(), s); err != nil {
						return err
					}
				}
				return nil
			}
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				return err
			}
			defer func() { _ = tx.Rollback() }()
			for _, s := range change {
				if _, err := tx.ExecContext(t.Context(), s); err != nil {
					return fmt.Errorf("%s: %w", s, err)
				}
			}
			return tx.Commit()
		}()
		if err == nil {
			return
		}
		switch text := err.Error(); {
		case strings.Contains(text, "deadlock"), strings.Contains(text, "SQLITE_BUSY"), strings.Contains(text, "locked"), strings.Contains(text, "Deadlock"):
		default:
			require.NoError(t, err, "%q", change)
		}
	}
}
