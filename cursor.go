package dbfleet

import (
	"context"
	"errors"
	"slices"
)

// ErrCursor says that a text is no cursor of this query: it was cut or changed, signed
// with another key, made by another version of the library, or made for a query with
// another table, other conditions or another order. The text of the error says which.
var ErrCursor = errors.New("dbfleet: not a cursor of this query")

// Cursor asks CursorPage for a page.
type Cursor struct {
	// Size is how many rows the page has at most. Required.
	Size int
	// After is Page.Next of another page, whose rows lie before this one. "" begins with
	// the first row.
	After string
	// Before is Page.Previous of another page, whose rows lie behind this one; the page ends
	// there. After and Before together are refused.
	Before string
}

// Page is a part of the rows of a query, in its order.
type Page[T any] struct {
	Items []T
	// Next is the Cursor.After of the page behind this one. It is also given where no rows
	// are behind it (yet): rows that come there later are found by it. It is "" only if
	// there were no rows at all and none were asked for behind or before others.
	Next string
	// Previous is the Cursor.Before of the page before this one.
	Previous string
	// HasNext says that there are rows behind the page, HasPrevious that there are rows
	// before it. In the direction in which the page was asked for they were looked for; in
	// the other one there is the row that the cursor was made of, unless it was deleted
	// since. A page that was asked for without a cursor has none before it.
	HasNext, HasPrevious bool
}

// CursorPage returns a page of a query's rows by the place of the row before it, and not
// by a number of rows as Offset does: a page costs the same wherever it lies, and what
// others insert or delete meanwhile makes no row that stays come twice or not at all.
//
//	page, err := dbfleet.CursorPage(ctx, users.OrderBy("created_at", dbfleet.Desc), dbfleet.Cursor{Size: 50, After: r.FormValue("after")})
//
// The order may have any number of columns, each in its direction, also such as may be
// NULL, which come where the database has them. The columns of the primary key (without a
// model "id") that are not among them are put behind it, so that no two rows are equal in
// it; they must tell rows apart and not be NULL. The database compares the values, by the column's own
// collation and type, and every value is exact. An index of the order's columns in their
// order makes pages fast; on PostgreSQL not where a column goes upwards, on the others not
// where it goes downwards, and is no part of a model's primary key: NULLs then come behind
// all values, and are looked for, too. A row whose own values in the order change goes where they say.
//
// A cursor is a text of letters, digits, - and _. It holds the values of one row in the
// columns of the order, which anybody can read. It is signed with the first of
// Config.SessionKeys, and taken if one of them has signed it. Without keys it is not
// signed: whoever makes one up gets rows from another place, but no others than the
// query's, whose conditions are never part of it. It is good for the query that it was
// made for: the same table, connection, conditions with their values (also those of the
// model's scopes) and order, which may select other columns and another size. Of related
// records, here or on other connections, that is what is asked: which they are may change
// from one page to the next. Any other text is ErrCursor, and nothing is sent. There is no time in it; but one that was made
// by another version of the library may be refused.
//
// Refused are queries whose rows have no key of their own: with Distinct, GroupBy, an
// aggregate, a union, or a join (WhereExists and WhereIn ask for what other tables have);
// with Limit and Offset; with an order that is SQL, or by what the select list computes;
// on MySQL by a column of ENUM or SET, which is not sorted by its text. On shards the
// page is of one of them.
//
// PageOf reads pages by their number, with the total; Chunk and ChunkParallel read all rows
// in pieces; Explain tells how the database would read them.
//
// Pages of replicas are each as recent as theirs; within a session, or of Primary, no page
// is older than the one before.
func CursorPage[T any](ctx context.Context, q *Query[T], at Cursor) (Page[T], error) {
	p := Page[T]{Items: []T{}}
	v := (*query)(q).paging(&p.Items)
	v.keep = func(n int) {
		p.Items = p.Items[:n]
		if v.part.Back {
			slices.Reverse(p.Items)
		}
	}
	if err := v.page(ctx, at); err != nil {
		return Page[T]{}, err
	}
	p.Next, p.Previous, p.HasNext, p.HasPrevious = v.next, v.previous, v.hasNext, v.hasPrevious
	return p, nil
}
