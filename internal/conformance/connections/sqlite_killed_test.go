package connections

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// hazard 154: two processes on one file, one of which is killed in the middle
// of its commits: what it has acknowledged is there, whole, and the file is
// sound.
func TestSQLite_KilledProcess(t *testing.T) {
	if path := os.Getenv("DBFLEET_TEST_SQLITE_WRITER"); path != "" {
		writeUntilKilled(t, path)
		return
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shared.db")
	r := onFile(t, path, nil)
	_, err := r.DB("main").ExecContext(t.Context(), conformance.DDL("sqlite", conformance.AccountsTable))
	require.NoError(t, err)
	accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
	for round := range 6 {
		child := exec.Command(os.Args[0], "-test.run=^TestSQLite_KilledProcess$", "-test.count=1")
		child.Env = append(os.Environ(), "DBFLEET_TEST_SQLITE_WRITER="+path, fmt.Sprintf("DBFLEET_TEST_ROUND=%d", round))
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		var acknowledged []string
		lines := bufio.NewScanner(out)
		for lines.Scan() && len(acknowledged) < 20+7*round {
			if owner, ok := strings.CutPrefix(lines.Text(), "committed "); ok {
				acknowledged = append(acknowledged, owner)
				// This process writes meanwhile.
				require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "parent " + owner}))
			}
		}
		require.NoError(t, child.Process.Kill())
		for lines.Scan() { // what it had said before it died
			if owner, ok := strings.CutPrefix(lines.Text(), "committed "); ok {
				acknowledged = append(acknowledged, owner)
			}
		}
		_ = child.Wait()
		require.NotEmpty(t, acknowledged)
		var verdict string
		require.NoError(t, r.DB("main").QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict))
		require.Equal(t, "ok", verdict)
		for _, owner := range acknowledged {
			n, err := accounts.Where("owner", "LIKE", owner+"/%").Count(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 3, n, "%s was acknowledged", owner)
		}
		n, err := accounts.Where("owner", "LIKE", "%/%").Count(t.Context())
		require.NoError(t, err)
		require.Zero(t, n%3, "no transaction is there in part")
	}
}

// writeUntilKilled is the other process.
func writeUntilKilled(t *testing.T, path string) {
	r := onFile(t, path, nil)
	accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
	for i := 0; ; i++ {
		owner := fmt.Sprintf("round %s number %d", os.Getenv("DBFLEET_TEST_ROUND"), i)
		err := r.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			var errs []error
			for part := range 3 {
				errs = append(errs, accounts.Create(ctx, &conformance.Account{Owner: fmt.Sprintf("%s/%d", owner, part)}))
			}
			return errors.Join(errs...)
		})
		require.NoError(t, err)
		fmt.Println("committed " + owner)
	}
}

// hazard 154: what a killed process had committed is there, and nothing else.
func TestHazard_AKilledProcessLeavesWhatItCommitted(t *testing.T) {
	t.Parallel()
	const variable = "DBFLEET_TEST_COMMITS_TO"
	if file := os.Getenv(variable); file != "" {
		commitForever(t, file)
		return
	}
	file := filepath.Join(t.TempDir(), "x.db")
	config := map[string]dbfleet.ConnectionConfig{"main": {Driver: dbfleet.SQLite, Database: file}}
	for range 5 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHazard_AKilledProcessLeavesWhatItCommitted$")
		cmd.Env = append(os.Environ(), variable+"="+file)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		told := 0
		for lines := bufio.NewScanner(out); told < 40 && lines.Scan(); told++ {
			if told == 20 {
				require.NoError(t, cmd.Process.Kill()) // in the middle of something
			}
		}
		require.Error(t, cmd.Wait())
		require.Greater(t, told, 20)

		r := conformance.Open(t, config)
		var ok string
		require.NoError(t, r.DB("main").QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&ok))
		require.Equal(t, "ok", ok)
		var halves, n, last int
		require.NoError(t, r.DB("main").QueryRowContext(t.Context(),
			"SELECT COUNT(*) % 2, COUNT(*), COALESCE(MAX(n), 0) FROM pairs").Scan(&halves, &n, &last))
		require.Zero(t, halves, "both rows of a transaction, or none")
		require.GreaterOrEqual(t, last, told-1, "what was told as committed")
		_, err = r.DB("main").ExecContext(t.Context(), "DELETE FROM pairs")
		require.NoError(t, err)
		require.NoError(t, r.Close())
	}
}

// commitForever writes pairs of rows and tells each pair, until it is killed.
func commitForever(t *testing.T, file string) {
	r, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": {Driver: dbfleet.SQLite, Database: file}}})
	require.NoError(t, err)
	defer r.Close()
	_, err = r.DB("main").ExecContext(t.Context(), "CREATE TABLE IF NOT EXISTS pairs (n INTEGER)")
	require.NoError(t, err)
	for n := 0; ; n++ {
		err := r.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			for range 2 {
				if _, err := tx.Table("pairs").Insert(ctx, dbfleet.Row{"n": n}); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, err)
		if _, err := fmt.Println(n); err != nil {
			return // nobody listens any more
		}
	}
}
