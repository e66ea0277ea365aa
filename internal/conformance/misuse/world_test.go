package misuse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

type user struct {
	ID    int64
	Name  string
	Age   int
	Posts []post
	Pet   *post `db:"-"`
}

type post struct {
	ID     int64
	UserID int64
	Title  string
	Owner  *user  `db:"-"`
	Tying  *liked `db:"-"`
}

// noted has fields that can be NULL.
type noted struct {
	ID  int
	Age *int
	Old sql.Null[int]
}
type liked struct{ UserID, PostID int64 }

// world is what calls are made in: two models on a fresh database in memory.
type world struct {
	t       *testing.T
	ctx     context.Context
	reg     *dbfleet.Registry
	users   *dbfleet.Model[user]
	posts   *dbfleet.Model[post]
	likes   *dbfleet.Model[liked]
	sharded *dbfleet.Model[user]
	noted   *dbfleet.Model[noted]
	tx      *dbfleet.Tx
	inTx    context.Context      // of tx
	kept    *dbfleet.Model[kept] // see keeps
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, ctx: context.Background()}
	var err error
	w.reg, err = dbfleet.Open(dbfleet.Config{Default: "main", SessionKeys: []dbfleet.Secret{"sixteen bytes or more"}, Connections: map[string]dbfleet.ConnectionConfig{
		"main":  {Driver: dbfleet.SQLite, Database: ":memory:"},
		"other": {Driver: dbfleet.SQLite, Database: ":memory:"},
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.reg.Close()) })
	w.users = dbfleet.MustModel[user](w.reg, dbfleet.ModelConfig{Table: "users", Fillable: []string{"name", "age"}})
	w.posts = dbfleet.MustModel[post](w.reg, dbfleet.ModelConfig{Table: "posts"})
	w.noted = dbfleet.MustModel[noted](w.reg, dbfleet.ModelConfig{Table: "noted"})
	w.likes = dbfleet.MustModel[liked](w.reg, dbfleet.ModelConfig{Table: "likes", PrimaryKey: []string{"user_id", "post_id"}})
	w.sharded = dbfleet.MustModel[user](w.reg, dbfleet.ModelConfig{Table: "users", Shard: dbfleet.ShardBy("id", func(int) string { return "main" })})
	for _, text := range []string{
		"CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, age INTEGER NOT NULL DEFAULT 0)",
		"CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER, title TEXT NOT NULL DEFAULT '')",
		"CREATE TABLE noted (id INTEGER PRIMARY KEY, age INTEGER, old INTEGER)",
		"CREATE TABLE likes (user_id INTEGER NOT NULL, post_id INTEGER NOT NULL, PRIMARY KEY (user_id, post_id))",
		"INSERT INTO users (id, name, age) VALUES (1, 'Ann', 30)",
		"INSERT INTO posts (id, user_id, title) VALUES (1, 1, 'Hello')",
	} {
		_, err := w.reg.DB("main").ExecContext(w.ctx, text)
		require.NoError(t, err)
	}
	return w
}

