package main

import (
	"github.com/stephenafamo/bob"
	"github.com/stephenafamo/bob/dialect/mysql"
	"github.com/stephenafamo/bob/dialect/mysql/dialect"
	"github.com/stephenafamo/bob/dialect/mysql/im"
	"github.com/stephenafamo/bob/dialect/mysql/sm"
	"github.com/stephenafamo/bob/dialect/mysql/um"
)

var bobMySQL = bobQueries{
	all: func() bob.Query { return mysql.Select(sm.Columns(bobColumns...), sm.From("people")) },
	first: func(n int64) bob.Query {
		return mysql.Select(sm.Columns(bobColumns...), sm.From("people"), sm.OrderBy("id"), sm.Limit(n))
	},
	byID: func(id int64) bob.Query {
		return mysql.Select(sm.Columns(bobColumns...), sm.From("people"), sm.Where(mysql.Quote("id").EQ(mysql.Arg(id))))
	},
	insert: func(list []Person, _ bool) bob.Query {
		mods := make([]bob.Mod[*dialect.InsertQuery], 0, len(list)+2)
		mods = append(mods, im.Into("people", writeColumns...))
		for i := range list {
			p := &list[i]
			mods = append(mods, im.Values(mysql.Arg(p.Name, p.Email, p.Age, p.Balance, p.Active, p.CreatedAt, p.SeenAt)))
		}
		return mysql.Insert(mods...)
	},
	update: func(p *Person) bob.Query {
		return mysql.Update(um.Table("people"),
			um.SetCol("name").ToArg(p.Name), um.SetCol("email").ToArg(p.Email), um.SetCol("age").ToArg(p.Age),
			um.SetCol("balance").ToArg(p.Balance), um.SetCol("active").ToArg(p.Active),
			um.SetCol("created_at").ToArg(p.CreatedAt), um.SetCol("seen_at").ToArg(p.SeenAt),
			um.Where(mysql.Quote("id").EQ(mysql.Arg(p.ID))))
	},
	build: func() bob.Query {
		return mysql.Select(sm.Columns(bobColumns...), sm.From("people"),
			sm.Where(mysql.Quote("active").EQ(mysql.Arg(buildActive))), sm.Where(mysql.Quote("age").GT(mysql.Arg(buildAge))),
			sm.Where(mysql.Quote("balance").LT(mysql.Arg(buildBalance))), sm.Where(mysql.Quote("id").In(mysql.Arg(bobList()...))),
			sm.OrderBy("id"), sm.Limit(int64(buildLimit)))
	},
}
