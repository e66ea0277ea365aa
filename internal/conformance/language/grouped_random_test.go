package language

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// gatherer makes random queries of groups, the same ones for the same seed on each database.
type gatherer struct {
	*rand.Rand
	owners *dbfleet.Model[groupedOwner]
	bills  *dbfleet.Model[groupedBill]
	q      dbfleet.Queryable
	told   []string
	ref    string            // how the query calls the table of bills
	ints   []string          // the columns that it reads
	texts  []string          // ditto
	whole  []string          // the tables that have a star
	list   map[string]string // the plain columns that are selected
	reads  []readTerm        // what is read of a group and must be one value there
	groups map[string]bool   // what it is grouped by
	keep   []func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row]
	merges bool // there is an aggregate
	n      int
}

type sortable interface {
	dbfleet.Term
	Desc() dbfleet.Order
}

// readTerm is a column, or an expression of one.
type readTerm struct {
	is          sortable
	least, most dbfleet.Term
	told        string
}

func reading[V any, T interface {
	dbfleet.Operand[V]
	Desc() dbfleet.Order
}](is T, told string) readTerm {
	return readTerm{is, dbfleet.MinOf[V](is), dbfleet.MaxOf[V](is), told}
}

func (g *gatherer) on(f func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row], told string, args ...any) {
	g.q = f(g.q.(*dbfleet.Query[dbfleet.Row]))
	g.told = append(g.told, fmt.Sprintf(told, args...))
}

func (g *gatherer) one(list []string) string { return list[g.IntN(len(list))] }

// begin chooses what is read.
func (g *gatherer) begin() {
	g.list, g.groups = map[string]string{}, map[string]bool{}
	bills := dbfleet.Into[dbfleet.Row](g.bills)
	of := func(ref string) {
		g.ref, g.whole = ref, []string{ref}
		g.ints, g.texts = []string{ref + ".id", ref + ".owner_id", ref + ".amount"}, []string{ref + ".name"}
	}
	switch kind := g.IntN(7); kind {
	case 0, 1:
		of("bills")
		g.ints, g.texts = []string{"id", "owner_id", "amount"}, []string{"name"}
		g.q, g.told = bills, []string{"bills"}
	case 2:
		of("b")
		g.q, g.told = bills.As("b"), []string{"bills AS b"}
	case 3:
		of("few")
		g.ints = g.ints[1:]
		g.q, g.told = dbfleet.From(g.bills.Select("owner_id", "name", "amount"), "few"), []string{"the rows of bills"}
	default:
		of("bills")
		right, joins := []string{"bills.owner_id", "bills.amount"}[kind%2], []func(table, l, op, r string) *dbfleet.Query[dbfleet.Row]{bills.Join, bills.LeftJoin}
		g.q = joins[g.IntN(2)]("owners", "owners.id", "=", right)
		g.told = []string{"bills with owners by " + right}
		g.ints, g.texts, g.whole = append(g.ints, "owners.id"), append(g.texts, "owners.name"), append(g.whole, "owners")
	}
	if g.IntN(4) == 0 {
		c := g.one(g.ints)
		value := g.Int64N(3)
		where := func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row] {
			return q.Where(c, []string{"=", ">", "<>"}[value], 1)
		}
		g.on(where, "where %s %d", c, value)
	}
}

func (g *gatherer) column(c string) readTerm {
	if slices.Contains(g.texts, c) {
		return reading[string](dbfleet.Col[string](c), c)
	}
	return reading[int64](dbfleet.Col[int64](c), c)
}

func (g *gatherer) term() readTerm {
	if g.IntN(3) == 0 {
		c := g.one(g.texts)
		switch g.IntN(3) {
		case 0:
			return reading[string](dbfleet.Upper(dbfleet.Col[string](c)), "upper "+c)
		case 1:
			return reading[int64](dbfleet.Case[int64]().When(dbfleet.Col[string](c).Eq("a"), 1).Else(0), "case "+c)
		}
		return g.column(c)
	}
	c := g.one(g.ints)
	if g.IntN(2) == 0 {
		return reading[int64](dbfleet.Coalesce[int64](dbfleet.Col[int64](c).Plus(1), dbfleet.Col[int64](c)), "coalesce "+c)
	}
	return g.column(c)
}

// sum is an aggregate, or an expression with one.
func (g *gatherer) sum() (t sortable, told string) {
	g.merges = true
	c := dbfleet.Col[int64](g.one(g.ints))
	switch g.IntN(4) {
	case 0:
		return dbfleet.CountRows().Where(dbfleet.Col[string](g.one(g.texts)).Eq("a")), "count"
	case 1:
		return dbfleet.MaxOf[int64](c), "max " + string(c)
	case 2:
		return dbfleet.Coalesce[int64](dbfleet.MinOf[int64](c), dbfleet.Value(int64(0))), "coalesced min " + string(c)
	}
	return dbfleet.MaxOf[int64](c).Plus(1), "max " + string(c) + " plus 1"
}