// functions are the exported functions, of one type each.
func (w *world) functions() map[string]reflect.Value {
	out := map[string]reflect.Value{}
	for name, f := range map[string]any{
		"AfterCommit": dbfleet.AfterCommit, "AfterRollback": dbfleet.AfterRollback,
		"And": dbfleet.And, "Avg": dbfleet.Avg[float64], "BelongsTo": dbfleet.BelongsTo[post, user], "ConfigFromEnv": dbfleet.ConfigFromEnv,
		"CreateTable": dbfleet.CreateTable[user], "CreateTableSQL": dbfleet.CreateTableSQL[user],
		"DateOf": dbfleet.DateOf, "Decimal": dbfleet.Decimal, "EscapeLike": dbfleet.EscapeLike, "Expr": dbfleet.Expr,
		"HasMany": dbfleet.HasMany[user, post], "HasOne": dbfleet.HasOne[user, post], "IsRetryable": dbfleet.IsRetryable,
		"JSONOf": dbfleet.JSONOf[any], "LogNodeChanges": dbfleet.LogNodeChanges, "LogQueries": dbfleet.LogQueries, "Max": dbfleet.Max[int], "Min": dbfleet.Min[int],
		"MustModel": dbfleet.MustModel[user], "NewModel": dbfleet.NewModel[user], "Not": dbfleet.Not, "On": dbfleet.On,
		"Open": dbfleet.Open, "Or": dbfleet.Or, "OutsideTx": dbfleet.OutsideTx, "Pluck": dbfleet.Pluck[int], "Raw": dbfleet.Raw,
		"MaxLag": dbfleet.MaxLag, "WithRoute": dbfleet.WithRoute,
		"WithTenant": dbfleet.WithTenant, "AcrossTenants": dbfleet.AcrossTenants, "TenantOf": dbfleet.TenantOf,
		"TenantByColumn": dbfleet.TenantByColumn, "TenantBySchema": dbfleet.TenantBySchema,
		"SessionOf": dbfleet.SessionOf, "WithSession": dbfleet.WithSession,
		"ReadPrimary": dbfleet.ReadPrimary, "ShardBy": dbfleet.ShardBy[int], "Sum": dbfleet.Sum[int],
		"Table": dbfleet.Table[user], "ClassOf": dbfleet.ClassOf, "Into": dbfleet.Into[user], "Named": dbfleet.Named,
		"Select": dbfleet.Select[int], "SelectOne": dbfleet.SelectOne[int], "SelectIter": dbfleet.SelectIter[int],
		"NewInbox": dbfleet.NewInbox, "NewOutbox": dbfleet.NewOutbox, "NewSaga": dbfleet.NewSaga[user],
		"CountRelated": dbfleet.CountRelated[user], "ExistsRelated": dbfleet.ExistsRelated[user], "SumRelated": dbfleet.SumRelated[user, int], "MinRelated": dbfleet.MinRelated[user, int],
		"MaxRelated": dbfleet.MaxRelated[user, int], "AvgRelated": dbfleet.AvgRelated[user, int], "WithN1Check": dbfleet.WithN1Check,
		"OnType": dbfleet.OnType, "ManyToMany": dbfleet.ManyToMany[user, post, liked], "HasManyThrough": dbfleet.HasManyThrough[user, post, post], "HasOneThrough": dbfleet.HasOneThrough[user, post, post],
		"CursorPage": dbfleet.CursorPage[user], "PageOf": dbfleet.PageOf[user], "Chunk": dbfleet.Chunk[user], "ChunkParallel": dbfleet.ChunkParallel[user], "Explain": dbfleet.Explain,
		"InsertReturning": dbfleet.InsertReturning[user], "UpdateReturning": dbfleet.UpdateReturning[user], "DeleteReturning": dbfleet.DeleteReturning[user],
		"Field": dbfleet.Field[noted, int], "FieldPointer": dbfleet.FieldPointer[noted, int], "FieldNull": dbfleet.FieldNull[noted, int],
		"From": dbfleet.From, "InsertFrom": dbfleet.InsertFrom, "Value": dbfleet.Value[int], "QueryValue": dbfleet.QueryValue[int], "RawValue": dbfleet.RawValue[int],
		"Compare": dbfleet.Compare[int], "Case": dbfleet.Case[int], "Coalesce": dbfleet.Coalesce[int],
		"Lower": dbfleet.Lower, "Upper": dbfleet.Upper, "Trim": dbfleet.Trim, "Length": dbfleet.Length, "Concat": dbfleet.Concat,
		"Year": dbfleet.Year, "Month": dbfleet.Month, "Day": dbfleet.Day, "Hour": dbfleet.Hour, "Minute": dbfleet.Minute, "Second": dbfleet.Second, "Truncate": dbfleet.Truncate,
		"CountRows": dbfleet.CountRows, "CountOf": dbfleet.CountOf, "SumOf": dbfleet.SumOf[int], "AvgOf": dbfleet.AvgOf, "MinOf": dbfleet.MinOf[int], "MaxOf": dbfleet.MaxOf[int],
		"JSONPath": dbfleet.JSONPath[int], "JSONType": dbfleet.JSONType, "JSONExists": dbfleet.JSONExists, "JSONContains": dbfleet.JSONContains[int],
		"EncryptedOf": dbfleet.EncryptedOf[any], "NewAESCipher": dbfleet.NewAESCipher,
		"RowNumber": dbfleet.RowNumber, "Rank": dbfleet.Rank, "DenseRank": dbfleet.DenseRank, "Lag": dbfleet.Lag[int], "Lead": dbfleet.Lead[int], "FirstValue": dbfleet.FirstValue[int], "LastValue": dbfleet.LastValue[int],
		"DivInt": dbfleet.DivInt[int], "Div": dbfleet.Div[int, int],
	} {
		out[name] = reflect.ValueOf(f)
	}
	for name, f := range keptFunctions {
		out[name] = reflect.ValueOf(f)
	}
	return out
}

