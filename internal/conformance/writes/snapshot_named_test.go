package writes

import (
	"testing"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// account has numbers, which cannot tell by themselves that they were not read.
type account struct {
	dbfleet.Snapshot
	ID      int64
	OwnerID int64
	Cents   int64
	Bonus   int64
	Owner   *account `db:"-"`
}

const accountsTable = `CREATE TABLE accounts (id {id}, owner_id {bigint} NOT NULL, cents {bigint} NOT NULL, bonus {bigint} NOT NULL)`

func accounts(t *testing.T, fl conformance.Fleet) (*dbfleet.Model[account], account) {
	t.Helper()
	fl.Create(t, accountsTable)
	m := conformance.Model[account](t, fl.Registry, dbfleet.ModelConfig{Table: "accounts"})
	made := []account{{OwnerID: 2, Cents: 100, Bonus: 7}, {OwnerID: 1, Cents: 200, Bonus: 8}}
	require.NoError(t, m.CreateMany(t.Context(), made))
	return m, made[0]
}

// whole is a select list of all columns, of which one is something else.
var elsewhere = map[string]func(m *dbfleet.Model[account]) *dbfleet.Query[account]{
	"another column": func(m *dbfleet.Model[account]) *dbfleet.Query[account] {
		return m.Select("id", "owner_id", "bonus").SelectAs("bonus", "cents")
	},
	"raw SQL": func(m *dbfleet.Model[account]) *dbfleet.Query[account] {
		return m.Select("id", "owner_id", "bonus").SelectRaw("cents * 2 AS cents")
	},
	"one raw list": func(m *dbfleet.Model[account]) *dbfleet.Query[account] {
		return m.Query().SelectRaw("id, owner_id, CASE WHEN bonus > 0 THEN 1 ELSE 0 END AS cents, bonus")
	},
	"an expression": func(m *dbfleet.Model[account]) *dbfleet.Query[account] {
		return m.Select("id", "owner_id", "bonus").SelectExpr(squirrel.Expr("cents + 1"), "cents")
	},
	"an aggregate": func(m *dbfleet.Model[account]) *dbfleet.Query[account] {
		return m.Select("id", "owner_id", "bonus").SelectSum("cents", "cents").GroupBy("id", "owner_id", "bonus")
	},
	"a count": func(m *dbfleet.Model[account]) *dbfleet.Query[account] {
		return m.Select("id", "owner_id", "bonus").SelectCount("cents").GroupBy("id", "owner_id", "bonus")
	},
	"a subquery": func(m *dbfleet.Model[account]) *dbfleet.Query[account] {
		return m.Select("id", "owner_id", "bonus").SelectSub(m.Where("id", "=", 2).Select("cents"), "cents")
	},
	"the column of a joined table": func(m *dbfleet.Model[account]) *dbfleet.Query[account] {
		return m.Query().Join("accounts AS boss", "boss.id", "=", "accounts.owner_id").Select("accounts.id", "accounts.owner_id", "accounts.bonus", "boss.cents")
	},
	"the column of a joined table in raw SQL": func(m *dbfleet.Model[account]) *dbfleet.Query[account] {
		return m.Query().JoinRaw("JOIN accounts boss ON boss.id = accounts.owner_id").SelectRaw("accounts.id, accounts.owner_id, accounts.bonus, boss.cents")
	},
	"what a CTE of the table's name calls so": func(m *dbfleet.Model[account]) *dbfleet.Query[account] {
		return m.Query().WithCTE(dbfleet.CTE{Name: "accounts", Query: m.Select("id", "owner_id", "bonus").SelectAs("bonus", "cents")})
	},
	"what stands at its place in a union": func(m *dbfleet.Model[account]) *dbfleet.Query[account] {
		return m.Select("id", "owner_id", "cents", "bonus").Where("id", "<", 0).Union(m.Select("id", "owner_id").SelectAs("bonus", "x").SelectAs("bonus", "y"))
	},
}

// truth 707
//
// A value that a query calls by a column's name is not what the row has there.
func TestSnapshot_TakesNothingElseForAColumn(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m, first := accounts(t, fl)
		for name, query := range elsewhere {
			t.Run(name, func(t *testing.T) {
				q := query(m).Where("accounts.id", "=", first.ID)
				if name == "what stands at its place in a union" {
					q = query(m)
				}
				list, err := q.Get(t.Context())
				require.NoError(t, err)
				got := list[0]
				require.Equal(t, first.ID, got.ID)
				notRead(t, m, first, got)
				for got, err := range q.Limit(1).Iter(t.Context()) {
					require.NoError(t, err)
					notRead(t, m, first, got)
				}
			})
		}
	})
}