// item selects something more.
func (g *gatherer) item() {
	g.n++
	as := "x" + strconv.Itoa(g.n)
	c := g.one(slices.Concat(g.ints, g.texts))
	value := func(t dbfleet.Term) func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row] {
		return func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row] { return q.SelectValue(t, as) }
	}
	switch g.IntN(12) {
	default:
		g.list[c] = as
		g.reads = append(g.reads, g.column(c))
		g.on(func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row] { return q.SelectAs(c, as) }, "select %s as %s", c, as)
	case 0, 1:
		t := g.term()
		if g.IntN(3) == 0 {
			g.keep = append(g.keep, value(t.is))
			g.groups[as] = true
		} else {
			g.reads = append(g.reads, t)
		}
		g.on(value(t.is), "select %s as %s", t.told, as)
	case 2, 3, 4:
		t, told := g.sum()
		g.on(value(t), "select %s as %s", told, as)
	case 5:
		t := g.term()
		g.reads = append(g.reads, t)
		g.on(value(dbfleet.DenseRank().Over(dbfleet.Window{OrderBy: []dbfleet.Order{t.is.Desc().NullsLast()}})), "select rank by %s as %s", t.told, as)
	case 6:
		of := g.ref + ".owner_id"
		g.reads = append(g.reads, g.column(of))
		sub := g.owners.Query().As("inner_owner").WhereColumn("inner_owner.id", "=", of).SelectMax("name", "m")
		g.on(func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row] { return q.SelectSub(sub, as) }, "select query of %s as %s", of, as)
	case 7:
		if len(g.whole) > 0 {
			g.star(g.one(g.whole))
			g.whole = nil // another would have columns of the same names
		}
	case 8:
		g.merges = true
		g.on(func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row] {
			return q.SelectRaw("COUNT(*) AS " + as)
		}, "select COUNT(*) as %s", as)
	}
}

// star selects all columns of a table.
func (g *gatherer) star(table string) {
	for _, c := range slices.Concat(g.ints, g.texts) {
		if of, _, ok := strings.Cut(c, "."); of == table || !ok {
			g.reads = append(g.reads, g.column(c))
		}
	}
	g.on(func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row] { return q.Select(table + ".*") }, "select %s.*", table)
}

// group adds GROUP BY and HAVING, which the query without a list has, too.
func (g *gatherer) group() {
	var names []string
	for as := range g.groups {
		names = append(names, as)
	}
	slices.Sort(names)
	for range g.IntN(3) {
		names = append(names, g.one(slices.Concat(g.ints, g.texts)))
	}
	for _, name := range names {
		f := func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row] { return q.GroupBy(name) }
		g.keep = append(g.keep, f)
		g.groups[name] = true
		g.on(f, "group by %s", name)
	}
	if g.IntN(5) == 0 {
		f := func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row] { return q.HavingRaw("COUNT(*) > ?", 0) }
		g.keep = append(g.keep, f)
		g.on(f, "having COUNT(*) > 0")
	}
}

// order sorts the groups; one row has no order.
func (g *gatherer) order() {
	for range g.IntN(3) {
		switch g.IntN(3) {
		case 0:
			sum, told := g.sum()
			g.on(func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row] { return q.OrderWith(sum.Desc()) }, "order by %s", told)
		case 1:
			t := g.term()
			g.reads = append(g.reads, t)
			g.on(func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row] { return q.OrderWith(t.is.Desc()) }, "order by %s", t.told)
		default:
			c := g.one(slices.Concat(g.ints, g.texts))
			g.reads = append(g.reads, g.column(c))
			g.on(func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row] { return q.OrderBy(c, dbfleet.Desc) }, "order by %s", c)
		}
	}
}

// distinct selects columns of which none is a key, so that nothing decides another, and sorts
// by columns.
func (g *gatherer) distinct() {
	columns := slices.DeleteFunc(slices.Concat(g.ints, g.texts), func(c string) bool { return strings.HasSuffix(c, "id") })
	g.on(func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row] { return q.Distinct() }, "distinct")
	for i := range 1 + g.IntN(2) {
		c, as := g.one(columns), "x"+strconv.Itoa(i)
		g.on(func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row] { return q.SelectAs(c, as) }, "select %s as %s", c, as)
		if g.IntN(3) == 0 {
			g.on(func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row] { return q.OrderBy(as, dbfleet.Asc) }, "order by %s", as)
		}
	}
	by := g.column(g.one(columns))
	if g.IntN(2) == 0 {
		g.on(func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row] {
			return q.OrderBy(by.told, dbfleet.Asc)
		}, "order by %s", by.told)
	} else {
		g.on(func(q *dbfleet.Query[dbfleet.Row]) *dbfleet.Query[dbfleet.Row] { return q.OrderWith(by.is.Desc()) }, "order by value %s", by.told)
	}
}

