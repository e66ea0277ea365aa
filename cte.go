package dbfleet

import "github.com/dbfleet/dbfleet/internal/sqlgen"

// CTE is a query under a name, which the query that it is given to by WithCTE reads as
// a table: one that stands behind WITH in SQL.
type CTE struct {
	// Name is how the rest of the query calls it. It hides a table of that name, and has
	// no dot. Required.
	Name string
	// Query is what is read, on the same connection: a *Query or a *Model. It may name
	// the CTEs before it. Required.
	Query Queryable
	// Recursive says that Query names itself: it is the union of the rows to begin
	// with and of a query that joins Name to find more.
	Recursive bool
}

// WithCTE adds queries that this one reads as tables: in the place of its own table,
// in joins and in subqueries.
//
//	big := dbfleet.CTE{Name: "big", Query: orders.Where("total", ">", 100).Select("user_id").SelectRaw("COUNT(*) AS n").GroupBy("user_id")}
//	users.Query().WithCTE(big).Join("big", "big.user_id", "=", "users.id").Where("big.n", ">", 3)
//	db.Table("big").WithCTE(big).OrderBy("n", dbfleet.Desc)
//
// The columns of a CTE are those of its select list; a name alone that only one of them
// has is its. Count, Exists, Pluck, aggregates, relations and Iter take them, as do Update
// and Delete, whose subqueries may read them; MySQL and MariaDB have no WITH there, and the
// error says to give it to the subquery. Insert refuses them.
func (q *Query[T]) WithCTE(ctes ...CTE) *Query[T] {
	return (*Query[T])((*query)(q).withCTE(ctes))
}

func (q *query) withCTE(ctes []CTE) *query {
	list := make([]sqlgen.CTE, len(ctes))
	for i, c := range ctes {
		list[i] = sqlgen.CTE{Name: c.Name, Recursive: c.Recursive}
		if c.Query != nil {
			list[i].Query = c.Query.base()
		}
	}
	next := q.next()
	next.q = next.q.WithCTE(list...)
	return next
}
