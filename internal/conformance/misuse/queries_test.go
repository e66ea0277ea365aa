package misuse

import (
	"time"

	"github.com/dbfleet/dbfleet"
)

func (w *world) get(q *dbfleet.Query[user]) error { return of(q.Get(w.ctx)) }

func ofColumns(w *world) []mistake {
	u := w.users
	return []mistake{
		{"a typing error in Where", w.get(u.Where("nmae", "=", "Ann")), `dbfleet: table "users" has no column "nmae" known to the model; it has id, name, age`},
		{"a field's name in Where", w.get(u.Where("Name", "=", "Ann")), `dbfleet: table "users" has no column "Name" known to the model; it has id, name, age`},
		{"no column in Where", w.get(u.Where("", "=", 1)), `dbfleet: table "users" has no column "" known to the model; it has id, name, age`},
		{"SQL as a column", w.get(u.Where("lower(name)", "=", "ann")), `dbfleet: table "users" has no column "lower(name)" known to the model; it has id, name, age`},
		{"a typing error in Select", w.get(u.Select("id", "emial")), `dbfleet: table "users" has no column "emial" known to the model; it has id, name, age; the select list gives id`},
		{"an expression in Select", w.get(u.Select("COUNT(*)")), `dbfleet: table "users" has no column "COUNT(*)" known to the model; it has id, name, age`},
		{"a typing error in OrderBy", w.get(u.OrderBy("creatd_at", dbfleet.Desc)), `dbfleet: table "users" has no column "creatd_at" known to the model; it has id, name, age`},
		{"a direction in the column", w.get(u.OrderBy("name DESC", dbfleet.Asc)), `dbfleet: table "users" has no column "name DESC" known to the model; it has id, name, age`},
		{"a typing error in GroupBy", w.get(u.Select("age").GroupBy("agee")), `dbfleet: table "users" has no column "agee" known to the model; it has id, name, age; the select list gives age`},
		{"a table that is not joined", w.get(u.Where("posts.title", "=", "x")), `dbfleet: table "users" has no column "posts.title" known to the model; it has id, name, age`},
		{"an unknown column of a joined table", w.get(u.Query().Join("posts", "posts.userid", "=", "users.id")), `dbfleet: select on "main": SQL logic error: no such column: posts.userid (1)`},
		{"a typed column that is none", w.get(u.Filter(dbfleet.Col[int]("agee").Gt(3))), `dbfleet: table "users" has no column "agee" known to the model; it has id, name, age`},
		{"an alias without a field", w.get(u.Select("id").SelectRaw("age * 2 AS doubled")), `dbfleet: misuse.user: column "doubled": result does not fit: no field takes column "doubled"; it has id, doubled, the fields are id, name, age`},
		{"a select list that lacks the relation's key", w.get(u.Query().Distinct().Select("name").With(w.postsOf())), `dbfleet: a relation of table "users": table "users": a relation needs the column "id", which the query does not select`},
		{"a typing error in Update", of(u.Where("id", "=", 1).Update(w.ctx, map[string]any{"nmae": "x"})), `dbfleet: table "users" has no column "nmae" known to the model; it has id, name, age`},
		{"a typing error in Insert", of(u.Query().Insert(w.ctx, map[string]any{"nmae": "x"})), `dbfleet: table "users" has no column "nmae" known to the model; it has id, name, age`},
		{"a typing error in Increment", of(u.Where("id", "=", 1).Increment(w.ctx, "agee", 1)), `dbfleet: table "users" has no column "agee" known to the model; it has id, name, age`},
		{"a typing error in SaveColumns", u.SaveColumns(w.ctx, &user{ID: 1}, "nmae"), `dbfleet: table "users" has no column "nmae" known to the model; it has id, name, age`},
		{"SaveColumns without columns", u.SaveColumns(w.ctx, &user{ID: 1}), `dbfleet: table "users": SaveColumns names no column`},
		{"a typing error in WhereColumn", w.get(u.Query().WhereColumn("id", "=", "idd")), `dbfleet: table "users" has no column "idd" known to the model; it has id, name, age`},
		{"Having of a column that is not grouped", w.get(u.Select("age").GroupBy("age").Having("name", "=", "x")), `dbfleet: table "users": having: the column "name" is neither grouped nor selected; SQLite would take its value of any row`},
	}
}