// receivers make what has exported methods.
var receivers = map[string]func(w *world) any{
	"Registry":    func(w *world) any { return w.reg },
	"DB":          func(w *world) any { return w.reg.DB("main") },
	"Model":       func(w *world) any { return w.users },
	"Query":       func(w *world) any { return w.users.Query().AllRows() },
	"Tx":          func(w *world) any { return w.begun() },
	"ToMany":      func(w *world) any { return w.postsOf() },
	"ToOne":       func(w *world) any { return w.ownerOf() },
	"Tally":       func(w *world) any { return dbfleet.CountRelated(w.postsOf(), func(*user) *int64 { return new(int64) }) },
	"Col":         func(*world) any { return dbfleet.Col[int]("age") },
	"Cases":       func(*world) any { return dbfleet.Case[int]().When(dbfleet.Col[int]("age").Gt(1), 1) },
	"Order":       func(*world) any { return dbfleet.Col[int]("age").Asc() },
	"Args":        func(*world) any { return dbfleet.Args{1} },
	"BinaryUUID":  func(*world) any { return &dbfleet.BinaryUUID{1} },
	"Date":        func(*world) any { return &dbfleet.Date{Year: 2024, Month: 1, Day: 2} },
	"JSON":        func(*world) any { j := dbfleet.JSONOf(1); return &j },
	"Route":       func(*world) any { return dbfleet.Route{} },
	"Link":        func(*world) any { return dbfleet.On("user_id") },
	"Conn":        func(*world) any { return new(dbfleet.Conn) },
	"Session":     func(w *world) any { return dbfleet.SessionOf(dbfleet.WithSession(w.ctx)) },
	"Secret":      func(*world) any { s := dbfleet.Secret("x"); return &s },
	"Encrypted":   func(*world) any { e := dbfleet.EncryptedOf(1); return &e },
	"ToManyPivot": func(w *world) any { return w.likedBy() },
	"ToManyThrough": func(w *world) any {
		return dbfleet.HasManyThrough(w.postsOf(), w.siblings(), func(u *user) *[]post { return &u.Posts })
	},
	"ToOneThrough": func(w *world) any {
		return dbfleet.HasOneThrough(w.postsOf(), w.siblings(), func(u *user) **post { return &u.Pet })
	},

	"Expression":     func(*world) any { return dbfleet.Col[int]("age").Plus(1) },
	"Aggregation":    func(*world) any { return dbfleet.CountOf(dbfleet.Col[int]("age")) },
	"WindowFunction": func(*world) any { return dbfleet.RowNumber() },

	"Inbox":  func(w *world) any { return w.inbox() },
	"Outbox": func(w *world) any { return w.outbox() },
	"Saga":   func(w *world) any { return w.saga() },

	"ErrorClass": func(*world) any { return dbfleet.ClassOf(nil) },
	"Outcome":    func(*world) any { return dbfleet.Inserted },
	"QueryEvent": func(*world) any { return dbfleet.QueryEvent{} },
	"Finding":    func(*world) any { return dbfleet.Finding{} },
	"Plan":       func(*world) any { return dbfleet.Plan{} },

	"Config":           func(*world) any { return &dbfleet.Config{} },
	"ConnectionConfig": func(*world) any { return &dbfleet.ConnectionConfig{} },
	"PoolConfig":       func(*world) any { return &dbfleet.PoolConfig{} },
	"ReadsConfig":      func(*world) any { return &dbfleet.ReadsConfig{} },
	"TenantsConfig":    func(*world) any { return &dbfleet.TenantsConfig{} },
	"ReplicaConfig":    func(*world) any { return &dbfleet.ReplicaConfig{} },
	"SQLiteConfig":     func(*world) any { return &dbfleet.SQLiteConfig{} },
	"TLSConfig":        func(*world) any { return &dbfleet.TLSConfig{} },

	"CommitUnknownError":     func(*world) any { return &dbfleet.CommitUnknownError{} },
	"AcquireTimeoutError":    func(*world) any { return &dbfleet.AcquireTimeoutError{} },
	"AtomicConnectionError":  func(*world) any { return &dbfleet.AtomicConnectionError{} },
	"AtomicError":            func(*world) any { return &dbfleet.AtomicError{} },
	"SagaError":              func(*world) any { return &dbfleet.SagaError{} },
	"ColumnError":            func(*world) any { return &dbfleet.ColumnError{} },
	"ConfigError":            func(*world) any { return &dbfleet.ConfigError{} },
	"ModelError":             func(*world) any { return &dbfleet.ModelError{} },
	"NotFillableError":       func(*world) any { return &dbfleet.NotFillableError{} },
	"OperatorError":          func(*world) any { return &dbfleet.OperatorError{} },
	"QueryError":             func(*world) any { return &dbfleet.QueryError{} },
	"RecordError":            func(*world) any { return &dbfleet.RecordError{} },
	"SameRowError":           func(*world) any { return &dbfleet.SameRowError{} },
	"StatementError":         func(*world) any { return &dbfleet.StatementError{} },
	"TwoPrimariesError":      func(*world) any { return &dbfleet.TwoPrimariesError{} },
	"TxConnectionError":      func(*world) any { return &dbfleet.TxConnectionError{} },
	"UnknownColumnError":     func(*world) any { return &dbfleet.UnknownColumnError{} },
	"UnknownConnectionError": func(*world) any { return &dbfleet.UnknownConnectionError{} },
	"UnknownReplicaError":    func(*world) any { return &dbfleet.UnknownReplicaError{} },
}

