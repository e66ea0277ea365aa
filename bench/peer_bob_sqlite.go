package main

import (
	"github.com/stephenafamo/bob"
	"github.com/stephenafamo/bob/dialect/sqlite"
	"github.com/stephenafamo/bob/dialect/sqlite/dialect"
	"github.com/stephenafamo/bob/dialect/sqlite/im"
	"github.com/stephenafamo/bob/dialect/sqlite/sm"
	"github.com/stephenafamo/bob/dialect/sqlite/um"
)

var bobSQLite = bobQueries{
	all: func() bob.Query { return sqlite.Select(sm.Columns(bobColumns...), sm.From("people")) },
	first: func(n int64) bob.Query {
		return sqlite.Select(sm.Columns(bobColumns...), sm.From("people"), sm.OrderBy("id"), sm.Limit(n))
	},
	byID: func(id int64) bob.Query {
		return sqlite.Select(sm.Columns(bobColumns...), sm.From("people"), sm.Where(sqlite.Quote("id").EQ(sqlite.Arg(id))))
	},
	insert: func(list []Person, keys bool) bob.Query {
		mods := make([]bob.Mod[*dialect.InsertQuery], 0, len(list)+2)
		mods = append(mods, im.Into("people", writeColumns...))
		for i := range list {
			p := &list[i]
			mods = append(mods, im.Values(sqlite.Arg(p.Name, p.Email, p.Age, p.Balance, p.Active, p.CreatedAt, p.SeenAt)))
		}
		if keys {
			mods = append(mods, im.Returning("id"))
		}
		return sqlite.Insert(mods...)
	},
	update: func(p *Person) bob.Query {
		return sqlite.Update(um.Table("people"),
			um.SetCol("name").ToArg(p.Name), um.SetCol("email").ToArg(p.Email), um.SetCol("age").ToArg(p.Age),
			um.SetCol("balance").ToArg(p.Balance), um.SetCol("active").ToArg(p.Active),
			um.SetCol("created_at").ToArg(p.CreatedAt), um.SetCol("seen_at").ToArg(p.SeenAt),
			um.Where(sqlite.Quote("id").EQ(sqlite.Arg(p.ID))))
	},
	build: func() bob.Query {
		return sqlite.Select(sm.Columns(bobColumns...), sm.From("people"),
			sm.Where(sqlite.Quote("active").EQ(sqlite.Arg(buildActive))), sm.Where(sqlite.Quote("age").GT(sqlite.Arg(buildAge))),
			sm.Where(sqlite.Quote("balance").LT(sqlite.Arg(buildBalance))), sm.Where(sqlite.Quote("id").In(sqlite.Arg(bobList()...))),
			sm.OrderBy("id"), sm.Limit(int64(buildLimit)))
	},
}
