package transactions

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// truth runs a transaction that writes, runs a statement, hides its error, writes again
// and ends as it is told. What it reports is held against what a second connection sees.
func truth(t *testing.T, fl conformance.Fleet, accounts *dbfleet.Model[conformance.Account], end error, options dbfleet.TxOptions, statement func(ctx context.Context, tx *dbfleet.Tx) error) (err, hidden error) {
	t.Helper()
	runs := 0
	err = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
		runs++
		if !options.ReadOnly {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "earlier"}))
		}
		hidden = statement(ctx, tx)
		_ = accounts.Create(ctx, &conformance.Account{Owner: "later"})
		return end
	}, options)
	owners := conformance.Owners(t, fl.Database)
	told := errors.Is(err, dbfleet.ErrTxLost) && (errors.Is(err, dbfleet.ErrTxCommitted) || errors.Is(err, dbfleet.ErrOutcomeUnknown))
	if err == nil {
		require.Equal(t, []string{"earlier", "later"}, owners)
	} else {
		require.NotContains(t, owners, "later", "what came after: %v", err)
		if slices.Contains(owners, "earlier") {
			require.True(t, told, "it persists: %v", err)
			require.Equal(t, 1, runs)
		}
	}
	if told {
		require.False(t, dbfleet.IsRetryable(err))
		require.Equal(t, 1, runs)
		require.Equal(t, dbfleet.ClassTxLost, dbfleet.ClassOf(hidden), "at once: %v", hidden)
	}
	if end != nil {
		require.ErrorIs(t, err, end)
	}
	fl.Create(t, "DELETE FROM accounts")
	return err, hidden
}

