package language

import (
	"context"
	"testing"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// BenchmarkArithmetic adds up the products of 64,000 rows: what MariaDB computes by itself,
// and behind the conditions under which that is exact.
func BenchmarkArithmetic(b *testing.B) {
	r, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(dbtest.New(b, "mysql"))}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = r.Close() })
	type product struct {
		ID          int64
		Price, Rate string
	}
	m, err := dbfleet.NewModel[product](r, dbfleet.ModelConfig{Table: "products"})
	if err != nil {
		b.Fatal(err)
	}
	ctx, rows := context.Background(), 2
	statements := []string{"CREATE TABLE products (id BIGINT AUTO_INCREMENT PRIMARY KEY, price DECIMAL(12, 2) NOT NULL, rate DECIMAL(8, 6) NOT NULL)", "INSERT INTO products (price, rate) VALUES (12.5, 0.07), (1250.75, 0.19)"}
	for ; rows < 64000; rows *= 2 {
		statements = append(statements, "INSERT INTO products (price, rate) SELECT price, rate FROM products")
	}
	for _, s := range statements {
		if _, err := r.DB("main").ExecContext(ctx, s); err != nil {
			b.Fatal(err)
		}
	}
	price, rate := dbfleet.Field(m, func(p *product) *string { return &p.Price }), dbfleet.Field(m, func(p *product) *string { return &p.Rate })
	for name, e := range map[string]dbfleet.Operand[string]{"itself": dbfleet.RawValue[string]("price * rate"), "product": price.Mul(rate), "amount": price.Times("1.1"), "amount itself": dbfleet.RawValue[string]("price * 1.1")} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := dbfleet.Pluck[string](ctx, m.Query().SelectValue(dbfleet.SumOf(e), "v"), "v"); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
		})
	}
}
