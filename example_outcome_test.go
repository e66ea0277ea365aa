package dbfleet_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dbfleet/dbfleet"
)

type ware struct {
	ID     int64
	Code   string
	Pieces int64
	Boxes  int64
}

func exampleWares() (wares *dbfleet.Model[ware], end func()) {
	registry, err := dbfleet.Open(dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{
		"main": {Driver: dbfleet.SQLite, Database: ":memory:"},
	}})
	if err != nil {
		log.Fatal(err)
	}
	_, err = registry.DB("main").ExecContext(context.Background(), "CREATE TABLE wares (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, pieces INTEGER NOT NULL, boxes INTEGER NOT NULL)")
	if err != nil {
		log.Fatal(err)
	}
	return dbfleet.MustModel[ware](registry, dbfleet.ModelConfig{Table: "wares"}), func() { _ = registry.Close() }
}

// What a nightly import has done, row by row.
func ExampleUpsertOutcomes() {
	wares, end := exampleWares()
	defer end()
	ctx := context.Background()

	byCode := dbfleet.Conflict{Key: []string{"code"}, KeepEqual: true}
	for _, list := range [][]ware{
		{{Code: "bolt", Pieces: 100}, {Code: "nut", Pieces: 80}},
		{{Code: "bolt", Pieces: 100}, {Code: "nut", Pieces: 90}, {Code: "screw", Pieces: 10}},
	} {
		outcomes, err := dbfleet.UpsertOutcomes(ctx, wares, list, byCode)
		fmt.Println(outcomes, err)
	}
	// Output:
	// [inserted inserted] <nil>
	// [unchanged updated inserted] <nil>
}

// Whole boxes, and the pieces in each.
func ExampleDiv() {
	wares, end := exampleWares()
	defer end()
	ctx := context.Background()
	if err := wares.Create(ctx, &ware{Code: "bolt", Pieces: 100, Boxes: 7}); err != nil {
		log.Fatal(err)
	}
	pieces := dbfleet.Field(wares, func(w *ware) *int64 { return &w.Pieces })
	boxes := dbfleet.Field(wares, func(w *ware) *int64 { return &w.Boxes })

	type row struct {
		Dozens int64
		Each   string
	}
	rows, err := dbfleet.Into[row](wares.Query().
		SelectValue(dbfleet.DivInt(pieces, dbfleet.Value[int64](12)), "dozens").
		SelectValue(dbfleet.Div(pieces, boxes, 2), "each")).Get(ctx)
	fmt.Println(rows, err)
	// Output:
	// [{8 14.29}] <nil>
}
