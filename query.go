package dbfleet

import (
	"context"
	"time"

	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Query[T] is the typed skin of query: each builder method is one call, so that
// what Go compiles anew for every T is small.

// Query is a question about the rows of one table: conditions, order, bounds,
// and where to ask. T is a struct, or Row.
//
// It is immutable. Every method that adds to it returns a new query and leaves
// the old one as it was; it may be stored, branched and used by many goroutines
// at once. Building does no I/O and raises no error: what is wrong with a query
// is told by the call that runs it, before anything is sent. Slices and pointers
// among its values are kept, not copied.
type Query[T any] query

// Queryable is a *Query or a *Model of any type: what Pluck and the typed
// aggregates read from, and what stands inside another query of the same connection.
// It is sealed.
type Queryable interface {
	base() *query
	// Count tells how many rows it has.
	Count(ctx context.Context) (int64, error)
}

func (q *Query[T]) base() *query { return (*query)(q) }

// DB asks the connection of that name instead of the model's. An empty name is
// refused when the query runs.
func (q *Query[T]) DB(name string) *Query[T] { return (*Query[T])((*query)(q).named(name)) }

// Shard asks the shard of that key, on a model with a ShardRule.
func (q *Query[T]) Shard(key any) *Query[T] {
	return (*Query[T])((*query)(q).sharded(key))
}

// Primary reads from the primary instead of a replica.
func (q *Query[T]) Primary() *Query[T] { return (*Query[T])((*query)(q).primary()) }

// OnReplica reads from the replica of that name and from no other node, in whatever state
// it is: "replica-1", or whatever ReplicaConfig.Name says. The result is a query of a
// handle for reads, which refuses to write and to lock with ErrReadHandle, and it goes
// where it says with ReadPrimary too. A connection that has no such replica is an
// *UnknownReplicaError; one that does not answer is the error of asking it. In a
// transaction, whose statements run where it was begun, it is refused. MaxLag does not
// hold for it.
func (q *Query[T]) OnReplica(name string) *Query[T] {
	return (*Query[T])((*query)(q).onReplica(name))
}

// MaxLag reads from a replica that is known to show no older rows than those of d ago, as
// ReadsConfig.MaxLag says for all reads of the connection and MaxLag for those of a
// context: the query's own counts most. Where no replica is, ReadsConfig.WhenStale decides.
// d must be more than 0. Writes, transactions and reads of the primary are always fresh.
func (q *Query[T]) MaxLag(d time.Duration) *Query[T] {
	return (*Query[T])((*query)(q).within(d))
}

// Using runs in a transaction, whatever the context carries. A transaction on
// another connection than the query's is a *TxConnectionError.
func (q *Query[T]) Using(tx *Tx) *Query[T] { return (*Query[T])((*query)(q).using(tx)) }

// Where adds column op value. op is one of
//
//	= != <> < <= > >= LIKE, NOT LIKE, ILIKE, NOT ILIKE,
//	IN, NOT IN, BETWEEN, NOT BETWEEN, IS, IS NOT
//
// in any case. On a model the column must be one of the model's, and value of
// its kind. nil means IS NULL or IS NOT NULL; IN and BETWEEN take a slice; an
// empty IN matches nothing, an empty NOT IN everything. value may be a query,
// or SQL of Raw or Expr. In the pattern of LIKE a backslash makes the next character literal;
// see EscapeLike. Whether = and LIKE tell letters' case is the database's
// affair: PostgreSQL does, SQLite only for =, MySQL by the column's collation.
// ILIKE never does (on SQLite, for ASCII).
//
// What was read of a column finds it: a [16]byte a UUID of text and of 16 bytes, a
// time of midnight on SQLite the date that others wrote, and on MySQL a text that is
// no number no number. (Where a field of whole numbers has a column of texts, which Registry.Check
// tells of, 1 counts '01' and '1x' there: Count, Exists, Pluck and sums read no such text,
// which Get refuses. Take a string for it.)
// docs/types.md has all types. The zero time.Time is NULL, as
// it is when it is written: = asks for NULL, and > does not take it.
func (q *Query[T]) Where(column, op string, value any) *Query[T] {
	return (*Query[T])((*query)(q).compares(false, column, op, value))
}

// OrWhere is Where, joined by OR to all conditions before it as SQL joins
// them: AND binds closer.
func (q *Query[T]) OrWhere(column, op string, value any) *Query[T] {
	return (*Query[T])((*query)(q).compares(true, column, op, value))
}

// WhereGroup adds the conditions of f's query in parentheses. Of what f adds, only
// conditions count. A group without conditions adds nothing.
func (q *Query[T]) WhereGroup(f func(*Query[T]) *Query[T]) *Query[T] {
	return (*Query[T])((*query)(q).group(false, of((*query)(q).blank(), f)))
}

// OrWhereGroup is WhereGroup, joined by OR.
func (q *Query[T]) OrWhereGroup(f func(*Query[T]) *Query[T]) *Query[T] {
	return (*Query[T])((*query)(q).group(true, of((*query)(q).blank(), f)))
}

// WhereNot adds the negation of the conditions of f's query; none at all are
// refused when the query runs.
func (q *Query[T]) WhereNot(f func(*Query[T]) *Query[T]) *Query[T] {
	return (*Query[T])((*query)(q).not(of((*query)(q).blank(), f)))
}

// WhereIn adds column IN (values): a slice, or a query for one column. nil
// among the values also finds NULL.
func (q *Query[T]) WhereIn(column string, values any) *Query[T] {
	return (*Query[T])((*query)(q).compare(false, column, sqlgen.In, values))
}

// WhereNotIn adds column NOT IN (values). Rows whose column is NULL do not
// match, unless there are no values.
func (q *Query[T]) WhereNotIn(column string, values any) *Query[T] {
	return (*Query[T])((*query)(q).compare(false, column, sqlgen.NotIn, values))
}

// WhereNull adds column IS NULL.
func (q *Query[T]) WhereNull(column string) *Query[T] {
	return (*Query[T])((*query)(q).compare(false, column, sqlgen.Is, nil))
}

// WhereNotNull adds column IS NOT NULL.
func (q *Query[T]) WhereNotNull(column string) *Query[T] {
	return (*Query[T])((*query)(q).compare(false, column, sqlgen.IsNot, nil))
}

// OrWhereIn is WhereIn, joined by OR.
func (q *Query[T]) OrWhereIn(column string, values any) *Query[T] {
	return (*Query[T])((*query)(q).compare(true, column, sqlgen.In, values))
}

// OrWhereNotIn is WhereNotIn, joined by OR.
func (q *Query[T]) OrWhereNotIn(column string, values any) *Query[T] {
	return (*Query[T])((*query)(q).compare(true, column, sqlgen.NotIn, values))
}

// OrWhereNull is WhereNull, joined by OR.
func (q *Query[T]) OrWhereNull(column string) *Query[T] {
	return (*Query[T])((*query)(q).compare(true, column, sqlgen.Is, nil))
}

// OrWhereNotNull is WhereNotNull, joined by OR.
func (q *Query[T]) OrWhereNotNull(column string) *Query[T] {
	return (*Query[T])((*query)(q).compare(true, column, sqlgen.IsNot, nil))
}

// WhereBetween adds low <= column <= high.
func (q *Query[T]) WhereBetween(column string, low, high any) *Query[T] {
	return (*Query[T])((*query)(q).between(column, low, high))
}

// WhereColumn compares two columns by = != <> < <= > or >=.
func (q *Query[T]) WhereColumn(left, op, right string) *Query[T] {
	return (*Query[T])((*query)(q).compareColumns(left, op, right))
}

// WhereExists asks that a query has rows. Its conditions may name columns of
// this query's table: "users.id".
func (q *Query[T]) WhereExists(sub Queryable) *Query[T] {
	return (*Query[T])((*query)(q).exists(sub, true))
}

// WhereNotExists asks that a query has no rows.
func (q *Query[T]) WhereNotExists(sub Queryable) *Query[T] {
	return (*Query[T])((*query)(q).exists(sub, false))
}

// WhereRaw adds a condition given as SQL, in parentheses, with ? for each
// argument on every database; ?? is a question mark. An argument may be a query, a
// column or an expression, which are put in their place. A list as a member of IN (?)
// stands for its elements; an empty one that is the only member matches nothing, and
// behind NOT IN everything. MySQL compares decimals with a list of texts as floats, exactly
// with one of Decimals. Elsewhere a slice is one argument, an array of PostgreSQL.
// Instead of ? the arguments may have names, as those of Select:
//
//	q.WhereRaw("city IN (:cities) OR home IN (:cities)", dbfleet.Named("cities", []string{"oslo", "rome"}))
func (q *Query[T]) WhereRaw(sql string, args ...any) *Query[T] {
	return (*Query[T])((*query)(q).whereRaw(false, sql, args))
}

// OrWhereRaw is WhereRaw, joined by OR.
func (q *Query[T]) OrWhereRaw(sql string, args ...any) *Query[T] {
	return (*Query[T])((*query)(q).whereRaw(true, sql, args))
}

// Filter adds conditions, each joined by AND to what stands before it, as Where
// does.
func (q *Query[T]) Filter(conds ...Cond) *Query[T] {
	return (*Query[T])((*query)(q).filter(conds))
}

// OrFilter adds conditions that all must hold, joined by OR to all before them. None
// adds nothing.
func (q *Query[T]) OrFilter(conds ...Cond) *Query[T] {
	return (*Query[T])((*query)(q).orFilter(conds))
}

// Route tells where the query would run as a read, without running it. It
// takes its turn among the replicas.
func (q *Query[T]) Route(ctx context.Context) (Route, error) { return (*query)(q).explain(ctx) }

// SQL renders the query as Get would send it, without running it.
func (q *Query[T]) SQL(ctx context.Context) (sql string, args []any, err error) {
	return (*query)(q).text(ctx)
}
