package queries

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A tenant's members and their tickets are known by the tenant and a number of their
// own.
type colleague struct {
	TenantID int64
	ID       int64
	Name     string
	Tickets  []ticket
	Last     *ticket
}

type ticket struct {
	TenantID int64
	ID       int64
	MemberID *int64
	Title    string
	Member   *colleague
}

type desk struct {
	members *dbfleet.Model[colleague]
	tickets *dbfleet.Model[ticket]
}

var deskTables = []string{
	`CREATE TABLE members (tenant_id {bigint} NOT NULL, id {bigint} NOT NULL, name {text} NOT NULL, PRIMARY KEY (tenant_id, id))`,
	`CREATE TABLE tickets (tenant_id {bigint} NOT NULL, id {bigint} NOT NULL, member_id {bigint}, title {text} NOT NULL, PRIMARY KEY (tenant_id, id))`,
	`CREATE INDEX tickets_of ON tickets (tenant_id, member_id)`,
}

func deskOn(t *testing.T, fl conformance.Fleet) desk {
	t.Helper()
	fl.Create(t, deskTables...)
	key := []string{"tenant_id", "id"}
	return desk{
		conformance.Model[colleague](t, fl.Registry, dbfleet.ModelConfig{Table: "members", PrimaryKey: key}),
		conformance.Model[ticket](t, fl.Registry, dbfleet.ModelConfig{Table: "tickets", PrimaryKey: key}),
	}
}

// fill makes so many members of so many tenants with up to four tickets each, and one
// ticket for nobody.
func (d desk) fill(t *testing.T, tenants, each int) {
	t.Helper()
	ctx := t.Context()
	var members []colleague
	var tickets []ticket
	for tenant := range tenants {
		for id := range each {
			members = append(members, colleague{TenantID: int64(tenant + 1), ID: int64(id + 1), Name: fmt.Sprintf("%d/%d", tenant+1, id+1)})
			for n := range (tenant + id) % 5 {
				tickets = append(tickets, ticket{TenantID: int64(tenant + 1), ID: int64(len(tickets) + 1), MemberID: at(int64(id + 1)), Title: fmt.Sprintf("%d/%d/%d", tenant+1, id+1, n)})
			}
		}
	}
	require.NoError(t, d.members.CreateMany(ctx, members))
	require.NoError(t, d.tickets.CreateMany(ctx, tickets))
	require.NoError(t, d.tickets.Create(ctx, &ticket{TenantID: 1, ID: 1 << 40, Title: "for nobody"}))
}

func (d desk) ticketsOf() dbfleet.ToMany[colleague, ticket] {
	return dbfleet.HasMany(d.members, d.tickets, dbfleet.On("member_id").And("tenant_id"), func(m *colleague) *[]ticket { return &m.Tickets })
}

func (d desk) lastOf() dbfleet.ToOne[colleague, ticket] {
	return dbfleet.HasOne(d.members, d.tickets, dbfleet.On("tenant_id").And("member_id"), func(m *colleague) **ticket { return &m.Last }).
		Scope(func(q *dbfleet.Query[ticket]) *dbfleet.Query[ticket] { return q.OrderBy("id", dbfleet.Desc) })
}

func (d desk) memberOf() dbfleet.ToOne[ticket, colleague] {
	return dbfleet.BelongsTo(d.tickets, d.members, dbfleet.On("member_id").And("tenant_id"), func(tk *ticket) **colleague { return &tk.Member })
}

func titlesOf(list []ticket) []string {
	names := []string{}
	for _, tk := range list {
		names = append(names, tk.Title)
	}
	slices.Sort(names)
	return names
}

