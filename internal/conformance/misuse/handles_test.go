package misuse

import (
	"context"
	"log/slog"
	"time"

	"github.com/dbfleet/dbfleet"
)

// noContext is the nil that a caller may give for a context.
var noContext context.Context

func ofRelations(w *world) []mistake {
	field := func(u *user) *[]post { return &u.Posts }
	with := func(r dbfleet.Relation[user]) error { return w.get(w.users.With(r)) }
	many := func(link dbfleet.Link) error { return with(dbfleet.HasMany(w.users, w.posts, link, field)) }
	same := func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q }
	return []mistake{
		{"nil", with(nil), `dbfleet: table "users": With: a relation is nil`},
		{"a nil pointer", with((*dbfleet.ToMany[user, post])(nil)), `dbfleet: table "users": With: a relation is nil`},
		{"one that nobody made", with(dbfleet.ToMany[user, post]{}), `dbfleet: a relation of table "users": relation: it is the zero value; HasMany, HasOne and BelongsTo make one`},
		{"Scope of one that nobody made", with(dbfleet.ToMany[user, post]{}.Scope(same)), `dbfleet: a relation of table "users": relation: it is the zero value; HasMany, HasOne and BelongsTo make one`},
		{"For of one that nobody made", of(dbfleet.ToMany[user, post]{}.For(&user{ID: 1}).Get(w.ctx)), `dbfleet: relation: it is the zero value; HasMany, HasOne and BelongsTo make one`},
		{"a link that nobody made", many(dbfleet.Link{}), `dbfleet: a relation of table "users": relation: its link names no column; On names the one that refers to the other side`},
		{"a link without a column", many(dbfleet.On("")), `dbfleet: a relation of table "users": relation: its link names no column; On names the one that refers to the other side`},
		{"a link's column that is none", many(dbfleet.On("userid")), `dbfleet: a relation of table "users": table "posts" has no column "userid" known to the model; it has id, user_id, title`},
		{"a link to a column that is none", many(dbfleet.On("user_id", "uuid")), `dbfleet: a relation of table "users": table "users" has no column "uuid" known to the model; it has id, name, age`},
		{"no children's model", with(dbfleet.HasMany(w.users, nil, dbfleet.On("user_id"), field)), `dbfleet: a relation of table "users": the query or model is nil`},
		{"no parents' model", with(dbfleet.HasMany(nil, w.posts, dbfleet.On("user_id"), field)), `dbfleet: a relation of table "users": the query or model is nil`},
		{"no field", with(dbfleet.HasMany(w.users, w.posts, dbfleet.On("user_id"), nil)), `dbfleet: a relation of table "users": relation: the function that names a field of the parent is nil`},
		{"a field's function that returns nil", with(dbfleet.HasMany(w.users, w.posts, dbfleet.On("user_id"), func(*user) *[]post { return nil })), `dbfleet: loading a relation of table "users": relation: its function returned nil in place of a field of the parent`},
		{"a field's function that returns nil, to one", with(dbfleet.HasOne(w.users, w.posts, dbfleet.On("user_id"), func(*user) **post { return nil })), `dbfleet: loading a relation of table "users": relation: its function returned nil in place of a field of the parent`},
		{"Scope of nil", with(w.postsOf().Scope(nil)), `dbfleet: a relation of table "users": Scope: the function is nil`},
		{"Scope that returns nil", with(w.postsOf().Scope(func(*dbfleet.Query[post]) *dbfleet.Query[post] { return nil })), `dbfleet: a relation of table "users": Scope: the function returned nil`},
		{"With of nil below", with(w.postsOf().With(nil)), `dbfleet: a relation of table "users": table "posts": With: a relation is nil`},
		{"For of nil", of(w.postsOf().For(nil).Get(w.ctx)), `dbfleet: relation: the parent is a nil pointer`},
		{"a scope's column that is none", with(w.postsOf().Scope(func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.Where("titel", "=", "x") })), `dbfleet: loading a relation of table "users": table "posts" has no column "titel" known to the model; it has id, user_id, title`},
	}
}

