package writes

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// What is in the way of a write and is deleted before it is looked at is not in the way: the
// record is written, and not told to be there, nor to be missing.
func TestUpsert_ARowThatOthersDeleteMeanwhileIsInsertedAgain(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, accounts := t.Context(), fl.Bank(t)
		other, done := fl.Database.SQL(t), true
		fl.DB("main").OnAfterQuery(func(ctx context.Context, e dbfleet.QueryEvent) {
			if !done && strings.HasPrefix(e.SQL, "INSERT") {
				done = true
				_, err := other.ExecContext(ctx, "DELETE FROM accounts")
				require.NoError(t, err)
			}
		})
		stands := func(fault error, record *conformance.Account) {
			t.Helper()
			require.NoError(t, fault)
			require.True(t, done)
			got, err := accounts.Where("owner", "=", record.Owner).First(ctx)
			if fl.Database.Dialect == "mysql" && err != nil { // an upsert has met the row, and locked it
				require.ErrorIs(t, err, dbfleet.ErrNotFound)
				return
			}
			require.NoError(t, err)
			require.Equal(t, *record, got)
		}
		inTheWay := func() {
			t.Helper()
			_, err := accounts.Query().AllRows().Delete(ctx)
			require.NoError(t, err)
			_, err = fl.DB("main").ExecContext(ctx, conformance.Inserting("ann"))
			require.NoError(t, err)
			done = false
		}
		for _, c := range []dbfleet.Conflict{{DoNothing: true}, {KeepEqual: true}} {
			c.Key = []string{"owner"}
			inTheWay()
			ann := conformance.Account{Owner: "ann", Balance: 1}
			stands(accounts.Upsert(ctx, &ann, c), &ann)
		}
		inTheWay()
		ann := []conformance.Account{{Owner: "ann", Balance: 1}}
		got, err := dbfleet.UpsertOutcomes(ctx, accounts, ann, dbfleet.Conflict{Key: []string{"owner"}, DoNothing: true})
		stands(err, &ann[0])
		if fl.Database.Dialect != "mysql" {
			require.Equal(t, []dbfleet.Outcome{dbfleet.Inserted}, got)
		}

		// A row that is inserted and deleted while FirstOrCreate is at work.
		for _, create := range []func(context.Context, *conformance.Account, ...string) (bool, error){accounts.FirstOrCreate, accounts.UpdateOrCreate} {
			_, err = accounts.Query().AllRows().Delete(ctx)
			require.NoError(t, err)
			looked := false
			remove := fl.DB("main").OnAfterQuery(func(ctx context.Context, e dbfleet.QueryEvent) {
				if !looked && strings.HasPrefix(e.SQL, "SELECT") {
					looked, done = true, false
					_, err := other.ExecContext(ctx, conformance.Inserting("ann"))
					require.NoError(t, err)
				}
			})
			one := conformance.Account{Owner: "ann", Balance: 1}
			created, err := create(ctx, &one, "owner")
			remove()
			require.NoError(t, err)
			require.True(t, created)
			is, err := accounts.Find(ctx, one.ID)
			require.NoError(t, err)
			require.Equal(t, one, is)
		}
	})
}

// truth 1122
// What is inserted at the second try, because the row in its way was deleted, is the record's
// row as well when a hook ends that try.
func TestUpsert_InsertedAgainIsTheRecordsRowWhenAHookEndsIt(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect == "mysql" { // an upsert has met the row, and locked it
			return
		}
		ctx, accounts := t.Context(), fl.Bank(t)
		_, err := fl.DB("main").ExecContext(ctx, conformance.Inserting("ann"))
		require.NoError(t, err)
		other, inserts := fl.Database.SQL(t), 0
		fl.DB("main").OnAfterQuery(func(ctx context.Context, e dbfleet.QueryEvent) {
			if !strings.HasPrefix(e.SQL, "INSERT") {
				return
			}
			if inserts++; inserts > 1 {
				panic("the hook")
			}
			_, err := other.ExecContext(ctx, "DELETE FROM accounts")
			require.NoError(t, err)
		})
		ann := conformance.Account{Owner: "ann", Balance: 1}
		require.PanicsWithValue(t, "the hook", func() {
			_ = accounts.Upsert(ctx, &ann, dbfleet.Conflict{Key: []string{"owner"}, DoNothing: true})
		})
		require.Equal(t, 2, inserts)
		got, err := accounts.Where("owner", "=", "ann").First(ctx)
		require.NoError(t, err)
		require.Equal(t, got, ann)
	})
}
