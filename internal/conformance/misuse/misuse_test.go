package misuse

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mistake is one wrong use and what it gets.
type mistake struct {
	use  string
	err  error
	want string // the whole message
}

// tables are the mistakes by subject, each made in a world of its own.
var tables = map[string]func(w *world) []mistake{
	"config": ofConfig, "urls": ofURLs, "json": ofJSON,
	"models": ofModels, "types": ofTypes,
	"columns": ofColumns, "operators": ofOperators, "values": ofValues, "parts": ofParts, "aggregates": ofAggregates,
	"raw SQL": ofRawSQL, "squirrel": ofSquirrel,
	"records": ofRecords, "rows": ofRows, "upserts": ofUpserts, "loads": ofLoads,
	"relations": ofRelations, "shards": ofShards, "transactions": ofTransactions, "handles": ofHandles, "hooks": ofHooks,
}

// What a new user does wrong is told by an exact message, which begins with the
// library's name and names what the mistake is about.
func TestMisuse_HasAnExactMessage(t *testing.T) {
	t.Parallel()
	count := 0
	for subject, table := range tables {
		list := table(newWorld(t))
		count += len(list)
		for _, m := range list {
			t.Run(subject+"/"+m.use, func(t *testing.T) {
				require.Error(t, m.err)
				require.EqualError(t, m.err, m.want)
				checkText(t, m.want)
				checkTypes(t, m.err)
			})
		}
	}
	require.GreaterOrEqual(t, count, 150)
}

// checkText sees that each line begins with the library's name, which stands there
// once.
func checkText(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		require.True(t, strings.HasPrefix(line, "dbfleet: "), line)
		require.Equal(t, 1, strings.Count(line, "dbfleet: "), line)
	}
}

// told are types whose place is taken by those of the package when they leave it.
var told = []string{"*rowmap.ColumnError", "*sqlgen.StatementError", "*sqlgen.UnknownColumnError", "*table.SameRowError"}

// checkTypes sees that errors.As finds the package's types.
func checkTypes(t *testing.T, err error) {
	t.Helper()
	name := reflect.TypeOf(err).String()
	require.NotContains(t, told, name)
	switch e := err.(type) { //nolint:errorlint // the chain is walked
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			checkTypes(t, inner)
		}
	case interface{ Unwrap() []error }:
		if name == "*dbfleet.retold" {
			checkTypes(t, e.Unwrap()[0])
			return
		}
		for _, inner := range e.Unwrap() {
			checkTypes(t, inner)
		}
	}
}

// of is the error of a call that returns something else too.
func of[V any](_ V, err error) error { return err }

// panicOf is what a call panics with.
func panicOf(call func()) (err error) {
	defer func() {
		switch reason := recover().(type) {
		case nil:
		case error:
			err = reason
		default:
			err = errors.New(fmt.Sprint(reason))
		}
	}()
	call()
	return nil
}
