package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/schema"
	"github.com/dbfleet/dbfleet/internal/starter"
)

// request is what the flags ask for.
type request struct {
	dsn, dsnEnv, config, connections string
	out, tables, schemas, null       string
	singular, timestamps, force      bool
	timeout                          time.Duration
	options                          starter.Options
}

func parse(args []string, stderr io.Writer) (*request, error) {
	var r request
	f := flag.NewFlagSet("dbfleet models", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&r.dsn, "dsn", "", "one database, by a `URL` or DSN as ConnectionConfig.URL takes it; its models name no connection")
	f.StringVar(&r.dsnEnv, "dsn-env", "", "the environment `variable` that has the DSN, so that no password stands among the arguments")
	f.StringVar(&r.config, "config", "", "a `file` of dbfleet.Config as JSON, or env for the environment that ConfigFromEnv reads; its models name their connections")
	f.StringVar(&r.connections, "connections", "", "`names` of -config's connections, parted by commas; all if empty")
	f.StringVar(&r.out, "out", "", "the `file` to write; the standard output if empty")
	f.StringVar(&r.options.Package, "package", "models", "the `name` of the package")
	f.StringVar(&r.tables, "tables", "", "`patterns` of tables, parted by commas: user*,order?; a ! before one leaves tables out; all if empty. Of a schema that -schemas names, they are matched as schema.table")
	f.StringVar(&r.schemas, "schemas", "", "`names` of schemas of PostgreSQL, databases of MySQL or attached ones of SQLite, parted by commas; that of the connection if empty")
	f.BoolVar(&r.singular, "singular", true, "types have the names of one row: User for users")
	f.BoolVar(&r.timestamps, "timestamps", true, "created_at and updated_at are ModelConfig.Timestamps")
	f.StringVar(&r.options.SoftDelete, "soft-delete", "", "the `column` that is ModelConfig.SoftDelete, in tables that have it: deleted_at")
	f.StringVar(&r.options.Version, "version-column", "", "the `column` that is ModelConfig.Version, in tables that have it: version")
	f.StringVar(&r.null, "null", "pointer", "how fields hold NULL: pointer or sql (sql.Null)")
	f.BoolVar(&r.force, "force", false, "write -out anew, with all that was changed in it, if it is a starter")
	f.DurationVar(&r.timeout, "timeout", time.Minute, "how long to read the databases at most")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	r.options.Tables, r.options.Untimed, r.options.SQLNull = !r.singular, !r.timestamps, r.null == "sql"
	ways := 0
	for _, way := range []string{r.dsn, r.dsnEnv, r.config} {
		if way != "" {
			ways++
		}
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("%q is no flag", f.Arg(0))
	case ways != 1:
		return nil, errors.New("give one of -dsn, -dsn-env and -config")
	case r.connections != "" && r.config == "":
		return nil, errors.New("-connections are those of -config")
	case r.null != "pointer" && r.null != "sql":
		return nil, fmt.Errorf("-null is pointer or sql, not %q", r.null)
	}
	return &r, nil
}

// models is the command "dbfleet models".
func models(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	r, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if err := r.writable(); err != nil {
		return err
	}
	config, err := r.connect()
	if err != nil {
		return err
	}
	for name, c := range config.Connections {
		if err := there(c); err != nil {
			return fmt.Errorf("connection %q: %w", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	registry, err := dbfleet.Open(config)
	if err != nil {
		return err
	}
	defer registry.Close()
	connections, err := r.read(ctx, registry)
	if err != nil {
		return err
	}
	text, warnings, err := starter.Make(connections, r.options)
	for _, w := range warnings {
		fmt.Fprintln(stderr, "warning:", w)
	}
	if err != nil {
		return err
	}
	if r.out == "" {
		_, err = stdout.Write(text)
		return err
	}
	return r.write(text)
}

// connect is the configuration of the databases.
func (r *request) connect() (config dbfleet.Config, err error) {
	switch {
	case r.config == "env":
		return dbfleet.ConfigFromEnv()
	case r.config != "":
		text, err := os.ReadFile(r.config)
		if err != nil {
			return config, err
		}
		return config, json.Unmarshal(text, &config)
	case r.dsnEnv != "":
		if r.dsn = os.Getenv(r.dsnEnv); r.dsn == "" {
			return config, fmt.Errorf("the environment variable %s is empty", r.dsnEnv)
		}
	}
	return dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": {URL: dbfleet.Secret(r.dsn)}}}, nil
}

// there refuses a file of SQLite that is not there: to open it would make it.
func there(c dbfleet.ConnectionConfig) error {
	file := ""
	scheme, rest, _ := strings.Cut(string(c.URL), ":")
	switch driver := dbfleet.Driver(strings.ToLower(string(c.Driver))); {
	case scheme == "sqlite" || scheme == "file":
		file, _, _ = strings.Cut(rest, "?")
		file = strings.TrimPrefix(strings.TrimPrefix(file, "//localhost"), "//")
		if plain, err := url.PathUnescape(file); err == nil {
			file = plain
		}
	case driver == dbfleet.SQLite || driver == "sqlite3":
		file = c.Database
	}
	if file == "" || file == ":memory:" {
		return nil
	}
	_, err := os.Stat(file)
	return err
}

// read reads the tables that are asked for.
func (r *request) read(ctx context.Context, registry *dbfleet.Registry) ([]starter.Connection, error) {
	names := registry.Names()
	if wanted := list(r.connections); wanted != nil {
		for _, name := range wanted {
			if !slices.Contains(names, name) {
				return nil, &dbfleet.UnknownConnectionError{Name: name, Known: names}
			}
		}
		names = wanted
	}
	var connections []starter.Connection
	for _, name := range names {
		c, err := r.readConnection(ctx, registry, name)
		if err != nil {
			return nil, fmt.Errorf("connection %q: %w", name, err)
		}
		if r.config == "" {
			c.Name = ""
		}
		connections = append(connections, c)
	}
	return connections, nil
}

func (r *request) readConnection(ctx context.Context, registry *dbfleet.Registry, name string) (c starter.Connection, err error) {
	db := registry.DB(name)
	d, ok := dialect.Lookup(string(db.Driver()))
	if !ok {
		return c, fmt.Errorf("the driver %q is not known", db.Driver())
	}
	if d == dialect.SQLite {
		db = db.Read() // which leaves the file's journal mode as it is
	}
	c = starter.Connection{Name: name, Dialect: d}
	schemas := list(r.schemas)
	if schemas == nil {
		schemas = []string{""}
	}
	for _, s := range schemas {
		tables, err := schema.Tables(ctx, db, d, s)
		if err != nil {
			return c, err
		}
		for i := range tables {
			t := &tables[i]
			taken, err := starter.Selected(list(r.tables), t.FullName())
			if err != nil {
				return c, err
			}
			if !taken {
				continue
			}
			if err := t.Fill(ctx, db, d); err != nil {
				return c, fmt.Errorf("table %q: %w", t.FullName(), err)
			}
			c.Tables = append(c.Tables, *t)
		}
	}
	return c, nil
}

// list is a text's parts between commas, nil for none.
func list(text string) (parts []string) {
	for p := range strings.SplitSeq(text, ",") {
		if p = strings.TrimSpace(p); p != "" {
			parts = append(parts, p)
		}
	}
	return parts
}
