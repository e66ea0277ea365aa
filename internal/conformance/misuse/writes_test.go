package misuse

import (
	"context"
	"slices"

	"github.com/Masterminds/squirrel"

	"github.com/dbfleet/dbfleet"
)

func ofRawSQL(w *world) []mistake {
	u, db := w.users, w.reg.DB("main")
	return []mistake{
		{"too few arguments", w.get(u.Query().WhereRaw("age > ? AND age < ?", 1)), `dbfleet: table "users": where: 2 placeholders for 1 arguments in "age > ? AND age < ?"`},
		{"too many arguments", w.get(u.Query().WhereRaw("age > 1", 5)), `dbfleet: table "users": where: 0 placeholders for 1 arguments in "age > 1"`},
		{"PostgreSQL's placeholders", w.get(u.Query().WhereRaw("age > $1", 5)), `dbfleet: table "users": where: 0 placeholders for 1 arguments in "age > $1"; a placeholder is ? on every database`},
		{"a list for a placeholder", w.get(u.Query().WhereRaw("age = ?", []int{1, 2})), `dbfleet: table "users": where: unsupported type: sqlite has no arrays for a []int; IN and WhereIn take a list`},
		{"no condition", w.get(u.Query().WhereRaw("")), `dbfleet: table "users": where: the SQL is empty`},
		{"only blanks", w.get(u.Query().WhereRaw("  ")), `dbfleet: table "users": where: the SQL is empty`},
		{"no SQL in Raw", w.get(u.Filter(dbfleet.Raw(""))), `dbfleet: table "users": where: the SQL is empty`},
		{"an open quote", w.get(u.Query().WhereRaw("name = 'x")), `dbfleet: table "users": where: the SQL ends inside a comment or quotes: "name = 'x"`},
		{"an open parenthesis", w.get(u.Query().WhereRaw("(age > 1")), `dbfleet: table "users": where: the parentheses of the SQL do not match: "(age > 1"`},
		{"parentheses that close those around it", w.get(u.Query().WhereRaw("age > 1) OR (1 = 1")), `dbfleet: table "users": where: the parentheses of the SQL do not match: "age > 1) OR (1 = 1"`},
		{"two statements", w.get(u.Query().WhereRaw("1 = 1; DELETE FROM users")), `dbfleet: select on "main": SQL logic error: near ";": syntax error (1)`},
		{"no SQL", of(db.ExecContext(w.ctx, "")), `dbfleet: connection "main": the SQL is empty`},
		{"BEGIN", of(db.ExecContext(w.ctx, "BEGIN")), `dbfleet: connection "main": BEGIN: a transaction is begun and ended by Transaction`},
		{"COMMIT", of(db.ExecContext(w.ctx, "COMMIT")), `dbfleet: connection "main": COMMIT: a transaction is begun and ended by Transaction`},
		{"a table that is not there", of(db.ExecContext(w.ctx, "DELETE FROM usres")), `dbfleet: exec on "main": SQL logic error: no such table: usres (1)`},
		{"a syntax error", of(db.ExecContext(w.ctx, "DELET FROM users")), `dbfleet: exec on "main": SQL logic error: near "DELET": syntax error (1)`},
		{"a missing argument", of(db.ExecContext(w.ctx, "DELETE FROM users WHERE id = ?")), `dbfleet: exec on "main": missing argument with index 1`},
		{"an argument of no database's type", of(db.ExecContext(w.ctx, "DELETE FROM users WHERE id = ?", make(chan int))), `dbfleet: exec on "main": sql: converting argument $1 type: unsupported type chan int, a chan`},
		{"a write on a handle for reads", of(db.Read().ExecContext(w.ctx, "DELETE FROM users")), `dbfleet: connection "main": ExecContext: a handle for reads does not write`},
		{"Prepare on a handle for reads", of(db.Read().PrepareContext(w.ctx, "SELECT 1")), `dbfleet: connection "main": PrepareContext: a handle for reads does not write`},
		{"a write of a table on a handle for reads", of(db.Read().Table("users").AllRows().Delete(w.ctx)), `dbfleet: connection "main": a handle for reads does not write`},
		{"a transaction on a handle for reads", db.Read().Transaction(w.ctx, nothing), `dbfleet: connection "main": a transaction begins on the primary's handle: a handle for reads does not write`},
	}
}

func nothing(context.Context, *dbfleet.Tx) error { return nil }

