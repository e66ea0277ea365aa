package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

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

// quickstart runs the program with its output in a pipe.
func quickstart(t *testing.T) string {
	t.Helper()
	temp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = []string{"RUN_AS_QUICKSTART=1", "TMPDIR=" + temp, "TERM=xterm"}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left, "it removes its databases")
	return string(out)
}

func TestQuickstart_ShowsEachCallWithItsStatementsAndWhereTheyWent(t *testing.T) {
	t.Parallel()
	require.Equal(t, strings.TrimSpace(`
1 A model stores records. Ids and times are filled in.
	users.Create(ctx, &ada)
		INSERT: users_db
		-> ada.ID is 1
	users.CreateMany(ctx, others)
		INSERT: users_db
2 A query is a value: each method returns a new one, so it may be kept and branched.
	admins.OrderBy("name", dbfleet.Asc).Limit(10).Get(ctx)
		SELECT: users_db
		-> 1 admin: Ada
	admins.Where("name", "LIKE", "A%").Update(ctx, dbfleet.Row{"name": "Ada Lovelace"})
		UPDATE: users_db
		-> 1 row
3 Orders live on the shard of their user: the key is found in the record, or in the condition.
	orders.Create(ctx, &Order{UserID: 1, Total: 10.5})
		INSERT: orders_shard_2
	orders.Create(ctx, &Order{UserID: 2, Total: 30})
		INSERT: orders_shard_3
	orders.Where("user_id", "=", 2).Sum(ctx, "total")
		SELECT: orders_shard_3
		-> 30.00
4 A relation crosses databases: one statement for users, one for each shard of orders.
	users.With(ordersOf).OrderBy("id", dbfleet.Asc).Limit(2).Get(ctx)
		SELECT: users_db
		SELECT: orders_shard_2
		SELECT: orders_shard_3
		-> Ada Lovelace has 1 order of 10.50
		-> Grace has 1 order of 30.00
5 Reads go to the replicas in turn. Who must see what was just written asks the primary.
	events.Where("kind", "=", "login").Count(ctx)
		SELECT: analytics/replica-1
	events.Where("kind", "=", "login").Count(ctx)
		SELECT: analytics/replica-2
	events.Where("kind", "=", "login").Primary().Count(ctx)
		SELECT: analytics
6 SQL of your own, into a struct. On DB it goes to the primary, on its Read() to a replica.
	dbfleet.Select[report](ctx, analytics, "SELECT kind, COUNT(*) AS number FROM events GROUP BY kind")
		SELECT: analytics/replica-1
		-> [{Kind:login Number:2} {Kind:purchase Number:1}]
7 A transaction is carried by the context. One that fails changes nothing.
	registry.Transaction(ctx, "users_db", func(ctx context.Context, tx *dbfleet.Tx) error {
		BEGIN: users_db
	users.Where("id", "=", 1).Update(ctx, dbfleet.Row{"name": "Nobody"})
		UPDATE: users_db
	return errors.New("changed my mind")
		ROLLBACK: users_db
		error changed my mind
	users.Find(ctx, 1)
		SELECT: users_db
		-> she is still Ada Lovelace
8 A mistake is refused before anything is sent, and its error says what would be right.
	users.Where("nmae", "=", "Ada").Get(ctx)
		error
	users.Query().Delete(ctx)
		error
	orders.Get(ctx)
		error
9 Each server has a pool of its own, with figures, and a state.
	registry.Stats()
	registry.Health(ctx)
		-> healthy`), outline(quickstart(t)))
}

// outline shortens a statement to its verb and where it went, and a refusal to that
// it is one. The figures of pools differ from run to run.
func outline(out string) string {
	_, out, _ = strings.Cut(out, "\n\n") // the introduction
	out, _, _ = strings.Cut(out, "\nWhat to read next")
	var lines []string
	verb, label := "", ""
	for line := range strings.Lines(out) {
		text := strings.TrimRight(line, "\n")
		if len(text) < 3 {
			continue
		}
		if text[0] != ' ' {
			label, lines = "step", append(lines, text[:1]+text[2:])
			continue
		}
		if first := strings.TrimSpace(text[:min(8, len(text))]); first != "" && label != "" {
			label = first
		} else if label == "step" || label == "Go" {
			lines[len(lines)-1] += " " + strings.TrimSpace(text)
			continue
		} else {
			continue
		}
		text = strings.TrimSpace(text[9:])
		switch label {
		case "Go":
			lines = append(lines, "\t"+text)
		case "SQL":
			verb, _, _ = strings.Cut(text, " ")
		case "to":
			node, _, _ := strings.Cut(text, " (")
			lines = append(lines, "\t\t"+verb+": "+node)
		case "->":
			lines = append(lines, "\t\t-> "+text)
		case "error":
			if strings.HasPrefix(text, "dbfleet: ") {
				text = ""
			}
			lines = append(lines, strings.TrimRight("\t\terror "+text, " "))
		}
	}
	return strings.Join(lines, "\n")
}

// What is printed as a call is what the program does next.
func TestQuickstart_TheCallsShownAreThoseMade(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("shop.go")
	require.NoError(t, err)
	calls := regexp.MustCompile("(?m)^\\s*s\\.out\\.call\\(`(.*)`\\)\n(.*)$").FindAllStringSubmatch(string(source), -1)
	require.Greater(t, len(calls), 15)
	for _, call := range calls {
		next := strings.NewReplacer("s.", "", "_ *dbfleet.Tx", "tx *dbfleet.Tx").Replace(call[2])
		require.Contains(t, next, strings.ReplaceAll(call[1], "s.", ""))
	}
}

func TestQuickstart_FitsAWindowAndHasNoColoursInAPipe(t *testing.T) {
	t.Parallel()
	out := quickstart(t)
	require.NotContains(t, out, "\x1b")
	for line := range strings.Lines(out) {
		require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), 100, line)
	}
}