func ofOperators(w *world) []mistake {
	u := w.users
	return []mistake{
		{"an operator of Go", w.get(u.Where("age", "==", 1)), `dbfleet: column "age": "==" is not one of =, !=, <>, <, <=, >, >=, LIKE, NOT LIKE, ILIKE, NOT ILIKE, IN, NOT IN, BETWEEN, NOT BETWEEN, IS, IS NOT`},
		{"an operator that is none", w.get(u.Where("age", "=>", 1)), `dbfleet: column "age": "=>" is not one of =, !=, <>, <, <=, >, >=, LIKE, NOT LIKE, ILIKE, NOT ILIKE, IN, NOT IN, BETWEEN, NOT BETWEEN, IS, IS NOT`},
		{"no operator", w.get(u.Where("age", "", 1)), `dbfleet: column "age": "" is not one of =, !=, <>, <, <=, >, >=, LIKE, NOT LIKE, ILIKE, NOT ILIKE, IN, NOT IN, BETWEEN, NOT BETWEEN, IS, IS NOT`},
		{"SQL as an operator", w.get(u.Where("age", "= 1 OR 1", 1)), `dbfleet: column "age": "= 1 OR 1" is not one of =, !=, <>, <, <=, >, >=, LIKE, NOT LIKE, ILIKE, NOT ILIKE, IN, NOT IN, BETWEEN, NOT BETWEEN, IS, IS NOT`},
		{"a direction that is none", w.get(u.OrderBy("name", "descending")), `dbfleet: column "name": "descending" is not one of ASC, DESC`},
		{"LIKE between columns", w.get(u.Query().WhereColumn("name", "LIKE", "name")), `dbfleet: table "users": operator: two columns cannot be compared by "LIKE"`},
		{"IN for a join", w.get(u.Query().Join("posts", "posts.user_id", "IN", "users.id")), `dbfleet: table "users": operator: two columns cannot be compared by "IN"`},
		{"BETWEEN with one value", w.get(u.Where("age", "BETWEEN", 1)), `dbfleet: misuse.user.Age (column "age"): unsupported type: a list of values is needed, not one int`},
		{"BETWEEN with three values", w.get(u.Where("age", "BETWEEN", []int{1, 2, 3})), `dbfleet: table "users": column "age": BETWEEN takes a list of two values that are not nil, not 3`},
		{"IN with a value that is no list", w.get(u.Where("age", "IN", 5)), `dbfleet: misuse.user.Age (column "age"): unsupported type: a list of values is needed, not one int`},
		{"WhereIn with a value that is no list", w.get(u.WhereIn("age", 5)), `dbfleet: misuse.user.Age (column "age"): unsupported type: a list of values is needed, not one int`},
		{"a list for =", w.get(u.Where("age", "=", []int{1, 2})), `dbfleet: misuse.user.Age (column "age"): unsupported type: a []int is a list; IN and WhereIn take one`},
		{"> with nil", w.get(u.Where("age", ">", nil)), `dbfleet: table "users": column "age": NULL, which nil and the zero time.Time are, cannot follow >; only =, <>, IS and IS NOT take it`},
		{"LIKE with nil", w.get(u.Where("name", "LIKE", nil)), `dbfleet: table "users": column "name": NULL, which nil and the zero time.Time are, cannot follow LIKE; only =, <>, IS and IS NOT take it`},
		{"LIKE with a number", w.get(u.Where("name", "LIKE", 5)), `dbfleet: table "users": column "name": LIKE takes text, not a int`},
		{"WhereNot without a condition", w.get(u.Query().WhereNot(func(q *dbfleet.Query[user]) *dbfleet.Query[user] { return q })), `dbfleet: table "users": not: there is no condition to negate`},
		{"Or without conditions", w.get(u.Filter(dbfleet.Or())), `dbfleet: table "users": Or: has no conditions`},
		{"Not without conditions", w.get(u.Filter(dbfleet.Not())), `dbfleet: table "users": not: there is no condition to negate`},
		{"a condition that nobody made", w.get(u.Filter(dbfleet.Cond{})), `dbfleet: table "users": where: an empty condition; use the constructors`},
		{"a condition that nobody made in Or", w.get(u.Filter(dbfleet.Or(dbfleet.Cond{}))), `dbfleet: table "users": where: an empty condition; use the constructors`},
		{"a negative limit", w.get(u.Limit(-1)), `dbfleet: table "users": limit: is negative`},
		{"a negative offset", w.get(u.Limit(1).Offset(-1)), `dbfleet: table "users": offset: is negative`},
	}
}

