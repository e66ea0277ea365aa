// Package tasks_test runs the twelve tasks of docs/tasks.md with each library, on
// databases of SQLite, and compares what comes of them.
package tasks_test

import (
	"database/sql"
	_ "embed"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/bench/tasks/withbun"
	"github.com/dbfleet/dbfleet/bench/tasks/withent"
	"github.com/dbfleet/dbfleet/bench/tasks/withgorm"
	"github.com/dbfleet/dbfleet/bench/tasks/withsqlc"
)

//go:embed withsqlc/schema.sql
var schema string

// An opener is a library's Open. Its shop has a method for each task, with results
// of the library's own types.
type opener func(main, analytics string) (shop any, err error)

func open[S any](f func(main, analytics string) (S, error)) opener {
	return func(main, analytics string) (any, error) { return f(main, analytics) }
}

var libraries = map[string]opener{
	"gorm": open(withgorm.Open), "bun": open(withbun.Open),
	"ent": open(withent.Open), "sqlc": open(withsqlc.Open),
}

func TestTasks_EveryLibraryDoesTheSame(t *testing.T) {
	t.Parallel()
	for name, open := range libraries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			main, analytics := newDatabase(t), newDatabase(t)
			shop, err := open(main, analytics)
			require.NoError(t, err)
			do := func(task string, args ...any) string { return call(t, shop, task, args...) }

			require.Equal(t, "done", do("Note", "opened"))
			require.Equal(t, "1 Ada ada@example.com 0", do("Create", "Ada", "ada@example.com"))
			require.Equal(t, "2 Grace grace@example.com 0", do("Create", "Grace", "grace@example.com"))
			require.Contains(t, do("Create", "Mallory", "ada@example.com"), "failed: ")
			require.Equal(t, "1 Ada ada@example.com 0", do("Find", int64(1)))
			require.Contains(t, do("Find", int64(9)), "failed: ")
			require.Equal(t, "done", do("Rename", int64(1), "Ada Lovelace"))
			require.Equal(t, "done", do("Raise", int64(1), int64(50)))
			require.Equal(t, "done", do("Raise", int64(1), int64(50)))
			require.Equal(t, "done", do("Upsert", "Rear Admiral Grace", "grace@example.com"))
			require.Equal(t, "done", do("Upsert", "Edsger", "edsger@example.com"))
			require.Equal(t, "done", do("Transfer", int64(1), int64(2), int64(30)))
			require.Equal(t, "failed: the balance does not suffice", do("Transfer", int64(1), int64(2), int64(71)))
			require.Equal(t, "1 Ada Lovelace ada@example.com 70; 2 Rear Admiral Grace grace@example.com 30", do("List", int64(30), 10))
			require.Equal(t, "1 Ada Lovelace ada@example.com 70", do("List", int64(0), 1))
			require.Equal(t, "done", do("Bulk", int64(1), []float64{10, 30.5}))
			require.Equal(t, "done", do("Bulk", int64(2), []float64{20}))
			require.Equal(t, "1 Ada Lovelace ada@example.com 70 [1 1 10; 2 1 30.5]; 2 Rear Admiral Grace grace@example.com 30 [3 2 20]",
				strings.Join(strings.SplitN(do("WithOrders"), "; ", 4)[:3], "; "))
			require.Equal(t, "1 2 40.5; 2 1 20", do("Spending"))
			require.Equal(t, "1 30.5; 2 20", do("Largest", 1.5))
			require.Equal(t, "1 30.5", do("Largest", 20.0))

			require.Equal(t, "done", do("Close"))
			require.Equal(t, 3, count(t, main, "users"))
			require.Equal(t, 3, count(t, main, "orders"))
			require.Equal(t, 0, count(t, main, "events"))
			require.Equal(t, 1, count(t, analytics, "events"))
		})
	}
}

func newDatabase(t *testing.T) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "shop.db")
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec(schema)
	require.NoError(t, err)
	return file
}

func count(t *testing.T, file, table string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM "+table).Scan(&n))
	return n
}

// call does a task, and writes what it returned, whatever its type.
func call(t *testing.T, shop any, task string, args ...any) string {
	t.Helper()
	in := []reflect.Value{}
	if task != "Close" {
		in = append(in, reflect.ValueOf(t.Context()))
	}
	for _, a := range args {
		in = append(in, reflect.ValueOf(a))
	}
	method := reflect.ValueOf(shop).MethodByName(task)
	require.True(t, method.IsValid(), "there is no task %s", task)
	out := method.Call(in)
	if err, failed := out[len(out)-1].Interface().(error); failed {
		return "failed: " + err.Error()
	}
	if len(out) == 1 {
		return "done"
	}
	return show(out[0])
}

// show writes the columns of a record or of a list of them, with a user's orders
// in brackets.
func show(v reflect.Value) string {
	switch v = reflect.Indirect(v); v.Kind() {
	case reflect.Slice:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = show(v.Index(i))
		}
		return strings.Join(parts, "; ")
	case reflect.Struct:
		var parts []string
		for _, name := range []string{"ID", "UserID", "Name", "Email", "Balance", "Number", "Total"} {
			if field := v.FieldByName(name); field.IsValid() {
				parts = append(parts, fmt.Sprint(field.Interface()))
			}
		}
		if edges := v.FieldByName("Edges"); edges.IsValid() { // ent's
			v = edges
		}
		if orders := v.FieldByName("Orders"); orders.IsValid() && orders.Len() > 0 {
			parts = append(parts, "["+show(orders)+"]")
		}
		return strings.Join(parts, " ")
	}
	return fmt.Sprint(v.Interface())
}
