package dbfleet

import "github.com/dbfleet/dbfleet/internal/sqlgen"

// Order is one item of an order: a column or an expression, its direction, and where
// NULLs come. Asc and Desc of Col and Expression make one, for Query.OrderWith and Window.
type Order struct {
	o sqlgen.Order
}

// NullsFirst returns the order with the rows without a value before all others.
//
// Without NullsFirst and NullsLast they are where the database has them: PostgreSQL
// holds NULL for greater than every value, the others for less. MySQL is told by an item
// more of the order, which an index does not serve, where that differs; it refuses both
// in the order of a union.
func (o Order) NullsFirst() Order {
	o.o.Nulls = sqlgen.NullsFirst
	return o
}

// NullsLast returns the order with the rows without a value behind all others; see
// NullsFirst.
func (o Order) NullsLast() Order {
	o.o.Nulls = sqlgen.NullsLast
	return o
}

// Asc sorts by the column, smallest first.
func (c Col[V]) Asc() Order { return orderOf(c, false) }

// Desc sorts by the column, largest first.
func (c Col[V]) Desc() Order { return orderOf(c, true) }

// Asc sorts by the expression, smallest first.
func (e Expression[V]) Asc() Order { return orderOf(e, false) }

// Desc sorts by the expression, largest first.
func (e Expression[V]) Desc() Order { return orderOf(e, true) }

func orderOf(value Term, desc bool) Order {
	t := termOf("order", value)
	if column, ok := t.(sqlgen.ColumnTerm); ok {
		return Order{o: sqlgen.Order{Column: string(column), Desc: desc}}
	}
	return Order{o: sqlgen.Order{Expr: &sqlgen.Expr{Term: t}, Desc: desc}}
}

// ordersOf are orders as sqlgen takes them.
func ordersOf(orders []Order) (list []sqlgen.Order, err error) {
	for _, o := range orders {
		if err = o.fault(); err != nil {
			return nil, err
		}
		list = append(list, o.o)
	}
	return list, nil
}

// fault is what is wrong with an order.
func (o Order) fault() error {
	if o.o.Column == "" && o.o.Expr == nil {
		return &StatementError{Part: "order", Reason: "is the zero value; Asc and Desc of a column or an expression make one"}
	}
	return nil
}

func (q *query) orderWith(orders []Order) *query {
	list, err := ordersOf(orders)
	if err != nil {
		return q.where(sqlgen.Invalid(err))
	}
	next := q.next()
	for _, o := range list {
		next.q.AddOrder(o)
	}
	return next
}
