package connections

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// hazard 273, hazard 367, promise 28: the log tells the statement and hides values.
func TestLogQueries_HidesValuesUnlessTold(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE things (id {id}, name VARCHAR(20) UNIQUE)`)
		m := conformance.Model[thing](t, fl.Registry, dbfleet.ModelConfig{Table: "things"})
		lines := func(options dbfleet.LogOptions, level slog.Level) []map[string]any {
			var out bytes.Buffer
			logger := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: level}))
			defer fl.OnQuery(dbfleet.LogQueries(logger, options))()
			require.NoError(t, m.Create(ctx, &thing{Name: canary}))
			require.ErrorIs(t, m.Create(ctx, &thing{Name: canary}), dbfleet.ErrUnique)
			_, err := m.Where("name", "=", canary).Delete(ctx)
			require.NoError(t, err)
			if !options.ShowArgs {
				require.NotContains(t, out.String(), canary)
			}
			var list []map[string]any
			for _, line := range bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n")) {
				var fields map[string]any
				if len(line) > 0 {
					require.NoError(t, json.Unmarshal(line, &fields))
					list = append(list, fields)
				}
			}
			return list
		}
		levels := func(list []map[string]any) (out []string) {
			for _, l := range list {
				out = append(out, fmt.Sprint(l["level"], " ", l["msg"]))
			}
			return out
		}
		const never = time.Hour // no machine makes a statement as slow
		all := lines(dbfleet.LogOptions{Slow: never}, slog.LevelDebug)
		require.Equal(t, []string{"DEBUG query", "INFO query failed", "DEBUG query"}, levels(all))
		require.Equal(t, "main", all[0]["connection"])
		require.Equal(t, "primary", all[0]["role"])
		require.Equal(t, "insert", all[0]["op"])
		require.EqualValues(t, 1, all[0]["args"])
		require.EqualValues(t, 1, all[2]["rows"])
		require.Contains(t, all[0]["sql"], "INSERT INTO")
		require.Regexp(t, "(?i)unique", all[1]["error"])
		require.Equal(t, "unique", all[1]["class"])
		require.Equal(t, []string{"INFO query failed"}, levels(lines(dbfleet.LogOptions{Slow: never}, slog.LevelInfo)))
		require.Equal(t, []string{"WARN slow query", "WARN query failed", "WARN slow query"}, levels(lines(dbfleet.LogOptions{Slow: 1}, slog.LevelInfo)))
		require.Equal(t, []string{"INFO query failed"}, levels(lines(dbfleet.LogOptions{Slow: never, OnlySlow: true}, slog.LevelDebug)))
		require.Equal(t, []string{"DEBUG query", "INFO query failed", "DEBUG query"}, levels(lines(dbfleet.LogOptions{Slow: -1}, slog.LevelDebug)))
		shown := lines(dbfleet.LogOptions{ShowArgs: true}, slog.LevelDebug)
		require.Equal(t, []any{canary}, shown[0]["args"])
	})
}

// A second is slow, unless another time is set.
func TestLogQueries_TellsWhatIsSlow(t *testing.T) {
	t.Parallel()
	var levels []slog.Level
	logger := slog.New(levelsTo{slog.DiscardHandler, &levels})
	for slow, from := range map[time.Duration]time.Duration{0: time.Second, time.Minute: time.Minute} {
		log := dbfleet.LogQueries(logger, dbfleet.LogOptions{Slow: slow}).After
		for _, took := range []time.Duration{from - 1, from} {
			log(t.Context(), dbfleet.QueryEvent{Duration: took})
		}
		require.Equal(t, []slog.Level{slog.LevelDebug, slog.LevelWarn}, levels, slow)
		levels = nil
	}
}

// How loud a failure is told depends on its class: what data and callers decide is
// no error.
func TestLogQueries_ShoutsOnlyAboutFaults(t *testing.T) {
	t.Parallel()
	var levels []slog.Level
	log := dbfleet.LogQueries(slog.New(levelsTo{slog.DiscardHandler, &levels}), dbfleet.LogOptions{OnlySlow: true}).After
	level := func(class dbfleet.ErrorClass) slog.Level {
		levels = nil
		log(t.Context(), dbfleet.QueryEvent{Err: errors.New("x"), Class: class})
		require.Len(t, levels, 1)
		return levels[0]
	}
	for _, class := range []dbfleet.ErrorClass{dbfleet.ClassUnique, dbfleet.ClassForeignKey, dbfleet.ClassCheck, dbfleet.ClassNotFound, dbfleet.ClassCanceled} {
		require.Equal(t, slog.LevelInfo, level(class), class)
	}
	for _, class := range []dbfleet.ErrorClass{dbfleet.ClassNotNull, dbfleet.ClassInvalidValue, dbfleet.ClassDeadlock, dbfleet.ClassSerialization, dbfleet.ClassLockTimeout} {
		require.Equal(t, slog.LevelWarn, level(class), class)
	}
	for _, class := range []dbfleet.ErrorClass{
		dbfleet.ClassUnfit, dbfleet.ClassTimeout, dbfleet.ClassKilled, dbfleet.ClassReadOnly, dbfleet.ClassConnection, dbfleet.ClassAuthentication,
		dbfleet.ClassTooManyConnections, dbfleet.ClassAcquireTimeout, dbfleet.ClassUndefined, dbfleet.ClassSyntax, dbfleet.ClassResources, dbfleet.ClassTxLost,
		dbfleet.ClassCommitUnknown, dbfleet.ClassBusy, dbfleet.ClassClosed, dbfleet.ClassPanic, dbfleet.ClassOther,
	} {
		require.Equal(t, slog.LevelError, level(class), class)
	}
}

// levelsTo keeps the levels of what is logged.
type levelsTo struct {
	slog.Handler
	levels *[]slog.Level
}

func (h levelsTo) Enabled(context.Context, slog.Level) bool { return true }

func (h levelsTo) Handle(_ context.Context, r slog.Record) error {
	*h.levels = append(*h.levels, r.Level)
	return nil
}

// An event can be printed in any way without telling its values.
func TestQueryEvent_PrintsNoValues(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "sqlite")
	fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
	var texts []string
	defer fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
		var out bytes.Buffer
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "event", e, "args", e.Args)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "event", e, "args", e.Args)
		b, err := json.Marshal(e)
		require.NoError(t, err)
		texts = append(texts, out.String(), string(b), fmt.Sprint(e, e.Args), fmt.Sprintf("%v %+v %#v %q %x", e, e, e, e.Args, e.Args), e.Args.String(), e.Args.GoString())
	})()
	_, err := fl.DB("main").ExecContext(t.Context(), "SELECT ?, ?", canary, []byte(canary))
	require.NoError(t, err)
	require.NotEmpty(t, texts)
	for _, text := range texts {
		require.NotContains(t, text, canary)
		require.NotContains(t, text, fmt.Sprintf("%x", canary))
	}
	require.Contains(t, texts[len(texts)-1], "2 arguments")
}