// notRead proves that cents of a record counts as not read, and everything else as read.
func notRead(t *testing.T, m *dbfleet.Model[account], row, got account) {
	t.Helper()
	ctx := t.Context()
	for _, err := range []error{m.Save(ctx, &got), m.SaveMany(ctx, []account{got}), m.Upsert(ctx, &got)} {
		require.ErrorIs(t, err, dbfleet.ErrUnread)
		require.ErrorContains(t, err, "cents")
		require.NotContains(t, err.Error(), "bonus,")
	}
	columns, err := dbfleet.Changed(m, &got)
	require.NoError(t, err)
	require.Empty(t, columns, "nobody has set it")
	got.Bonus += 10
	columns, err = dbfleet.Changed(m, &got)
	require.NoError(t, err)
	require.Equal(t, []string{"bonus"}, columns)
	require.NoError(t, dbfleet.SaveChanges(ctx, m, &got))
	row.Bonus = got.Bonus
	now, err := m.Find(ctx, row.ID)
	require.NoError(t, err)
	require.Equal(t, row.Cents, now.Cents)
	require.Equal(t, row.Bonus, now.Bonus)

	set := got
	set.Cents = 5555
	columns, err = dbfleet.Changed(m, &set)
	require.NoError(t, err)
	require.Equal(t, []string{"cents"}, columns, "it was set")
	require.NoError(t, m.Save(ctx, &set))
	require.NoError(t, m.SaveColumns(ctx, &account{ID: row.ID, Cents: row.Cents}, "cents"))

	require.NoError(t, m.Refresh(ctx, &got))
	require.Equal(t, row.Cents, got.Cents)
	got.Bonus -= 10
	require.NoError(t, m.Save(ctx, &got), "Refresh has read it")
}

// truth 708
//
// By what a query calls like the key, no row is found.
func TestSnapshot_FindsNoRowByWhatIsNoKey(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m, _ := accounts(t, fl)
		before, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		boss, err := m.Select("owner_id", "cents", "bonus").SelectAs("owner_id", "id").OrderBy("cents", dbfleet.Asc).First(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, boss.ID, "which is another row")
		boss.Cents = 1
		keyless, err := m.Select("owner_id", "bonus").SelectAs("bonus", "cents").First(ctx)
		require.NoError(t, err)
		for name, err := range map[string]error{
			"Save": m.Save(ctx, &boss), "SaveColumns": m.SaveColumns(ctx, &boss, "cents"), "SaveMany": m.SaveMany(ctx, []account{boss}),
			"SaveChanges": dbfleet.SaveChanges(ctx, m, &boss), "Delete": m.Delete(ctx, &boss), "Upsert": m.Upsert(ctx, &boss), "Refresh": m.Refresh(ctx, &boss),
			"Save of no key": m.Save(ctx, &keyless), "SaveChanges of no key": dbfleet.SaveChanges(ctx, m, &keyless),
		} {
			require.ErrorIs(t, err, dbfleet.ErrUnread, name)
		}
		after, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, before, after)
	})
}

// truth 707
//
// Of a whole statement what is not known to be a column of the table counts as not read.
func TestSnapshot_ReadsAStatementOfTheCallers(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m, first := accounts(t, fl)
		for _, text := range []string{
			"SELECT id, owner_id, bonus AS cents, bonus FROM accounts WHERE id = 1",
			"SELECT a.id, a.owner_id, COALESCE(a.cents, 0) AS cents, a.bonus FROM accounts AS a ORDER BY a.id",
		} {
			list, err := dbfleet.Select[account](ctx, m, text)
			require.NoError(t, err)
			notRead(t, m, first, list[0])
		}
		built, err := m.Query().GetStatement(ctx, squirrel.Select("id", "owner_id", "7 AS cents", "bonus").From("accounts").Where("id = ?", first.ID))
		require.NoError(t, err)
		notRead(t, m, first, built[0])

		for _, text := range []string{
			"WITH part AS (SELECT id, owner_id, bonus AS cents, bonus FROM accounts) SELECT * FROM part",
			"SELECT accounts.* FROM accounts JOIN accounts AS b ON b.id = accounts.id",
			"SELECT * FROM (SELECT id, owner_id, bonus AS cents, bonus FROM accounts) AS accounts",
			"SELECT id, owner_id, cents, bonus FROM accounts UNION SELECT id, owner_id, bonus, bonus FROM accounts",
		} {
			list, err := dbfleet.Select[account](ctx, m, text)
			require.NoError(t, err)
			require.ErrorIs(t, m.Save(ctx, &list[0]), dbfleet.ErrUnread, text)
		}
		for _, text := range []string{
			"SELECT * FROM accounts", "SELECT a.* FROM accounts a WHERE a.id > 0 ORDER BY id", "SELECT bonus, ID, cents, accounts.owner_id FROM accounts LIMIT 9",
		} {
			list, err := dbfleet.Select[account](ctx, m, text)
			require.NoError(t, err)
			require.NoError(t, m.Save(ctx, &list[0]), text)
		}
		made, err := m.Query().GetStatement(ctx, squirrel.Select("*").From("accounts").Where("id = ?", first.ID))
		require.NoError(t, err)
		require.NoError(t, m.Save(ctx, &made[0]))
		if fl.Database.Dialect != "mysql" {
			list, err := dbfleet.Select[account](ctx, m, "UPDATE accounts SET bonus = bonus + 1, cents = cents WHERE id = 1 RETURNING *")
			require.NoError(t, err)
			require.NoError(t, m.Save(ctx, &list[0]))
			list, err = dbfleet.Select[account](ctx, m, "UPDATE accounts SET bonus = 1 WHERE id = 1 RETURNING id, owner_id, bonus, bonus AS cents")
			require.NoError(t, err)
			require.ErrorIs(t, m.Save(ctx, &list[0]), dbfleet.ErrUnread)
		}
	})
}