// hazard 128
// truth 1101
// The statements of the manuals that commit by themselves on MySQL, by all words and
// spellings, those that fail too, are refused before anything is lost.
func TestTransaction_WhatCommitsByItselfIsRefused(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
	accounts := fl.Bank(t)
	for _, statement := range []string{
		"CREATE TABLE meanwhile (v INT)", "CREATE TABLE accounts (v INT)", "CREATE TABLE IF NOT EXISTS accounts (v INT)", "CREATE INDEX more ON accounts (balance)",
		"CREATE VIEW v AS SELECT 1", "CREATE PROCEDURE p() SELECT 1", "CREATE FUNCTION f() RETURNS INT RETURN 1", "CREATE TRIGGER r BEFORE INSERT ON accounts FOR EACH ROW SET NEW.balance = 1",
		"CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DO SELECT 1", "CREATE DATABASE d", "CREATE USER u", "CREATE ROLE r", "CREATE SEQUENCE s", "CREATE TEMPORARY SEQUENCE s",
		"ALTER TABLE nowhere ADD a INT", "ALTER TABLE accounts ADD a INT", "DROP TABLE nowhere", "DROP TABLE IF EXISTS nowhere", "DROP INDEX nothing ON accounts", "DROP DATABASE nowhere",
		"TRUNCATE TABLE accounts", "truncate accounts", "RENAME TABLE nowhere TO elsewhere", "ANALYZE TABLE accounts", "CHECK TABLE accounts", "OPTIMIZE TABLE accounts", "REPAIR TABLE accounts",
		"FLUSH TABLES", "GRANT SELECT ON *.* TO nobody", "REVOKE SELECT ON *.* FROM nobody", "SET DEFAULT ROLE NONE", "LOCK TABLES accounts WRITE", "UNLOCK TABLES", "INSTALL SONAME 'nothing'",
		"RESET QUERY CACHE", "BACKUP LOCK accounts", "/* a */ -- b\n CREATE TABLE meanwhile (v INT)", "/*!50001 CREATE TABLE meanwhile (v INT) */", "  ;CREATE TABLE meanwhile (v INT)",
	} {
		for _, end := range []error{nil, errUndo} {
			err, hidden := truth(t, fl, accounts, end, dbfleet.TxOptions{Retries: 2}, func(ctx context.Context, tx *dbfleet.Tx) error {
				_, err := tx.ExecContext(ctx, statement)
				return err
			})
			require.Equal(t, end, err, "%s: the transaction goes on", statement)
			require.ErrorContains(t, hidden, "commits the transaction", statement)
			require.NotErrorIs(t, hidden, dbfleet.ErrTxLost, statement)
		}
		_, hidden := truth(t, fl, accounts, errUndo, dbfleet.TxOptions{ReadOnly: true}, func(ctx context.Context, tx *dbfleet.Tx) error {
			stmt, err := tx.PrepareContext(ctx, statement)
			if err == nil {
				_ = stmt.Close()
			}
			return err
		})
		require.ErrorContains(t, hidden, "commits the transaction", statement)
	}
	require.Zero(t, conformance.Counted(t, db, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'meanwhile'"))
}

// truth 1102
// What the words of a statement do not tell is told by the session, at once.
func TestTransaction_WhatEndsItUnseenIsToldAtOnce(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
	accounts := fl.Bank(t)
	fl.Create(t, "CREATE TABLE other (v INT)")
	for _, procedure := range []string{
		"commits() BEGIN INSERT INTO other VALUES (1); COMMIT; END", "commits_and_begins() BEGIN COMMIT; START TRANSACTION; END", "rolls_back() BEGIN ROLLBACK; END",
		"commits_and_fails() BEGIN COMMIT; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END", "makes_a_table() BEGIN CREATE TABLE IF NOT EXISTS made (v INT); END",
		"chains() BEGIN COMMIT AND CHAIN; END", "returns_rows() BEGIN COMMIT; SELECT 1; SELECT 2; END", "commits_and_deadlocks() BEGIN COMMIT; SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213; END",
		"commits_and_waits() BEGIN COMMIT; SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1205; END", "commits_and_doubles() BEGIN COMMIT; INSERT INTO accounts (owner, balance) VALUES ('earlier', 1); END",
		"plain() BEGIN INSERT INTO other VALUES (2); SELECT COUNT(*) FROM other; END", "fails() BEGIN SIGNAL SQLSTATE '45000'; END", "saves() BEGIN SAVEPOINT a; ROLLBACK TO a; RELEASE SAVEPOINT a; END",
	} {
		fl.Create(t, "CREATE PROCEDURE "+procedure)
	}
	ways := map[string]func(ctx context.Context, tx *dbfleet.Tx, statement string) error{
		"exec": func(ctx context.Context, tx *dbfleet.Tx, statement string) error {
			_, err := tx.ExecContext(ctx, statement)
			return err
		},
		"query": func(ctx context.Context, tx *dbfleet.Tx, statement string) error {
			rows, err := tx.QueryContext(ctx, statement)
			if err != nil {
				return err
			}
			for rows.Next() {
			}
			return errors.Join(rows.Err(), rows.Close())
		},
		"savepoint": func(ctx context.Context, tx *dbfleet.Tx, statement string) error {
			return tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
				_, err := tx.ExecContext(ctx, statement)
				return err
			})
		},
	}
	for _, statement := range []string{
		"CALL commits()", "CALL commits_and_begins()", "CALL rolls_back()", "CALL commits_and_fails()", "CALL makes_a_table()", "CALL chains()", "CALL returns_rows()", "CALL commits_and_deadlocks()",
		"CALL commits_and_waits()", "CALL commits_and_doubles()",
		"EXECUTE IMMEDIATE 'COMMIT'", "EXECUTE IMMEDIATE 'CREATE TABLE accounts (v INT)'", "EXECUTE IMMEDIATE 'CREATE TABLE IF NOT EXISTS made (v INT)'", "EXECUTE IMMEDIATE 'START TRANSACTION'",
		"IF 1 THEN COMMIT; END IF", "CASE 1 WHEN 1 THEN COMMIT; END CASE", "WHILE @done IS NULL DO COMMIT; SET @done = 1; END WHILE", "FOR i IN 1..1 DO COMMIT; END FOR", "REPEAT COMMIT; UNTIL 1 END REPEAT",
		"SET STATEMENT max_statement_time = 10 FOR COMMIT", "SET STATEMENT max_statement_time = 10 FOR CREATE TABLE accounts (v INT)", "IF 1 THEN COMMIT; START TRANSACTION; END IF",
	} {
		for name, way := range ways {
			for _, end := range []error{nil, errUndo} {
				err, hidden := truth(t, fl, accounts, end, dbfleet.TxOptions{Retries: 2}, func(ctx context.Context, tx *dbfleet.Tx) error { return way(ctx, tx, statement) })
				require.ErrorIs(t, err, dbfleet.ErrTxLost, "%s by %s", statement, name)
				require.Equal(t, dbfleet.ClassTxLost, dbfleet.ClassOf(hidden), "%s by %s: %v", statement, name, hidden)
				require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown, "%s by %s", statement, name)
			}
		}
	}
	for _, statement := range []string{
		"CALL plain()", "CALL saves()", "SET @x = 1", "DO 0", "SET autocommit = 1", "EXECUTE IMMEDIATE 'INSERT INTO other VALUES (3)'", "CREATE TEMPORARY TABLE temporary (v INT)", "ANALYZE SELECT 1",
		"SET STATEMENT max_statement_time = 10 FOR INSERT INTO other VALUES (4)", "CHECKSUM TABLE other", "SELECT 1 INTO @x", "/*!50001 INSERT */ INTO other VALUES (5)",
	} {
		err, hidden := truth(t, fl, accounts, nil, dbfleet.TxOptions{}, func(ctx context.Context, tx *dbfleet.Tx) error { return ways["exec"](ctx, tx, statement) })
		require.NoError(t, hidden, statement)
		require.NoError(t, err, "%s leaves the transaction as it is", statement)
	}
	for _, statement := range []string{
		"CALL fails()", "CALL nothing()", "INSERT INTO accounts (owner, balance) VALUES ('earlier', 1)", "SELECT nothing", "SIGNAL SQLSTATE '45000'", "whatever", "SELECT 1 FROM nowhere",
		"EXECUTE IMMEDIATE 'nothing'", "KILL 999999",
	} {
		err, hidden := truth(t, fl, accounts, nil, dbfleet.TxOptions{}, func(ctx context.Context, tx *dbfleet.Tx) error { return ways["exec"](ctx, tx, statement) })
		require.Error(t, hidden, statement)
		require.NoError(t, err, "%s fails and leaves the transaction as it is", statement)
	}
	for _, statement := range []string{
		"/*!99999 x */ commit", "/*!50799 x */ commit", "/*M!999999 x */ COMMIT", "/*! COMMIT */", "COMMIT", "commit and chain", "BEGIN NOT ATOMIC COMMIT; END", "START TRANSACTION", "ROLLBACK",
	} {
		err, hidden := truth(t, fl, accounts, errUndo, dbfleet.TxOptions{}, func(ctx context.Context, tx *dbfleet.Tx) error { return ways["exec"](ctx, tx, statement) })
		var refused *dbfleet.StatementError
		require.ErrorAs(t, hidden, &refused, statement)
		require.Equal(t, errUndo, err, statement)
	}
	conformance.RequireIdle(t, fl.Registry)
}