func ofValues(w *world) []mistake {
	u := w.users
	return []mistake{
		{"a text for a number", w.get(u.Where("age", "=", "old")), `dbfleet: misuse.user.Age (column "age"): unsupported type: a string does not fit a column of kind integer`},
		{"a bool for a number", w.get(u.Where("age", "=", true)), `dbfleet: misuse.user.Age (column "age"): unsupported type: a bool does not fit a column of kind integer`},
		{"a time for a number", w.get(u.Where("age", "=", time.Unix(0, 0))), `dbfleet: misuse.user.Age (column "age"): unsupported type: a time.Time does not fit a column of kind integer`},
		{"a record for a number", w.get(u.Where("age", "=", user{})), `dbfleet: misuse.user.Age (column "age"): unsupported type: no database takes a misuse.user`},
		{"a map for a number", w.get(u.Where("age", "=", map[string]any{})), `dbfleet: misuse.user.Age (column "age"): unsupported type: no database takes a map[string]interface {}; JSONOf makes a document of one`},
		{"a channel for a number", w.get(u.Where("age", "=", make(chan int))), `dbfleet: misuse.user.Age (column "age"): unsupported type: no database takes a chan int`},
		{"a number that is too large", w.get(u.Where("age", "=", uint64(1<<63))), `dbfleet: misuse.user.Age (column "age"): value out of range: a uint64 that int64 cannot hold exactly`},
		{"a text among numbers", w.get(u.WhereIn("age", []any{1, "old"})), `dbfleet: misuse.user.Age (column "age"): element 1: unsupported type: a string does not fit a column of kind integer`},
		{"a fraction for a whole number", w.get(u.Where("age", "=", 1.5)), `dbfleet: misuse.user.Age (column "age"): unsupported type: a float64 does not fit a column of kind integer`},
		{"a text for a number in Update", of(u.Where("id", "=", 1).Update(w.ctx, map[string]any{"age": "old"})), `dbfleet: misuse.user.Age (column "age"): unsupported type: a string does not fit a column of kind integer`},
		{"a text for a number in Insert", of(u.Query().Insert(w.ctx, map[string]any{"name": "x", "age": "old"})), `dbfleet: misuse.user.Age (column "age"): unsupported type: a string does not fit a column of kind integer`},
		{"a text for a number in Fill", u.Fill(&user{}, map[string]any{"age": "old"}), `dbfleet: misuse.user.Age (column "age"): unsupported type: this text is no int`},
		{"nil for a number in Fill", u.Fill(&user{}, map[string]any{"age": nil}), `dbfleet: misuse.user.Age (column "age"): NULL for a type that cannot hold it: int`},
		{"a column that Fill may not set", u.Fill(&user{}, map[string]any{"id": 7}), `dbfleet: model misuse.user: column "id" is not fillable; fillable are "age", "name"`},
		{"a text to add", of(u.Where("id", "=", 1).Increment(w.ctx, "age", "x")), `dbfleet: table "users", column "age": unsupported type: a string is no decimal number`},
		{"nothing to add", of(u.Where("id", "=", 1).Increment(w.ctx, "age", nil)), `dbfleet: table "users", column "age": unsupported type: a number is needed, not NULL`},
		{"a Decimal of no number", w.get(u.Where("age", ">", dbfleet.Decimal("x"))), `dbfleet: table "users": column "age": a number for sqlite: unsupported type: a string is no decimal number`},
		{"a query of two columns as a value", w.get(u.Where("id", "=", w.posts.Select("id", "user_id"))), `dbfleet: select on "main": SQL logic error: row value misused (1)`},
		{"a query of another connection as a value", w.get(u.WhereIn("id", w.posts.DB("other").Select("user_id"))), `dbfleet: table "posts": the subquery belongs to connection "other", the statement goes to "main"`},
		{"too few values of a key", of(u.Find(w.ctx)), `dbfleet: table "users": Find takes a value for each column of the primary key (id), not 0 values`},
		{"too many values of a key", of(u.Find(w.ctx, 1, 2)), `dbfleet: table "users": Find takes a value for each column of the primary key (id), not 2 values`},
		{"nil as a key", of(u.Find(w.ctx, nil)), `dbfleet: table "users": the primary key's column "id" is nil`},
		{"a text that is no number as a key", of(u.Find(w.ctx, "x")), `dbfleet: misuse.user.ID (column "id"): unsupported type: a string does not fit a column of kind integer`},
		{"a record as a key", of(u.Find(w.ctx, user{ID: 1})), `dbfleet: misuse.user.ID (column "id"): unsupported type: no database takes a misuse.user`},
	}
}