// truth 707
//
// Rows of another model's table are none of the record's own, whatever the columns are
// called, and related records know the same as others.
func TestSnapshot_KnowsTheTableThatWasRead(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m, first := accounts(t, fl)
		fl.Create(t, cardsTable)
		cards := conformance.Model[card](t, fl.Registry, dbfleet.ModelConfig{Table: "cards"})
		require.NoError(t, cards.Create(ctx, &card{Name: "a", Phone: "1", Visits: 3}))
		for name, q := range map[string]*dbfleet.Query[account]{
			"another model":   dbfleet.Into[account](cards.Select("id").SelectAs("visits", "owner_id").SelectAs("visits", "cents").SelectAs("visits", "bonus")),
			"From of another": dbfleet.Into[account](dbfleet.From(cards.Select("id").SelectAs("visits", "owner_id").SelectAs("visits", "cents").SelectAs("visits", "bonus"), "accounts")),
			"From of aliases": dbfleet.Into[account](dbfleet.From(m.Select("id", "owner_id", "bonus").SelectAs("bonus", "cents"), "accounts")),
		} {
			got, err := q.First(ctx)
			require.NoError(t, err, name)
			require.ErrorIs(t, m.Save(ctx, &got), dbfleet.ErrUnread, name)
		}
		owner := dbfleet.BelongsTo(m, m, dbfleet.On("owner_id"), func(a *account) **account { return &a.Owner }).
			Scope(func(q *dbfleet.Query[account]) *dbfleet.Query[account] {
				return q.Select("id", "owner_id", "bonus").SelectAs("bonus", "cents")
			})
		got, err := m.Query().With(owner).Find(ctx, 2)
		require.NoError(t, err)
		notRead(t, m, first, *got.Owner)
	})
}

// What is the column all the same, by whatever way it was read, counts as read.
func TestSnapshot_KnowsAColumnUnderItsOwnName(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		m, first := accounts(t, fl)
		joined := m.Query().Join("accounts AS boss", "boss.id", "=", "accounts.owner_id")
		for name, q := range map[string]*dbfleet.Query[account]{
			"a star":               m.Select("*"),
			"the table's star":     m.Select("accounts.*"),
			"the star of a join":   joined.Select("*"),
			"a star of the join":   joined.Select("accounts.*"),
			"no list, joined":      joined,
			"behind the table":     joined.Select("accounts.id", "accounts.owner_id", "accounts.cents", "accounts.bonus"),
			"names alone":          joined.Select("id", "owner_id", "cents", "bonus"),
			"under its own name":   m.Select("id", "owner_id", "bonus").SelectAs("cents", "cents"),
			"raw":                  m.Query().SelectRaw("id, owner_id, bonus, cents"),
			"raw, in other case":   m.Query().SelectRaw("ID, accounts.Owner_ID, bonus, cents AS cents"),
			"raw, behind an alias": m.Query().As("a").SelectRaw("a.id, a.owner_id, a.bonus, a.cents AS cents"),
			"a raw star":           m.Query().SelectRaw("*"),
			"distinct":             m.Select("id", "owner_id", "cents", "bonus").Distinct(),
			"a union":              m.Where("id", "<", 0).Union(m.Where("id", ">", 0)).OrderBy("id", dbfleet.Asc),
			"a CTE of that name":   m.Query().WithCTE(dbfleet.CTE{Name: "accounts", Query: m.Where("id", ">", 0)}),
			"a CTE that selects":   m.Query().WithCTE(dbfleet.CTE{Name: "accounts", Query: m.Select("bonus", "cents", "id", "owner_id")}),
			"another CTE":          m.Query().WithCTE(dbfleet.CTE{Name: "others", Query: m.Query().SelectAs("bonus", "cents")}),
			"Into the same":        dbfleet.Into[account](m.Query()),
			"Into of From":         dbfleet.Into[account](dbfleet.From(m.Select("id", "owner_id", "bonus", "cents"), "some")),
		} {
			t.Run(name, func(t *testing.T) {
				list, err := q.Get(ctx)
				require.NoError(t, err)
				require.Len(t, list, 2)
				got := list[0]
				if got.ID != first.ID {
					got = list[1]
				}
				require.NoError(t, m.Save(ctx, &got))
				got.Cents++
				columns, err := dbfleet.Changed(m, &got)
				require.NoError(t, err)
				require.Equal(t, []string{"cents"}, columns)
			})
		}
	})
}