// special are receivers of single methods.
var special = map[string]func(w *world) any{
	"Model.Shard":       func(w *world) any { return w.sharded },
	"Query.Shard":       func(w *world) any { return w.sharded.Query() },
	"Query.GroupBy":     func(w *world) any { return w.users.Query().SelectMax("age", "age") },
	"Query.Having":      func(w *world) any { return w.users.Select("age").GroupBy("age") },
	"Query.HavingRaw":   func(w *world) any { return w.users.Select("age").GroupBy("age") },
	"Link.And":          func(w *world) any { return dbfleet.On("title") },
	"Query.Union":       func(w *world) any { return w.users.Select("age") },
	"Query.UnionAll":    func(w *world) any { return w.users.Select("age") },
	"Model.Restore":     func(w *world) any { return w.keeps() },
	"Model.SaveMany":    func(w *world) any { return w.keeps() },
	"Query.WithDeleted": func(w *world) any { return w.keeps().Query() },
	"Query.OnlyDeleted": func(w *world) any { return w.keeps().Query() },
	"DB.OnReplica":      func(w *world) any { return w.reg.DB(w.copied()) },
	"Model.OnReplica":   func(w *world) any { return w.users.DB(w.copied()) },
	"Query.OnReplica":   func(w *world) any { return w.users.DB(w.copied()).Query() },
	"Registry.TenantsStats": func(w *world) any {
		require.NoError(w.t, w.reg.AddTenants("many", tenants))
		return w.reg
	},
	"Registry.CloseTenant": func(w *world) any {
		require.NoError(w.t, w.reg.AddTenants("many", tenants))
		return w.reg
	},
	"Query.WithoutScope": func(w *world) any { return w.grown().Query() },
}

// tenants is a connection that is another database for each tenant.
var tenants = dbfleet.TenantsConfig{Driver: dbfleet.SQLite, Connect: func(context.Context, string) (dbfleet.ConnectionConfig, error) {
	return dbfleet.ConnectionConfig{}, dbfleet.ErrUnknownTenant
}}

// copied is a connection with a replica.
func (w *world) copied() string {
	dir := w.t.TempDir()
	config := dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: filepath.Join(dir, "copy.db")}
	for range 2 {
		require.NoError(w.t, w.reg.Add("copied", config))
		_, err := w.reg.DB("copied").ExecContext(w.ctx, "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)")
		require.NoError(w.t, err)
		if config.ReadHosts == nil {
			require.NoError(w.t, w.reg.Remove(w.ctx, "copied"))
		}
		config.ReadHosts, config.Database = []string{config.Database}, filepath.Join(dir, "primary.db")
	}
	return "copied"
}

