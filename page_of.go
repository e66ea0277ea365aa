package dbfleet

import (
	"context"
	"math"

	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// NumberedPage is a page of a query's rows by its number.
type NumberedPage[T any] struct {
	Items []T
	// Number is that of the page, from 1 on, and Size how many rows a page has.
	Number, Size int
	// Total is how many rows the query has, and Pages how many pages that are.
	Total, Pages int64
}

// PageOf returns page number, from 1 on, of a query's rows, size to a page, with the
// number of all rows.
//
//	page, err := dbfleet.PageOf(ctx, users.OrderBy("name", dbfleet.Asc), 3, 50)
//
// A limit and offset of the query bound what is divided into pages. Groups, distinct rows
// and those of a union count as the rows that they are. Rows of a model that its order
// holds for equal are sorted by the primary key, as all are without an order, so that no
// page has a row of another; where a row stands for several, or may (a Case, a window or a
// sub-query among SelectValue's expressions, SQL of yours that calls a function), or there
// is no model, name an order that tells all apart. A page behind the last one is empty.
//
// A join may give a row of the model several times. If the select list has more than the
// model's own columns, those rows are sorted by the primary key of what is joined, too, as
// the models of the registry tell it. Of a table without a model, a CTE or a join by SQL
// nobody tells it: the order must name something of that, columns by which no two of the
// rows are equal, or the page is a *StatementError.
//
// The total is counted by a second statement, but for the last page, which tells it, and
// is of that moment: without a transaction of isolation, rows that come between the two
// count. A late page costs as much as all before it, and rows that others insert or
// delete move those behind them to other pages; CursorPage has neither fault.
func PageOf[T any](ctx context.Context, q *Query[T], number, size int) (NumberedPage[T], error) {
	p := NumberedPage[T]{Items: []T{}, Number: number, Size: size}
	var err error
	p.Total, p.Pages, err = (*query)(q).pageOf(ctx, number, size, &p.Items, func() int { return len(p.Items) })
	if err != nil {
		return NumberedPage[T]{}, err
	}
	return p, nil
}

// pageOf reads a page into *list, whose length n tells, and counts.
func (q *query) pageOf(ctx context.Context, number, size int, list any, n func() int) (total, pages int64, err error) {
	if err := q.usable(); err != nil {
		return 0, 0, told(err)
	}
	if number < 1 || size < 1 {
		return 0, 0, told(q.src.table.Fail("PageOf takes a number and a size from 1 on, not %d and %d", number, size))
	}
	if int64(number-1) > math.MaxInt64/2/int64(size) {
		return 0, 0, told(q.src.table.Fail("page %d of %d rows lies behind every row that there can be", number, size))
	}
	before := int64(number-1) * int64(size)
	total, err = q.countAfter(ctx, before, size, list, n)
	if err != nil {
		return 0, 0, err
	}
	return total, (total + int64(size) - 1) / int64(size), nil
}

// countAfter reads the rows behind the first ones, and returns how many rows there are.
func (q *query) countAfter(ctx context.Context, before int64, size int, list any, n func() int) (int64, error) {
	part, left := q.next(), int64(size)
	if limit := q.q.Limit(); limit >= 0 {
		left = min(left, max(limit-before, 0))
	} else if limit < -1 {
		return q.count(ctx) // which refuses it
	}
	if q.src.table.HasModel() && !q.q.Merges() && !q.q.Unites() && !q.q.Aggregates() {
		for _, name := range q.src.table.KeyNames() {
			part.q.AddTie(name)
		}
		part.q = part.q.WithJoinedTies()
	}
	part.q = part.q.WithOffset(q.q.Offset() + before).WithLimit(left)
	if left > 0 {
		if err := part.get(ctx, list); err != nil {
			return 0, err
		}
	}
	got := int64(n())
	if got > 0 && got < left || got == left && left < int64(size) && left > 0 || got == 0 && before == 0 {
		return before + got, nil // the last page
	}
	counting := q
	if q.q.Lock() != sqlgen.NoLock {
		counting = q.lock(sqlgen.NoLock)
	}
	total, err := counting.count(ctx)
	if got > 0 { // rows that were deleted since
		total = max(total, before+got)
	}
	return total, err
}