// truth 327
func TestRelation_OfSeveralColumnsGivesWhatForFinds(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		d := deskOn(t, fl)
		d.fill(t, 4, 30)
		many, last, owner := d.ticketsOf(), d.lastOf(), d.memberOf()
		count, sql := sent(fl.Registry)
		before := count()
		members, err := d.members.With(many.With(owner), last).OrderBy("tenant_id", dbfleet.Asc).OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Len(t, members, 120)
		each := 3
		if fl.Database.Dialect == "mysql" {
			each = 1
		}
		require.Equal(t, 1+1+1+each, count()-before, "members; tickets, their members; one each for 48 members, on MariaDB for all: %s", sql().SQL)
		found := 0
		for i := range members {
			m := &members[i]
			alone, err := many.For(m).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, titlesOf(alone), titlesOf(m.Tickets), m.Name)
			require.Len(t, alone, (int(m.TenantID)+int(m.ID)-2)%5)
			found += len(alone)
			for _, tk := range m.Tickets {
				require.Equal(t, m.Name, tk.Member.Name)
			}
			if m.Last == nil {
				require.Empty(t, alone)
				continue
			}
			first, err := last.For(m).First(ctx)
			require.NoError(t, err)
			require.Equal(t, first, *m.Last)
		}
		require.Positive(t, found)
		tickets, err := d.tickets.With(owner).Get(ctx)
		require.NoError(t, err)
		for i := range tickets {
			tk := &tickets[i]
			if tk.MemberID == nil {
				require.Nil(t, tk.Member, "NULL in a part refers to nothing")
				_, err := owner.For(tk).First(ctx)
				require.ErrorIs(t, err, dbfleet.ErrNotFound)
				continue
			}
			require.Equal(t, fmt.Sprintf("%d/%d", tk.TenantID, *tk.MemberID), tk.Member.Name)
		}
	})
}

// truth 327
func TestRelation_OfSeveralColumnsTakesLimitsAndSelectLists(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		d := deskOn(t, fl)
		d.fill(t, 3, 20)
		two := d.ticketsOf().Scope(func(q *dbfleet.Query[ticket]) *dbfleet.Query[ticket] {
			return q.OrderBy("id", dbfleet.Desc).Limit(2).Offset(1)
		})
		locked := d.ticketsOf().Scope(func(q *dbfleet.Query[ticket]) *dbfleet.Query[ticket] {
			return q.Distinct().OrderBy("id", dbfleet.Desc).Limit(2)
		})
		for name, many := range map[string]dbfleet.ToMany[colleague, ticket]{"limit and offset": two, "limit of distinct rows": locked} {
			members, err := d.members.Select("name").With(many).Get(ctx)
			require.NoError(t, err, name)
			require.Len(t, members, 60)
			for i := range members {
				want, err := many.For(&members[i]).Get(ctx)
				require.NoError(t, err, name)
				require.Equal(t, want, members[i].Tickets, "%s: %s", name, members[i].Name)
			}
		}
		narrow, err := d.members.With(d.ticketsOf().Scope(func(q *dbfleet.Query[ticket]) *dbfleet.Query[ticket] {
			return q.Select("title").Where("title", "=", "2/3/0").OrWhere("title", "=", "2/4/1")
		})).Get(ctx)
		require.NoError(t, err)
		got := []string{}
		for _, m := range narrow {
			got = append(got, titlesOf(m.Tickets)...)
		}
		slices.Sort(got)
		require.Equal(t, []string{"2/3/0", "2/4/1"}, got)
		aliased, err := d.members.With(d.ticketsOf().Scope(func(q *dbfleet.Query[ticket]) *dbfleet.Query[ticket] {
			return q.Select("tenant_id", "id", "title").SelectRaw("member_id AS member_id")
		})).Get(ctx)
		require.NoError(t, err)
		require.Len(t, aliased, 60)
	})
}

// truth 327: the lists and groups of a statement stay within what a database takes.
func TestRelation_OfSeveralColumnsForManyParents(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		d := deskOn(t, fl)
		var members []colleague
		var tickets []ticket
		for i := range int64(3000) { // no two of one tenant, no two of one number
			members = append(members, colleague{TenantID: i + 1, ID: 5000 - i, Name: "x"})
			tickets = append(tickets, ticket{TenantID: i + 1, ID: i + 1, MemberID: at(5000 - i), Title: fmt.Sprint(i)})
			tickets = append(tickets, ticket{TenantID: i + 1, ID: -i, MemberID: at(4999 - i), Title: "another's"})
		}
		require.NoError(t, d.members.CreateMany(ctx, members))
		require.NoError(t, d.tickets.CreateMany(ctx, tickets))
		count, _ := sent(fl.Registry)
		before := count()
		got, err := d.members.With(d.ticketsOf()).Get(ctx)
		require.NoError(t, err)
		require.Len(t, got, 3000)
		for _, m := range got {
			require.Equal(t, []string{fmt.Sprint(m.TenantID - 1)}, titlesOf(m.Tickets))
		}
		require.Equal(t, 1+12, count()-before, "250 groups a statement")
	})
}

// A place has a name that is one to its database in several writings.
type placed struct {
	ID       int64
	Region   string
	Code     string
	Visits   []visit
	LastSeen *visit
}

type visit struct {
	ID      int64
	Area    string
	Code    string
	PlaceOf *placed
}

