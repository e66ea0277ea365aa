package plain_test

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/driver/plain"
)

// texts is a driver's connection that takes texts and answers with err.
type texts struct {
	sqldriver.Conn
	err                 error
	asText, asStatement int
}

func (c *texts) QueryContext(context.Context, string, []sqldriver.NamedValue) (sqldriver.Rows, error) {
	c.asText++
	return nil, c.err
}

func (c *texts) ExecContext(context.Context, string, []sqldriver.NamedValue) (sqldriver.Result, error) {
	c.asText++
	return nil, c.err
}

func (c *texts) Prepare(string) (sqldriver.Stmt, error) {
	c.asStatement++
	return nil, errors.New("not prepared")
}

// A text that failed may have done its work: it is not sent once more, in whatever
// form, unless the driver says that it takes no texts.
func TestText_ThatFailedIsNotSentAgain(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for _, run := range []func(s *plain.Session) error{
		func(s *plain.Session) error {
			_, err := s.Query(t.Context(), "SELECT", nil)
			return err
		},
		func(s *plain.Session) error {
			_, err := s.Exec(t.Context(), "INSERT", nil)
			return err
		},
	} {
		for err, statements := range map[error]int{refused: 0, sqldriver.ErrBadConn: 0, context.Canceled: 0, sqldriver.ErrSkip: 1} {
			c := &texts{err: err}
			s := plain.New(c, 0)
			s.Direct = func(string, int, bool) bool { return true }
			got := run(s)
			require.Equal(t, 1, c.asText, "%v", err)
			require.Equal(t, statements, c.asStatement, "%v", err)
			if statements == 0 {
				require.Equal(t, err, got)
			}
		}
	}
}
