// Package conformance is the suite that every database passes: what dbfleet
// promises is tested here on SQLite, PostgreSQL and MariaDB, on shards, replicas,
// and servers that fail. The folders below hold the tests by subject:
//
//   - values: what is written comes back, for each kind of value and column
//   - queries: conditions, lists, joins, iterations, relations, injection
//   - writes: creates, saves, updates, upserts, bulk writes, loads, callbacks
//   - transactions: savepoints, retries, lost answers, what ends one
//   - atomic: commits over several databases, killed and cut off at each step
//   - sagas: sagas over mixes of databases, killed after each statement
//   - events: outbox and inbox, killed and cut off
//   - load: reads by many while servers fail
//   - connections: registry, pools, routes, shards, replicas, hooks, errors, health
//   - tenants: rows, schemas and databases of tenants, which stay apart
//   - engines: behind PgBouncer and HAProxy, under Patroni, in a Galera cluster
//   - promises: one test for each line of docs/promises.md
//   - misuse: what a new user does wrong, and what is nil, each with its message
//   - costs: allocations and time beside database/sql
//
// This package is what they share. A test asks [OnEach] for a [Fleet], whose
// connection "main" is a fresh database, and writes its tables with the types of
// [DDL]:
//
//	func TestCreate_TellsTheID(t *testing.T) {
//		t.Parallel()
//		conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
//			accounts := fl.Bank(t)
//			…
//		})
//	}
//
// A database joins the suite with three things: a server that internal/dbtest
// starts, with its name in dbtest.Dialects; a column of types in [DDL]; and the
// statement that does not end, in [Slow]. Where it truly differs from the others,
// a test says so by its dialect. A test that fits one database only takes it from
// dbtest by name.
package conformance