// truth 327: every part is compared by the database.
func TestRelation_OfSeveralColumnsIsEqualAsTheDatabaseSays(t *testing.T) {
	t.Parallel()
	texts := []string{"a", "A", "ada", "Ada ", "ada  ", "x-1", "X 01", "cs", "ch", "é", "e", "É", "ss", "ß", "10", "010"}
	for _, dialect := range dbtest.Dialects {
		for column, needs := range textColumns[dialect] {
			t.Run(dialect+" "+column, func(t *testing.T) {
				t.Parallel()
				ctx := t.Context()
				db := dbtest.New(t, dialect)
				r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)})
				fl := conformance.Fleet{Registry: r, Database: db}
				fl.Create(t, needs...)
				fl.Create(t, "CREATE TABLE places (id {id}, region "+binaryText[dialect]+", code "+binaryText[dialect]+")", "CREATE TABLE visits (id {id}, area "+column+", code "+column+")")
				places := conformance.Model[placed](t, r, dbfleet.ModelConfig{Table: "places"})
				visits := conformance.Model[visit](t, r, dbfleet.ModelConfig{Table: "visits"})
				for i, region := range texts {
					for _, code := range []string{"k", "K", texts[(i*7+3)%len(texts)]} {
						require.NoError(t, places.Create(ctx, &placed{Region: region, Code: code}))
						require.NoError(t, visits.Create(ctx, &visit{Area: strings.ToUpper(region), Code: code}))
						require.NoError(t, visits.Create(ctx, &visit{Area: region, Code: strings.ToUpper(code)}))
					}
				}
				link := dbfleet.On("area", "region").And("code", "code")
				many := dbfleet.HasMany(places, visits, link, func(p *placed) *[]visit { return &p.Visits }).
					Scope(func(q *dbfleet.Query[visit]) *dbfleet.Query[visit] { return q.OrderBy("id", dbfleet.Asc) })
				last := dbfleet.HasOne(places, visits, link, func(p *placed) **visit { return &p.LastSeen }).
					Scope(func(q *dbfleet.Query[visit]) *dbfleet.Query[visit] { return q.OrderBy("id", dbfleet.Desc) })
				pages := []*dbfleet.Query[placed]{places.Query(), places.Where("id", "=", 4), places.Where("code", "=", "k"), places.WhereIn("region", []string{"é", "e"})}
				for n, page := range pages {
					list, err := page.With(many, last).Get(ctx)
					require.NoError(t, err)
					require.NotEmpty(t, list, n)
					for i := range list {
						want, err := many.For(&list[i]).Get(ctx)
						require.NoError(t, err)
						require.Equal(t, want, list[i].Visits, "%d: %q %q", n, list[i].Region, list[i].Code)
						require.Equal(t, len(want) == 0, list[i].LastSeen == nil)
						if len(want) > 0 {
							require.Equal(t, want[len(want)-1], *list[i].LastSeen)
						}
					}
				}
			})
		}
	}
}

// typed is a key of parts of other types on the two sides.
type typed struct {
	ID      int64
	Number  int32
	Label   string
	Entries []entry
}

type entry struct {
	ID     int64
	Number string
	Label  *string
}

