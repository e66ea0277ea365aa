package queries

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type client struct {
	ID    int64
	Code  string
	Notes []remark
	Owner *remark
}

// remark refers to a client by a text.
type remark struct {
	ID         int64
	AccountRef *string
	Body       string
	Account    *client
}

// Each side on its own database and dialect, keys of different types.
func TestRelation_AcrossDatabases(t *testing.T) {
	t.Parallel()
	for _, from := range dbtest.Dialects {
		for _, to := range dbtest.Dialects {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				ctx := t.Context()
				parents, children := dbtest.New(t, from), dbtest.New(t, to)
				r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(parents), "other": conformance.ConnectionTo(children)})
				conformance.Fleet{Registry: r, Database: parents}.Create(t, `CREATE TABLE accounts (id {id}, code {text} NOT NULL)`)
				_, err := r.DB("other").ExecContext(ctx, conformance.DDL(to, `CREATE TABLE notes (id {id}, account_ref {text}, body {text} NOT NULL)`))
				require.NoError(t, err)
				accounts := conformance.Model[client](t, r, dbfleet.ModelConfig{Table: "accounts"})
				notes := conformance.Model[remark](t, r, dbfleet.ModelConfig{Table: "notes", Connection: "other"})
				list := make([]client, 300)
				for i := range list {
					list[i] = client{ID: int64(i + 1), Code: fmt.Sprintf("c%d", i+1)}
				}
				require.NoError(t, accounts.CreateMany(ctx, list))
				require.NoError(t, notes.CreateMany(ctx, []remark{
					{AccountRef: at("7"), Body: "a"}, {AccountRef: at("7"), Body: "b"}, {AccountRef: at("300"), Body: "c"},
					{Body: "nobody's"}, {AccountRef: at("not a number"), Body: "odd"}, {AccountRef: at("999"), Body: "gone"}, {AccountRef: at("c7"), Body: "by code"},
				}))

				notesOf := dbfleet.HasMany(accounts, notes, dbfleet.On("account_ref"), func(a *client) *[]remark { return &a.Notes }).
					Scope(func(q *dbfleet.Query[remark]) *dbfleet.Query[remark] { return q.OrderBy("id", "asc") })
				byCode := dbfleet.HasOne(accounts, notes, dbfleet.On("account_ref", "code"), func(a *client) **remark { return &a.Owner })
				loaded, err := accounts.With(notesOf, byCode).OrderBy("id", "asc").Get(ctx)
				require.NoError(t, err)
				for _, a := range loaded {
					bodies := []string{}
					for _, n := range a.Notes {
						bodies = append(bodies, n.Body)
					}
					require.Equal(t, append([]string{}, map[int64][]string{7: {"a", "b"}, 300: {"c"}}[a.ID]...), bodies, a.ID)
					require.Equal(t, a.ID == 7, a.Owner != nil)
				}
				lazy, err := notesOf.For(&loaded[6]).Get(ctx)
				require.NoError(t, err)
				require.Len(t, lazy, 2)

				// From text to the number.
				accountOf := dbfleet.BelongsTo(notes, accounts, dbfleet.On("account_ref"), func(n *remark) **client { return &n.Account })
				found, err := notes.With(accountOf).OrderBy("id", "asc").Get(ctx)
				require.NoError(t, err)
				var got []int64
				for _, n := range found {
					if n.Account == nil {
						got = append(got, 0)
						_, err := accountOf.For(&n).First(ctx)
						require.ErrorIs(t, err, dbfleet.ErrNotFound, n.Body)
						continue
					}
					got = append(got, n.Account.ID)
					a, err := accountOf.For(&n).First(ctx)
					require.NoError(t, err)
					require.Equal(t, n.Account.ID, a.ID)
				}
				require.Equal(t, []int64{7, 7, 300, 0, 0, 0, 0}, got)
				idle(t, r, "main")
				idle(t, r, "other")
			})
		}
	}
}

type order struct {
	ID     int64
	UserID int64
	Total  int64
	Items  []item
	Buyer  *buyer
}

type item struct {
	ID      int64
	UserID  int64
	OrderID int64
	Name    string
}

type buyer struct {
	ID     int64
	Name   string
	Orders []order
}

