package sqlgen

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// An error that several queries share stays as it is: it names the table of the
// one that failed in a copy.
func TestRender_SharedErrorsAreNotChanged(t *testing.T) {
	t.Parallel()
	shared := &StatementError{Reason: "no good"}
	var wg sync.WaitGroup
	for _, table := range []string{"users", "people"} {
		wg.Go(func() {
			q := From(table).WithCond(Invalid(shared))
			_, _, err := Select(&q, env(dialect.SQLite, nil))
			var fault *StatementError
			if !errors.As(err, &fault) || fault.Table != table {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Empty(t, shared.Table)
}