// truth 327: parts of other types, pointers, NULL.
func TestRelation_OfSeveralColumnsOfOtherTypes(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE typeds (id {id}, number INTEGER NOT NULL, label VARCHAR(20) NOT NULL)`, `CREATE TABLE entries (id {id}, number VARCHAR(20) NOT NULL, label VARCHAR(20))`)
		typeds := conformance.Model[typed](t, fl.Registry, dbfleet.ModelConfig{Table: "typeds"})
		entries := conformance.Model[entry](t, fl.Registry, dbfleet.ModelConfig{Table: "entries"})
		for i, label := range []string{"a", "b", "c"} {
			require.NoError(t, typeds.Create(ctx, &typed{Number: int32(i), Label: label}))
			require.NoError(t, entries.Create(ctx, &entry{Number: fmt.Sprint(i), Label: at(label)}))
			require.NoError(t, entries.Create(ctx, &entry{Number: fmt.Sprint(i)}))
		}
		many := dbfleet.HasMany(typeds, entries, dbfleet.On("number", "number").And("label", "label"), func(p *typed) *[]entry { return &p.Entries })
		list, err := typeds.With(many).Get(ctx)
		require.NoError(t, err)
		require.Len(t, list, 3)
		for i := range list {
			want, err := many.For(&list[i]).Get(ctx)
			require.NoError(t, err)
			require.Len(t, want, 1)
			require.Equal(t, want, list[i].Entries)
		}
	})
}

func TestRelation_OfSeveralColumnsReachesShards(t *testing.T) {
	t.Parallel()
	conformance.OnSQLite(t)
	databases := map[string]dbfleet.ConnectionConfig{}
	for _, name := range []string{"main", "even", "odd"} {
		databases[name] = conformance.ConnectionTo(dbtest.New(t, "sqlite"))
	}
	ctx, r := t.Context(), conformance.Open(t, databases)
	for name := range databases {
		for _, ddl := range deskTables {
			_, err := r.DB(name).ExecContext(ctx, conformance.DDL("sqlite", ddl))
			require.NoError(t, err)
		}
	}
	key := []string{"tenant_id", "id"}
	shard := dbfleet.ShardBy("tenant_id", func(tenant int64) string { return []string{"even", "odd"}[tenant%2] })
	d := desk{
		conformance.Model[colleague](t, r, dbfleet.ModelConfig{Table: "members", PrimaryKey: key}),
		conformance.Model[ticket](t, r, dbfleet.ModelConfig{Table: "tickets", PrimaryKey: key, Shard: shard}),
	}
	for tenant := range int64(4) {
		for id := range int64(3) {
			require.NoError(t, d.members.Create(ctx, &colleague{TenantID: tenant + 1, ID: id + 1, Name: fmt.Sprintf("%d/%d", tenant+1, id+1)}))
			require.NoError(t, d.tickets.Create(ctx, &ticket{TenantID: tenant + 1, ID: id + 1, MemberID: at(id + 1), Title: fmt.Sprintf("%d/%d", tenant+1, id+1)}))
		}
	}
	count, _ := sent(r)
	before := count()
	members, err := d.members.With(d.ticketsOf(), d.lastOf()).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 1+2+2, count()-before, "one statement a shard and relation")
	for i := range members {
		require.Equal(t, []string{members[i].Name}, titlesOf(members[i].Tickets))
		require.Equal(t, members[i].Name, members[i].Last.Title)
		alone, err := d.ticketsOf().For(&members[i]).Get(ctx)
		require.NoError(t, err, "the shard is found among the conditions")
		require.Equal(t, alone, members[i].Tickets)
	}
	tickets, err := d.tickets.Shard(1).With(d.memberOf()).Get(ctx)
	require.NoError(t, err)
	require.Len(t, tickets, 6)
	for _, tk := range tickets {
		require.Equal(t, tk.Title, tk.Member.Name)
	}
}

func TestRelation_LinkThatFitsNoKeyNamesBothSides(t *testing.T) {
	t.Parallel()
	d := deskOn(t, conformance.OnSQLite(t))
	field := func(m *colleague) *[]ticket { return &m.Tickets }
	for claim, tc := range map[string]struct {
		link dbfleet.Link
		says string
	}{
		"fewer":   {dbfleet.On("member_id"), `table "members": the link from table "tickets" names "member_id" without the column that each refers to, the primary key leaves "tenant_id", "id"`},
		"more":    {dbfleet.On("member_id").And("tenant_id").And("title"), `names "member_id", "tenant_id", "title" without the column that each refers to, the primary key leaves "tenant_id", "id"`},
		"none":    {dbfleet.On("member_id", "id").And("tenant_id", "tenant_id").And("title"), `names "title" without the column that each refers to, the primary key leaves no column`},
		"twice":   {dbfleet.On("member_id", "id").And("member_id", "tenant_id"), `table "tickets": the link names its column "member_id" twice`},
		"zero":    {dbfleet.Link{}, `its link names no column; On names the one that refers to the other side`},
		"two":     {dbfleet.On("member_id", "id", "tenant_id").And("tenant_id"), `the column "member_id" refers to one column, not to "id", "tenant_id"`},
		"unknown": {dbfleet.On("member_id", "id").And("tenant", "tenant_id"), `"tenant"`},
		"typo":    {dbfleet.On("member_id", "id").And("tenant_id", "tenant"), `"tenant"`},
	} {
		_, err := d.members.With(dbfleet.HasMany(d.members, d.tickets, tc.link, field)).Get(t.Context())
		require.ErrorContains(t, err, tc.says, claim)
		_, err = dbfleet.HasMany(d.members, d.tickets, tc.link, field).For(&colleague{}).Get(t.Context())
		require.ErrorContains(t, err, tc.says, claim)
	}
}
