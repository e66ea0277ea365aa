package queries

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// truth 314
//
// Records that are read once but belong to two have nothing in common: neither
// what a pointer points to, nor a slice, nor what is nested in them.
func TestRelation_TwinsShareNothing(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, "CREATE TABLE holders (id {id}, code {text})", "CREATE TABLE holdings (id {id}, ref {text}, note {text})")
		holders := conformance.Model[holder](t, fl.Registry, dbfleet.ModelConfig{Table: "holders"})
		holdings := conformance.Model[holding](t, fl.Registry, dbfleet.ModelConfig{Table: "holdings"})
		require.NoError(t, holders.CreateMany(ctx, []holder{{Code: "a"}, {Code: "a"}}))
		require.NoError(t, holdings.CreateMany(ctx, []holding{{Ref: "a", Note: at("n")}, {Ref: "a", Note: at("n")}}))
		many, one, holderOf := holdingsIn(holders, holdings)
		rivals := dbfleet.HasMany(holdings, holders, dbfleet.On("code", "ref"), func(h *holding) *[]holder { return &h.Rivals })
		twins, err := holders.Query().Join("holdings", "holdings.ref", "=", "holders.code").Where("holders.id", "=", 1).
			With(many.With(holderOf, rivals), one.With(holderOf.With(many))).Get(ctx)
		require.NoError(t, err)
		require.Len(t, twins, 2)
		x, y := &twins[0], &twins[1]
		require.Equal(t, x, y)
		x.Holdings[0].Holder.Code = "changed"
		*x.Holdings[0].Note = "changed"
		x.Holdings[0].Rivals[0].Code = "changed"
		x.Holdings[1].Rivals = append(x.Holdings[1].Rivals[:1], holder{Code: "changed"})
		*x.Latest.Note = "changed"
		x.Latest.Holder.Code = "changed"
		*x.Latest.Holder.Holdings[0].Note = "changed"
		require.Equal(t, "a", y.Holdings[0].Holder.Code)
		require.Equal(t, "n", *y.Holdings[0].Note)
		require.Equal(t, "a", y.Holdings[0].Rivals[0].Code)
		require.Equal(t, "a", y.Holdings[1].Rivals[1].Code)
		require.Equal(t, "n", *y.Latest.Note)
		require.Equal(t, "a", y.Latest.Holder.Code)
		require.Equal(t, "n", *y.Latest.Holder.Holdings[0].Note)

		// Two records that belong to one owner each have their own, with all in it.
		both, err := holdings.With(holderOf.With(many)).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		*both[0].Holder.Holdings[1].Note = "changed"
		both[0].Holder.Holdings[0].Ref = "changed"
		require.Equal(t, "n", *both[1].Holder.Holdings[1].Note)
		require.Equal(t, "a", both[1].Holder.Holdings[0].Ref)
	})
}

