// Package dbfleet lets a service work with many databases at once: named
// PostgreSQL, MySQL/MariaDB and SQLite connections, their read replicas and
// their shards, behind one registry. There is nothing to deploy, no code to
// generate and no global state.
//
// This guide goes through it in the order in which a service is written:
// connections, models, queries, rows of other shapes, SQL of one's own, relations;
// then where an operation goes, shards and transactions; then watching, values, errors
// and mistakes; and last what lies below. What each name does exactly stands with it in
// the reference.
//
// # Connections
//
// A [Registry] holds connections by name. [Open] checks the whole [Config] and
// reports every fault at once; it dials nothing. A pool opens when it is first
// used, so a database that is down harms nobody who does not ask it.
//
//	registry, err := dbfleet.Open(dbfleet.Config{
//		Default: "main",
//		Connections: map[string]dbfleet.ConnectionConfig{
//			"main":      {Driver: dbfleet.SQLite, Database: "app.db"},
//			"users_db":  {Driver: dbfleet.MySQL, Host: "db1", Database: "users", Username: "app", Password: secret},
//			"analytics": {Driver: dbfleet.Postgres, Host: "db2", Database: "events", ReadHosts: []string{"r1", "r2"}},
//		},
//	})
//	defer registry.Close()
//
// A configuration can also come from the environment ([ConfigFromEnv], with
// [EnvOptions]), from JSON, YAML or TOML, or through viper, under the same names, and
// from a database's URL ([ConnectionConfig].URL). Passwords are a [Secret], which is
// shown nowhere. [Registry.Add], [Registry.Replace] and [Registry.Remove] change the
// connections of a running program; what runs on an old one is waited for.
//
// [Registry.DB] is the handle of a connection, [Registry.Connect] the same once
// its primary has answered. A [DB] has the four methods of database/sql for the
// database's own SQL, [DB.Pool] and [DB.ReplicaPool] for what wants a *sql.DB,
// and [DB.Table] for queries without a struct.
//
//	main := registry.DB("main")
//	_, err = main.ExecContext(ctx, "CREATE TABLE …")
//	_, err = registry.DB("analytics").Table("events").Insert(ctx, dbfleet.Row{"kind": "login"})
//
// # Models
//
// A [Model] ties a struct to a table of a connection. Its configuration is
// checked once, by [NewModel], or by [MustModel], which panics. A column is called as its field in snake case, or
// as its tag db:"name" says.
//
//	type User struct {
//		ID                   int64 // the key, unless PrimaryKey names others; the database makes it while it is 0
//		Name, Email          string
//		IsAdmin              bool
//		CreatedAt, UpdatedAt time.Time // set because of Timestamps
//		Posts                []Post    // no column, since Post is a struct: a relation fills it in
//	}
//
//	users, err := dbfleet.NewModel[User](registry, dbfleet.ModelConfig{
//		Table: "users", Connection: "users_db", Timestamps: true,
//	})
//
//	john := User{Name: "John"}
//	err = users.Create(ctx, &john)       // fills in the id and the timestamps
//	found, err := users.Find(ctx, 1)     // by its key, or ErrNotFound
//	john.Name = "Johnny"
//	err = users.Save(ctx, &john)         // ErrNotFound if somebody has deleted it
//	err = users.Delete(ctx, &john)
//
// Many records are written in few statements, all or none: by [Model.CreateMany],
// and by [Model.Load] from an iterator, which uses COPY and LOAD DATA. [Model.Upsert]
// and [Model.UpsertMany] create records, or update those that are there. CreateMany
// fills in ids and times as Create does, Upsert the key of the row, new or old:
//
//	err = users.CreateMany(ctx, []User{{Name: "Ada"}, {Name: "Grace"}})
//	err = users.Upsert(ctx, &john, dbfleet.Conflict{Key: []string{"email"}, Update: []string{"name"}})
//
// A key of several columns is PrimaryKey: []string{"tenant_id", "id"}, and found by
// Find(ctx, tenant, id).
//
// [Model.Fill] and [Model.CreateFrom] take values that come from outside, a form or JSON,
// and of these only the columns that [ModelConfig].Fillable names. What a
// record has to say about itself are plain methods of the struct. BeforeCreate and its
// like are called if it has them: see [BeforeCreator], [BeforeUpdater],
// [BeforeDeleter], [AfterCreator], [AfterUpdater] and [AfterDeleter].
//
// # Queries
//
// A [Query] never changes. Each method returns a new one, so that queries may be
// stored, branched and shared by goroutines; what is wrong with one is told
// when it runs, before anything is sent. A model has the usual beginnings of one
// and [Model.Query] for the rest.
//
//	admins := users.Where("is_admin", "=", true)
//	list, err := admins.OrderBy("name", dbfleet.Asc).Limit(10).Get(ctx)
//	first, err := admins.First(ctx)                       // or ErrNotFound
//	n, err := admins.Count(ctx)
//	for user, err := range admins.Iter(ctx) { … }         // one row at a time
//	names, err := dbfleet.Pluck[string](ctx, admins, "name")
//
// Conditions that always hold are the Scopes of [ModelConfig]; its SoftDelete leaves out rows
// that are only marked as deleted, its Tenant those of others than [WithTenant] names
// ([TenantOf] tells it). What holds for some queries is a query that is kept:
//
//	active := users.Query().WhereNull("banned_at")
//	list, err := active.Where("name", "=", "Ada").Get(ctx)
//
// Columns, operators and directions given as text are checked, so that they may
// come from a request. Conditions can also be typed: with
//
//	var age = dbfleet.Col[int]("age")
//
// users.Filter(age.Gt(18)) compiles and age.Gt("18") does not. A Go string is
// SQL only where the method's name says Raw; there ? stands for an argument on
// every database. Anything that squirrel builds is taken by [Expr],
// [Query.SelectExpr], [Query.JoinExpr] and [Query.GetStatement].
//
// Records are changed and deleted by conditions, too, in the database:
//
//	n, err := admins.Update(ctx, dbfleet.Row{"name": "Root"})            // how many rows matched
//	n, err = users.Where("id", "=", 1).Increment(ctx, "logins", 1)       // so that two at once both count
//	n, err = users.Where("id", "=", 1).Update(ctx, dbfleet.Row{"seen_at": dbfleet.Raw("CURRENT_TIMESTAMP")})
//	n, err = users.Where("name", "LIKE", "test-%").Delete(ctx)
//
// [InsertReturning], [UpdateReturning] and [DeleteReturning] read the rows that they
// write, where the server returns them. [Query.WithCTE] gives queries names.
//
// [Query.Update] and [Query.Delete] of all rows need [Query.AllRows], or are [ErrMissingWhere].
//
// # Rows of other shapes
//
// [Into] maps the rows of a model's query to another struct; everything else stays
// the model's: where it goes, its transaction, its checked columns.
//
//	type Spending struct {
//		UserID, Number int64
//		Total          float64
//	}
//
//	list, err := dbfleet.Into[Spending](orders.Where("paid", "=", true)).
//		Select("user_id").SelectCount("number").SelectSum("total", "total"). // COUNT(*) AS number, SUM(total) AS total
//		GroupBy("user_id").OrderBy("user_id", dbfleet.Asc).Get(ctx)
//
// Single values are read by [Sum], [Avg], [Min], [Max] and [Pluck], rows without a
// struct as a [Row], and the rows of a table without a model by [Table]. Every
// column of a result needs a field and every field its column.
//
// # SQL of one's own
//
// [Select], [SelectOne] and [SelectIter] read the rows of the database's own SQL, with
// its own placeholders (? or, on PostgreSQL, $1) or with [Named] arguments, into structs, rows and values. They
// run on what their second argument is: a [DB] asks its primary, its Read() a replica,
// a [Tx] the transaction, a model or query goes where it goes.
//
//	list, err := dbfleet.Select[Spending](ctx, registry.DB("main"),
//		"SELECT user_id, COUNT(*) AS number, SUM(total) AS total FROM orders WHERE total > ? GROUP BY user_id", 10)
//	oldest, err := dbfleet.SelectOne[int](ctx, users, "SELECT MAX(age) FROM users WHERE name = :name", dbfleet.Named("name", "Ada"))
//
// # Relations
//
// A relation is a typed value, made once, where the models are. Its two sides may live on
// different connections, databases and shards: related records are read by statements of
// their own, one for all parents (and shard). Here the users are in users_db, of MySQL,
// and their posts in analytics, of PostgreSQL:
//
//	type Post struct {
//		ID, UserID int64
//		Title      string
//		Author     *User // no column either
//	}
//
//	posts, err := dbfleet.NewModel[Post](registry, dbfleet.ModelConfig{Table: "posts", Connection: "analytics"})
//	postsOf := dbfleet.HasMany(users, posts, dbfleet.On("user_id"), func(u *User) *[]Post { return &u.Posts })
//	authorOf := dbfleet.BelongsTo(posts, users, dbfleet.On("user_id"), func(p *Post) **User { return &p.Author })
//
//	list, err := users.With(postsOf).Get(ctx)             // with their posts
//	some, err := posts.With(authorOf).Limit(10).Get(ctx)  // with their authors
//	recent, err := postsOf.For(&john).OrderBy("id", dbfleet.Desc).Limit(3).Get(ctx)
//
// [HasOne] and [BelongsTo] are the siblings of [HasMany]. Models that are keyed by
// several columns are tied by several: On("user_id").And("tenant_id").
//
// # Where an operation goes
//
// The connection is, the first that applies: the one named on the call
// ([Model.DB]), the shard of a key, the model's, the registry's default. A name
// that is not known is an [*UnknownConnectionError]; nothing falls back to
// another database in silence.
//
// On that connection, an operation runs in the transaction that the context
// carries; without one, reads of models and queries go to a replica in turn and
// everything else to the primary. [Query.Primary] and [DB.Primary] ask the
// primary, with [ReadPrimary] a whole context does; [DB.Read] sends raw queries to
// replicas, of those that are known to be plain reads, and [Query.OnReplica] to one of
// them. A read that a replica does not answer is asked elsewhere: at another replica, at
// the primary, and before it fails at whoever might answer. It is never asked twice in a
// transaction or a Conn, when a row was given to its caller, when it may write, or when
// its statement took longer than StatementTimeout.
//
// Replicas may be behind: who must see what was just written asks the primary, or reads
// in the transaction. [MaxLag] and [Query.MaxLag] bound how far, as ReadsConfig.MaxLag
// does for a connection; where none is within that, ReadsConfig.WhenStale decides between
// the primary, what is stale, and an error (ErrStale, ErrNoReplica).
//
// [Query.Route] tells where a query would run and why, [Query.SQL] what is sent,
// [WithRoute] where an operation went.
//
// A primary that fails over is followed to its new place among Host, Hosts and replicas.
// While nobody is it a write fails; if several claim it, by a [*TwoPrimariesError].
//
// [WithSession] ([SessionOf] gives it back) has reads find what its context has written;
// see [Session]. Its token, or ErrToken, goes on with [Registry.ContinueSession]. All of
// this stands at length in docs/replicas.md of the repository, with examples/replicas.
//
// # Shards
//
// A model with a [ShardRule], by [ShardBy], keeps each record on the connection that
// a function of its key names:
//
//	orders, err := dbfleet.NewModel[Order](registry, dbfleet.ModelConfig{
//		Table: "orders",
//		Shard: dbfleet.ShardBy("user_id", func(id int64) string { return fmt.Sprintf("orders_shard_%d", id%4+1) }),
//	})
//	err = orders.Create(ctx, &Order{UserID: 7})           // the record's key
//	list, err := orders.Where("user_id", "=", 7).Get(ctx) // the condition's
//	n, err := orders.Shard(7).Count(ctx)                  // the call's
//
// Without a key it is [ErrMissingShardKey].
//
// # Transactions
//
// [Registry.Transaction] begins one on one connection. Its closure gets a
// context that carries it: whatever routes to that connection takes part, and
// what routes elsewhere runs on its own. An error, a panic or the context's end
// rolls back. Inside, another one is a savepoint.
//
//	err = registry.Transaction(ctx, "users_db", func(ctx context.Context, tx *dbfleet.Tx) error {
//		if err := users.Create(ctx, &john); err != nil {
//			return err
//		}
//		return audit.Using(tx).Create(ctx, &entry)        // named instead of carried
//	})
//
// [TxOptions] choose the isolation, how often the closure is run again after a deadlock
// or a serialization failure, and whether the outcome can be asked for if the answer to
// COMMIT is lost. [OutsideTx] makes a context that leaves the transactions of another.
//
//	err = registry.Transaction(ctx, "users_db", func(ctx context.Context, _ *dbfleet.Tx) error {
//		if err := dbfleet.AfterCommit(ctx, func(context.Context) { welcome(john) }); err != nil {
//			return err
//		}
//		return users.Create(ctx, &john)
//	}, dbfleet.TxOptions{Retries: 3, Resolvable: true})
//
// What is to happen once it is known that the transaction is committed, or that it is
// not, is given to [AfterCommit] and [AfterRollback]. Records that were written in a
// transaction or savepoint which is undone get back what their columns held before.
// [Registry.OnLongTransaction] is told of a transaction that stays open for longer than
// [ConnectionConfig].LongTransaction.
//
// A statement that MySQL commits by itself is refused inside of a transaction. Where the
// pool has one connection, what would wait for it in vain is [ErrBusy] at once.
//
// # Across databases
//
// [Registry.Atomic] commits what its function does on several connections, or nothing
// of it, in two phases. [Registry.Recover] ends what a crash has left of one.
//
//	err = registry.Atomic(ctx, []string{"users_db", "orders_db"}, func(ctx context.Context) error {
//		if err := users.Create(ctx, &john); err != nil {
//			return err
//		}
//		return orders.Create(ctx, &Order{UserID: john.ID})
//	})
//
// Where a database cannot take part in that, or others are not to wait for so long, a
// [Saga] does it in steps, each in a transaction of its own, and undoes those that are
// done if one fails. Its state is in a table: a crash leaves nothing half done that
// [Saga.Resume] does not finish. The id makes it one run, however often it is asked for.
//
//	saga, err := dbfleet.NewSaga(registry, dbfleet.SagaConfig{Name: "sign up", Connection: "users_db"},
//		dbfleet.SagaStep[User]{
//			Name: "user", Connection: "users_db",
//			Do:   func(ctx context.Context, u *User) error { return users.Create(ctx, u) },
//			Undo: func(ctx context.Context, u *User) (err error) { _, err = users.Where("id", "=", u.ID).Delete(ctx); return },
//		},
//		dbfleet.SagaStep[User]{
//			Name: "order", Connection: "orders_db",
//			Do: func(ctx context.Context, u *User) error { return orders.Create(ctx, &Order{UserID: u.ID}) },
//		})
//	john, err := saga.Run(ctx, "request 4711", User{Name: "John"})
//
// An [Outbox] keeps events in the transaction that they tell of, and delivers each at
// least once, those of a key in order. An [Inbox] makes that exactly once, in the
// database that they change.
//
//	outbox, err := dbfleet.NewOutbox(registry, dbfleet.OutboxConfig{Connection: "users_db"})
//	inbox, err := dbfleet.NewInbox(registry, dbfleet.InboxConfig{Connection: "analytics"})
//	err = registry.Transaction(ctx, "users_db", func(ctx context.Context, _ *dbfleet.Tx) error {
//		if err := users.Save(ctx, &john); err != nil {
//			return err
//		}
//		_, err := outbox.Add(ctx, dbfleet.Event{Topic: "user changed", Key: "1", Payload: []byte("John")})
//		return err
//	})
//	err = outbox.Run(ctx, inbox.Handler(func(ctx context.Context, e dbfleet.Event) error { // until ctx ends
//		return events.Create(ctx, &Event{Kind: e.Topic})
//	}))
//
// Their tables are made by CreateTables, or from what SQL returns.
//
// # Watching
//
// A [QueryHook] goes around every statement, with its route, duration and outcome:
// set by [DB.OnQuery] for one connection, by [Registry.OnQuery] for all. Its Before
// may return a context for the statement and for After, as a tracer needs.
// [LogQueries] makes one that writes to slog; the modules otel and prometheus make
// spans and metrics.
//
//	registry.OnQuery(dbfleet.LogQueries(slog.Default(), dbfleet.LogOptions{Slow: time.Second, OnlySlow: true}))
//	registry.OnAfterQuery(func(ctx context.Context, e dbfleet.QueryEvent) {
//		count(e.Route.Node, e.Class, e.Duration)
//	})
//
// [Registry.Health] asks every node, [Registry.HealthHandler] answers a load
// balancer, [Registry.Nodes] tells how the nodes are without asking, [Registry.Stats]
// gives the pools' figures, [Registry.Describe] lists the models.
// [Registry.OnNodeChange] is told of each node that does not answer, is back, is too far
// behind, was promoted, has come or gone; [LogNodeChanges] writes that to slog.
//
// # Values
//
// Sessions are pinned so that values mean the same on all databases. A time.Time
// is an instant: it is stored to the microsecond in UTC and read back as UTC. A
// civil day is a [Date], [DateOf] a time's, a UUID of 16 bytes a [BinaryUUID]. NULL is
// a nil pointer, a sql.Null or a Scanner of yours; read for another field it is an
// error ([ErrNull]), as is a number that does not fit ([ErrRange]). [JSON] is a column
// that holds a document, [JSONOf] one to write.
//
// # Errors
//
// errors.Is tells the class of a failure, by its code and alike on all databases:
//
//   - the row: [ErrNotFound], [ErrManyRows], [ErrWritten]
//   - constraints and values: [ErrUnique], [ErrForeignKey], [ErrNotNull], [ErrCheck],
//     [ErrInvalidValue]; of a value read or refused here [ErrNull], [ErrRange],
//     [ErrType], [ErrUnread], [ErrEncrypted] and [ErrSealed], in a [*ColumnError]
//   - others at work: [ErrDeadlock], [ErrSerialization], [ErrLockTimeout]; whether it
//     may be tried again is [IsRetryable]
//   - the server: [ErrConnection], [ErrConnectionRefused], [ErrAuthentication],
//     [ErrTooManyConnections], [ErrAcquireTimeout], [ErrTimeout], [ErrReadOnly],
//     [ErrUndefined], [ErrNoPrimary], [ErrTwoPrimaries]; [ErrStale], [ErrNoReplica]
//   - a transaction: [ErrTxLost], [ErrTxCommitted], [ErrTxDone], [ErrBusy]; one on
//     several databases: [ErrCommitPending], [ErrCommitMixed], in an [*AtomicError]
//   - the call: [ErrMissingWhere], [ErrMissingShardKey], [ErrReadHandle],
//     [ErrTooManyArgs], [ErrClosed]; [ErrNoTenant], [ErrOtherTenant]
//
// [ClassOf] gives the class as a word for a metric or a log, [ClassOther] for the rest.
//
// A [*QueryError] tells where it happened, the SQL, and the constraint or column that
// the database named; the driver's own error is behind it. Mistakes of a call are types
// that carry the names: [*UnknownConnectionError], [*UnknownColumnError],
// [*OperatorError], [*StatementError]. No message shows a password or the value of an
// argument.
//
// A statement is sent once. If a write's answer is lost the error is
// [ErrOutcomeUnknown], and [ErrCommitUnknown] for a commit: the library does not
// guess, and does not try again. With [TxOptions.Resolvable] it asks the database, or
// [CommitUnknownError.Resolve] does later. A statement whose context ends is stopped on
// the server, so that its locks are gone when the call returns; a server that does not
// answer is waited for half a second at most.
//
// # Mistakes
//
// What is wrong with a call is told by name, before anything is sent: the connection,
// model, column or variable, what is wrong with it, and what there is instead (a
// [*UnknownColumnError] lists the columns). So is what is nil (a context, a function, a
// record, a query, a map), a handle that nobody made (the zero DB, Registry, Tx, Model,
// Query or relation), and an empty name where one is needed:
//
//   - What returns an error returns one that names the argument.
//   - What builds a query, a condition or a relation keeps the fault, and the query
//     fails with it when it runs. A DB of a nil registry fails at its first use.
//   - What can do neither panics at the call, with words: "dbfleet:
//     OnAfterQuery: the hook is nil". These are the methods that add hooks,
//     LogQueries, MustModel, OutsideTx, ReadPrimary, Date.Time and, of a handle that
//     is nil or that nobody made, those that return no error, such as Registry.Names.
//
// Where a zero value means something, it does so: a nil value of a condition is NULL,
// nil records of CreateMany are none, an empty name is the default connection for the
// methods of Registry.
//
// # Below
//
// [ConnectionConfig] has places for what a program adds: Dial makes network
// connections, PasswordFunc gives passwords that change, OnConnect prepares each new
// connection, Connector stands in for a server. [DB.Conn] lends one connection, with the
// driver's own behind it. Tests run on SQLite in memory ({Driver: dbfleet.SQLite,
// Database: ":memory:"}), or on a Connector that plays what a database does once in a
// year. A driver that a service does not use can be left out by a build tag:
// dbfleet_no_postgres, dbfleet_no_mysql, dbfleet_no_sqlite.
package dbfleet