// truth 1105
// A transaction for reading changes nothing, whatever runs in it.
func TestTransaction_ForReadingDoesNotWriteByTheWayOfACommit(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
	accounts := fl.Bank(t)
	fl.Create(t, "CREATE PROCEDURE writes() BEGIN COMMIT; INSERT INTO accounts (owner, balance) VALUES ('written', 1); END")
	for _, statement := range []string{
		"CREATE TABLE made (v INT)", "EXECUTE IMMEDIATE 'CREATE TABLE made (v INT)'", "CALL writes()", "IF 1 THEN CREATE TABLE made (v INT); END IF",
		"IF 1 THEN COMMIT; INSERT INTO accounts (owner, balance) VALUES ('written', 1); END IF",
	} {
		_, hidden := truth(t, fl, accounts, errUndo, dbfleet.TxOptions{ReadOnly: true}, func(ctx context.Context, tx *dbfleet.Tx) error {
			_, err := tx.ExecContext(ctx, statement)
			return err
		})
		require.Error(t, hidden, statement)
		require.Empty(t, conformance.Owners(t, db), statement)
		require.Zero(t, conformance.Counted(t, db, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'made'"), statement)
	}
	for range 8 {
		require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "next"}))
		fl.Create(t, "DELETE FROM accounts")
	}
}

