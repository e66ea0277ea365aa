package tenants

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// afterInsert runs f once, by another connection, when the next upsert of a table was
// answered, and before what it did is looked at.
func (s shop) afterInsert(t *testing.T, table, statement string) (remove func()) {
	t.Helper()
	other, done := s.Database.SQL(t), false
	return s.DB("main").OnAfterQuery(func(ctx context.Context, e dbfleet.QueryEvent) {
		if done || !strings.HasPrefix(e.SQL, "INSERT") || !strings.Contains(e.SQL, table) {
			return
		}
		done = true
		_, err := other.ExecContext(ctx, statement)
		require.NoError(t, err)
	})
}

// A row that is in the way of an upsert, and is deleted by others before the upsert could
// look whose it was, is nobody's: the record is inserted.
func TestTenant_ARowThatOthersDeleteMeanwhileIsNobodys(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		ctx := acme(t)
		own := dbfleet.Conflict{Key: []string{"tenant_id", "number"}, DoNothing: true}
		equal := dbfleet.Conflict{Key: own.Key, KeepEqual: true}
		// meanwhile has a row of either tenant in the way, that is gone when it is looked at.
		meanwhile := func(table, insert, where string, f func()) {
			t.Helper()
			_, err := s.DB("main").ExecContext(ctx, insert)
			require.NoError(t, err)
			remove := s.afterInsert(t, table, "DELETE FROM "+table+" WHERE "+where)
			defer remove()
			f()
		}
		for i, c := range []dbfleet.Conflict{own, equal} {
			number := fmt.Sprintf("1%d", i)
			insert := "INSERT INTO orders (tenant_id, number, total) VALUES ('acme', '" + number + "', 5)"
			meanwhile("orders", insert, "number = '"+number+"'", func() {
				o := order{Number: number, Total: 5}
				require.NoError(t, s.orders.Upsert(ctx, &o, c))
				if s.Database.Dialect == "mysql" { // which tells the key of the row as it was
					return
				}
				got, err := s.orders.Find(ctx, o.ID)
				require.NoError(t, err)
				require.Equal(t, o, got)
			})
			number = fmt.Sprintf("2%d", i)
			insert = "INSERT INTO orders (tenant_id, number, total) VALUES ('acme', '" + number + "', 5)"
			meanwhile("orders", insert, "number = '"+number+"'", func() {
				row := dbfleet.Row{"tenant_id": "acme", "number": number, "total": 5}
				require.NoError(t, s.DB("main").Table("orders").Upsert(ctx, row, c))
				if s.Database.Dialect == "mysql" {
					return
				}
				is, err := s.orders.Where("number", "=", number).Exists(ctx)
				require.NoError(t, err)
				require.True(t, is)
			})
			if c.KeepEqual && s.Database.Dialect == "sqlite" { // whose transaction holds the row
				continue
			}
			number = fmt.Sprintf("3%d", i)
			insert = "INSERT INTO orders (tenant_id, number, total) VALUES ('acme', '" + number + "', 5)"
			meanwhile("orders", insert, "number = '"+number+"'", func() {
				got, err := dbfleet.UpsertOutcomes(ctx, s.orders, []order{{Number: number, Total: 5}}, c)
				require.NoError(t, err)
				if s.Database.Dialect == "mysql" {
					require.Equal(t, []dbfleet.Outcome{unchanged}, got)
					return
				}
				is, err := s.orders.Where("number", "=", number).Exists(ctx)
				require.NoError(t, err)
				require.True(t, is)
				require.NotEqual(t, unchanged, got[0])
			})
		}
		// The row of another tenant, by a key of them all.
		article := dbfleet.Conflict{Key: []string{"article"}, DoNothing: true}
		take := dbfleet.Conflict{Key: []string{"article"}}
		for i, c := range []dbfleet.Conflict{article, take} {
			if s.Database.Dialect == "mysql" {
				break // which tells of the row itself
			}
			name := fmt.Sprintf("theirs %d", i)
			insert := "INSERT INTO order_lines (tenant_id, order_id, article) VALUES ('zeta', 1, '" + name + "')"
			meanwhile("order_lines", insert, "article = '"+name+"'", func() {
				l := line{OrderID: 1, Article: name}
				require.NoError(t, s.lines.Upsert(ctx, &l, c))
				got, err := s.lines.Find(ctx, l.ID)
				require.NoError(t, err)
				require.Equal(t, l, got)
			})
		}
	})
}