// grown is a model with a scope.
func (w *world) grown() *dbfleet.Model[user] {
	m, err := dbfleet.NewModel[user](w.reg, dbfleet.ModelConfig{Table: "users", Scopes: []dbfleet.Scope{{Name: "grown", Conditions: []dbfleet.Cond{dbfleet.Col[int]("age").Gt(17)}}}})
	require.NoError(w.t, err)
	return m
}

// begun is a transaction that is open until the test's end.
func (w *world) begun() *dbfleet.Tx {
	if w.tx != nil {
		return w.tx
	}
	begun, end, ended := make(chan *dbfleet.Tx), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- w.reg.Transaction(w.ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			w.inTx = ctx
			begun <- tx
			<-end
			return nil
		})
	}()
	w.tx = <-begun
	w.t.Cleanup(func() {
		close(end)
		<-ended
	})
	return w.tx
}

func (w *world) postsOf() dbfleet.ToMany[user, post] {
	return dbfleet.HasMany(w.users, w.posts, dbfleet.On("user_id"), func(u *user) *[]post { return &u.Posts })
}

func (w *world) ownerOf() dbfleet.ToOne[post, user] {
	return dbfleet.BelongsTo(w.posts, w.users, dbfleet.On("user_id"), func(p *post) **user { return &p.Owner })
}

func (w *world) likedBy() dbfleet.ToManyPivot[user, post, liked] {
	return dbfleet.ManyToMany(w.users, w.posts, w.likes, dbfleet.On("user_id"), dbfleet.On("post_id"), func(u *user) *[]post { return &u.Posts })
}

func (w *world) siblings() dbfleet.ToMany[post, post] {
	return dbfleet.HasMany(w.posts, w.posts, dbfleet.On("user_id", "user_id"), func(*post) *[]post { return new([]post) })
}

// texts are right arguments by their parameter's name, or by function and name.
var texts = map[string]string{
	"column": "age", "op": "=", "alias": "other", "table": "posts", "left": "users.id", "right": "users.age", "name": "main", "text": "x",
	"unit": "month", "Query.SelectValue alias": "age", "RawValue sql": "age + ?", "From alias": "other", "Of alias": "users",
	"sql": "age = ?", "query": "SELECT ?", "Select sql": "SELECT ?", "SelectOne sql": "SELECT ?", "SelectIter sql": "SELECT ?", "pattern": "x", "foreignKey": "user_id", "refersTo": "id", "columns": "age", "key": "name", "direction": "ASC",
	"Join right": "posts.user_id", "LeftJoin right": "posts.user_id", "JoinRaw sql": "JOIN posts ON posts.user_id = users.id AND posts.id = ?",
	"Table name": "users", "Registry.Add name": "new", "SelectRaw sql": "age + ? AS age", "OrderByRaw sql": "age + ?", "SQL sql": "age + ?", "Registry.Remove name": "other", "Registry.Replace name": "other",
	"ExecContext query": "DELETE FROM posts WHERE id = ?", "PrepareContext query": "SELECT 1", "Query.SelectAs alias": "name", "Query.SelectExpr alias": "age", "Query.SelectSub alias": "age", "Query.SelectAvg alias": "age", "Query.SelectMax alias": "age", "Query.SelectMin alias": "age", "Query.SelectSum alias": "age", "Query.SelectCount alias": "age", "Link.And refersTo": "name",
	"OnType column": "title", "Link.AndType column": "title", "ManyToMany foreignKey": "user_id",
	"SumRelated column": "id", "MinRelated column": "id", "MaxRelated column": "id", "AvgRelated column": "id",
	"Tx.Table name": "users", "DB.Table name": "users", "connections": "main", "id": "one", "OnReplica name": "replica-1", "names": "grown", "Registry.ContinueSession text": "",
	"tenant": "acme", "Registry.AddTenants name": "many", "Registry.TenantsStats name": "many", "Registry.CloseTenant name": "many", "prefix": "shop_",
}

func (w *world) good(t *testing.T, function, name string, in reflect.Type) reflect.Value {
	t.Helper()
	v := w.value(function, name, in)
	require.NotNil(t, v, "no argument for %s of %s", name, function)
	return reflect.ValueOf(v).Convert(in)
}

