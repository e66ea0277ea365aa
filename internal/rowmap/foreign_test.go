package rowmap

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type ownScan struct{ v any }

func (s *ownScan) Scan(v any) error { s.v = v; return nil }

func TestForeign_IsWhatScansItself(t *testing.T) {
	t.Parallel()
	type plain struct {
		A int64
		B *string
		C sql.NullInt64
		D []string `db:"d"`
		E sql.Null[time.Time]
		F any
	}
	type field struct{ A ownScan }
	type pointer struct{ A *ownScan }
	type null struct{ A sql.Null[ownScan] }
	type list struct {
		A []ownScan `db:"a"`
	}
	for _, p := range []*Plan{of[field](t), of[pointer](t), of[null](t), of[list](t)} {
		require.True(t, p.Foreign(), p.Model())
	}
	require.False(t, of[plain](t).Foreign())
}

func of[T any](t *testing.T) *Plan {
	t.Helper()
	p, err := Of[T]()
	require.NoError(t, err)
	return p
}
