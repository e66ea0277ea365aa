package main

import (
	"bytes"
	"embed"
	"fmt"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

//go:embed programs
var programs embed.FS

// A library is what programs are written for.
type library struct {
	name  string // of its template too
	title string
	// code writes what the library generates for a number of types, as packages
	// below generated/. nil generates nothing.
	code func(t *toolchain, types int, dir string) error
}

var libraries = []library{
	{name: "dbfleet", title: "dbfleet"},
	{name: "database_sql", title: "database/sql by hand"},
	{name: "gorm", title: "GORM"},
	{name: "gorm_generics", title: "GORM generics"},
	{name: "bun", title: "Bun"},
	{name: "sqlx", title: "sqlx"},
	{name: "ent", title: "ent", code: (*toolchain).entCode},
	{name: "bob", title: "bob"},
}

// layouts of a program.
const (
	together = "together" // types and their usual calls in package main
	apart    = "apart"    // types in package models, two calls of each in package main
)

// A pkg is a package to compile.
type pkg struct {
	path    string
	files   []string
	imports []string
}

// generate writes a program into a folder and returns its packages, each after
// those that it imports; the last one is package main.
func (l library) generate(t *toolchain, layout string, types int, dir string) ([]pkg, error) {
	tmpl, err := template.ParseFS(programs, "programs/common.tmpl", "programs/"+l.name+".tmpl")
	if err != nil {
		return nil, err
	}
	w := writer{tmpl: tmpl, dir: dir}
	numbers := make([]string, types)
	for i := range numbers {
		numbers[i] = strconv.Itoa(i + 1)
	}
	if l.code != nil {
		if err := l.code(t, types, dir); err != nil {
			return nil, err
		}
	}
	w.write("main", "main", "main", map[string]any{"Numbers": numbers})
	w.write("main", "handle", "handle", nil)
	for _, n := range numbers {
		data := map[string]any{"N": n}
		switch {
		case layout == together:
			w.write("main", "t"+n, "type", data)
		case l.code == nil:
			w.write("generated/models", "t"+n, "model", data)
			w.write("main", "t"+n, "two", data, "generated/models")
		default:
			w.write("main", "t"+n, "two", data)
		}
	}
	if w.err != nil {
		return nil, w.err
	}
	return packagesBelow(dir)
}

// writer writes files of a program from its templates.
type writer struct {
	tmpl *template.Template
	dir  string
	err  error // the first one
}

func (w *writer) write(folder, name, from string, data any, imports ...string) {
	if w.err != nil {
		return
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "package %s\n\n", filepath.Base(folder))
	for _, i := range imports {
		fmt.Fprintf(&b, "import %q\n\n", i)
	}
	if w.err = w.tmpl.ExecuteTemplate(&b, from, data); w.err != nil {
		return
	}
	text, err := format.Source(b.Bytes())
	if err != nil {
		w.err = fmt.Errorf("%s/%s.go: %w", folder, name, err)
		return
	}
	folder = filepath.Join(w.dir, folder)
	if w.err = os.MkdirAll(folder, 0o755); w.err == nil {
		w.err = os.WriteFile(filepath.Join(folder, name+".go"), text, 0o644)
	}
}

// packagesBelow finds the packages that package main is made of, each after those
// that it imports.
func packagesBelow(dir string) ([]pkg, error) {
	var order []pkg
	seen := map[string]bool{}
	var visit func(path string) error
	visit = func(path string) error {
		if seen[path] {
			return nil
		}
		seen[path] = true
		p, err := readPackage(dir, path)
		if err != nil {
			return err
		}
		for _, i := range p.imports {
			if strings.HasPrefix(i, "generated/") {
				if err := visit(i); err != nil {
					return err
				}
			}
		}
		order = append(order, p)
		return nil
	}
	return order, visit("main")
}

func readPackage(dir, path string) (pkg, error) {
	files, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(path), "*.go"))
	if err != nil {
		return pkg{}, err
	}
	if len(files) == 0 {
		return pkg{}, fmt.Errorf("no package %s was generated", path)
	}
	p := pkg{path: path, files: files}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return pkg{}, err
		}
		for _, i := range f.Imports {
			imported, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return pkg{}, err
			}
			p.imports = append(p.imports, imported)
		}
	}
	slices.Sort(p.imports)
	p.imports = slices.Compact(p.imports)
	return p, nil
}