// promise 10, 17: children in shards, found by the relation's key or by the
// parents' shard key; a key never finds its namesake on another shard.
func TestRelation_ShardedChildren(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		connections := map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(fl.Database)}
		for i := range 3 {
			connections[fmt.Sprint("shard_", i)] = conformance.ConnectionTo(dbtest.New(t, fl.Database.Dialect))
		}
		r := conformance.Open(t, connections)
		rule := func() dbfleet.ShardRule {
			return dbfleet.ShardBy("user_id", func(id int64) string { return fmt.Sprint("shard_", id%3) })
		}
		fl.Create(t, `CREATE TABLE buyers (id {id}, name {text} NOT NULL)`)
		for i := range 3 {
			for _, s := range []string{`CREATE TABLE orders (id {bigint} PRIMARY KEY, user_id {bigint} NOT NULL, total {bigint} NOT NULL)`,
				`CREATE TABLE items (id {bigint} PRIMARY KEY, user_id {bigint} NOT NULL, order_id {bigint} NOT NULL, name {text} NOT NULL)`} {
				_, err := r.DB(fmt.Sprint("shard_", i)).ExecContext(ctx, conformance.DDL(fl.Database.Dialect, s))
				require.NoError(t, err)
			}
		}
		buyers := conformance.Model[buyer](t, r, dbfleet.ModelConfig{Table: "buyers"})
		orders := conformance.Model[order](t, r, dbfleet.ModelConfig{Table: "orders", Shard: rule()})
		items := conformance.Model[item](t, r, dbfleet.ModelConfig{Table: "items", Shard: rule()})
		for id := int64(1); id <= 6; id++ {
			require.NoError(t, buyers.Create(ctx, &buyer{ID: id, Name: fmt.Sprint("b", id)}))
			// The same ids on every shard.
			require.NoError(t, orders.Create(ctx, &order{ID: (id-1)/3 + 1, UserID: id, Total: id * 10}))
			require.NoError(t, items.Create(ctx, &item{ID: (id-1)/3 + 1, UserID: id, OrderID: (id-1)/3 + 1, Name: fmt.Sprint("item of ", id)}))
		}
		itemsOf := dbfleet.HasMany(orders, items, dbfleet.On("order_id"), func(o *order) *[]item { return &o.Items })
		ordersOf := dbfleet.HasMany(buyers, orders, dbfleet.On("user_id"), func(b *buyer) *[]order { return &b.Orders })
		buyerOf := dbfleet.BelongsTo(orders, buyers, dbfleet.On("user_id"), func(o *order) **buyer { return &o.Buyer })

		all, err := buyers.With(ordersOf).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		for _, b := range all {
			require.Len(t, b.Orders, 1)
			require.Equal(t, b.ID*10, b.Orders[0].Total)
			lazy, err := ordersOf.For(&b).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, b.Orders, lazy)
			mine, err := orders.Where("user_id", "=", b.ID).With(itemsOf, buyerOf).First(ctx)
			require.NoError(t, err)
			require.Len(t, mine.Items, 1)
			require.Equal(t, fmt.Sprint("item of ", b.ID), mine.Items[0].Name)
			require.Equal(t, b.Name, mine.Buyer.Name)
			one, err := itemsOf.For(&mine).First(ctx)
			require.NoError(t, err)
			require.Equal(t, mine.Items[0], one)
			here, err := orders.Shard(b.ID).With(itemsOf).OrderBy("id", "asc").Get(ctx)
			require.NoError(t, err)
			require.Len(t, here, 2)
			require.Equal(t, fmt.Sprint("item of ", here[0].UserID), here[0].Items[0].Name)
		}
		// Nested, over the shards.
		all, err = buyers.With(ordersOf.With(itemsOf)).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		for _, b := range all {
			require.Len(t, b.Orders[0].Items, 1, b.Name)
			require.Equal(t, fmt.Sprint("item of ", b.ID), b.Orders[0].Items[0].Name)
		}
		// No key, no guess.
		wrong := dbfleet.HasMany(buyers, items, dbfleet.On("order_id"), func(*buyer) *[]item { return new([]item) })
		_, err = buyers.With(wrong).Get(ctx)
		var fault *dbfleet.StatementError
		require.ErrorAs(t, err, &fault)
		_, err = wrong.For(&all[0]).Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrMissingShardKey)
	})
}