// Of several records in one transaction, too, and one that finds its row again and again
// taken away is an error in the end.
func TestTenant_OneOfSeveralRowsIsDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		if s.Database.Dialect != "postgres" { // elsewhere the transaction holds the rows
			return
		}
		ctx, own := acme(t), dbfleet.Conflict{Key: []string{"tenant_id", "number"}, DoNothing: true}
		list := []order{{Number: "5"}, {Number: "1"}, {Number: "6"}, {Number: "2"}}
		remove := s.afterInsert(t, "orders", "DELETE FROM orders WHERE tenant_id = 'acme' AND number = '1'")
		got, err := dbfleet.UpsertOutcomes(ctx, s.orders, list, own)
		remove()
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Outcome{inserted, inserted, inserted, unchanged}, got)
		for _, o := range list {
			is, err := s.orders.Find(ctx, o.ID)
			require.NoError(t, err)
			require.Equal(t, o.Number, is.Number)
		}
		// Within a snapshot the row stays to be seen, and its lock is refused.
		o := order{Number: "2"}
		remove = s.afterInsert(t, "orders", "DELETE FROM orders WHERE tenant_id = 'acme' AND number = '2'")
		err = s.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			_, err := s.orders.Query().Count(ctx)
			require.NoError(t, err)
			return s.orders.Upsert(ctx, &o, own)
		}, dbfleet.TxOptions{Isolation: sql.LevelRepeatableRead})
		remove()
		require.ErrorIs(t, err, dbfleet.ErrSerialization)
		require.NotErrorIs(t, err, dbfleet.ErrOtherTenant)

		// What a trigger leaves out is no other tenant's.
		s.Create(t, `CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`,
			`CREATE TRIGGER leave_out BEFORE INSERT ON orders FOR EACH ROW WHEN (NEW.number LIKE 'x%') EXECUTE FUNCTION leave_out()`)
		for _, c := range []dbfleet.Conflict{own, {Key: own.Key}, {Key: own.Key, KeepEqual: true}} {
			err = s.orders.Upsert(ctx, &order{Number: "x1"}, c)
			require.Error(t, err)
			require.NotErrorIs(t, err, dbfleet.ErrOtherTenant)
			err = s.orders.UpsertMany(ctx, []order{{Number: "x1"}, {Number: "7"}}, c)
			require.Error(t, err)
			require.NotErrorIs(t, err, dbfleet.ErrOtherTenant)
			err = s.DB("main").Table("orders").Upsert(ctx, dbfleet.Row{"tenant_id": "acme", "number": "x1", "total": 5}, c)
			require.Error(t, err)
			require.NotErrorIs(t, err, dbfleet.ErrOtherTenant)
		}
	})
}

// Who writes for all tenants says whose each record is, and meets the rows of that one.
func TestTenant_AcrossTenantsARowOfAnotherIsRefusedToo(t *testing.T) {
	t.Parallel()
	onShops(t, func(t *testing.T, s shop) {
		theirs, own := s.of(t, "zeta"), s.of(t, "acme")
		for _, c := range []dbfleet.Conflict{{}, {DoNothing: true}, {KeepEqual: true}} {
			hit := order{ID: theirs[0].ID, TenantID: "acme", Number: theirs[0].Number, Total: theirs[0].Total}
			require.ErrorIs(t, s.orders.Upsert(all(t), &hit, c), dbfleet.ErrOtherTenant)
			require.ErrorIs(t, s.orders.UpsertMany(all(t), []order{own[0], hit}, c), dbfleet.ErrOtherTenant)
			row := dbfleet.Row{"id": hit.ID, "tenant_id": "acme", "number": hit.Number, "total": hit.Total}
			require.ErrorIs(t, s.DB("main").Table("orders").Upsert(all(t), row, c), dbfleet.ErrOtherTenant)
		}
		require.Equal(t, theirs, s.of(t, "zeta"))
		require.Equal(t, own, s.of(t, "acme"))
		l := line{TenantID: "acme", OrderID: 1, Article: "zeta 1"}
		require.ErrorIs(t, s.lines.Upsert(all(t), &l, dbfleet.Conflict{Key: []string{"article"}, DoNothing: true}), dbfleet.ErrOtherTenant)
		require.Zero(t, l.ID)
	})
}

// Whatever the type of the key is, the row of another tenant is seen.
func TestTenant_UpsertsMeetRowsOfOthersByAnyKey(t *testing.T) {
	t.Parallel()
	type visit struct {
		ID   [16]byte
		Shop [16]byte
		At   time.Time
		Day  dbfleet.Date
		Note string
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE visits (id {uuid} PRIMARY KEY, shop {uuid} NOT NULL, at {time} NOT NULL UNIQUE, day {date} NOT NULL UNIQUE, note {text} NOT NULL)`)
		visits := conformance.Model[visit](t, fl.Registry, dbfleet.ModelConfig{Table: "visits", Tenant: dbfleet.TenantByColumn("shop", dbfleet.TenantOptions{Across: true})})
		one := dbfleet.WithTenant(t.Context(), "01000000-0000-0000-0000-000000000000")
		two := dbfleet.WithTenant(t.Context(), "02000000-0000-0000-0000-000000000000")
		theirs := visit{ID: [16]byte{7}, At: time.Date(2026, 3, 1, 12, 30, 0, 123456000, time.UTC), Day: dbfleet.Date{Year: 2026, Month: 3, Day: 1}, Note: "theirs"}
		require.NoError(t, visits.Create(one, &theirs))
		for key, v := range map[string]visit{
			"id":  {ID: theirs.ID, At: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), Day: dbfleet.Date{Year: 2026, Month: 4, Day: 1}},
			"at":  {ID: [16]byte{8}, At: theirs.At, Day: dbfleet.Date{Year: 2026, Month: 4, Day: 1}},
			"day": {ID: [16]byte{8}, At: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), Day: theirs.Day},
		} {
			for _, c := range []dbfleet.Conflict{{}, {DoNothing: true}, {KeepEqual: true}} {
				c.Key = []string{key}
				own := v
				require.ErrorIs(t, visits.Upsert(two, &own, c), dbfleet.ErrOtherTenant)
				own, other := v, visit{ID: [16]byte{1}, At: time.Date(2025, 4, 1, 0, 0, 0, 0, time.UTC), Day: dbfleet.Date{Year: 2025, Month: 4, Day: 1}}
				require.ErrorIs(t, visits.UpsertMany(two, []visit{other, own}, c), dbfleet.ErrOtherTenant)
				row := dbfleet.Row{"id": v.ID, "at": v.At, "day": v.Day, "note": ""}
				require.ErrorIs(t, visits.Query().Upsert(two, row, c), dbfleet.ErrOtherTenant)
			}
		}
		list, err := visits.Get(dbfleet.AcrossTenants(t.Context()))
		require.NoError(t, err)
		require.Equal(t, []visit{theirs}, list)
	})
}
