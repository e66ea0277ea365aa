package main

import (
	"github.com/stephenafamo/bob"
	"github.com/stephenafamo/bob/dialect/psql"
	"github.com/stephenafamo/bob/dialect/psql/dialect"
	"github.com/stephenafamo/bob/dialect/psql/im"
	"github.com/stephenafamo/bob/dialect/psql/sm"
	"github.com/stephenafamo/bob/dialect/psql/um"
)

var bobPostgres = bobQueries{
	all: func() bob.Query { return psql.Select(sm.Columns(bobColumns...), sm.From("people")) },
	first: func(n int64) bob.Query {
		return psql.Select(sm.Columns(bobColumns...), sm.From("people"), sm.OrderBy("id"), sm.Limit(n))
	},
	byID: func(id int64) bob.Query {
		return psql.Select(sm.Columns(bobColumns...), sm.From("people"), sm.Where(psql.Quote("id").EQ(psql.Arg(id))))
	},
	insert: func(list []Person, keys bool) bob.Query {
		mods := make([]bob.Mod[*dialect.InsertQuery], 0, len(list)+2)
		mods = append(mods, im.Into("people", writeColumns...))
		for i := range list {
			p := &list[i]
			mods = append(mods, im.Values(psql.Arg(p.Name, p.Email, p.Age, p.Balance, p.Active, p.CreatedAt, p.SeenAt)))
		}
		if keys {
			mods = append(mods, im.Returning("id"))
		}
		return psql.Insert(mods...)
	},
	update: func(p *Person) bob.Query {
		return psql.Update(um.Table("people"),
			um.SetCol("name").ToArg(p.Name), um.SetCol("email").ToArg(p.Email), um.SetCol("age").ToArg(p.Age),
			um.SetCol("balance").ToArg(p.Balance), um.SetCol("active").ToArg(p.Active),
			um.SetCol("created_at").ToArg(p.CreatedAt), um.SetCol("seen_at").ToArg(p.SeenAt),
			um.Where(psql.Quote("id").EQ(psql.Arg(p.ID))))
	},
	build: func() bob.Query {
		return psql.Select(sm.Columns(bobColumns...), sm.From("people"),
			sm.Where(psql.Quote("active").EQ(psql.Arg(buildActive))), sm.Where(psql.Quote("age").GT(psql.Arg(buildAge))),
			sm.Where(psql.Quote("balance").LT(psql.Arg(buildBalance))), sm.Where(psql.Quote("id").In(psql.Arg(bobList()...))),
			sm.OrderBy("id"), sm.Limit(int64(buildLimit)))
	},
}