func ofSquirrel(w *world) []mistake {
	q := w.users.Query()
	return []mistake{
		{"nil in Expr", w.get(q.Filter(dbfleet.Expr(nil))), `dbfleet: table "users": Expr: what squirrel should render is nil`},
		{"a nil builder in Expr", w.get(q.Filter(dbfleet.Expr((*squirrel.SelectBuilder)(nil)))), `dbfleet: table "users": Expr: what squirrel should render is nil`},
		{"an empty Eq", w.get(q.Filter(dbfleet.Expr(squirrel.Eq{}))), `dbfleet: table "users": where: squirrel: an empty condition would match every row, or none`},
		{"nil among others", w.get(q.Filter(dbfleet.Expr(squirrel.And{squirrel.Eq{"age": 1}, nil}))), `dbfleet: table "users": where: squirrel: one of the parts is nil`},
		{"numbered placeholders", w.get(q.Filter(dbfleet.Expr(squirrel.Expr("age = $1", 1)))), `dbfleet: table "users": where: squirrel: numbered placeholder $1 in a part of a statement; use the Question format`},
		{"nil in SelectExpr", w.get(q.SelectExpr(nil, "age")), `dbfleet: table "users": SelectExpr: what squirrel should render is nil`},
		{"nil in JoinExpr", w.get(q.JoinExpr(nil)), `dbfleet: table "users": JoinExpr: what squirrel should render is nil`},
		{"nil in GetStatement", of(q.GetStatement(w.ctx, nil)), `dbfleet: table "users": the statement is nil`},
		{"nil in ExecStatement", of(q.ExecStatement(w.ctx, nil)), `dbfleet: table "users": the statement is nil`},
		{"a statement on a query with conditions", of(q.Where("id", "=", 1).GetStatement(w.ctx, squirrel.Select("*").From("users"))), `dbfleet: table "users": a whole statement has its own conditions; the query's would be lost`},
		{"a DELETE without a condition", of(q.ExecStatement(w.ctx, squirrel.Delete("users"))), `dbfleet: table "users": no condition; AllRows() lets the statement change every row`},
		{"a statement without columns", of(q.GetStatement(w.ctx, squirrel.Select().From("users"))), `dbfleet: table "users": statement: squirrel: select statements must have at least one result column`},
		{"rows of different lengths", of(q.ExecStatement(w.ctx, squirrel.Insert("users").Columns("name", "age").Values("x"))), `dbfleet: table "users": statement: squirrel: row 0 of the insert has 1 values, not 2`},
	}
}

func ofRecords(w *world) []mistake {
	u := w.users
	return []mistake{
		{"Create of nil", u.Create(w.ctx, nil), `dbfleet: table "users": the record is a nil pointer`},
		{"Save of nil", u.Save(w.ctx, nil), `dbfleet: table "users": the record is a nil pointer`},
		{"Delete of nil", u.Delete(w.ctx, nil), `dbfleet: table "users": the record is a nil pointer`},
		{"Fill of nil", u.Fill(nil, map[string]any{"name": "x"}), `dbfleet: table "users": the record is a nil pointer`},
		{"Fill with nil", u.Fill(&user{}, nil), `dbfleet: table "users": the map of values is nil`},
		{"CreateFrom with nil", of(u.CreateFrom(w.ctx, nil)), `dbfleet: table "users": the map of values is nil`},
		{"CreateFrom of a column that is not fillable", of(u.CreateFrom(w.ctx, map[string]any{"is_admin": true})), `dbfleet: model misuse.user: column "is_admin" is not fillable; fillable are "age", "name"`},
		{"Delete of a record that was never created", u.Delete(w.ctx, &user{Name: "x"}), `dbfleet: table "users": the record's primary key "id" is zero`},
		{"a name that is taken", u.Create(w.ctx, &user{Name: "Ann"}), `dbfleet: insert on "main": constraint failed: UNIQUE constraint failed: users.name (2067)`},
		{"an id that is taken", u.Create(w.ctx, &user{ID: 1, Name: "x"}), `dbfleet: insert on "main": constraint failed: UNIQUE constraint failed: users.id (1555)`},
		{"a model that nobody made", new(dbfleet.Model[user]).Create(w.ctx, &user{}), `dbfleet: a query comes from a model or a table; this one is the zero value`},
		{"a nil model", (*dbfleet.Model[user])(nil).Create(w.ctx, &user{}), `dbfleet: the query or model is nil`},
		{"a query that nobody made", of(new(dbfleet.Query[user]).Where("id", "=", 1).Get(w.ctx)), `dbfleet: a query comes from a model or a table; this one is the zero value`},
		{"a nil query", of((*dbfleet.Query[user])(nil).Where("id", "=", 1).Get(w.ctx)), `dbfleet: the query or model is nil`},
		{"a table that is not there", dbfleet.MustModel[user](w.reg, dbfleet.ModelConfig{Table: "usres"}).Create(w.ctx, &user{Name: "x"}), `dbfleet: insert on "main": SQL logic error: no such table: usres (1)`},
		{"no context", u.Create(noContext, &user{Name: "x"}), `dbfleet: connection "main": the context is nil`},
		{"a context that has ended", u.Create(ended(w.ctx), &user{Name: "x"}), `dbfleet: insert on "main": context canceled`},
	}
}