func ofParts(w *world) []mistake {
	u := w.users
	q := u.Query()
	return []mistake{
		{"Update without a condition", of(q.Update(w.ctx, map[string]any{"age": 1})), `dbfleet: table "users": no condition; AllRows() lets the statement change every row`},
		{"Delete without a condition", of(q.Delete(w.ctx)), `dbfleet: table "users": no condition; AllRows() lets the statement change every row`},
		{"Update of nothing", of(u.Where("id", "=", 1).Update(w.ctx, map[string]any{})), `dbfleet: table "users": update: no column to set`},
		{"Delete with an offset", of(u.Where("id", ">", 0).Limit(1).Offset(1).Delete(w.ctx)), `dbfleet: table "users": offset: a DELETE does not take it; select the keys first and use WhereIn`},
		{"Delete with an order", of(u.Where("id", ">", 0).OrderBy("id", dbfleet.Asc).Delete(w.ctx)), `dbfleet: table "users": order by: a DELETE does not take it without a limit`},
		{"Update with a left join", of(q.LeftJoin("posts", "posts.user_id", "=", "users.id").Where("id", "=", 1).Update(w.ctx, map[string]any{"age": 1})), `dbfleet: table "users": join: an UPDATE takes no LEFT JOIN, which leaves no row out; use QueryValue for its values, and WhereNotExists for rows without a match`},
		{"Insert with a condition", of(u.Where("id", "=", 1).Insert(w.ctx, map[string]any{"name": "x"})), `dbfleet: table "users": an insert has no conditions; the query's would be lost`},
		{"ForUpdate on SQLite", w.get(q.ForUpdate()), `dbfleet: table "users": lock: sqlite has no row locks; a write transaction locks the whole database`},
		{"an alias twice", w.get(q.Join("posts", "posts.user_id", "=", "users.id").Join("posts", "posts.user_id", "=", "users.id")), `dbfleet: table "users": join: the query reads two tables as "posts"; give one an alias`},
		{"a self-join without an alias", w.get(q.Join("users", "users.id", "=", "users.id")), `dbfleet: table "users": join: the query reads two tables as "users"; give one an alias`},
		{"an empty alias", w.get(q.As("")), `dbfleet: table "users": As: the alias is empty`},
		{"a union of other columns", w.get(u.Select("id").Union(w.posts.Select("id", "title"))), `dbfleet: select on "main": SQL logic error: SELECTs to the left and right of UNION do not have the same number of result columns (1)`},
		{"a union of another connection", w.get(u.Select("id").Union(w.posts.DB("other").Select("id"))), `dbfleet: table "posts": the subquery belongs to connection "other", the statement goes to "main"`},
		{"a Find in a union", of(u.Select("id").Union(w.posts.Select("id")).Find(w.ctx, 1)), `dbfleet: table "users": a key's condition would not hold for the other rows of a union`},
		{"Iter with a relation and a limit", w.iterate(q.With(w.postsOf()).Limit(1)), `dbfleet: table "users": Iter with relations: does not take a limit or offset of the query`},
		{"a lock with a group", w.get(u.Select("age").GroupBy("age").ForUpdate()), `dbfleet: table "users": lock: sqlite has no row locks; a write transaction locks the whole database`},
		{"an empty name of a connection", w.get(q.DB("")), `dbfleet: table "users": DB: the name of the connection is empty`},
		{"an unknown connection", w.get(q.DB("mian")), `dbfleet: unknown connection "mian"; known are "main", "other"`},
		{"a shard key for a model without shards", w.get(q.Shard(7)), `dbfleet: table "users" is not sharded, a shard key was given`},
		{"a table without a name", of(w.reg.DB("main").Table("").Get(w.ctx)), `dbfleet: table: its name is empty`},
		{"a table that is not there", of(w.reg.DB("main").Table("usres").Get(w.ctx)), `dbfleet: select on "main": SQL logic error: no such table: usres (1)`},
	}
}

