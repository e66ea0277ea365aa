// Command entgen writes ent's generated code for a number of record types, which
// are those that package build writes for the other libraries, into a folder.
//
//	go run ./build/entgen -types 50 -dir /tmp/ent
//
// It is a program of its own so that only who measures ent builds its generator.
package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"

	"entgo.io/ent/entc/gen"
	"entgo.io/ent/entc/load"
	"entgo.io/ent/schema/field"
)

func main() {
	types := flag.Int("types", 1, "how many record types")
	dir := flag.String("dir", "", "the `folder` for the package generated/ent")
	flag.Parse()
	if err := generate(*types, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "entgen:", err)
		os.Exit(1)
	}
}

func generate(types int, dir string) error {
	storage, err := gen.NewStorage("sql")
	if err != nil {
		return err
	}
	var schemas []*load.Schema
	for i := range types {
		schemas = append(schemas, schema(strconv.Itoa(i+1)))
	}
	graph, err := gen.NewGraph(&gen.Config{
		Schema: "generated/schema", Package: "generated/ent", Target: dir, Storage: storage,
		IDType: &field.TypeInfo{Type: field.TypeInt64}, Features: []gen.Feature{gen.FeatureUpsert},
	}, schemas...)
	if err != nil {
		return err
	}
	return graph.Gen()
}

// schema is the record type of that number. Its name is not T1: the code that ent
// generates has variables of that name.
func schema(number string) *load.Schema {
	s := &load.Schema{Name: "Record" + number}
	for i, f := range []struct {
		name     string
		is       field.Type
		nullable bool
	}{
		{"id", field.TypeInt64, false},
		{"name" + number, field.TypeString, false},
		{"email", field.TypeString, false},
		{"age", field.TypeInt, false},
		{"score", field.TypeFloat64, false},
		{"active", field.TypeBool, false},
		{"note", field.TypeString, true},
		{"created_at", field.TypeTime, false},
		{"updated_at", field.TypeTime, false},
	} {
		info := &field.TypeInfo{Type: f.is}
		if f.is == field.TypeTime {
			info.PkgPath = "time"
		}
		s.Fields = append(s.Fields, &load.Field{
			Name: f.name, Info: info, Optional: f.nullable, Nillable: f.nullable, Position: &load.Position{Index: i},
		})
	}
	return s
}
