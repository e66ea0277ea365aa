//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"errors"
	"testing"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// BenchmarkTold inserts one row and a hundred for their keys: told by the driver,
// by RETURNING, and without asking whose the driver's id is.
func BenchmarkTold(b *testing.B) {
	for _, dialect := range []string{"mysql", "sqlite"} {
		b.Run(dialect, func(b *testing.B) {
			db := dbtest.New(b, dialect)
			c := acquire(b, open(b, optionsFor(db)))
			in, many, args := keyedBench(b, db, c)
			one, of := in.One[:len(in.One)-len(" RETURNING id")], len(args)/in.Rows
			told := &ToldInsert{Text: one, Table: "bench_rows", Key: "id", QuotedTable: "bench_rows", QuotedKey: "id"}
			exec := func(text string, args []any) func() error {
				return func() error { _, err := c.Exec(context.Background(), text, args); return err }
			}
			returning := func(text string, args []any) func() error {
				return func() error {
					rows, err := c.Query(context.Background(), text, args)
					if err == nil {
						_, err = drain(rows)
					}
					return err
				}
			}
			empty := func() { mustExec(b, c, "DELETE FROM bench_rows") }
			b.Run("one", func(b *testing.B) {
				ways := []way{{name: "unasked", read: exec(one, args[:of])}, {name: "returning", read: returning(in.One, args[:of])}}
				if dialect == "sqlite" && c.Changes() >= 0 {
					ways = append(ways, way{name: "told", read: func() error {
						_, ok, err := c.InsertTold(context.Background(), told, args[:of])
						if err == nil && !ok {
							err = errors.New("not told")
						}
						return err
					}})
				}
				turnsOf(b, 200, empty, ways)
			})
			b.Run("hundred", func(b *testing.B) {
				turnsOf(b, 50, empty, []way{
					{name: "unasked", read: exec(many[:len(many)-len(" RETURNING id")], args)},
					{name: "returning", read: returning(many, args)},
				})
			})
		})
	}
}