func (w *world) iterate(q *dbfleet.Query[user]) error {
	for _, err := range q.Iter(w.ctx) {
		if err != nil {
			return err
		}
	}
	return nil
}

func ofAggregates(w *world) []mistake {
	u := w.users
	return []mistake{
		{"Sum of no column", of(u.Query().Sum(w.ctx, "")), `dbfleet: SUM: takes the name of one column, not ""`},
		{"Sum of all columns", of(u.Query().Sum(w.ctx, "*")), `dbfleet: SUM: takes the name of one column, not "*"`},
		{"Sum of an unknown column", of(u.Query().Sum(w.ctx, "agee")), `dbfleet: table "users" has no column "agee" known to the model; it has id, name, age`},
		{"Max of a text as a number", of(dbfleet.Max[int](w.ctx, u, "name")), `dbfleet: table "users", column "name": unsupported type: this text is no int`},
		{"Max of no rows", of(dbfleet.Max[int](w.ctx, u.Where("id", "=", 0), "age")), `dbfleet: no row found: table "users" has no values for MAX of column "age"`},
		{"Avg that is no whole number", of(dbfleet.Avg[int](w.ctx, w.reg.DB("main").Table("users").SelectRaw("1.5 AS x"), "x")), `dbfleet: table "users", column "x": value out of range: a string that int cannot hold exactly`},
		{"Pluck of two columns", of(dbfleet.Pluck[int](w.ctx, u, "id, age")), `dbfleet: table "users" has no column "id, age" known to the model; it has id, name, age`},
		{"Pluck of a text as a number", of(dbfleet.Pluck[int](w.ctx, u, "name")), `dbfleet: table "users", column "name": unsupported type: this text is no int`},
		{"Pluck of nothing", of(dbfleet.Pluck[int](w.ctx, nil, "age")), `dbfleet: the query or model is nil`},
		{"Pluck of a nil query", of(dbfleet.Pluck[int](w.ctx, (*dbfleet.Query[user])(nil), "age")), `dbfleet: the query or model is nil`},
	}
}