// truth 315, 316, 317
func TestRelation_LimitHoldsForEachParent(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		var more []post
		for i := range 40 {
			more = append(more, post{ID: int64(1000 + i), PersonID: at(int64(i%2 + 1)), Title: fmt.Sprint("t", i), Views: int64(i % 3)})
		}
		require.NoError(t, l.posts.CreateMany(ctx, more))
		count, _ := sent(fl.Registry)
		var rows int64
		fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { rows = e.Rows })
		list, err := l.people.With(latestOf(l)).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, rows, "one row for each person that has any")
		require.Equal(t, []int64{1038, 1039}, []int64{list[0].Latest.ID, list[1].Latest.ID})
		require.Nil(t, list[2].Latest)

		type scope func(q *dbfleet.Query[post]) *dbfleet.Query[post]
		for name, tc := range map[string]struct {
			scope scope
			sent  int
		}{
			"limit":  {func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.Limit(3) }, 2},
			"offset": {func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.Offset(15) }, 2},
			"both":   {func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.Limit(2).Offset(3) }, 2},
			"none":   {func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.Limit(0) }, 2},
			"conditions": {func(q *dbfleet.Query[post]) *dbfleet.Query[post] {
				return q.Where("views", "=", 1).OrWhere("views", "=", 2).Limit(3)
			}, 2},
			"raw order": {func(q *dbfleet.Query[post]) *dbfleet.Query[post] {
				return q.OrderByRaw("views + ? DESC", 1).OrderBy("id", "desc").Limit(3)
			}, 7},
			"join": {func(q *dbfleet.Query[post]) *dbfleet.Query[post] {
				return q.Join("people", "people.id", "=", "posts.person_id").OrderBy("posts.id", "desc").Limit(3)
			}, 2},
			"select list": {func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.Select("title", "id").Limit(3) }, 2},
			"alias": {func(q *dbfleet.Query[post]) *dbfleet.Query[post] {
				return q.Select("id", "title").SelectRaw("-id AS views").Limit(3)
			}, 7},
			"order by alias": {func(q *dbfleet.Query[post]) *dbfleet.Query[post] {
				return q.Select("id", "title").SelectRaw("-id AS ranked").DiscardUnknownColumns().OrderBy("ranked", "asc").Limit(3)
			}, 7},
			"distinct": {func(q *dbfleet.Query[post]) *dbfleet.Query[post] {
				return q.Select("id", "person_id", "title").Distinct().Limit(3)
			}, 7},
			"more than enough": {func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.Limit(math.MaxInt) }, 2},
		} {
			base := dbfleet.HasMany(l.people, l.posts, dbfleet.On("person_id"), func(p *person) *[]post { return &p.Posts })
			some := base.Scope(func(q *dbfleet.Query[post]) *dbfleet.Query[post] {
				q = tc.scope(q)
				switch name {
				case "raw order", "join", "order by alias":
				case "distinct":
					q = q.OrderBy("id", "desc")
				default:
					q = q.OrderBy("views", "desc").OrderBy("id", "asc")
				}
				return q
			})
			before := count()
			list, err := l.people.With(some).OrderBy("id", "asc").Get(ctx)
			require.NoError(t, err, name)
			require.Equal(t, tc.sent, count()-before, name)
			for i := range list {
				want, err := some.For(&list[i]).Get(ctx)
				require.NoError(t, err, name)
				require.Equal(t, titles(want), titles(list[i].Posts), "%s of %d", name, list[i].ID)
			}
		}
		// Of equal ones the smaller key comes first.
		tied := dbfleet.HasMany(l.people, l.posts, dbfleet.On("person_id"), func(p *person) *[]post { return &p.Posts }).
			Scope(func(q *dbfleet.Query[post]) *dbfleet.Query[post] {
				return q.Where("id", ">=", 1000).OrderBy("views", "desc").Limit(2)
			})
		list, err = l.people.With(tied).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"t2", "t8"}, titles(list[0].Posts))

		var fault *dbfleet.StatementError
		for _, q := range []scope{func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.Limit(-1) }, func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.Offset(-1) }} {
			_, err = l.people.With(postsOf(l).Scope(q)).Get(ctx)
			require.ErrorAs(t, err, &fault)
		}
	})
}

// truth 305
//
// MySQL holds '07' and '7.0' for 7. A limit is of them together, though each is a
// value of its own.
func TestRelation_LimitOfKeysThatAreSeveralValues(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)})
	conformance.Fleet{Registry: r, Database: db}.Create(t, "CREATE TABLE owners (id {bigint} PRIMARY KEY)", "CREATE TABLE things (id {id}, owner VARCHAR(9))",
		"INSERT INTO owners VALUES (7), (8), (9)", "INSERT INTO things (owner) VALUES ('7'), ('07'), ('8'), ('007'), ('7'), ('08')")
	type thing struct {
		ID    int64
		Owner string
	}
	type owner struct {
		ID     int64
		Things []thing `db:"-"`
	}
	owners := conformance.Model[owner](t, r, dbfleet.ModelConfig{Table: "owners"})
	things := conformance.Model[thing](t, r, dbfleet.ModelConfig{Table: "things"})
	all := dbfleet.HasMany(owners, things, dbfleet.On("owner"), func(o *owner) *[]thing { return &o.Things }).
		Scope(func(q *dbfleet.Query[thing]) *dbfleet.Query[thing] { return q.OrderBy("id", "desc") })
	for name, of := range map[string]dbfleet.ToMany[owner, thing]{
		"all":    all,
		"limit":  all.Scope(func(q *dbfleet.Query[thing]) *dbfleet.Query[thing] { return q.Limit(2) }),
		"offset": all.Scope(func(q *dbfleet.Query[thing]) *dbfleet.Query[thing] { return q.Offset(1) }),
		"both":   all.Scope(func(q *dbfleet.Query[thing]) *dbfleet.Query[thing] { return q.Limit(1).Offset(1) }),
	} {
		list, err := owners.With(of).OrderBy("id", "asc").Get(t.Context())
		require.NoError(t, err, name)
		for i := range list {
			want, err := of.For(&list[i]).Get(t.Context())
			require.NoError(t, err, name)
			require.Equal(t, want, list[i].Things, "%s of %d", name, list[i].ID)
		}
	}
}

