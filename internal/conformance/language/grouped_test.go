package language

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type groupedOwner struct {
	ID    int64
	Name  string
	Bills []groupedBill `db:"-"`
}

type groupedBill struct {
	ID, OwnerID int64
	Name        string
	Amount      int64
}

// groupedFew are some columns of bills.
type groupedFew struct{ OwnerID int64 }

// groupedTables are two owners, of whom the first has two of three bills.
func groupedTables(t *testing.T, fl conformance.Fleet) (*dbfleet.Model[groupedOwner], *dbfleet.Model[groupedBill]) {
	t.Helper()
	fl.Create(t, "CREATE TABLE owners (id {id}, name {text} NOT NULL)", "CREATE TABLE bills (id {id}, owner_id {bigint} NOT NULL, name {text} NOT NULL, amount {bigint} NOT NULL)",
		"CREATE TABLE foreigners (id {id}, owner_id {bigint} NOT NULL, name {text} NOT NULL)", "CREATE TABLE strangers (id {id}, foreigner_id {bigint} NOT NULL, title {text} NOT NULL)",
		"INSERT INTO strangers (foreigner_id, title) VALUES (1, 'p'), (2, 'q')", "INSERT INTO foreigners (owner_id, name) VALUES (1, 'x'), (1, 'y'), (2, 'z')")
	owners := conformance.Model[groupedOwner](t, fl.Registry, dbfleet.ModelConfig{Table: "owners"})
	bills := conformance.Model[groupedBill](t, fl.Registry, dbfleet.ModelConfig{Table: "bills"})
	require.NoError(t, owners.CreateMany(t.Context(), []groupedOwner{{ID: 1, Name: "Ann"}, {ID: 2, Name: "Bob"}}))
	require.NoError(t, bills.CreateMany(t.Context(), []groupedBill{{1, 1, "a", 5}, {2, 1, "b", 6}, {3, 2, "c", 7}}))
	return owners, bills
}

func rowsOf(q dbfleet.Queryable) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		list, err := dbfleet.Into[dbfleet.Row](q).Get(ctx)
		return len(list), err
	}
}