func (w *world) value(function, name string, in reflect.Type) any {
	if in.Kind() == reflect.String {
		_, method, _ := cutDot(function)
		for _, key := range []string{function + " " + name, method + " " + name, name} {
			if text, ok := texts[key]; ok {
				return text
			}
		}
		return nil
	}
	if v := w.ofKept(function, in); v != nil {
		return v
	}
	one := &user{ID: 1, Name: "Ann", Age: 30}
	if function == "Model.Create" {
		one = &user{Name: "Cid"}
	}
	document := []byte(`{}`)
	switch function {
	case "Date.UnmarshalText":
		document = []byte("2024-01-02")
	case "NewAESCipher":
		return dbfleet.CipherKey{ID: name, Key: dbfleet.Secret(strings.Repeat("k", 32))}
	case "JSON.UnmarshalJSON", "Encrypted.UnmarshalJSON":
		document = []byte("1")
	case "JSON.Scan":
		return "1"
	case "BinaryUUID.UnmarshalText":
		document = []byte("00112233-4455-6677-8899-aabbccddeeff")
	case "BinaryUUID.Scan":
		return "00112233-4455-6677-8899-aabbccddeeff"
	}
	if function == "Outbox.Add" && in == reflect.TypeFor[context.Context]() {
		return w.inTransaction()
	}
	if function == "InsertFrom" {
		switch name {
		case "into":
			return w.posts
		case "columns":
			return []string{"user_id"}
		}
	}
	switch {
	case name == "toChild":
		return dbfleet.On("post_id")
	case (function == "ToManyPivot.Sync" || function == "ToManyPivot.SyncWith") && name == "children":
		return []post{{ID: 1}}
	}
	given := []any{
		w.noted, func(n *noted) *int { return &n.ID }, func(n *noted) **int { return &n.Age }, func(n *noted) *sql.Null[int] { return &n.Old },
		dbfleet.Window{OrderBy: []dbfleet.Order{dbfleet.Col[int]("age").Asc()}}, dbfleet.Col[int]("age").Asc(),
		w.ctx, w.reg, w.reg.DB("main"), w.users, w.posts, dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"a": {Driver: dbfleet.SQLite, Database: ":memory:"}}},
		dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: ":memory:"},
		dbfleet.ModelConfig{Table: "users"}, tenants, dbfleet.TenantOptions{}, one, &post{ID: 1, UserID: 1}, []user{{Name: "Bob"}}, map[string]any{"name": "Bob", "age": 3}, 1, 1.5, true, time.Now(), errors.New("x"),
		dbfleet.On("user_id"), dbfleet.Conflict{Key: []string{"name"}}, dbfleet.LogOptions{}, dbfleet.HealthOptions{}, dbfleet.EnvOptions{}, dbfleet.LoadOptions{}, dbfleet.CreateTableOptions{}, dbfleet.Row{"name": "Bob", "age": 3},
		dbfleet.CTE{Name: "old", Query: w.users.Where("age", ">", 1)}, dbfleet.TxOptions{}, dbfleet.Col[int]("age").Gt(1),
		slog.New(slog.NewTextHandler(io.Discard, nil)), dbfleet.QueryHook{After: func(context.Context, dbfleet.QueryEvent) {}}, func(context.Context, dbfleet.QueryEvent) {},
		func(ctx context.Context, _ dbfleet.QueryEvent) context.Context { return ctx }, func(context.Context, *dbfleet.Conn) error { return nil }, func(v any) error { *v.(*any) = map[string]any{}; return nil }, w.users.Query().AllRows(),
		func(context.Context) {}, func(context.Context, error) {}, func(context.Context, dbfleet.OpenTransaction) {}, func(context.Context, dbfleet.NodeEvent) {},
		[]dbfleet.ReplicaConfig{}, new(dbfleet.Route), dbfleet.SessionOptions{}, dbfleet.SessionHTTP{},
		func(context.Context, *dbfleet.Tx) error { return nil }, slices.Values([]user{{Name: "Bob"}}),
		func(q *dbfleet.Query[user]) *dbfleet.Query[user] { return q.Where("age", ">", 1) },
		func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.Where("id", ">", 0) },
		w.likes, liked{}, post{ID: 1}, func(p *post) **liked { return &p.Tying }, func(q *dbfleet.Query[liked]) *dbfleet.Query[liked] { return q.Where("post_id", ">", 0) },
		func(u *user) *[]post { return &u.Posts }, func(u *user) **post { return &u.Pet }, func(p *post) **user { return &p.Owner },
		dbfleet.InboxConfig{}, dbfleet.OutboxConfig{}, dbfleet.SagaConfig{Name: "saga"}, w.step(), dbfleet.DeliverOptions{}, dbfleet.RecoverOptions{}, *one,
		dbfleet.Event{ID: "one", Topic: "x"}, func(context.Context, dbfleet.Event) error { return nil }, func(context.Context) error { return nil },
		[]string{"main"}, time.Millisecond, []post{{UserID: 1}}, func(*user) *int64 { return new(int64) }, func(*user) *bool { return new(bool) },
		func(*user) *int { return new(int) }, func(dbfleet.N1Report) {}, dbfleet.N1Options{},
		[]string{"main"}, time.Millisecond, dbfleet.Cursor{Size: 1}, dbfleet.ExplainOptions{}, func(context.Context, []user) error { return nil },
		func(int) string { return "main" }, time.UTC, document, dbfleet.Args{1}, 'v', fmt.State(state{}),
	}
	if in == reflect.TypeFor[dbfleet.Cond]() && (strings.HasPrefix(function, "ToMany") || strings.HasPrefix(function, "ToOneThrough.")) {
		return dbfleet.Col[int]("user_id").Gt(0)
	}
	if in == reflect.TypeFor[*dbfleet.Tx]() {
		return w.begun()
	}
	for _, v := range given {
		if reflect.TypeOf(v) == in {
			return v
		}
	}
	switch in {
	case reflect.TypeFor[context.Context]():
		return w.ctx
	case reflect.TypeFor[dbfleet.Queryer]():
		return w.reg.DB("main")
	case reflect.TypeFor[error]():
		return errors.New("x")
	case reflect.TypeFor[dbfleet.Queryable]():
		if function == "Into" {
			return w.users
		}
		return w.users.Select("age")
	case reflect.TypeFor[dbfleet.Term](), reflect.TypeFor[dbfleet.Operand[int]]():
		return dbfleet.Col[int]("age")
	case reflect.TypeFor[dbfleet.Operand[string]]():
		return dbfleet.Col[string]("name")
	case reflect.TypeFor[dbfleet.Operand[time.Time]]():
		return dbfleet.Col[time.Time]("age")
	case reflect.TypeFor[dbfleet.Relation[user]]():
		return w.postsOf()
	case reflect.TypeFor[dbfleet.Relation[post]]():
		return w.ownerOf()
	case reflect.TypeFor[dbfleet.Step[user, post]]():
		return w.postsOf()
	case reflect.TypeFor[dbfleet.Step[post, post]]():
		return w.siblings()
	case reflect.TypeFor[fmt.State]():
		return state{}
	case reflect.TypeFor[squirrel.Sqlizer]():
		return sqlizers[function]
	case reflect.TypeFor[any]():
		return values[name]
	case reflect.TypeFor[dbfleet.Args]():
		return dbfleet.Args{1}
	}
	return nil
}