func ofShards(w *world) []mistake {
	s := w.sharded
	lost := dbfleet.MustModel[user](w.reg, dbfleet.ModelConfig{Table: "users", Shard: dbfleet.ShardBy("id", func(id int) string {
		return map[int]string{1: "main", 2: "mian"}[id]
	})})
	apart := dbfleet.MustModel[user](w.reg, dbfleet.ModelConfig{Table: "users", Shard: dbfleet.ShardBy("id", func(id int) string {
		return map[int]string{1: "main", 2: "other"}[id]
	})})
	return []mistake{
		{"no key", of(s.Get(w.ctx)), `dbfleet: table "users", shard key "id": give it by Shard or by a condition "id" = …: no shard key`},
		{"a key of nil", of(s.Shard(nil).Get(w.ctx)), `dbfleet: table "users", shard key "id": the key given to Shard is nil: no shard key`},
		{"a key that is zero", of(s.Shard(0).Get(w.ctx)), `dbfleet: shard key "id": the key is zero: no shard key`},
		{"a key of another type", of(s.Shard("x").Get(w.ctx)), `dbfleet: shard key "id": unsupported type: this text is no int`},
		{"a record without its key", s.Create(w.ctx, &user{Name: "x"}), `dbfleet: table "users", shard key "id": give it by Shard or by a condition "id" = …: no shard key`},
		{"a key beside OR", w.get(s.Where("id", "=", 1).OrWhere("age", "=", 2)), `dbfleet: table "users", shard key "id": the condition on it stands beside an OR, so rows of other shards could match; put the alternatives into a group (WhereGroup) and the condition beside the group, or ask for each by itself: no shard key`},
		{"a function that names no connection", of(lost.Shard(3).Get(w.ctx)), `dbfleet: shard key "id": the shard function names no connection: no shard key`},
		{"a function that names an unknown connection", of(lost.Shard(2).Get(w.ctx)), `dbfleet: unknown connection "mian"; known are "main", "other"`},
		{"keys of several shards", w.get(apart.WhereIn("id", []int{1, 2})), `dbfleet: table "users", shard key "id": the keys live on several shards ("main" and "other"); ask each by itself: no shard key`},
		{"records of several shards", apart.CreateMany(w.ctx, []user{{ID: 1, Name: "x"}, {ID: 2, Name: "y"}}), `dbfleet: table "users": record 1 lives on shard "other", those before it on "main"; create the records of each shard by themselves`},
		{"another key in the condition", w.get(apart.Shard(1).Where("id", "=", 2)), `dbfleet: table "users": the key given to Shard lives on "main", another value of "id" on "other"`},
		{"an update of the key", of(s.Where("id", "=", 1).Update(w.ctx, map[string]any{"id": 2})), `dbfleet: table "users": column "id" is the shard key; a row does not move by an update`},
	}
}