func ended(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

func ofRows(w *world) []mistake {
	q := w.users.Query()
	table := w.reg.DB("main").Table("users")
	return []mistake{
		{"Insert of nil", of(q.Insert(w.ctx, nil)), `dbfleet: table "users": the row at index 0 is nil`},
		{"Update with nil", of(q.AllRows().Update(w.ctx, nil)), `dbfleet: table "users": update: no column to set`},
		{"Upsert of nil", q.Upsert(w.ctx, nil, dbfleet.Conflict{Key: []string{"id"}}), `dbfleet: table "users": the row at index 0 is nil`},
		{"Upsert without a key", q.Upsert(w.ctx, map[string]any{"name": "x"}), `dbfleet: table "users": the key column "id" is not in the row`},
		{"Upsert by a key that the row lacks", q.Upsert(w.ctx, map[string]any{"name": "x"}, dbfleet.Conflict{Key: []string{"id"}}), `dbfleet: table "users": the key column "id" is not in the row`},
		{"Upsert by a key that is not unique", q.Upsert(w.ctx, map[string]any{"name": "x", "age": 1}, dbfleet.Conflict{Key: []string{"age"}}), `dbfleet: insert on "main": SQL logic error: ON CONFLICT clause does not match any PRIMARY KEY or UNIQUE constraint (1)`},
		{"a value of no database's type", of(table.Insert(w.ctx, map[string]any{"name": make(chan int)})), `dbfleet: table "users", column "name": unsupported type: no database takes a chan int`},
		{"a struct without its columns", of(dbfleet.Table[post](w.reg.DB("main"), "users").Get(w.ctx)), `dbfleet: select on "main": SQL logic error: no such column: "user_id" - should this be a string literal in single-quotes? (1)`},
		{"a struct whose field is of another type", of(dbfleet.Table[number](w.reg.DB("main"), "users").Get(w.ctx)), `dbfleet: misuse.number.Name (column "name"): unsupported type: this text is no int`},
		{"NULL for a field that cannot hold it", of(dbfleet.Table[notNull](w.reg.DB("main"), "users").SelectRaw("NULL AS n").Get(w.ctx)), `dbfleet: misuse.notNull.N (column "n"): NULL for a type that cannot hold it: int`},
		{"a number that is too large for its field", of(dbfleet.Table[small](w.reg.DB("main"), "users").SelectRaw("300 AS n").Get(w.ctx)), `dbfleet: misuse.small.N (column "n"): value out of range: a int64 that int8 cannot hold exactly`},
		{"a column twice in a Row", of(table.SelectRaw("1 AS n, 2 AS n").Get(w.ctx)), `dbfleet: table "users", column "n": result does not fit: the result has more than one column of this name; give one an alias`},
	}
}

func ofUpserts(w *world) []mistake {
	u := w.users
	type conflict = dbfleet.Conflict
	bob := func() *user { return &user{Name: "Bob"} }
	return []mistake{
		{"Upsert of nil", u.Upsert(w.ctx, nil, conflict{}), `dbfleet: table "users": the record is a nil pointer`},
		{"a key that is no column", u.Upsert(w.ctx, bob(), conflict{Key: []string{"e_mail"}}), `dbfleet: table "users" has no column "e_mail" known to the model; it has id, name, age`},
		{"a key that is not unique", u.Upsert(w.ctx, bob(), conflict{Key: []string{"age"}}), `dbfleet: upsert on "main": SQL logic error: ON CONFLICT clause does not match any PRIMARY KEY or UNIQUE constraint (1)`},
		{"an update of a column that is none", u.Upsert(w.ctx, bob(), conflict{Key: []string{"name"}, Update: []string{"agee"}}), `dbfleet: table "users" has no column "agee" known to the model; it has id, name, age`},
		{"DoNothing and an update", u.Upsert(w.ctx, bob(), conflict{Key: []string{"name"}, Update: []string{"age"}, DoNothing: true}), `dbfleet: table "users": Conflict has DoNothing and Update; only one of them says what happens to the row that is there`},
		{"one row twice", u.UpsertMany(w.ctx, []user{{Name: "Bob"}, {Name: "Bob"}}, conflict{Key: []string{"name"}}), `dbfleet: table "users": records 0 and 1 have the same key`},
	}
}

func ofLoads(w *world) []mistake {
	u := w.users
	rows := slices.Values([]user{{Name: "Bob"}})
	return []mistake{
		{"no iterator", of(u.Load(w.ctx, nil)), `dbfleet: table "users": the iterator is nil`},
		{"two options", of(u.Load(w.ctx, rows, dbfleet.LoadOptions{}, dbfleet.LoadOptions{})), `dbfleet: table "users": more than one LoadOptions`},
		{"a negative batch", of(u.Load(w.ctx, rows, dbfleet.LoadOptions{BatchRows: -1})), `dbfleet: table "users": LoadOptions has a negative number`},
		{"batches in a transaction", w.reg.Transaction(w.ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			return of(u.Load(ctx, rows, dbfleet.LoadOptions{BatchRows: 1}))
		}), `dbfleet: table "users": LoadOptions.BatchRows commits, which a transaction around the load does not let it`},
		{"a row that is there", of(u.Load(w.ctx, slices.Values([]user{{Name: "Ann"}}))), `dbfleet: record 0: load on "main": constraint failed: UNIQUE constraint failed: users.name (2067)`},
		{"a sharded model without a shard", of(w.sharded.Load(w.ctx, rows)), `dbfleet: table "users", shard key "id": give it by Shard or by a condition "id" = …: no shard key`},
	}
}
