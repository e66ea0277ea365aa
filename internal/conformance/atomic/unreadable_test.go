package atomic

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A ledger that somebody has changed is not taken for one that says something else.
func TestRecover_GuessesNothingOfALedgerThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ break_, want string }{
		"made":   {"UPDATE dbfleet_ledger SET made = 'x' WHERE id = 'horizon'", `has "x" where it should have a number`},
		"since":  {"UPDATE dbfleet_ledger SET created = 'x' WHERE state = 'commit'", `has "x" where it should have a number`},
		"state":  {"UPDATE dbfleet_ledger SET state = 'comit' WHERE state = 'commit'", `its state "comit" is not known`},
		"detail": {"UPDATE dbfleet_ledger SET detail = 'x' WHERE state = 'commit'", "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, []string{"sqlite", "postgres"}, created) // SQLite takes any text for a number
			s.steps(t, writes)
			step := "after commit 0"
			if name == "made" {
				step = "before commit 0"
			}
			_, branches := s.doubt(t, step)
			require.Len(t, branches, 1)
			_, err := s.DB("a").ExecContext(t.Context(), test.break_)
			require.NoError(t, err)
			_, err = s.Recover(t.Context())
			require.ErrorContains(t, err, test.want)
			require.Equal(t, branches, s.prepared(t), "nothing is decided of it")
		})
	}
}