func ofTransactions(w *world) []mistake {
	inTx := func(fn func(ctx context.Context, tx *dbfleet.Tx) error) error {
		return w.reg.Transaction(w.ctx, "main", fn)
	}
	var old *dbfleet.Tx
	var oldContext context.Context
	_ = inTx(func(ctx context.Context, tx *dbfleet.Tx) error {
		old, oldContext = tx, ctx
		return nil
	})
	u := w.users
	return []mistake{
		{"no function", w.reg.Transaction(w.ctx, "main", nil), `dbfleet: connection "main": Transaction: the function is nil`},
		{"no context", w.reg.Transaction(noContext, "main", nothing), `dbfleet: connection "main": the context is nil`},
		{"an unknown connection", w.reg.Transaction(w.ctx, "mian", nothing), `dbfleet: unknown connection "mian"; known are "main", "other"`},
		{"two options", w.reg.Transaction(w.ctx, "main", nothing, dbfleet.TxOptions{}, dbfleet.TxOptions{}), `dbfleet: connection "main": more than one TxOptions`},
		{"too many retries", w.reg.Transaction(w.ctx, "main", nothing, dbfleet.TxOptions{Retries: 100}), `dbfleet: connection "main": TxOptions.Retries is 100, not 0 to 10`},
		{"an isolation level that is none", w.reg.Transaction(w.ctx, "main", nothing, dbfleet.TxOptions{Isolation: 42}), `dbfleet: connection "main": TxOptions.Isolation: sqlite has no isolation level IsolationLevel(42): value refused by the database`},
		{"a write in a transaction for reading", w.reg.Transaction(w.ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			return u.Create(ctx, &user{Name: "x"})
		}, dbfleet.TxOptions{ReadOnly: true}), `dbfleet: insert on "main": attempt to write a readonly database (8)`},
		{"options inside of another", inTx(func(ctx context.Context, _ *dbfleet.Tx) error {
			return w.reg.Transaction(ctx, "main", nothing, dbfleet.TxOptions{ReadOnly: true})
		}), `dbfleet: connection "main": a transaction that is ReadOnly cannot be inside one that writes: its writes would not be refused`},
		{"COMMIT inside", inTx(func(ctx context.Context, tx *dbfleet.Tx) error { return of(tx.ExecContext(ctx, "COMMIT")) }), `dbfleet: connection "main": COMMIT: a transaction is begun and ended by Transaction`},
		{"a handle after its end", of(old.ExecContext(w.ctx, "SELECT 1")), `dbfleet: transaction on connection "main": sql: transaction has already been committed or rolled back`},
		{"a context after its end", of(u.Get(oldContext)), `dbfleet: transaction on connection "main": sql: transaction has already been committed or rolled back`},
		{"Using after its end", of(u.Using(old).Get(w.ctx)), `dbfleet: transaction on connection "main": sql: transaction has already been committed or rolled back`},
		{"Using of nil", u.Using(nil).Create(w.ctx, &user{Name: "x"}), `dbfleet: the Tx is nil; Transaction gives one to its function`},
		{"Using of nil in a query", w.get(u.Query().Using(nil)), `dbfleet: the Tx is nil; Transaction gives one to its function`},
		{"Using of one that nobody made", w.get(u.Query().Using(new(dbfleet.Tx))), `dbfleet: the Tx is the zero value; Transaction gives one to its function`},
		{"Using on another connection", inTx(func(ctx context.Context, tx *dbfleet.Tx) error { return of(u.DB("other").Using(tx).Get(ctx)) }), `dbfleet: the transaction is on connection "main", the operation belongs to "other"`},
		{"Transaction of a query that has one", inTx(func(ctx context.Context, tx *dbfleet.Tx) error {
			return u.Query().Using(tx).Transaction(ctx, nothing)
		}), `dbfleet: a query that uses a transaction begins none; use Tx.Transaction`},
		{"a nil handle", of((*dbfleet.Tx)(nil).ExecContext(w.ctx, "SELECT 1")), `dbfleet: the Tx is nil; Transaction gives one to its function`},
		{"a table of a nil handle", of((*dbfleet.Tx)(nil).Table("users").Get(w.ctx)), `dbfleet: the Tx is nil; Transaction gives one to its function`},
		{"the connection of a nil handle", panicOf(func() { _ = (*dbfleet.Tx)(nil).Connection() }), `dbfleet: Tx.Connection: the Tx is nil; Transaction gives one to its function`},
		{"OutsideTx of nil", panicOf(func() { dbfleet.OutsideTx(noContext) }), `dbfleet: OutsideTx: the context is nil`},
		{"MaxLag of nil", panicOf(func() { dbfleet.MaxLag(noContext, time.Second) }), `dbfleet: MaxLag: the context is nil`},
		{"MaxLag of nothing", panicOf(func() { dbfleet.MaxLag(w.ctx, 0) }), `dbfleet: MaxLag: it takes how stale a replica may be, more than nothing; ReadPrimary reads what is fresh`},
		{"MaxLag of nothing in a query", w.get(u.Query().MaxLag(0)), `dbfleet: table "users": MaxLag: it takes how stale a replica may be, more than nothing; Primary reads what is fresh`},
		{"a replica without a name", w.get(u.Query().OnReplica("")), `dbfleet: table "users": OnReplica: the name of the replica is empty`},
		{"a replica without a name of a handle", panicOf(func() { w.reg.DB("main").OnReplica("") }), `dbfleet: DB.OnReplica: the name of the replica is empty`},
		{"an unknown replica", w.get(u.Query().OnReplica("far")), `dbfleet: connection "main" has no replica "far"; it has none at all`},
		{"an unknown replica of a handle", w.reg.DB("main").OnReplica("far").Ping(w.ctx), `dbfleet: connection "main" has no replica "far"; it has none at all`},
		{"a write on a replica", u.OnReplica("far").Create(w.ctx, &user{Name: "x"}), `dbfleet: connection "main": a handle for reads does not write`},
		{"a route of nil", panicOf(func() { dbfleet.WithRoute(w.ctx, nil) }), `dbfleet: WithRoute: the route is nil`},
		{"a route of no context", panicOf(func() { dbfleet.WithRoute(noContext, new(dbfleet.Route)) }), `dbfleet: WithRoute: the context is nil`},
		{"WithSession of nil", panicOf(func() { dbfleet.WithSession(noContext) }), `dbfleet: WithSession: the context is nil`},
		{"two options of a session", panicOf(func() { dbfleet.WithSession(w.ctx, dbfleet.SessionOptions{}, dbfleet.SessionOptions{}) }), `dbfleet: WithSession: more than one SessionOptions`},
		{"a wait that is negative", panicOf(func() { dbfleet.WithSession(w.ctx, dbfleet.SessionOptions{Wait: -2}) }), `dbfleet: WithSession: SessionOptions.Wait is negative: only -1 has a meaning`},
		{"ContinueSession of nil", of(w.reg.ContinueSession(noContext, "")), `dbfleet: ContinueSession: the context is nil`},
		{"a token that is none", of(w.reg.ContinueSession(w.ctx, "x")), `dbfleet: ContinueSession: not a session's token: it is cut or changed, of another version, or signed with a key that is not known here`},
		{"the token of no session", of(dbfleet.SessionOf(w.ctx).Token()), `dbfleet: the Session is nil; SessionOf gives that of a context of WithSession`},
		{"ReadPrimary of nil", panicOf(func() { dbfleet.ReadPrimary(noContext) }), `dbfleet: ReadPrimary: the context is nil`},
	}
}

