// Package squirrel runs statements that squirrel builds, in the two ways there
// are. Through a model or query they go where it goes, to its shard, its
// transaction or a replica, and rows become its records: GetStatement and
// ExecStatement, with squirrel's own question marks on every database. By
// squirrel itself they go where the handle goes, and need the placeholders of the
// database.
package squirrel

import (
	"context"

	sq "github.com/Masterminds/squirrel"

	"github.com/dbfleet/dbfleet"
)

// An Order is a row of orders.
type Order struct {
	ID, UserID int64
	Total      float64
}

// Largest reads the largest order of each user by a statement of squirrel.
func Largest(ctx context.Context, orders *dbfleet.Model[Order]) ([]Order, error) {
	largest := sq.Select("user_id", "MAX(total) AS total").From("orders").GroupBy("user_id")
	return orders.Query().GetStatement(ctx, sq.Select("o.id", "o.user_id", "o.total").From("orders o").
		JoinClause(largest.Prefix("JOIN (").Suffix(") AS l ON l.user_id = o.user_id AND l.total = o.total")).
		OrderBy("o.user_id", "o.id"))
}

// Above counts the orders above a total: a condition of squirrel in a query.
func Above(ctx context.Context, orders *dbfleet.Model[Order], total float64) (int64, error) {
	return orders.Filter(dbfleet.Expr(sq.Gt{"total": total})).Count(ctx)
}

// Refund makes an order's total zero in the caller's transaction, by squirrel alone.
func Refund(ctx context.Context, tx *dbfleet.Tx, format sq.PlaceholderFormat, id int64) error {
	_, err := sq.ExecContextWith(ctx, tx, sq.Update("orders").Set("total", 0).Where(sq.Eq{"id": id}).PlaceholderFormat(format))
	return err
}
