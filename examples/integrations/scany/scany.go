// Package scany has scany map the rows of raw SQL. Whatever has QueryContext will
// do for its sqlscan: a *dbfleet.DB, its Read(), or a *dbfleet.Tx. (For a struct of
// the rows alone dbfleet.Select does the same; scany knows nested structs.)
package scany

import (
	"context"

	"github.com/georgysavva/scany/v2/sqlscan"

	"github.com/dbfleet/dbfleet"
)

// A Sale is a row of a join: its columns are called id, customer.name and so on.
type Sale struct {
	ID       int64
	Total    float64
	Customer struct{ Name, City string }
}

// SalesIn are the sales of a city, read from a replica if there is one.
func SalesIn(ctx context.Context, db *dbfleet.DB, city string) (sales []Sale, err error) {
	placeholder := "?"
	if db.Driver() == dbfleet.Postgres {
		placeholder = "$1"
	}
	err = sqlscan.Select(ctx, db.Read(), &sales, `
		SELECT sales.id, sales.total, customers.name AS "customer.name", customers.city AS "customer.city"
		FROM sales JOIN customers ON customers.id = sales.customer_id
		WHERE customers.city = `+placeholder+` ORDER BY sales.id`, city)
	return sales, err
}