func ofHandles(w *world) []mistake {
	u := w.users
	empty := func(*dbfleet.Query[user]) *dbfleet.Query[user] { return nil }
	closed := newWorld(w.t)
	_ = closed.reg.Close()
	none, err := dbfleet.Open(dbfleet.Config{})
	if err == nil {
		w.t.Cleanup(func() { _ = none.Close() })
	}
	return []mistake{
		{"an unknown connection", of(w.reg.Connect(w.ctx, "mian")), `dbfleet: unknown connection "mian"; known are "main", "other"`},
		{"a query on an unknown connection", of(w.reg.DB("mian").QueryContext(w.ctx, "SELECT 1")), `dbfleet: unknown connection "mian"; known are "main", "other"`},
		{"a pool of an unknown connection", w.reg.DB("mian").Pool().PingContext(w.ctx), `dbfleet: unknown connection "mian"; known are "main", "other"`},
		{"the default of a registry without one", of(none.Connect(w.ctx, "")), `dbfleet: no connection named and no default; known are none`},
		{"a closed registry", of(closed.users.Get(closed.ctx)), `dbfleet: connection "main": the registry is closed: closed`},
		{"a nil registry", of((*dbfleet.Registry)(nil).Connect(w.ctx, "main")), `dbfleet: the registry is nil; Open makes one`},
		{"a registry that nobody opened", of(new(dbfleet.Registry).DB("main").ExecContext(w.ctx, "SELECT 1")), `dbfleet: the registry is the zero value; Open makes one`},
		{"the names of a nil registry", panicOf(func() { _ = (*dbfleet.Registry)(nil).Names() }), `dbfleet: Registry.Names: the registry is nil; Open makes one`},
		{"a nil DB", (*dbfleet.DB)(nil).Ping(w.ctx), `dbfleet: the DB is nil; Registry.DB gives one`},
		{"a DB that nobody made", of((&dbfleet.DB{}).ExecContext(w.ctx, "SELECT 1")), `dbfleet: the DB is the zero value; Registry.DB gives one`},
		{"a table of a nil DB", of((*dbfleet.DB)(nil).Table("users").Get(w.ctx)), `dbfleet: the DB is nil; Registry.DB gives one`},
		{"a read handle of a nil DB", (*dbfleet.DB)(nil).Read().Ping(w.ctx), `dbfleet: the DB is nil; Registry.DB gives one`},
		{"the pool of a nil DB", panicOf(func() { _ = (*dbfleet.DB)(nil).Pool() }), `dbfleet: DB.Pool: the DB is nil; Registry.DB gives one`},
		{"no context", w.reg.DB("main").Ping(noContext), `dbfleet: connection "main": the context is nil`},
		{"no context for a row", w.reg.DB("main").QueryRowContext(noContext, "SELECT 1").Scan(), `dbfleet: connection "main": the context is nil`},
		{"no context for Health", panicOf(func() { w.reg.Health(noContext) }), `dbfleet: Registry.Health: the context is nil`},
		{"WhereGroup of nil", w.get(u.Query().WhereGroup(nil)), `dbfleet: table "users": WhereGroup: the function is nil`},
		{"OrWhereGroup of nil", w.get(u.Query().OrWhereGroup(nil)), `dbfleet: table "users": OrWhereGroup: the function is nil`},
		{"WhereNot of nil", w.get(u.Query().WhereNot(nil)), `dbfleet: table "users": WhereNot: the function is nil`},
		{"a group that returns nil", w.get(u.Query().WhereGroup(empty)), `dbfleet: table "users": WhereGroup: the function returned nil`},
		{"WhereExists of nil", w.get(u.Query().WhereExists(nil)), `dbfleet: table "users": WhereExists: the query is nil`},
		{"WhereExists of a nil query", w.get(u.Query().WhereExists((*dbfleet.Query[post])(nil))), `dbfleet: table "users": WhereExists: the query is nil`},
		{"Union of nil", w.get(u.Query().Union(nil)), `dbfleet: table "users": Union: the query is nil`},
		{"SelectSub of nil", w.get(u.Query().SelectSub(nil, "n")), `dbfleet: table "users": SelectSub: the query is nil`},
		{"a nil query as a value", w.get(u.Where("id", "=", (*dbfleet.Query[post])(nil))), `dbfleet: the query or model is nil`},
	}
}