// rowsTold are rows as one text, whatever their order.
func rowsTold(list []dbfleet.Row) string {
	var lines []string
	for _, row := range list {
		var cells []string
		for name, v := range row {
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			cells = append(cells, fmt.Sprint(name, "=", v))
		}
		slices.Sort(cells)
		lines = append(lines, strings.Join(cells, " "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "; ")
}

// decided checks that what was read of each group is one value there.
func (g *gatherer) decided(ctx context.Context, t *testing.T, base *dbfleet.Query[dbfleet.Row], told string) {
	t.Helper()
	q := base
	for _, f := range g.keep {
		q = f(q)
	}
	for i, read := range g.reads {
		q = q.SelectValue(read.least, fmt.Sprint("least", i)).SelectValue(read.most, fmt.Sprint("most", i))
	}
	if len(g.reads) == 0 {
		return
	}
	list, err := q.Get(ctx)
	require.NoError(t, err, told)
	for _, row := range list {
		for i := range g.reads {
			require.Equal(t, row[fmt.Sprint("least", i)], row[fmt.Sprint("most", i)], "%s of %s", g.reads[i].told, told)
		}
	}
}

// truth 139, 140
// Random queries of groups give the same on all databases: where PostgreSQL refuses a column
// that is not grouped, the others do, or it has one value in each group; and where PostgreSQL
// has rows, the others have the same. DBFLEET_TEST_QUERIES is how many are asked of each
// database, DBFLEET_TEST_SEED makes them the same again.
func TestGroupBy_RandomQueriesAreRefusedOrRightOnAll(t *testing.T) {
	t.Parallel()
	queries, seed := uint64(300), uint64(time.Now().UnixNano())
	for variable, n := range map[string]*uint64{"DBFLEET_TEST_QUERIES": &queries, "DBFLEET_TEST_SEED": &seed} {
		if text := os.Getenv(variable); text != "" {
			given, err := strconv.ParseUint(text, 10, 64)
			require.NoError(t, err, variable)
			*n = given
		}
	}
	type outcome struct {
		told string
		rows string
		err  error
	}
	var mu sync.Mutex
	all := map[string][]outcome{}
	t.Cleanup(func() {
		for dialect, of := range all {
			answered, refused := 0, 0
			for i, o := range of {
				if o.err == nil {
					answered++
				} else {
					refused++
				}
				if i >= len(all["postgres"]) || dialect == "postgres" {
					continue
				}
				if want := all["postgres"][i]; want.err == nil {
					require.NoError(t, o.err, "%s, which PostgreSQL answers, of %s", dialect, o.told)
					require.Equal(t, want.rows, o.rows, "%s: %s", dialect, o.told)
				}
			}
			if len(of) > 50 {
				require.Greater(t, answered, len(of)/10, dialect)
				require.Greater(t, refused, len(of)/10, dialect)
			}
		}
	})
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		owners, bills := groupedTables(t, fl)
		require.NoError(t, bills.CreateMany(ctx, []groupedBill{{4, 1, "a", 2}, {5, 2, "a", 5}, {6, 3, "c", 1}, {7, 1, "a", 5}}))
		until := time.Now().Add(8 * time.Second)
		var of []outcome
		for i := uint64(0); i < queries && (i < 60 || time.Now().Before(until)); i++ {
			g := gatherer{Rand: rand.New(rand.NewPCG(seed, i)), owners: owners, bills: bills}
			g.begin()
			base := g.q.(*dbfleet.Query[dbfleet.Row])
			distinct := g.IntN(6) == 0
			if distinct {
				g.distinct()
			} else {
				for range 1 + g.IntN(3) {
					g.item()
				}
				if g.group(); len(g.groups) > 0 {
					g.order()
				}
			}
			told := fmt.Sprintf("DBFLEET_TEST_SEED=%d, query %d of %s: %s", seed, i, fl.Database.Dialect, strings.Join(g.told, ", "))
			list, err := g.q.(*dbfleet.Query[dbfleet.Row]).Get(ctx)
			switch {
			case err == nil:
				if fl.Database.Dialect != "postgres" && !distinct && (g.merges || len(g.groups) > 0) {
					g.decided(ctx, t, base, told)
				}
			case fl.Database.Dialect == "postgres":
				require.Regexp(t, "GROUP BY clause|ungrouped column|for SELECT DISTINCT", err.Error(), told)
			default:
				require.Regexp(t, "value of any row|HAVING clause on a non-aggregate query", err.Error(), told)
			}
			of = append(of, outcome{told, rowsTold(list), err})
		}
		mu.Lock()
		defer mu.Unlock()
		all[fl.Database.Dialect] = of
	})
}