// truth 316
//
// All kinds of columns, in an order by each of them, are what For reads.
func TestRelation_LimitReadsWhatForReads(t *testing.T) {
	t.Parallel()
	words := map[string]string{"sqlite": "TEXT COLLATE NOCASE", "postgres": "CITEXT", "mysql": "VARCHAR(20) COLLATE utf8mb4_general_ci"}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		if fl.Database.Dialect == "postgres" {
			fl.Create(t, "CREATE EXTENSION citext")
		}
		fl.Create(t, "CREATE TABLE owners (id {bigint} PRIMARY KEY)", "CREATE TABLE things (id {id}, owner_id {bigint}, word "+words[fl.Database.Dialect]+
			", at {time}, day {date}, open {bool}, data {bytes}, price {decimal}, weight {float}, note {text})")
		type thing struct {
			ID, OwnerID int64
			Word        string
			At          time.Time
			Day         *time.Time
			Open        bool
			Data        []byte
			Price       string
			Weight      *float64
			Note        *string
		}
		type owner struct {
			ID     int64
			Things []thing `db:"-"`
			First  *thing  `db:"-"`
		}
		owners := conformance.Model[owner](t, fl.Registry, dbfleet.ModelConfig{Table: "owners"})
		things := conformance.Model[thing](t, fl.Registry, dbfleet.ModelConfig{Table: "things"})
		require.NoError(t, owners.CreateMany(ctx, []owner{{ID: 1}, {ID: 2}, {ID: 3}}))
		noon := time.Date(2024, 5, 1, 12, 0, 0, 5000, time.UTC)
		for i, word := range []string{"b", "A", "c", "a", "B", "d"} {
			day := noon.Truncate(24*time.Hour).AddDate(0, 0, i%3)
			for id := range int64(2) {
				x := thing{OwnerID: id + 1, Word: word, At: noon.Add(time.Duration(-i) * time.Hour), Open: i%2 == 0, Data: []byte{byte(9 - i)}, Price: fmt.Sprintf("%d.5000", 9+i), Note: at(word)}
				if i > 1 {
					x.Day, x.Weight, x.Note = &day, at(float64(i)), nil
				}
				require.NoError(t, things.Create(ctx, &x))
			}
		}
		for _, column := range []string{"id", "word", "at", "day", "open", "data", "price", "weight", "note"} {
			for _, direction := range []dbfleet.Direction{dbfleet.Asc, dbfleet.Desc} {
				scope := func(q *dbfleet.Query[thing]) *dbfleet.Query[thing] {
					return q.OrderBy(column, direction).OrderBy("id", "desc").Limit(4)
				}
				many := dbfleet.HasMany(owners, things, dbfleet.On("owner_id"), func(o *owner) *[]thing { return &o.Things }).Scope(scope)
				one := dbfleet.HasOne(owners, things, dbfleet.On("owner_id"), func(o *owner) **thing { return &o.First }).Scope(scope)
				list, err := owners.With(many, one).OrderBy("id", "asc").Get(ctx)
				require.NoError(t, err)
				for i := range list {
					want, err := many.For(&list[i]).Get(ctx)
					require.NoError(t, err)
					require.Equal(t, want, list[i].Things, "%s %s", column, direction)
					if len(want) > 0 {
						require.Equal(t, &want[0], list[i].First, "%s %s", column, direction)
					}
				}
				require.Len(t, list[0].Things, 4)
			}
		}
	})
}

// truth 318
func TestRelation_LimitWithManyArguments(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, conformance.OnSQLite(t)) // which takes the fewest
	ids := make([]any, 9000)                    // four times as many are too many for one statement
	for i := range ids {
		ids[i] = int64(i)
	}
	where := func(q *dbfleet.Query[post]) *dbfleet.Query[post] {
		return q.WhereRaw("id IN (?"+strings.Repeat(", ?", len(ids)-1)+")", ids...)
	}
	list, err := l.people.With(latestOf(l).Scope(where), postsOf(l).Scope(where).Scope(func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.Limit(1) })).
		OrderBy("id", "asc").Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, "two", list[0].Latest.Title)
	require.Equal(t, []string{"one"}, titles(list[0].Posts))
	require.Equal(t, "one", list[4].Latest.Title)
	require.Equal(t, []string{"four"}, titles(list[4].Posts))
}

// truth 317
func TestRelation_LimitOfLockedRecords(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect == "sqlite" {
			return // has no row locks
		}
		l := newLibrary(t, fl)
		require.NoError(t, fl.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			lock := func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.ForUpdate() }
			list, err := l.people.With(latestOf(l).Scope(lock), postsOf(l).Scope(lock).Scope(func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.Limit(1) })).
				OrderBy("id", "asc").Get(ctx)
			require.NoError(t, err)
			require.Equal(t, "two", list[0].Latest.Title)
			require.Equal(t, []string{"one"}, titles(list[0].Posts))
			return nil
		}))
	})
}
