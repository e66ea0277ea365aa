package logging_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/examples/integrations/logging"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func TestLogging_WritesStatementsWithTheirRequestAndWithoutTheirArguments(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE notes (id {id}, body {text} NOT NULL UNIQUE)`)
		var log bytes.Buffer
		handler := slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})
		stop := logging.Watch(fl.Registry, slog.New(logging.Handler{Handler: handler}))

		ctx := logging.WithRequest(t.Context(), "r-17")
		for i := 0; i < 20 && !strings.Contains(log.String(), "level=DEBUG"); i++ { // a busy machine makes one slow
			_, err := fl.DB("main").Table("notes").Insert(ctx, dbfleet.Row{"body": fmt.Sprint("secret ", i)})
			require.NoError(t, err)
		}
		require.Contains(t, log.String(), "level=DEBUG")
		require.Contains(t, log.String(), "request=r-17")
		require.Contains(t, log.String(), "INSERT INTO")

		_, err := fl.DB("main").ExecContext(ctx, "DELETE FROM nowhere")
		require.Error(t, err)
		require.Contains(t, log.String(), "level=ERROR")
		require.NotContains(t, log.String(), "secret")

		stop()
		written := log.Len()
		_, err = fl.DB("main").Table("notes").Count(ctx)
		require.NoError(t, err)
		require.Equal(t, written, log.Len(), "nothing is logged any more")
	})
}
