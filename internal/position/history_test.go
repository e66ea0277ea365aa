package position

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIncludedIn_KnowsWhoWroteBeforeAFailover(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		at     string
		states []string
		want   Answer
	}{
		{"0-1-100", []string{"0-1-104,0-2-120"}, Yes},
		{"0-1-105", []string{"0-1-104,0-2-120"}, No},
		{"0-2-120", []string{"0-1-110"}, No},
		{"0-1-100", []string{"0-2-120", "0-1-104"}, Yes}, // without log_slave_updates
		{"0-1-100,3-7-5", []string{"0-1-100, 3-7-4"}, No},
		{"0-1-100,3-7-5", []string{"0-1-100", "3-7-5"}, Yes},
		{"0-1-100", nil, Unknown},
		{"0-1-100", []string{"", ""}, Unknown},
	} {
		p, err := ParseMariaDB(c.at)
		require.NoError(t, err)
		require.Equal(t, c.want, p.IncludedIn(c.states...), "%s in %q", c.at, c.states)
	}
	require.Equal(t, Unknown, WAL(1, 8).IncludedIn("0-1-1"))
}
