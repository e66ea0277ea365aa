package twophase

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hazard 303, 304: 64 bytes for MySQL, 199 for PostgreSQL, nothing that needs quoting.
func TestID_FitsEveryDatabase(t *testing.T) {
	t.Parallel()
	now := time.Unix(1764338682, 0)
	ledger := NewLedgerID()
	id := NewID(ledger, now)
	require.Len(t, string(id), MaxID)
	require.LessOrEqual(t, MaxID, 64)
	require.Regexp(t, `^dbfleet_[0-9a-f]{16}_[0-9a-f]{24}$`, string(id))
	require.Equal(t, ledger, id.Ledger())
	require.True(t, ledger.Valid())
	require.EqualValues(t, 1764338682, id.Made())
	require.NotEqual(t, id, NewID(ledger, now))
}

func TestID_ReadsOnlyWhatItWrote(t *testing.T) {
	t.Parallel()
	id := NewID(NewLedgerID(), time.Now())
	b := BranchID{id, 12}
	read, ok := ParseBranchID(b.String())
	require.True(t, ok)
	require.Equal(t, b, read)
	read, ok = BranchOf(string(id), b.Qualifier())
	require.True(t, ok)
	require.Equal(t, b, read)
	for _, text := range []string{
		"", "dbfleet_", string(id), string(id) + "_", string(id) + "_0", string(id) + "_-1", string(id) + "_01", string(id) + "_+1",
		string(id) + "_1 ", string(id) + "_x", "x" + b.String(), strings.ToUpper(b.String()), string(id[:MaxID-1]) + "_1",
		strings.Replace(b.String(), "_", "-", 1), "dbfleet_" + strings.Repeat("_", MaxID-8) + "_1",
	} {
		_, ok := ParseBranchID(text)
		require.False(t, ok, text)
	}
	require.Empty(t, ID("x").Ledger())
	require.Zero(t, ID("x").Made())
	require.False(t, LedgerID("0123456789ABCDEF").Valid())
}

func FuzzParseBranchID(f *testing.F) {
	f.Add(BranchID{NewID(NewLedgerID(), time.Now()), 1}.String())
	f.Add("dbfleet_0123456789abcdef_0123456789abcdef01234567_1")
	f.Fuzz(func(t *testing.T, text string) {
		b, ok := ParseBranchID(text)
		if ok {
			require.Equal(t, text, b.String())
			require.True(t, b.ID.Ledger().Valid())
		}
	})
}
