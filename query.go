package dbfleet

import (
	"context"

	"github.com/Masterminds/squirrel"

	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Query is a question about the rows of one table: conditions, order, bounds,
// and where to ask. T is a struct, or Row.
//
// It is a value. Every method that adds to it returns a new query and leaves
// the old one as it was; it may be stored, branched and used by many goroutines
// at once. Building does no I/O and raises no error: what is wrong with a query
// is told by the call that runs it, before anything is sent. Slices and pointers
// among its values are kept, not copied.
type Query[T any] struct {
	c    core
	with *[]Relation[T] // nil is none; never changed once shared
}

// core is a query without its type. The methods of Query and Model are thin
// skins over it: Go compiles them anew for every T.
type core struct {
	src *source
	q   sqlgen.Query
	at  *place // nil asks for nothing; never changed once shared
}

// DB asks the connection of that name instead of the model's.
func (q Query[T]) DB(name string) Query[T] { q.c.named(name); return q }

// Shard asks the shard of that key, on a model with a ShardRule.
func (q Query[T]) Shard(key any) Query[T] {
	q.c.sharded(key)
	return q
}

// Primary reads from the primary instead of a replica.
func (q Query[T]) Primary() Query[T] { q.c.primary(); return q }

// Using runs in a transaction, whatever the context carries. A transaction on
// another connection than the query's is a *TxConnectionError.
func (q Query[T]) Using(tx *Tx) Query[T] { q.c.using(tx); return q }

// Where adds column op value. op is one of
//
//	= != <> < <= > >= LIKE, NOT LIKE, ILIKE, NOT ILIKE,
//	IN, NOT IN, BETWEEN, NOT BETWEEN, IS, IS NOT
//
// in any case. On a model the column must be one of the model's, and value of
// its kind. nil means IS NULL or IS NOT NULL; IN and BETWEEN take a slice; an
// empty IN matches nothing, an empty NOT IN everything. value may be a query,
// or SQL. In the pattern of LIKE a backslash makes the next character literal;
// see EscapeLike. Whether = and LIKE tell letters' case is the database's
// affair: PostgreSQL does, SQLite only for =, MySQL by the column's collation.
// ILIKE never does (on SQLite, for ASCII).
func (q Query[T]) Where(column, op string, value any) Query[T] {
	q.c.compares(false, column, op, value)
	return q
}

// OrWhere is Where, joined by OR to all conditions before it as SQL joins
// them: AND binds closer.
func (q Query[T]) OrWhere(column, op string, value any) Query[T] {
	q.c.compares(true, column, op, value)
	return q
}

// WhereGroup adds the conditions of f's query in parentheses. A group without
// conditions adds nothing.
func (q Query[T]) WhereGroup(f func(Query[T]) Query[T]) Query[T] {
	if inner := q.inner(f); inner.HasConditions() {
		q.c.where(sqlgen.Group(inner.Conditions()...))
	}
	return q
}

// OrWhereGroup is WhereGroup, joined by OR.
func (q Query[T]) OrWhereGroup(f func(Query[T]) Query[T]) Query[T] {
	if inner := q.inner(f); inner.HasConditions() {
		q.c.where(sqlgen.Group(inner.Conditions()...).Or())
	}
	return q
}

// WhereNot adds the negation of the conditions of f's query; none at all are
// refused when the query runs.
func (q Query[T]) WhereNot(f func(Query[T]) Query[T]) Query[T] {
	inner := q.inner(f)
	q.c.where(sqlgen.Not(inner.Conditions()...))
	return q
}

// inner is the query that f makes from one without conditions. Of what f adds,
// only conditions count.
func (q *Query[T]) inner(f func(Query[T]) Query[T]) *sqlgen.Query {
	inner := f(Query[T]{c: core{src: q.c.src, q: sqlgen.From(q.c.q.Table())}})
	return &inner.c.q
}

// WhereIn adds column IN (values): a slice, or a query for one column. nil
// among the values also finds NULL.
func (q Query[T]) WhereIn(column string, values any) Query[T] {
	q.c.in(column, sqlgen.In, values)
	return q
}

// WhereNotIn adds column NOT IN (values). Rows whose column is NULL do not
// match, unless there are no values.
func (q Query[T]) WhereNotIn(column string, values any) Query[T] {
	q.c.in(column, sqlgen.NotIn, values)
	return q
}

// WhereNull adds column IS NULL.
func (q Query[T]) WhereNull(column string) Query[T] {
	q.c.where(sqlgen.Compare(column, sqlgen.Is, nil))
	return q
}

// WhereNotNull adds column IS NOT NULL.
func (q Query[T]) WhereNotNull(column string) Query[T] {
	q.c.where(sqlgen.Compare(column, sqlgen.IsNot, nil))
	return q
}

// WhereBetween adds low <= column <= high.
func (q Query[T]) WhereBetween(column string, low, high any) Query[T] {
	q.c.where(sqlgen.Compare(column, sqlgen.Between, []any{low, high}))
	return q
}

// WhereColumn compares two columns by = != <> < <= > or >=.
func (q Query[T]) WhereColumn(left, op, right string) Query[T] {
	q.c.where(compareColumns(left, op, right))
	return q
}

// WhereExists asks that a query has rows. Its conditions may name columns of
// this query's table: "users.id".
func (q Query[T]) WhereExists(sub Subquery) Query[T] {
	q.c.where(sqlgen.Exists(sub))
	return q
}

// WhereNotExists asks that a query has no rows.
func (q Query[T]) WhereNotExists(sub Subquery) Query[T] {
	q.c.where(sqlgen.NotExists(sub))
	return q
}

// WhereRaw adds a condition given as SQL, in parentheses, with ? for each
// argument on every database; ?? is a question mark. An argument may be a query,
// which is put in its place. A slice is one argument, an array of PostgreSQL;
// a list of values is WhereIn's.
func (q Query[T]) WhereRaw(sql string, args ...any) Query[T] {
	q.c.where(sqlgen.Raw(&sqlgen.Expr{SQL: sql, Args: args}))
	return q
}

// OrWhereRaw is WhereRaw, joined by OR.
func (q Query[T]) OrWhereRaw(sql string, args ...any) Query[T] {
	q.c.where(sqlgen.Raw(&sqlgen.Expr{SQL: sql, Args: args}).Or())
	return q
}

// Filter adds conditions, each joined by AND to what stands before it, as Where
// does.
func (q Query[T]) Filter(conds ...Cond) Query[T] {
	q.c.filter(conds)
	return q
}

// Select reads only these columns; a model's other fields stay zero. "*" and
// "table.*" are understood.
func (q Query[T]) Select(columns ...string) Query[T] {
	q.c.selects(columns)
	return q
}

// SelectAs reads a column under another name.
func (q Query[T]) SelectAs(column, alias string) Query[T] {
	q.c.columns(sqlgen.Column{Name: column, As: alias})
	return q
}

// SelectRaw adds SQL to the select list, such as "COUNT(*) AS n", with ? for
// each argument. Inside a function that takes any type, PostgreSQL wants to be
// told: COALESCE(nickname, CAST(? AS text)).
func (q Query[T]) SelectRaw(sql string, args ...any) Query[T] {
	q.c.columns(sqlgen.Column{Expr: &sqlgen.Expr{SQL: sql, Args: args}})
	return q
}

// SelectExpr adds what squirrel renders to the select list.
func (q Query[T]) SelectExpr(s squirrel.Sqlizer, alias string) Query[T] {
	q.c.columns(sqlgen.Column{Expr: &sqlgen.Expr{Sqlizer: s}, As: alias})
	return q
}

// SelectSub adds a query for one value to the select list.
func (q Query[T]) SelectSub(sub Subquery, alias string) Query[T] {
	q.c.columns(sqlgen.Column{Sub: sub, As: alias})
	return q
}

// Distinct keeps one of equal rows.
func (q Query[T]) Distinct() Query[T] { q.c.distinct(); return q }

// As names the table for the rest of the query.
func (q Query[T]) As(alias string) Query[T] { q.c.alias(alias); return q }

// Join adds the rows of another table of the same database where left op
// right, both of them columns: Join("posts", "posts.user_id", "=", "users.id").
func (q Query[T]) Join(table, left, op, right string) Query[T] {
	q.c.joinOn("JOIN", table, left, op, right)
	return q
}

// LeftJoin is Join that keeps rows without a match.
func (q Query[T]) LeftJoin(table, left, op, right string) Query[T] {
	q.c.joinOn("LEFT JOIN", table, left, op, right)
	return q
}

// CrossJoin adds every row of another table to each row.
func (q Query[T]) CrossJoin(table string) Query[T] {
	q.c.join("CROSS JOIN", table, "", sqlgen.NoOp, "")
	return q
}

// JoinRaw adds a join clause given as SQL: "JOIN posts p ON p.user_id = users.id AND p.kind = ?".
func (q Query[T]) JoinRaw(sql string, args ...any) Query[T] {
	q.c.rawJoin(&sqlgen.Expr{SQL: sql, Args: args})
	return q
}

// JoinExpr adds a join clause that squirrel renders.
func (q Query[T]) JoinExpr(s squirrel.Sqlizer) Query[T] {
	q.c.rawJoin(&sqlgen.Expr{Sqlizer: s})
	return q
}

// GroupBy makes one row of those with equal columns.
func (q Query[T]) GroupBy(columns ...string) Query[T] {
	q.c.groups(columns...)
	return q
}

// Having adds a condition on groups: a grouped column, or an alias where the
// database allows one.
func (q Query[T]) Having(column, op string, value any) Query[T] {
	q.c.having(compare(column, op, value))
	return q
}

// HavingRaw adds a condition on groups given as SQL: "COUNT(*) > ?".
func (q Query[T]) HavingRaw(sql string, args ...any) Query[T] {
	q.c.having(sqlgen.Raw(&sqlgen.Expr{SQL: sql, Args: args}))
	return q
}

// OrderBy sorts by a column. The direction is checked: Asc or Desc, as text in
// any case. Without an order, rows come as the database likes. NULLs come last
// on PostgreSQL and first on the others when ascending.
func (q Query[T]) OrderBy(column string, direction Direction) Query[T] {
	q.c.orderBy(column, direction)
	return q
}

// OrderByRaw sorts by SQL.
func (q Query[T]) OrderByRaw(sql string, args ...any) Query[T] {
	q.c.order(sqlgen.Order{Expr: &sqlgen.Expr{SQL: sql, Args: args}})
	return q
}

// Limit bounds the number of rows; 0 asks for none. A negative one is refused.
func (q Query[T]) Limit(n int) Query[T] { q.c.limit(int64(n)); return q }

// Offset skips rows.
func (q Query[T]) Offset(n int) Query[T] { q.c.offset(int64(n)); return q }

// Union adds the rows of another query on the same connection, one of equal
// ones; order, limit and offset of q hold for the whole.
func (q Query[T]) Union(other Subquery) Query[T] { q.c.union(other, false); return q }

// UnionAll adds all rows of another query.
func (q Query[T]) UnionAll(other Subquery) Query[T] { q.c.union(other, true); return q }

// ForUpdate locks the rows against writers until the transaction's end. It
// reads from the primary. SQLite has no row locks and refuses it.
func (q Query[T]) ForUpdate() Query[T] { q.c.lock(sqlgen.ForUpdate); return q }

// ForShare locks the rows against changes, but not against other ForShare.
func (q Query[T]) ForShare() Query[T] { q.c.lock(sqlgen.ForShare); return q }

// ForUpdateSkipLocked leaves out rows that others have locked.
func (q Query[T]) ForUpdateSkipLocked() Query[T] {
	q.c.lock(sqlgen.ForUpdateSkipLocked)
	return q
}

// ForUpdateNoWait fails with ErrLockTimeout if others have locked rows.
func (q Query[T]) ForUpdateNoWait() Query[T] {
	q.c.lock(sqlgen.ForUpdateNoWait)
	return q
}

// AllRows lets Update and Delete go without a condition.
func (q Query[T]) AllRows() Query[T] { q.c.allRows(); return q }

// With loads relations of the rows that Get, All, First and Find return, each
// relation in one statement for all rows, or for some thousands of them. The
// column that a relation needs is read also when Select does not name it.
func (q Query[T]) With(relations ...Relation[T]) Query[T] {
	q.with = withMore(q.with, relations)
	return q
}

// Subquery is a query inside another one: a Query or a Model of the same
// connection. It is sealed.
type Subquery = sqlgen.Subquery

// Statement is what makes a query a Subquery.
func (q Query[T]) Statement(scope string) (sqlgen.Query, sqlgen.Table, error) {
	return q.c.statement(scope)
}

func (q *core) statement(scope string) (sqlgen.Query, sqlgen.Table, error) {
	if q.src == nil {
		return q.q, nil, errNoSource
	}
	if q.src.err != nil {
		return q.q, nil, q.src.err
	}
	name, _, err := q.connection()
	if err != nil {
		return q.q, nil, err
	}
	if name != scope {
		return q.q, nil, q.src.fail("the subquery belongs to connection %q, the statement goes to %q", name, scope)
	}
	return q.q, q.src.asTable(), nil
}

var errNoSource = &StatementError{Reason: "a query comes from a model or a table; this one is the zero value"}

// connection decides the connection of a query.
func (q *core) connection() (name, reason string, err error) {
	if q.src.err != nil {
		return "", "", q.src.err
	}
	if q.src.shard == nil {
		return q.src.connectionFor(q.place(), nil, false)
	}
	keys, list, _ := q.q.Equal(q.src.shard.column())
	return q.src.connectionFor(q.place(), keys, list)
}

// target routes the query. The caller must call leave.
func (q *core) target(ctx context.Context, t *target, write bool) error {
	if q.src == nil {
		return errNoSource
	}
	if q.src.err != nil {
		return q.src.err
	}
	name, reason, err := q.connection()
	if err != nil {
		return err
	}
	return q.src.reg.target(ctx, t, name, reason, q.place(), write || q.q.Lock() != sqlgen.NoLock)
}

// Route tells where the query would run as a read, without running it. It
// takes its turn among the replicas.
func (q Query[T]) Route(ctx context.Context) (Route, error) { return q.c.explain(ctx) }

func (q *core) explain(ctx context.Context) (Route, error) {
	var t target
	err := q.target(ctx, &t, false)
	if err != nil {
		return Route{}, err
	}
	defer t.leave()
	return t.route.told(), nil
}

// SQL renders the query as Get would send it, without running it.
func (q Query[T]) SQL(ctx context.Context) (sql string, args []any, err error) { return q.c.sql(ctx) }

func (q *core) sql(ctx context.Context) (sql string, args []any, err error) {
	if q.src == nil {
		return "", nil, errNoSource
	}
	if q.at != nil || q.src.shard != nil {
		var t target
		err := q.target(ctx, &t, false)
		if err != nil {
			return "", nil, err
		}
		defer t.leave()
		return sqlgen.Select(&q.q, q.src.env(&t))
	}
	if q.src.err != nil {
		return "", nil, q.src.err
	}
	usual, err := q.src.usually()
	if err != nil {
		return "", nil, err
	}
	return sqlgen.Select(&q.q, &usual.env)
}
