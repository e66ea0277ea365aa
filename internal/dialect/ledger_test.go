package dialect

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files")

func TestLedger_TextsAreAsPinned(t *testing.T) {
	t.Parallel()
	for _, d := range []*Dialect{Postgres, MySQL, SQLite} {
		l := LedgerOf(d)
		require.Same(t, d, l.d)
		var b strings.Builder
		for _, text := range [][2]string{
			{"create", l.Create}, {"durable", l.Durable}, {"durable kind", l.DurableKind}, {"loses", l.Loses},
			{"found", strings.Join(l.Found, "\n")}, {"rows", l.Rows}, {"identity", l.Identity}, {"rename", l.Rename},
			{"decide", l.Decide}, {"mark", l.Mark}, {"fence wait", l.FenceWait}, {"fence", l.Fence}, {"horizon", l.Horizon},
			{"open", l.Open}, {"old", l.Old}, {"lock", l.Lock}, {"incident", l.Incident}, {"lost", l.Lost}, {"raise", l.Raise},
			{"marked", l.Marked}, {"marks", l.Marks}, {"read", l.Read(2)}, {"read none", l.Read(0)},
			{"finish", l.Finish}, {"finish all", l.FinishAll(2)}, {"forget", l.Forget}, {"keys", l.Keys(2)}, {"unmark", l.Unmark},
		} {
			fmt.Fprintf(&b, "# %s\n%s\n\n", text[0], text[1])
		}
		path := filepath.Join("testdata", "golden", "ledger_"+d.Name+".golden")
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), b.String(), "go test ./internal/dialect -update writes %s", path)
	}
}