// truth 140
func TestGroupBy_RefusesAnyRowsValueWhereverItIsRead(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		owners, bills := groupedTables(t, fl)
		owner, name, amount := dbfleet.Col[int64]("owner_id"), dbfleet.Col[string]("name"), dbfleet.Col[int64]("amount")
		joined := bills.Query().Join("owners", "owners.id", "=", "bills.owner_id")
		byOwner := bills.Select("owner_id").SelectCount("n").GroupBy("owner_id")
		first := bills.Query().GroupBy("owner_id")
		foreigners := dbfleet.Table[dbfleet.Row](fl.DB("main"), "foreigners")
		billsOf := dbfleet.HasMany(owners, bills, dbfleet.On("owner_id"), func(o *groupedOwner) *[]groupedBill { return &o.Bills })
		all := func(alias string) *dbfleet.Query[dbfleet.Row] {
			return dbfleet.From(bills.Select("owner_id", "name", "amount"), alias)
		}
		cte := dbfleet.Table[dbfleet.Row](fl.DB("main"), "few").WithCTE(dbfleet.CTE{Name: "few", Query: bills.Select("owner_id", "name")})
		for claim, read := range map[string]func(context.Context) (int, error){
			"Sum without a list": func(ctx context.Context) (int, error) { _, err := first.Sum(ctx, "amount"); return 0, err },
			"Max without a list": func(ctx context.Context) (int, error) { _, err := first.Max(ctx, "name"); return 0, err },
			"Min without a list": func(ctx context.Context) (int, error) { _, err := first.Min(ctx, "amount"); return 0, err },
			"Avg without a list": func(ctx context.Context) (int, error) { _, err := first.Avg(ctx, "amount"); return 0, err },
			"Distinct, counted":  func(ctx context.Context) (int, error) { n, err := first.Distinct().Count(ctx); return int(n), err },
			"a page": func(ctx context.Context) (int, error) {
				_, err := dbfleet.PageOf(ctx, first, 1, 2)
				return 0, err
			},
			"of a relation": func(ctx context.Context) (int, error) {
				list, err := owners.With(billsOf.Scope(func(q *dbfleet.Query[groupedBill]) *dbfleet.Query[groupedBill] { return q.GroupBy("owner_id") })).Get(ctx)
				return len(list), err
			},

			"a star of the table":                  rowsOf(bills.Select("bills.*").GroupBy("owner_id")),
			"a star of a join":                     rowsOf(joined.Select("bills.*").GroupBy("owners.id")),
			"a star of the other table":            rowsOf(joined.Select("owners.*").GroupBy("bills.name")),
			"beside an expression of a sum":        rowsOf(bills.Select("name").SelectValue(dbfleet.Coalesce[int64](dbfleet.SumOf[int64](amount), dbfleet.Value(int64(0))), "sum")),
			"beside arithmetic of a sum":           rowsOf(bills.Select("name").SelectValue(dbfleet.SumOf[int64](amount).Plus(1), "sum")),
			"in an expression with a sum":          rowsOf(bills.Query().SelectValue(dbfleet.SumOf[int64](amount).Add(amount), "sum")),
			"beside an aggregate in SQL":           rowsOf(bills.Select("name").SelectRaw("COUNT(*) AS n")),
			"beside an aggregate in SQL, a value":  rowsOf(bills.Select("name").SelectValue(dbfleet.RawValue[int64]("1 + MAX(amount)"), "n")),
			"beside one in an argument of SQL":     rowsOf(bills.Select("name").SelectRaw("1 + ? AS n", dbfleet.Raw("COUNT(*)"))),
			"beside a sum in an argument of SQL":   rowsOf(bills.Select("name").SelectRaw("1 + ? AS n", dbfleet.SumOf[int64](amount))),
			"beside an aggregate of HAVING":        rowsOf(bills.Select("name").HavingRaw("COUNT(*) > 1")),
			"beside an aggregate of the order":     rowsOf(bills.Select("name").OrderWith(dbfleet.CountRows().Desc())),
			"beside a rank of sums":                rowsOf(bills.Select("name").SelectValue(dbfleet.Rank().Over(dbfleet.Window{OrderBy: []dbfleet.Order{dbfleet.SumOf[int64](amount).Asc()}}), "r")),
			"equal to an expression":               rowsOf(bills.Select("amount").SelectCount("n").Filter(dbfleet.Compare[int64](amount, "=", owner.Plus(4)))),
			"equal to SQL":                         rowsOf(bills.Select("amount").SelectCount("n").Where("amount", "=", dbfleet.Raw("owner_id + 4"))),
			"equal to a query":                     rowsOf(bills.Select("amount").SelectCount("n").Where("amount", "=", bills.Query().As("b").WhereColumn("b.id", "=", "bills.id").SelectMax("amount", "m"))),
			"in an expression":                     rowsOf(byOwner.SelectValue(dbfleet.Upper(name), "upper")),
			"in a condition of an expression":      rowsOf(byOwner.SelectValue(dbfleet.Case[int64]().When(name.Eq("a"), 1).Else(0), "is")),
			"in a subquery":                        rowsOf(byOwner.SelectSub(owners.Select("name").WhereColumn("owners.name", "=", "bills.name").Limit(1), "s")),
			"in a subquery of an expression":       rowsOf(byOwner.SelectValue(dbfleet.QueryValue[string](owners.Query().WhereColumn("owners.id", "=", "bills.id").SelectMax("name", "m")), "s")),
			"in the function of a window":          rowsOf(byOwner.SelectValue(dbfleet.SumOf[int64](amount).Over(dbfleet.Window{}), "w")),
			"in the order of a window":             rowsOf(byOwner.SelectValue(dbfleet.RowNumber().Over(dbfleet.Window{OrderBy: []dbfleet.Order{name.Asc()}}), "w")),
			"in the partition of a window":         rowsOf(byOwner.SelectValue(dbfleet.RowNumber().Over(dbfleet.Window{PartitionBy: []dbfleet.Term{name}}), "w")),
			"sorted by another column":             rowsOf(byOwner.OrderBy("name", dbfleet.Asc)),
			"sorted by an expression":              rowsOf(byOwner.OrderWith(dbfleet.Upper(name).Asc())),
			"sorted by a join's":                   rowsOf(joined.Select("owners.id").GroupBy("owners.id").OrderBy("bills.name", dbfleet.Asc)),
			"in a union":                           rowsOf(bills.Select("owner_id", "amount").UnionAll(bills.Select("owner_id", "amount").GroupBy("owner_id"))),
			"first in a union":                     rowsOf(bills.Select("owner_id", "amount").GroupBy("owner_id").UnionAll(bills.Select("owner_id", "amount"))),
			"in a query that is read as a table":   rowsOf(dbfleet.From(first, "firsts").Select("amount")),
			"of a query that is read as a table":   rowsOf(all("few").Select("owner_id", "name").GroupBy("owner_id")),
			"behind its alias":                     rowsOf(all("few").Select("few.owner_id", "few.name").GroupBy("few.owner_id")),
			"all of a query":                       rowsOf(all("few").GroupBy("owner_id")),
			"beside an aggregate, of a query":      rowsOf(all("few").Select("name").SelectCount("n")),
			"of a CTE":                             rowsOf(cte.Select("owner_id", "name").GroupBy("owner_id")),
			"of a table without a model":           rowsOf(foreigners.Select("name").SelectCount("n")),
			"of two such tables":                   rowsOf(foreigners.Join("strangers", "strangers.foreigner_id", "=", "foreigners.id").Select("title").SelectCount("n")),
			"of a query and such a table":          rowsOf(dbfleet.From(foreigners, "f").Join("strangers", "strangers.foreigner_id", "=", "f.id").Select("title").SelectCount("n")),
			"beside an expression in SQL":          rowsOf(foreigners.SelectRaw("UPPER(name) AS u").Select("owner_id").GroupBy("u")),
			"in a query that a value is among":     rowsOf(bills.Query().WhereIn("amount", bills.Select("amount").GroupBy("owner_id"))),
			"distinct, by what is not selected":    rowsOf(bills.Select("owner_id").Distinct().OrderBy("amount", dbfleet.Asc)),
			"distinct, by an expression":           rowsOf(bills.Select("owner_id").Distinct().OrderWith(amount.Plus(1).Asc())),
			"distinct, by a join's":                rowsOf(joined.Select("owners.name").Distinct().OrderBy("bills.name", dbfleet.Asc)),
			"distinct, by an aggregate":            rowsOf(bills.Select("name").Distinct().GroupBy("owner_id", "name").OrderWith(dbfleet.CountRows().Asc())),
			"distinct, by the other of two tables": rowsOf(owners.Query().Distinct().Join("bills", "bills.owner_id", "=", "owners.id").OrderBy("bills.amount", dbfleet.Asc)),
		} {
			t.Run(claim, func(t *testing.T) {
				n, err := read(t.Context())
				require.Error(t, err, n)
				if fl.Database.Dialect != "postgres" { // which says it itself
					var refused *dbfleet.StatementError
					require.ErrorAs(t, err, &refused)
					require.ErrorContains(t, err, "value of any row")
				}
			})
		}
	})
}

