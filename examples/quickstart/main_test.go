package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The test program is also the quickstart itself.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_AS_QUICKSTART") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestQuickstart_TellsWhatItDoesAndWhereEachStatementWent(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = []string{"RUN_AS_QUICKSTART=1", "TMPDIR=" + temp}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)

	require.Equal(t, strings.TrimSpace(`
Users are created in users_db, what happens is noted in analytics:
	users_db INSERT
	analytics INSERT
	users_db INSERT
	analytics INSERT
	users_db INSERT
	analytics INSERT
Orders go to the shard of their user:
	orders_shard_2 INSERT
	orders_shard_3 INSERT
	orders_shard_3 INSERT
	orders_shard_4 INSERT
	orders_shard_4 INSERT
	orders_shard_4 INSERT
A user, and the orders of all users, each from where it lives:
	users_db SELECT
-> Ada, admin: true
	users_db SELECT
	orders_shard_2 SELECT
	orders_shard_4 SELECT
	orders_shard_3 SELECT
	orders_shard_2 SELECT
-> Ada    1 orders, 10.50
	orders_shard_4 SELECT
-> Edsger 3 orders, 61.50
	orders_shard_3 SELECT
-> Grace  2 orders, 31.00
A report on analytics without a model:
	analytics SELECT
-> user_created: 3
A transaction that fails changes nothing:
	users_db BEGIN
	users_db UPDATE
	users_db ROLLBACK
-> changed my mind
	users_db SELECT
-> she is still Ada
What would be wrong is refused before it is sent:
-> a column that is not there: nmae
-> a deletion without a condition
-> a query without its shard key
Health: healthy`), outline(string(out)))

	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left, "it removes its databases")
}

// outline shortens statements to where they went and their first word, and
// refusals to what they are about.
func outline(out string) string {
	var lines []string
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		text := strings.TrimSpace(line)
		switch {
		case len(words) == 0:
			continue
		case strings.HasPrefix(line, "    "):
			text = "\t" + words[0] + " " + words[1]
		case strings.Contains(line, `no column "nmae"`):
			text = "-> a column that is not there: nmae"
		case strings.Contains(line, "AllRows()"):
			text = "-> a deletion without a condition"
		case strings.Contains(line, "no shard key"):
			text = "-> a query without its shard key"
		}
		lines = append(lines, text)
	}
	return strings.Join(lines, "\n")
}