var sqlizers = map[string]squirrel.Sqlizer{
	"Expr": squirrel.Expr("age = 30"), "Query.SelectExpr": squirrel.Expr("age"), "Query.JoinExpr": squirrel.Expr("JOIN posts ON posts.user_id = users.id"),
	"Query.GetStatement": squirrel.Select("id", "name", "age").From("users"), "Query.ExecStatement": squirrel.Delete("posts").Where("id = 1"),
}

var values = map[string]any{
	"value": 30, "values": []int{30}, "low": 1, "high": 50, "v": 1, "by": 1, "key": 1, "src": "2024-01-02", "args": 1, "vs": 1, "keys": 1, "tree": map[string]any{}, "steps": "x",
}

// state is a fmt.State.
type state struct{}

func (state) Write(b []byte) (int, error) { return len(b), nil }
func (state) Width() (int, bool)          { return 0, false }
func (state) Precision() (int, bool)      { return 0, false }
func (state) Flag(int) bool               { return false }

// used uses what a call returned, as a caller would, and tells the first error.
func (w *world) used(function string, results []reflect.Value) string {
	for _, r := range slices.Backward(results) {
		if err := w.use(function, r.Interface()); err != nil {
			return err.Error()
		}
	}
	return ""
}

func (w *world) use(function string, result any) error {
	if function == "Decimal" {
		_, err := w.users.Where("age", ">", result).Get(w.ctx)
		return err
	}
	switch r := result.(type) {
	case error:
		return r
	case *dbfleet.Model[user]:
		if r != nil {
			_, err := r.Count(w.ctx)
			return err
		}
	case *dbfleet.Query[user]:
		_, err := r.Get(w.ctx)
		return err
	case *dbfleet.Query[post]:
		_, err := r.Get(w.ctx)
		return err
	case *dbfleet.Query[kept]:
		_, err := r.Get(w.ctx)
		return err
	case *dbfleet.Query[dbfleet.Row]:
		_, err := r.Get(w.ctx)
		return err
	case dbfleet.ToMany[user, post]:
		_, err := w.users.With(r).Get(w.ctx)
		return err
	case dbfleet.ToManyPivot[user, post, liked]:
		_, err := w.users.With(r).Get(w.ctx)
		return err
	case dbfleet.ToManyThrough[user, post]:
		_, err := w.users.With(r).Get(w.ctx)
		return err
	case dbfleet.ToOneThrough[user, post]:
		_, err := w.users.With(r).Get(w.ctx)
		return err
	case *dbfleet.Query[liked]:
		_, err := r.Get(w.ctx)
		return err
	case dbfleet.ToOne[user, post]:
		_, err := w.users.With(r).Get(w.ctx)
		return err
	case dbfleet.ToOne[post, user]:
		_, err := w.posts.With(r).Get(w.ctx)
		return err
	case dbfleet.Link:
		if function == "OnType" {
			r = r.And("user_id")
		}
		_, err := w.users.With(dbfleet.HasMany(w.users, w.posts, r, func(u *user) *[]post { return &u.Posts })).Get(w.ctx)
		return err
	case dbfleet.Tally[user]:
		_, err := w.users.With(r).Get(w.ctx)
		return err
	case dbfleet.Col[int]:
		if strings.HasPrefix(function, "Field") {
			_, err := w.noted.Filter(r.IsNull()).Get(w.ctx)
			return err
		}
		_, err := w.users.Filter(r.Gt(1)).Get(w.ctx)
		return err
	case dbfleet.Order:
		_, err := w.users.Query().OrderWith(r).Get(w.ctx)
		return err
	case dbfleet.Cases[int]:
		return w.use(function, r.When(dbfleet.Col[int]("age").Gt(1), 1).Else(1))
	case dbfleet.WindowFunction[int]:
		return w.use(function, r.Over(dbfleet.Window{}))
	case dbfleet.WindowFunction[int64]:
		return w.use(function, r.Over(dbfleet.Window{}))
	case dbfleet.Term:
		_, err := w.users.Query().SelectValue(r, "age").Pluck(w.ctx, "age")
		return err
	case dbfleet.Cond:
		if strings.HasPrefix(function, "ToOne.") {
			_, err := w.posts.Filter(r).Get(w.ctx)
			return err
		}
		_, err := w.users.Filter(r).Get(w.ctx)
		return err
	case dbfleet.ShardRule:
		_, err := dbfleet.NewModel[user](w.reg, dbfleet.ModelConfig{Table: "users", Shard: r})
		return err
	case dbfleet.TenantRule:
		_, err := dbfleet.NewModel[user](w.reg, dbfleet.ModelConfig{Table: "users", Tenant: r})
		return err
	case context.Context:
		if function == "WithTenant" {
			return w.reg.DB("main").Ping(r)
		}
	case *dbfleet.DB:
		return r.Ping(w.ctx)
	case *dbfleet.Registry:
		return r.Close()
	case *sql.DB:
		return r.PingContext(w.ctx)
	case *sql.Rows:
		if r != nil {
			return r.Close()
		}
	case *sql.Row:
		var one any
		return r.Scan(&one)
	case *sql.Stmt:
		if r != nil {
			return r.Close()
		}
	case iter.Seq2[int, error]:
		for _, err := range r {
			if err != nil {
				return err
			}
		}
	case iter.Seq2[user, error]:
		for _, err := range r {
			if err != nil {
				return err
			}
		}
	case func():
		r()
	case func(context.Context, dbfleet.Event) error:
		return r(w.ctx, dbfleet.Event{ID: "two", Topic: "x"})
	case http.Handler:
		return nil
	}
	return nil
}

func cutDot(s string) (string, string, bool) {
	for i := range s {
		if s[i] == '.' {
			return s[:i], s[i+1:], true
		}
	}
	return "", s, false
}
