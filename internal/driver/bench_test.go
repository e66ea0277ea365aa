//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// BenchmarkRead reads one row by its key through a Conn and, as its twin, by hand
// through the same pool's *sql.DB; on PostgreSQL also by pgx and its own
// pool. The ways take turns, round by round, so that what else the machine
// does hits them alike.
func BenchmarkRead(b *testing.B) {
	for _, dialect := range dbtest.Dialects {
		b.Run(dialect, func(b *testing.B) {
			db := dbtest.New(b, dialect)
			p := open(b, optionsFor(db))
			ctx := context.Background()
			if _, err := p.DB().Exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(40), at TIMESTAMP NULL)"); err != nil {
				b.Fatal(err)
			}
			if _, err := p.DB().Exec("INSERT INTO t VALUES (1, 'a name', '2024-01-02 03:04:05')"); err != nil {
				b.Fatal(err)
			}
			q := ph(db, "SELECT id, name, at FROM t WHERE id = $1")
			dest, args := make([]sqldriver.Value, 3), []any{int64(1)}
			ways := []way{{name: "direct", read: func() error {
				c, err := p.Acquire(ctx, time.Second)
				if err != nil {
					return err
				}
				defer c.Release()
				rows, err := c.Query(ctx, q, args)
				if err != nil {
					return err
				}
				for rows.Next(dest) == nil {
				}
				return rows.Close()
			}}, {name: "database_sql", read: func() error {
				var id int64
				var s string
				var at any
				return p.DB().QueryRowContext(ctx, q, 1).Scan(&id, &s, &at)
			}}}
			if dialect == "postgres" {
				ways = append(ways, way{name: "pgx", read: readByPGX(b, db, q)})
			}
			turns(b, ways)
		})
	}
}

func readByPGX(b *testing.B, db dbtest.Database, query string) func() error {
	ctx := context.Background()
	dsn := url.URL{
		Scheme: "postgres", User: url.UserPassword(db.Username, db.Password), Host: net.JoinHostPort(db.Host, strconv.Itoa(db.Port)),
		Path: db.Name, RawQuery: "sslmode=disable&timezone=UTC",
	}
	native, err := pgxpool.New(ctx, dsn.String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(native.Close)
	return func() error {
		var id int64
		var s string
		var at time.Time
		return native.QueryRow(ctx, query, int64(1)).Scan(&id, &s, &at)
	}
}

// A way is one of several to do the same.
type way struct {
	name string
	read func() error
	best time.Duration // of the rounds
}

// turns measures ways by turns and reports the shortest round of each.
func turns(b *testing.B, ways []way) { turnsOf(b, 200, func() {}, ways) }

// turnsOf is turns with so many reads in a round, and what is done before each.
func turnsOf(b *testing.B, reads int, before func(), ways []way) {
	for b.Loop() {
		for i := range ways {
			w := &ways[i]
			before()
			start := time.Now()
			for range reads {
				if err := w.read(); err != nil {
					b.Fatal(err)
				}
			}
			if took := time.Since(start); w.best == 0 || took < w.best {
				w.best = took
			}
		}
	}
	for _, w := range ways {
		b.ReportMetric(float64(w.best.Nanoseconds())/float64(reads), w.name+"-ns")
		b.ReportMetric(testing.AllocsPerRun(100, func() { _ = w.read() }), w.name+"-allocs")
	}
}

// BenchmarkTexts reads by texts that come in turn, more and more of them, with room
// for 128.
func BenchmarkTexts(b *testing.B) {
	for _, dialect := range dbtest.Dialects {
		for _, n := range []int{1, 100, 200, 1000, 5000} {
			b.Run(fmt.Sprintf("%s/%d", dialect, n), func(b *testing.B) {
				o := optionsFor(dbtest.New(b, dialect))
				o.StatementCache = 128
				c := acquire(b, open(b, o))
				texts := make([]string, n)
				for i := range texts {
					texts[i] = ph(dbtest.Database{Dialect: dialect}, fmt.Sprintf("SELECT %d + $1", i))
				}
				dest, args, i := make([]sqldriver.Value, 1), []any{int64(1)}, 0
				for b.Loop() {
					rows, err := c.Query(context.Background(), texts[i%n], args)
					if err != nil {
						b.Fatal(err)
					}
					for rows.Next(dest) == nil {
					}
					_ = rows.Close()
					i++
				}
			})
		}
	}
}
