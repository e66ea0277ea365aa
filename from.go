package dbfleet

import (
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// From is a query for the rows of another one, as if those were a table of that name: for
// conditions on what a select list computes, on windows, or on groups of groups.
//
//	perUser := orders.Select("user_id").SelectSum("total", "spent").GroupBy("user_id")
//	big, err := dbfleet.From(perUser, "spenders").Where("spent", ">", 1000).OrderBy("spent", dbfleet.Desc).Get(ctx)
//	n, err := dbfleet.Avg[float64](ctx, dbfleet.From(perUser, "spenders"), "spent")
//
// Its rows are Row; Into gives them a struct. It goes where sub goes, with its
// transaction, and to its shard. The order of sub means nothing but with its limit. In SQL
// it is a WITH, which holds for all that CTE says: what the query joins may read the name,
// too, and it cannot write. Columns are those of sub's select list, named behind the alias
// by Of, and nothing of the model holds for them but their names.
func From(sub Queryable, alias string) *Query[Row] { return (*Query[Row])(from(sub, alias)) }

func from(sub Queryable, alias string) *query {
	of := baseOf(sub)
	if of == nil {
		return &query{src: &source{err: &StatementError{Part: "From", Reason: "the query is nil"}}}
	}
	if of.src == nil {
		return of
	}
	src := *of.src
	src.callbacks, src.fillable, src.scopes, src.relates, src.tenant = callbacks{}, nil, nil, nil, nil
	src.table = table.Unmodelled(alias, nil)
	next := &query{src: &src, q: sqlgen.From(alias), at: of.at}
	if alias == "" {
		src.err = &StatementError{Part: "From", Reason: "the alias is empty"}
	}
	if src.err == nil && src.shard != nil {
		to, err := of.destination()
		w := *of.wish()
		w.db, w.shard, w.hasShard = "", nil, false
		src.shard, src.connection, src.why, src.err, next.at = nil, to.connection, "where the rows of From are", err, &w
	}
	return next.withCTE([]CTE{{Name: alias, Query: sub}})
}
