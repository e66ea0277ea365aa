package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPeers_DoTheSameWork(t *testing.T) {
	for _, database := range []string{"null", "sqlite"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, database)
			for _, p := range places {
				l, err := openLab(t.Context(), t, s, p, Peers())
				require.NoError(t, err)
				err = l.checkAll(t.Context(), Operations)
				require.NoError(t, l.close())
				require.NoError(t, err)
			}
		})
	}
}

func TestPeers_DoTheSameTransactions(t *testing.T) {
	for _, database := range append(TransactionDatabases, "null") {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, database)
			l, err := openLab(t.Context(), t, s, updates, Peers()[:3])
			require.NoError(t, err)
			err = l.checkAll(t.Context(), Transactions)
			require.NoError(t, l.close())
			require.NoError(t, err)
		})
	}
}