func ofHooks(w *world) []mistake {
	return []mistake{
		{"a nil hook before", panicOf(func() { w.reg.OnBeforeQuery(nil) }), `dbfleet: OnBeforeQuery: the hook is nil`},
		{"a nil hook after", panicOf(func() { w.reg.OnAfterQuery(nil) }), `dbfleet: OnAfterQuery: the hook is nil`},
		{"a nil hook of a connection", panicOf(func() { w.reg.DB("main").OnAfterQuery(nil) }), `dbfleet: OnAfterQuery: the hook is nil`},
		{"a hook of a nil connection", panicOf(func() { (*dbfleet.DB)(nil).OnAfterQuery(func(context.Context, dbfleet.QueryEvent) {}) }), `dbfleet: OnAfterQuery: the DB is nil; Registry.DB gives one`},
		{"no logger", panicOf(func() { dbfleet.LogQueries(nil) }), `dbfleet: LogQueries: the logger is nil`},
		{"no logger of changes", panicOf(func() { dbfleet.LogNodeChanges(nil) }), `dbfleet: LogNodeChanges: the logger is nil`},
		{"a slow query of less than never", panicOf(func() { dbfleet.LogQueries(slog.Default(), dbfleet.LogOptions{Slow: -5 * time.Second}) }), `dbfleet: LogQueries: Slow is negative: only -1 has a meaning`},
	}
}
