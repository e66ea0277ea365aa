package dbfleet

import (
	"github.com/Masterminds/squirrel"

	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// The parts of a query beside its conditions.
//
// A column's name means what it means in SQL, and the same on every database.
// Behind a table or its alias it is that table's. Alone it is the column of the
// query's own table, whatever is joined, or else of the one joined table whose model
// has it; OrderBy looks at the columns of the result before that, Having at the
// aliases of the select list, GroupBy at the aliases after that. What cannot be
// resolved is an *UnknownColumnError that lists what there is, what is ambiguous a
// *StatementError.

// Select reads only these columns; a model's other fields stay zero. "*", which is that
// of the query's own table, and "table.*" are understood. A column of the list that no
// field of T takes, such as an alias with a typing error, is a *ColumnError, unless
// DiscardUnknownColumns was called. With a star the table may have more columns than T,
// but a field without a column is a *ColumnError.
//
// A record that was read in part is changed by SaveColumns: Save would erase the
// columns that were left out, and is refused with ErrUnread while one of their text
// fields was not set. Fields of other types cannot tell, unless T embeds a Snapshot.
func (q *Query[T]) Select(columns ...string) *Query[T] {
	return (*Query[T])((*query)(q).selects(columns))
}

// SelectAs reads a column under another name.
func (q *Query[T]) SelectAs(column, alias string) *Query[T] {
	return (*Query[T])((*query)(q).selectAs(column, alias))
}

// SelectRaw adds SQL to the select list, such as "COUNT(*) AS n", with ? for
// each argument. Inside a function that takes any type, PostgreSQL wants to be
// told: COALESCE(nickname, CAST(? AS text)).
//
// A raw part that is not known to be a plain read, because it calls a function that
// may do more, makes the whole query a write: it goes to the primary, once.
func (q *Query[T]) SelectRaw(sql string, args ...any) *Query[T] {
	return (*Query[T])((*query)(q).selectRaw(sql, args))
}

// SelectCount adds COUNT(*) to the select list under an alias: how many rows there are
// in each group of GroupBy, or in all. OrderBy and Having know the alias.
//
//	type sales struct {
//		UserID, Orders int64
//		Total          string
//	}
//	list, err := dbfleet.Into[sales](orders.Select("user_id").SelectCount("orders").SelectSum("amount", "total").
//		GroupBy("user_id").Having("orders", ">", 1).OrderBy("total", dbfleet.Desc)).Get(ctx)
func (q *Query[T]) SelectCount(alias string) *Query[T] {
	return (*Query[T])((*query)(q).selectFunc("SelectCount", "COUNT", "", alias))
}

// SelectSum adds the sum of a column to the select list under an alias. NULL is no
// value. Without values it is 0, or NULL for a field that can hold it, a pointer or
// sql.Null, and in a Row.
//
// The sum is exact, and what its field does not hold exactly is ErrRange. SQLite has
// no decimals: it adds whole numbers exactly, beyond int64 it is ErrInvalidValue, and decimals
// as floats do; dbfleet.Sum adds those exactly, of one group. What a Row has is said
// there.
func (q *Query[T]) SelectSum(column, alias string) *Query[T] {
	return (*Query[T])((*query)(q).selectFunc("SelectSum", "SUM", column, alias))
}

// SelectAvg adds the mean of a column to the select list under an alias, as a float64
// on every database, also in a Row; for an exact one divide the sum by the count, or
// see dbfleet.Avg. Without values it is NULL: ErrNull for a field that cannot hold it.
func (q *Query[T]) SelectAvg(column, alias string) *Query[T] {
	return (*Query[T])((*query)(q).selectFunc("SelectAvg", sqlgen.Mean, column, alias))
}

// SelectMin adds the smallest value of a column to the select list under an alias.
// Without values it is NULL: ErrNull for a field that cannot hold it. Decimals that
// SQLite keeps as text are compared as text.
func (q *Query[T]) SelectMin(column, alias string) *Query[T] {
	return (*Query[T])((*query)(q).selectFunc("SelectMin", "MIN", column, alias))
}

// SelectMax adds the largest value of a column; see SelectMin.
func (q *Query[T]) SelectMax(column, alias string) *Query[T] {
	return (*Query[T])((*query)(q).selectFunc("SelectMax", "MAX", column, alias))
}

// SelectExpr adds what squirrel renders to the select list.
func (q *Query[T]) SelectExpr(s squirrel.Sqlizer, alias string) *Query[T] {
	return (*Query[T])((*query)(q).selectExpr(s, alias))
}

// SelectValue adds a column or an expression to the select list, under an alias that
// OrderBy, GroupBy and Having know.
//
//	type month struct{ Year, Month, Orders int64 }
//	list, err := dbfleet.Into[month](orders.Query().SelectValue(dbfleet.Year(at), "year").SelectValue(dbfleet.Month(at), "month").
//		SelectValue(dbfleet.CountRows(), "orders").GroupBy("year", "month")).Get(ctx)
func (q *Query[T]) SelectValue(value Term, alias string) *Query[T] {
	return (*Query[T])((*query)(q).selectValue(value, alias))
}

// SelectSub adds a query for one value to the select list.
func (q *Query[T]) SelectSub(sub Queryable, alias string) *Query[T] {
	return (*Query[T])((*query)(q).selectSub(sub, alias))
}

// DiscardUnknownColumns lets the select list, or a whole statement, have columns that
// no field of T takes: one that only the order needs, for example.
func (q *Query[T]) DiscardUnknownColumns() *Query[T] {
	return (*Query[T])((*query)(q).discardUnknown())
}

// Distinct keeps one of equal rows. PostgreSQL sorts them by selected columns only,
// and nothing else gives a certain order on the others.
func (q *Query[T]) Distinct() *Query[T] { return (*Query[T])((*query)(q).distinct()) }

// As names the table for the rest of the query. The model's name for it still means
// it, unless another table of the query is called so: conditions that are shared
// between queries hold for one with an alias, too.
func (q *Query[T]) As(alias string) *Query[T] { return (*Query[T])((*query)(q).alias(alias)) }

// Join adds the rows of another table of the same database where left op
// right, both of them columns: Join("posts", "posts.user_id", "=", "users.id").
//
// The table may have an alias, and is then called by it alone:
// Join("users AS boss", "boss.id", "=", "users.boss_id"). AS may be left out, but for
// a table whose name has a blank. A table that is joined with itself needs one on
// either side; the model knows the columns of both. A column without its table is the
// model's, also if the joined table has one of that name; one that the model lacks is
// the joined table's if a model of the registry knows that table.
func (q *Query[T]) Join(table, left, op, right string) *Query[T] {
	return (*Query[T])((*query)(q).joinOn("JOIN", table, left, op, right))
}

// LeftJoin is Join that keeps rows without a match. A right join is that of the other
// table's query; JoinRaw takes one, too.
func (q *Query[T]) LeftJoin(table, left, op, right string) *Query[T] {
	return (*Query[T])((*query)(q).joinOn("LEFT JOIN", table, left, op, right))
}

// CrossJoin adds every row of another table to each row.
func (q *Query[T]) CrossJoin(table string) *Query[T] {
	return (*Query[T])((*query)(q).crossJoin(table))
}

// JoinRaw adds a join clause given as SQL: "JOIN posts p ON p.user_id = users.id AND p.kind = ?".
func (q *Query[T]) JoinRaw(sql string, args ...any) *Query[T] {
	return (*Query[T])((*query)(q).joinRaw(sql, args))
}

// JoinExpr adds a join clause that squirrel renders.
func (q *Query[T]) JoinExpr(s squirrel.Sqlizer) *Query[T] {
	return (*Query[T])((*query)(q).joinExpr(s))
}

// GroupBy makes one row of those with equal columns. A name that a table's column
// and an alias of the select list have is the column, as for every database; where the
// alias is that of another column or of an expression that is no aggregate (SelectAs,
// SelectValue, SelectSub) it is refused. Give that another alias, or write the table
// before the column.
//
// A selected column must be the same in all rows of a group, as it must be beside an
// aggregate without GroupBy: grouped, of a row whose primary key is grouped, or, but for
// PostgreSQL, equal to such a column by a join or to a value by Where. Another one is an
// error, which SQLite and MySQL, that would take its value of any row, do not tell: so it is
// a *StatementError there, but not of expressions, SQL and tables without a model.
func (q *Query[T]) GroupBy(columns ...string) *Query[T] {
	return (*Query[T])((*query)(q).groupBy(columns))
}

// Having adds a condition on groups: on a grouped column, or else on an alias of the
// select list. PostgreSQL and SQLite get the expression of the alias in its place,
// since they take none there, or take it for a table's column. A column that is
// neither grouped nor selected is an error. A decimal as text is compared with a number as
// a number, exactly on PostgreSQL and MySQL; SQLite has floats.
func (q *Query[T]) Having(column, op string, value any) *Query[T] {
	return (*Query[T])((*query)(q).having(column, op, value))
}

// HavingRaw adds a condition on groups given as SQL: "COUNT(*) > ?". A decimal is
// best given as Decimal.
func (q *Query[T]) HavingRaw(sql string, args ...any) *Query[T] {
	return (*Query[T])((*query)(q).havingRaw(sql, args))
}

// OrderBy sorts by a column of the result, by its alias or name in the select list,
// or else by one of the tables. A name that several columns of the result have is
// refused. The direction is checked: Asc or Desc, as text in
// any case. Without an order, rows come as the database likes. NULLs come last
// on PostgreSQL and first on the others when ascending. Decimals that SQLite keeps as
// text are sorted as text; see Decimal.
func (q *Query[T]) OrderBy(column string, direction Direction) *Query[T] {
	return (*Query[T])((*query)(q).orderBy(column, direction))
}

// OrderWith sorts by columns and expressions, behind the orders before it:
//
//	users.Query().OrderWith(age.Desc().NullsLast(), name.Asc())
//
// A column is what it is for OrderBy.
func (q *Query[T]) OrderWith(orders ...Order) *Query[T] {
	return (*Query[T])((*query)(q).orderWith(orders))
}

// OrderByRaw sorts by SQL.
func (q *Query[T]) OrderByRaw(sql string, args ...any) *Query[T] {
	return (*Query[T])((*query)(q).orderByRaw(sql, args))
}

// Limit bounds the number of rows; 0 asks for none. A negative one is refused.
func (q *Query[T]) Limit(n int) *Query[T] { return (*Query[T])((*query)(q).limit(n)) }

// Offset skips rows.
func (q *Query[T]) Offset(n int) *Query[T] { return (*Query[T])((*query)(q).offset(n)) }

// Union adds the rows of another query on the same connection, one of equal
// ones; order, limit and offset of q hold for the whole.
func (q *Query[T]) Union(other Queryable) *Query[T] {
	return (*Query[T])((*query)(q).union(other, false))
}

// UnionAll adds all rows of another query.
func (q *Query[T]) UnionAll(other Queryable) *Query[T] {
	return (*Query[T])((*query)(q).union(other, true))
}

// ForUpdate locks the rows against writers until the transaction's end. It
// reads from the primary. Outside of a transaction it is refused, as are the other
// locks, but not in a subquery of an Update or a Delete. SQLite has no row locks and
// refuses it.
func (q *Query[T]) ForUpdate() *Query[T] { return (*Query[T])((*query)(q).lock(sqlgen.ForUpdate)) }

// ForShare locks the rows against changes, but not against other ForShare.
func (q *Query[T]) ForShare() *Query[T] { return (*Query[T])((*query)(q).lock(sqlgen.ForShare)) }

// ForUpdateSkipLocked leaves out rows that others have locked.
func (q *Query[T]) ForUpdateSkipLocked() *Query[T] {
	return (*Query[T])((*query)(q).lock(sqlgen.ForUpdateSkipLocked))
}

// ForUpdateNoWait fails with ErrLockTimeout if others have locked rows.
func (q *Query[T]) ForUpdateNoWait() *Query[T] {
	return (*Query[T])((*query)(q).lock(sqlgen.ForUpdateNoWait))
}

// AllRows lets Update and Delete go without a condition.
func (q *Query[T]) AllRows() *Query[T] { return (*Query[T])((*query)(q).allRows()) }

// With loads relations of the rows that Get, First and Find return, each
// relation in one statement for all rows, or for some thousands of them; see
// Relation for when it takes more. The columns that a relation needs are read also
// when Select does not name them.
func (q *Query[T]) With(relations ...Relation[T]) *Query[T] {
	return (*Query[T])((*query)(q).with(erased(relations)))
}
