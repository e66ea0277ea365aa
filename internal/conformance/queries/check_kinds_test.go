package queries

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type padded struct {
	ID    int64
	Flag  bool
	Whole int
	Ratio float64
	Made  time.Time
	Text  string
}

// What is filled up with zero bytes is read as no number, bool or time.
func TestCheck_FindsColumnsThatFillValuesUp(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "mysql" { // only this one has such columns
			fl.Create(t, "CREATE TABLE paddeds (id {id})")
			return
		}
		fl.Create(t, "CREATE TABLE paddeds (id {id}, flag BINARY(4) NOT NULL, whole BINARY(16) NOT NULL, ratio BINARY(20) NOT NULL, made BINARY(40) NOT NULL, text BINARY(4) NOT NULL)")
		m := conformance.Model[padded](t, fl.Registry, dbfleet.ModelConfig{Table: "paddeds"})
		found := findingsOf(t, fl.Registry)
		for _, column := range []string{"flag", "whole", "ratio", "made"} {
			require.Contains(t, found[column], "error: is binary(", column)
			require.Contains(t, found[column], "fills values up with zero bytes", column)
		}
		require.NotContains(t, found, "text")
		require.Error(t, func() error {
			r := padded{Flag: true, Whole: 1, Ratio: 2, Made: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC), Text: "abcd"}
			if err := m.Create(t.Context(), &r); err != nil {
				return err
			}
			_, err := m.Find(t.Context(), r.ID)
			return err
		}())
	})
}

type grid struct {
	ID    int64
	Cells []int32 `db:"cells"`
	Row   []int32 `db:"row"`
}

// An array of arrays is not read into a slice.
func TestCheck_FindsArraysOfArrays(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "postgres" { // only this one has arrays
			fl.Create(t, "CREATE TABLE grids (id {id})")
			return
		}
		fl.Create(t, "CREATE TABLE grids (id {id}, cells INT[][] NOT NULL, row INT[] NOT NULL)")
		m := conformance.Model[grid](t, fl.Registry, dbfleet.ModelConfig{Table: "grids"})
		found := findingsOf(t, fl.Registry)
		require.Contains(t, found["cells"], "warning: is integer[][], the field []int32: arrays of arrays cannot be read")
		require.NotContains(t, found, "row")
		_, err := fl.DB("main").ExecContext(t.Context(), "INSERT INTO grids (cells, row) VALUES ('{{1,2},{3,4}}', '{1}')")
		require.NoError(t, err)
		_, err = m.First(t.Context())
		require.Error(t, err)
	})
}

type price struct {
	ID       int64
	Amount   int32
	ValidTo  time.Time
	ValidFor time.Time
}

// A table that keeps what its rows were has the key that the program gave it, though
// MariaDB puts the end of a row into each unique index.
func TestCheck_KnowsTheKeysOfVersionedTables(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "mysql" { // MariaDB; MySQL and the others have no such tables
			fl.Create(t, "CREATE TABLE prices (id {id})")
			return
		}
		fl.Create(t, "CREATE TABLE prices (id {id}, amount INT NOT NULL UNIQUE, valid_for TIMESTAMP(6) GENERATED ALWAYS AS ROW START,"+
			" valid_to TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (valid_for, valid_to)) WITH SYSTEM VERSIONING")
		m := conformance.Model[price](t, fl.Registry, dbfleet.ModelConfig{Table: "prices", Generated: []string{"valid_for", "valid_to"}})
		require.Empty(t, findingsOf(t, fl.Registry))
		p := price{Amount: 1}
		require.NoError(t, m.Create(t.Context(), &p))
		p.Amount = 2
		require.NoError(t, m.Save(t.Context(), &p))
	})
}

// truth 709
// SQLite deletes what a write conflicts with if the schema says so, and tells nobody.
func TestCheck_TellsOfConstraintsThatReplaceRows(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	fl.Create(t, "CREATE TABLE padders (id INTEGER PRIMARY KEY, flag TEXT NOT NULL UNIQUE ON CONFLICT REPLACE)")
	type flagged struct {
		ID   int64
		Flag string
	}
	m := conformance.Model[flagged](t, fl.Registry, dbfleet.ModelConfig{Table: "main.Padders"})
	require.Contains(t, findingsOf(t, fl.Registry)[""], "warning: a constraint is ON CONFLICT REPLACE")
	require.NoError(t, m.Create(t.Context(), &flagged{ID: 1, Flag: "a"}))
	require.NoError(t, m.Create(t.Context(), &flagged{ID: 2, Flag: "a"}))
	n, err := m.Count(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, n, "which is why")

	other := conformance.OnSQLite(t)
	other.Create(t, "CREATE TABLE replaced (id INTEGER PRIMARY KEY, flag TEXT NOT NULL UNIQUE ON CONFLICT FAIL, note TEXT NULL /* ON CONFLICT REPLACE */)")
	type noted struct {
		flagged
		Note *string
	}
	conformance.Model[noted](t, other.Registry, dbfleet.ModelConfig{Table: "replaced"})
	list, err := other.Check(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)
}