// truth 1103
// hazard 123, finding 4: SQLite's own flag and its calls decide.
func TestTransaction_SQLiteTellsItsEnd(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	accounts := fl.Bank(t)
	fl.Create(t, "CREATE TABLE other (v INTEGER PRIMARY KEY, w AS (v))")
	fl.Create(t, "CREATE TABLE odd (\"begin\" INTEGER)")
	fl.Create(t, "CREATE TRIGGER forbid BEFORE INSERT ON other WHEN NEW.v = 13 BEGIN SELECT RAISE(ROLLBACK, 'forbidden'); END")
	fl.Create(t, "INSERT INTO other (v) VALUES (1)")
	exec := func(statement string) func(ctx context.Context, tx *dbfleet.Tx) error {
		return func(ctx context.Context, tx *dbfleet.Tx) error {
			_, err := tx.ExecContext(ctx, statement)
			return err
		}
	}
	for _, statement := range []string{
		"\ufeffCOMMIT", "\ufeff\ufeffCOMMIT", "\ufeff /* a */ ;\n COMMIT", "CREATE TABLE made (v); COMMIT", "CREATE TABLE made (v); END", "SELECT 1; ROLLBACK", "INSERT INTO other (v) VALUES (7); COMMIT; BEGIN",
		"CREATE TRIGGER t AFTER INSERT ON other BEGIN SELECT 1; END; COMMIT", "CREATE TEMP TRIGGER t AFTER INSERT ON other BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END; COMMIT",
		"CREATE VIEW v AS SELECT 1; COMMIT; BEGIN", "CREATE TABLE c AS SELECT odd.begin atomic FROM odd; COMMIT", "CREATE TABLE c AS SELECT odd.begin atomic FROM odd; COMMIT; BEGIN IMMEDIATE",
		"CREATE TABLE c AS SELECT odd.begin atomic FROM odd; ROLLBACK", "CREATE TABLE c AS SELECT odd.begin atomic FROM odd; COMMIT; nothing",
		"INSERT OR ROLLBACK INTO other (v) VALUES (1)", "UPDATE OR ROLLBACK other SET v = 1 WHERE v > 0 OR 1", "INSERT INTO other (v) VALUES (13)", "CREATE TABLE other (v)", "nothing", "INSERT INTO other (v) VALUES (1)",
		"CREATE TABLE made2 (v); DROP TABLE made2", "PRAGMA foreign_keys = OFF", "CREATE TRIGGER b AFTER INSERT ON other BEGIN SELECT odd.begin atomic FROM odd; END; COMMIT",
	} {
		for _, end := range []error{nil, errUndo} {
			_, _ = truth(t, fl, accounts, end, dbfleet.TxOptions{Retries: 2}, exec(statement))
			_, _ = truth(t, fl, accounts, end, dbfleet.TxOptions{}, func(ctx context.Context, tx *dbfleet.Tx) error {
				return tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error { return exec(statement)(ctx, tx) })
			})
		}
	}
	err, hidden := truth(t, fl, accounts, errUndo, dbfleet.TxOptions{}, exec("CREATE TABLE d AS SELECT odd.begin atomic FROM odd; COMMIT"))
	require.ErrorIs(t, err, dbfleet.ErrTxCommitted)
	require.ErrorIs(t, hidden, dbfleet.ErrTxCommitted)
	require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown, "SQLite says which")
	err, _ = truth(t, fl, accounts, errUndo, dbfleet.TxOptions{}, exec("CREATE TABLE e AS SELECT odd.begin atomic FROM odd; ROLLBACK"))
	require.NotErrorIs(t, err, dbfleet.ErrTxCommitted)
	require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
	conformance.RequireIdle(t, fl.Registry)
}

// truth 1103
// PostgreSQL's status and the tags of its commands decide.
func TestTransaction_PostgreSQLTellsItsEnd(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres")
	fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
	accounts := fl.Bank(t)
	fl.Create(t, "CREATE TABLE odd (\"begin\" INT)")
	fl.Create(t, "CREATE PROCEDURE commits() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'")
	hiding := "CREATE TEMP TABLE c AS SELECT odd.begin atomic FROM odd; "
	for _, statement := range []string{
		"SELECT 1; COMMIT", "SELECT 1; COMMIT; BEGIN", "CALL commits()", "DO 'BEGIN COMMIT; END'", "DO 'BEGIN PERFORM 1; END'", "EXECUTE nothing", "SELECT 1/0", "whatever", "VACUUM",
		hiding + "COMMIT", hiding + "COMMIT; BEGIN", hiding + "ROLLBACK; BEGIN", hiding + "END; START TRANSACTION", hiding + "COMMIT AND CHAIN", hiding + "ROLLBACK AND CHAIN", hiding + "ROLLBACK",
		hiding + "COMMIT; BEGIN; SELECT 1/0", hiding + "COMMIT; SELECT 1/0", "SAVEPOINT a", "ABORT", "PREPARE TRANSACTION 'x'", "CREATE TABLE made (v INT)", "SET LOCAL work_mem = '8MB'",
	} {
		for _, end := range []error{nil, errUndo} {
			_, _ = truth(t, fl, accounts, end, dbfleet.TxOptions{Retries: 2}, func(ctx context.Context, tx *dbfleet.Tx) error {
				_, err := tx.ExecContext(ctx, statement)
				return err
			})
			if statement == "CREATE TABLE made (v INT)" && end == nil {
				fl.Create(t, "DROP TABLE made")
			}
		}
	}
	err, hidden := truth(t, fl, accounts, errUndo, dbfleet.TxOptions{}, func(ctx context.Context, tx *dbfleet.Tx) error {
		_, err := tx.ExecContext(ctx, hiding+"COMMIT; BEGIN")
		return err
	})
	require.ErrorIs(t, err, dbfleet.ErrTxCommitted)
	require.ErrorIs(t, hidden, dbfleet.ErrTxCommitted)
	conformance.RequireIdle(t, fl.Registry)
}

