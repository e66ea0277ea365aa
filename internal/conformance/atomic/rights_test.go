package atomic

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A loss is what an account may no longer do or see in its database, until it is given back.
type loss struct {
	name, dialect string
	take, give    func(t *testing.T, db dbtest.Database)
	anchor        bool // a branch that is prepared keeps it from happening
}

// byOwner runs statements as the database's own account, byAdmin as the server's.
func byOwner(texts ...string) func(*testing.T, dbtest.Database) {
	return func(t *testing.T, db dbtest.Database) { t.Helper(); db.Exec(t, texts...) }
}

func byAdmin(texts ...string) func(*testing.T, dbtest.Database) {
	return func(t *testing.T, db dbtest.Database) {
		t.Helper()
		for _, text := range texts {
			_, err := db.Server.Admin().ExecContext(t.Context(), strings.NewReplacer("{db}", db.Name, "{user}", db.Username).Replace(text))
			require.NoError(t, err, text)
		}
	}
}

func losses() []loss {
	return []loss{
		{name: "rights on the ledger", dialect: "postgres",
			take: byOwner("REVOKE ALL ON dbfleet_ledger FROM CURRENT_USER"), give: byOwner("GRANT ALL ON dbfleet_ledger TO CURRENT_USER")},
		{name: "the right to write", dialect: "postgres",
			take: byOwner("REVOKE INSERT, UPDATE, DELETE ON dbfleet_ledger FROM CURRENT_USER"), give: byOwner("GRANT ALL ON dbfleet_ledger TO CURRENT_USER")},
		{name: "the path", dialect: "postgres",
			take: byOwner("ALTER ROLE CURRENT_USER SET search_path = pg_catalog"), give: byOwner("ALTER ROLE CURRENT_USER RESET search_path")},
		{name: "a column", dialect: "postgres", anchor: true,
			take: byOwner("ALTER TABLE dbfleet_ledger RENAME COLUMN made TO was_made"), give: byOwner("ALTER TABLE dbfleet_ledger RENAME COLUMN was_made TO made")},
		{name: "rights on the ledger", dialect: "mysql",
			take: byAdmin("REVOKE ALL PRIVILEGES ON `{db}`.* FROM '{user}'@'%'", "GRANT ALL PRIVILEGES ON `{db}`.touched TO '{user}'@'%'", "GRANT ALL PRIVILEGES ON `{db}`.left_behind TO '{user}'@'%'"),
			give: byAdmin("GRANT ALL PRIVILEGES ON `{db}`.* TO '{user}'@'%'")},
		{name: "the right to write", dialect: "mysql",
			take: byAdmin("REVOKE INSERT, UPDATE, DELETE ON `{db}`.* FROM '{user}'@'%'"), give: byAdmin("GRANT ALL PRIVILEGES ON `{db}`.* TO '{user}'@'%'")},
	}
}

// An account that may not read a ledger any more, or does not see it, hides nothing: the
// error names the connection, what is at others is finished, and the rest once it may again.
func TestRecover_SaysWhichLedgerItMayNotRead(t *testing.T) {
	t.Parallel()
	for _, l := range losses() {
		for _, at := range []string{"a", "b"} {
			if l.anchor && at != "a" {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s/%s", l.dialect, l.name, at), func(t *testing.T) {
				t.Parallel()
				other := map[string]string{"postgres": "mysql", "mysql": "postgres"}[l.dialect]
				mix := map[string][]string{"a": {l.dialect, other}, "b": {other, l.dialect}}[at]
				sick, well := newStage(t, mix, created), newStage(t, []string{"postgres", "mysql"}, created)
				var owners []string
				for _, s := range []*stage{sick, well} {
					s.steps(t, writes)
					owner, branches := s.doubt(t, "after commit 0")
					require.Len(t, branches, 1)
					s.sessionsEnd(t)
					owners = append(owners, owner)
				}
				registry := func() *dbfleet.Registry {
					return conformance.Open(t, map[string]dbfleet.ConnectionConfig{
						"a": conformance.ConnectionTo(sick.databases["a"]), "b": conformance.ConnectionTo(sick.databases["b"]),
						"c": conformance.ConnectionTo(well.databases["a"]), "d": conformance.ConnectionTo(well.databases["b"]),
					})
				}
				l.take(t, sick.databases[at])
				r := registry()
				list, err := r.InDoubt(t.Context())
				if l.name != "the right to write" {
					require.ErrorContains(t, err, fmt.Sprintf("connection %q", at))
				}
				require.NotEmpty(t, list)
				found, err := r.Recover(t.Context())
				t.Logf("%+v: %v", found, err)
				require.ErrorContains(t, err, fmt.Sprintf("connection %q", at))
				require.Empty(t, found.Incidents)
				require.Empty(t, found.Undecidable)
				require.Zero(t, found.RolledBack)
				require.Equal(t, "all", well.outcomeOf(t, writes, owners[1]))

				l.give(t, sick.databases[at])
				fresh := registry()
				require.Eventually(t, func() bool {
					found, err = fresh.Recover(t.Context())
					return err == nil && len(found.Pending)+len(found.Alive) == 0
				}, patience, conformance.WaitingTick, "%+v %v", found, err)
				require.Empty(t, found.Incidents)
				require.Equal(t, "all", sick.outcomeOf(t, writes, owners[0]))
				sick.recovered(t)
				well.recovered(t)
			})
		}
	}
}

// A branch that another role has prepared is left to it on PostgreSQL, with an error that
// says so. The rest is finished, and the role finishes its own.
func TestRecover_SaysThatABranchIsAnothers(t *testing.T) {
	t.Parallel()
	s, well := newStage(t, []string{"mysql", "postgres"}, created), newStage(t, []string{"postgres", "mysql"}, created)
	var owners []string
	for _, one := range []*stage{s, well} {
		one.steps(t, writes)
		owner, branches := one.doubt(t, "after commit 0")
		require.Len(t, branches, 1)
		one.sessionsEnd(t)
		owners = append(owners, owner)
	}
	b := s.databases["b"]
	byAdmin(`CREATE ROLE "{user}_2" LOGIN PASSWORD 'another' IN ROLE "{user}"`)(t, b)
	t.Cleanup(func() { _, _ = b.Server.Admin().Exec(`DROP ROLE IF EXISTS "` + b.Username + `_2"`) })
	another := b
	another.Username, another.Password = b.Username+"_2", "another"
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{
		"a": conformance.ConnectionTo(s.databases["a"]), "b": conformance.ConnectionTo(another),
		"c": conformance.ConnectionTo(well.databases["a"]), "d": conformance.ConnectionTo(well.databases["b"]),
	})
	found, err := r.Recover(t.Context())
	require.ErrorContains(t, err, `connection "b": commit prepared: `)
	require.Len(t, found.Pending, 1)
	require.Empty(t, found.Incidents)
	require.Equal(t, "all", well.outcomeOf(t, writes, owners[1]))
	s.recovered(t)
	require.Equal(t, "all", s.outcomeOf(t, writes, owners[0]))
}