// truth 309
//
// The related side's equality is the relation's, also where the other side would
// tell the keys apart, or would not.
func TestRelation_EqualityIsTheRelatedSides(t *testing.T) {
	t.Parallel()
	column := map[string][2]string{ // with and without case
		"sqlite":   {"TEXT", "TEXT COLLATE NOCASE"},
		"postgres": {"TEXT", "CITEXT"},
		"mysql":    {"VARCHAR(20) COLLATE utf8mb4_bin", "VARCHAR(20) COLLATE utf8mb4_general_ci"},
	}
	for _, from := range dbtest.Dialects {
		for _, to := range dbtest.Dialects {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				ctx := t.Context()
				parents, children := dbtest.New(t, from), dbtest.New(t, to)
				r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(parents), "other": conformance.ConnectionTo(children)})
				for name, db := range map[string]dbtest.Database{"main": parents, "other": children} {
					if db.Dialect == "postgres" {
						_, err := r.DB(name).ExecContext(ctx, "CREATE EXTENSION citext")
						require.NoError(t, err)
					}
				}
				for i, folds := range []bool{false, true} { // the related side's column
					table := fmt.Sprint("holders_", i)
					_, err := r.DB("main").ExecContext(ctx, conformance.DDL(from, "CREATE TABLE "+table+" (id {id}, code "+column[from][1-i]+")"))
					require.NoError(t, err)
					_, err = r.DB("other").ExecContext(ctx, conformance.DDL(to, fmt.Sprintf("CREATE TABLE holdings_%d (id {id}, ref %s, note {text})", i, column[to][i])))
					require.NoError(t, err)
					holders := conformance.Model[holder](t, r, dbfleet.ModelConfig{Table: table})
					holdings := conformance.Model[holding](t, r, dbfleet.ModelConfig{Table: fmt.Sprint("holdings_", i), Connection: "other"})
					require.NoError(t, holders.CreateMany(ctx, []holder{{Code: "ada"}, {Code: "ADA"}, {Code: "bob"}}))
					require.NoError(t, holdings.CreateMany(ctx, []holding{{Ref: "ada"}, {Ref: "Ada"}, {Ref: "ADA"}, {Ref: "bob"}}))
					many, one, _ := holdingsIn(holders, holdings)
					list, err := holders.With(many, one).OrderBy("id", "asc").Get(ctx)
					require.NoError(t, err)
					sameAsFor(t, list, many, one)
					require.Len(t, list[0].Holdings, map[bool]int{false: 1, true: 3}[folds])
					require.Len(t, list[1].Holdings, map[bool]int{false: 1, true: 3}[folds])
				}
			})
		}
	}
}

// truth 310
func TestRelation_EqualKeysStayOnTheirShard(t *testing.T) {
	t.Parallel()
	folding := map[string]string{"sqlite": "TEXT COLLATE NOCASE", "postgres": "CITEXT", "mysql": "VARCHAR(20) COLLATE utf8mb4_general_ci"}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		connections := map[string]dbfleet.ConnectionConfig{}
		for i := range 2 {
			connections[fmt.Sprint("shard_", i)] = conformance.ConnectionTo(dbtest.New(t, fl.Database.Dialect))
		}
		r := conformance.Open(t, connections)
		for name := range connections {
			if fl.Database.Dialect == "postgres" {
				_, err := r.DB(name).ExecContext(ctx, "CREATE EXTENSION citext")
				require.NoError(t, err)
			}
			for _, s := range []string{"CREATE TABLE shelves (id {bigint}, tenant {bigint}, code {text})", "CREATE TABLE books (id {bigint}, tenant {bigint}, shelf " + folding[fl.Database.Dialect] + ")"} {
				_, err := r.DB(name).ExecContext(ctx, conformance.DDL(fl.Database.Dialect, s))
				require.NoError(t, err)
			}
		}
		type book struct {
			ID, Tenant int64
			Shelf      string
		}
		type shelf struct {
			ID, Tenant int64
			Code       string
			Books      []book `db:"-"`
			Last       *book  `db:"-"`
		}
		rule := func() dbfleet.ShardRule {
			return dbfleet.ShardBy("tenant", func(id int64) string { return fmt.Sprint("shard_", id%2) })
		}
		shelves := conformance.Model[shelf](t, r, dbfleet.ModelConfig{Table: "shelves", Shard: rule()})
		books := conformance.Model[book](t, r, dbfleet.ModelConfig{Table: "books", Shard: rule()})
		for i := range int64(2) {
			for j, code := range []string{"a", "A", "b"} {
				require.NoError(t, shelves.Create(ctx, &shelf{ID: int64(j + 1), Tenant: 10 + i, Code: code}))
				require.NoError(t, books.Create(ctx, &book{ID: 10*i + int64(j+1), Tenant: 10 + i, Shelf: code}))
			}
		}
		booksOf := dbfleet.HasMany(shelves, books, dbfleet.On("shelf", "code"), func(s *shelf) *[]book { return &s.Books }).
			Scope(func(q *dbfleet.Query[book]) *dbfleet.Query[book] { return q.OrderBy("id", "asc") })
		lastOf := dbfleet.HasOne(shelves, books, dbfleet.On("shelf", "code"), func(s *shelf) **book { return &s.Last }).
			Scope(func(q *dbfleet.Query[book]) *dbfleet.Query[book] { return q.OrderBy("id", "desc") })
		for i := range int64(2) {
			list, err := shelves.Where("tenant", "=", 10+i).With(booksOf, lastOf).OrderBy("id", "asc").Get(ctx)
			require.NoError(t, err)
			for j := range list {
				want, err := booksOf.For(&list[j]).Get(ctx)
				require.NoError(t, err)
				require.Equal(t, want, list[j].Books)
				require.Equal(t, want[len(want)-1].ID, list[j].Last.ID)
			}
			require.Len(t, list[1].Books, 2)
		}
	})
}