// truth 140
func TestGroupBy_TakesWhatIsOfTheGroupWhereverItIsRead(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		owners, bills := groupedTables(t, fl)
		owner, name, amount := dbfleet.Col[int64]("owner_id"), dbfleet.Col[string]("name"), dbfleet.Col[int64]("amount")
		joined := bills.Query().Join("owners", "owners.id", "=", "bills.owner_id")
		byOwner := bills.Select("owner_id").SelectCount("n").GroupBy("owner_id")
		byKey := bills.Select("id").SelectCount("n").GroupBy("id")
		foreigners := dbfleet.Table[dbfleet.Row](fl.DB("main"), "foreigners")
		upper := bills.Query().SelectValue(dbfleet.Upper(name), "upper").SelectCount("n").GroupBy("upper")
		sum := dbfleet.SumOf[int64](amount)
		type one struct {
			rows int
			q    dbfleet.Queryable
		}
		right := map[string]one{
			"a star, by the key":               {3, bills.Select("bills.*").GroupBy("id")},
			"a join's star, by its key":        {2, joined.Select("owners.*").SelectSum("bills.amount", "sum").GroupBy("owners.id")},
			"an expression of the key's row":   {3, byKey.SelectValue(dbfleet.Upper(name), "upper")},
			"an expression of what is grouped": {2, byOwner.SelectValue(owner.Plus(1), "next")},
			"an aggregate's condition":         {2, byOwner.SelectValue(dbfleet.CountRows().Where(name.Eq("a")), "a")},
			"a sum beside a sum":               {2, byOwner.SelectValue(sum.Add(dbfleet.MaxOf[int64](amount)), "s")},
			"a sum of an expression":           {2, byOwner.SelectValue(dbfleet.SumOf[int64](amount.Times(2)), "s")},
			"a window over sums":               {2, byOwner.SelectValue(dbfleet.Rank().Over(dbfleet.Window{OrderBy: []dbfleet.Order{sum.Desc()}}), "r")},
			"a window over what is grouped":    {2, byOwner.SelectValue(dbfleet.RowNumber().Over(dbfleet.Window{PartitionBy: []dbfleet.Term{owner}, OrderBy: []dbfleet.Order{sum.Desc()}}), "r")},
			"a window beside columns":          {3, bills.Select("name").SelectValue(sum.Over(dbfleet.Window{PartitionBy: []dbfleet.Term{owner}}), "w")},
			"a window in SQL beside columns":   {3, bills.Select("name").SelectRaw("SUM(amount) OVER (PARTITION BY owner_id) AS w")},
			"a query in SQL beside columns":    {3, bills.Select("name").SelectRaw("(SELECT COUNT(*) FROM owners) AS w")},
			"SQL of a query in an argument":    {3, bills.Select("name").SelectRaw("1 + ? AS w", dbfleet.Raw("SELECT COUNT(*) FROM owners"))},
			"a query in an argument of SQL":    {3, bills.Select("name").SelectRaw("1 + ? AS w", owners.Query().SelectMax("id", "m"))},
			"a query beside columns":           {3, bills.Select("name").SelectSub(owners.Query().SelectMax("name", "m"), "w")},
			"a subquery of what is grouped":    {2, byOwner.SelectSub(owners.Select("name").WhereColumn("owners.id", "=", "bills.owner_id"), "s")},
			"a condition of a query":           {2, bills.Select("owner_id").SelectCount("n").GroupBy("owner_id").WhereExists(owners.Query().WhereColumn("owners.id", "=", "bills.owner_id").WhereColumn("owners.name", "<>", "bills.name"))},
			"an expression of one by an alias": {3, upper.SelectValue(dbfleet.Concat(dbfleet.Upper(name), dbfleet.Upper(name)), "twice")},
			"sorted by that":                   {3, upper.OrderWith(dbfleet.Upper(name).Desc())},
			"sorted by its alias":              {3, upper.OrderBy("upper", dbfleet.Desc)},
			"having a grouped subquery":        {1, bills.Query().SelectSub(owners.Select("name").WhereColumn("owners.id", "=", "bills.owner_id"), "s").SelectCount("n").GroupBy("s").Having("s", "=", "Ann")},
			"the fields of a struct":           {2, dbfleet.Table[groupedFew](fl.DB("main"), "bills").GroupBy("owner_id")},
			"a condition that counts":          {1, owners.Query().WhereExists(bills.Query().WhereColumn("bills.owner_id", "=", "owners.id").HavingRaw("COUNT(*) > 1"))},
			"sorted by what SQL calls else":    {3, bills.Query().SelectRaw("name AS x").SelectCount("n").GroupBy("x").OrderBy("name", dbfleet.Desc)},
			"beside what SQL calls else":       {2, bills.Query().SelectRaw("owner_id AS owner").Select("owner_id").SelectCount("n").GroupBy("owner")},
			"sorted by an aggregate":           {2, byOwner.OrderWith(sum.Desc())},
			"sorted by an aggregate's alias":   {2, byOwner.OrderBy("n", dbfleet.Desc)},
			"sorted by what is grouped":        {2, byOwner.OrderBy("owner_id", dbfleet.Desc)},
			"sorted by the key's row":          {3, byKey.OrderBy("name", dbfleet.Desc)},
			"a table without a model":          {3, foreigners.Select("id", "name").GroupBy("id")},
			"a query that is read as a table":  {2, dbfleet.From(bills.Select("owner_id", "amount"), "few").Select("owner_id").SelectSum("amount", "s").GroupBy("owner_id").OrderBy("owner_id", dbfleet.Asc)},
			"expressions of such a query":      {2, dbfleet.From(bills.Select("owner_id", "amount"), "few").SelectValue(owner.Plus(1), "next").SelectValue(sum, "s").GroupBy("next")},
			"distinct, by what is selected":    {2, bills.Select("owner_id").Distinct().OrderBy("owner_id", dbfleet.Desc)},
			"distinct, by its alias":           {2, bills.Query().SelectAs("owner_id", "o").Distinct().OrderBy("o", dbfleet.Desc)},
			"distinct, by all":                 {3, bills.Query().Distinct().OrderBy("name", dbfleet.Desc)},
			"distinct, by an expression":       {2, bills.Query().SelectValue(owner.Plus(1), "o").Distinct().OrderBy("o", dbfleet.Desc)},
			"distinct groups":                  {2, byOwner.Distinct().OrderBy("n", dbfleet.Desc)},
		}
		if fl.Database.Dialect != "postgres" { // which takes fewer
			right["equal to an expression of it"] = one{2, byOwner.Select("amount").Filter(dbfleet.Compare[int64](amount, "=", owner.Plus(5)))}
			right["equal to SQL that is one value"] = one{1, bills.Select("amount").SelectCount("n").Where("amount", "=", dbfleet.Raw("5 + 1"))}
			right["the key of a query's rows"] = one{3, dbfleet.From(bills.Select("id", "name"), "few").Select("id", "name").GroupBy("id")}
			right["distinct, by the key's row"] = one{3, bills.Select("id").Distinct().OrderBy("name", dbfleet.Asc)}
			right["one row, whatever it is sorted by"] = one{1, bills.Query().SelectValue(sum, "s").OrderBy("name", dbfleet.Asc)}
		}
		for claim, c := range right {
			t.Run(claim, func(t *testing.T) {
				n, err := rowsOf(c.q)(t.Context())
				require.NoError(t, err)
				require.Equal(t, c.rows, n)
			})
		}
	})
}