// truth 1104
// What a function of Raw does to the transaction is noticed, also that it has ended one
// and begun another.
func TestTransaction_RawThatEndsItIsTold(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		for _, steps := range [][]string{
			{"COMMIT"}, {"ROLLBACK"}, {"COMMIT", "BEGIN"}, {"ROLLBACK", "BEGIN"}, {"COMMIT", "BEGIN", conformance.Inserting("ghost")}, {"COMMIT", "BEGIN", "nothing"}, {"SELECT 1", "COMMIT", "BEGIN", "COMMIT"},
		} {
			for _, end := range []error{nil, errUndo} {
				raw := func(ctx context.Context, _ *dbfleet.Tx) error {
					return fl.DB("main").Conn(ctx, func(_ context.Context, c *dbfleet.Conn) error {
						return c.Raw(func(dc any) error {
							for _, step := range steps {
								_ = rawExec(t, dc, step)
							}
							return nil
						})
					})
				}
				err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
					require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "earlier"}))
					_ = raw(ctx, tx)
					require.ErrorIs(t, accounts.Create(ctx, &conformance.Account{Owner: "later"}), dbfleet.ErrTxLost, steps)
					return end
				})
				require.Error(t, err, steps)
				require.NotEqual(t, end == nil, errors.Is(err, errUndo), "%v: %v", steps, err)
				owners := conformance.Owners(t, fl.Database)
				require.NotContains(t, owners, "later")
				require.NotContains(t, owners, "ghost")
				if slices.Contains(owners, "earlier") {
					require.ErrorIs(t, err, dbfleet.ErrTxLost, steps)
					require.True(t, errors.Is(err, dbfleet.ErrTxCommitted) || errors.Is(err, dbfleet.ErrOutcomeUnknown), "%v: %v", steps, err)
				}
				fl.Create(t, "DELETE FROM accounts")
			}
		}
		for _, steps := range [][]string{{"SELECT 1"}, {conformance.Inserting("by raw")}, {"SAVEPOINT a", conformance.Inserting("undone"), "ROLLBACK TO SAVEPOINT a", conformance.Inserting("by raw")}} {
			require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
				require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "earlier"}))
				require.NoError(t, fl.DB("main").Conn(ctx, func(_ context.Context, c *dbfleet.Conn) error {
					return c.Raw(func(dc any) error {
						for _, step := range steps {
							require.NoError(t, rawExec(t, dc, step))
						}
						return nil
					})
				}))
				return accounts.Create(ctx, &conformance.Account{Owner: "later"})
			}), steps)
			require.Contains(t, conformance.Owners(t, fl.Database), "later")
			require.NotContains(t, conformance.Owners(t, fl.Database), "undone")
			fl.Create(t, "DELETE FROM accounts")
		}
		conformance.RequireIdle(t, fl.Registry)
	})
}

// rawExec runs a statement on a driver's own connection.
func rawExec(t *testing.T, driverConn any, statement string) error {
	switch c := driverConn.(type) {
	case *pgx.Conn:
		_, err := c.Exec(t.Context(), statement)
		return err
	case sqldriver.ExecerContext:
		_, err := c.ExecContext(t.Context(), statement, nil)
		return err
	}
	require.Fail(t, "what is it", "%T", driverConn)
	return nil
}
