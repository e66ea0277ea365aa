package dbfleet

import "context"

// CreateTableOptions adds to what CreateTable knows of a table. What it holds is SQL.
type CreateTableOptions struct {
	// RawTypes are types of columns, with all that follows a type: "numeric(10,2) NOT NULL",
	// "text NOT NULL DEFAULT 'new'", "integer GENERATED ALWAYS AS (a + b) STORED".
	RawTypes map[string]string
	// RawParts are more parts of the table: "UNIQUE (email)",
	// "FOREIGN KEY (user_id) REFERENCES users (id)".
	RawParts []string
}

// CreateTable creates a model's table unless it is there, for tests, examples and first
// steps. It is no migration tool: a table that is there stays as it is, whatever its columns
// are. Use one that keeps versions, such as goose, for tables that live on.
//
// Each column has a type that keeps all that its field holds; a pointer, a sql.Null, a
// []byte, a slice, a Date and a JSON may be NULL, other fields may not. A key of one integer
// is counted by the database, and no number comes twice. On MySQL texts and bytes of a key
// or shard key have up to 255 characters. A type that is not known (a Scanner, any, a column
// of ModelConfig.Generated or Defaults) is an error that names the column, as is an array
// where there are none: RawTypes has its type then. There are no indexes but the key's.
//
// The table is made where the model's records are, on the primary: a sharded model says by
// DB or Shard on which connection.
func CreateTable[T any](ctx context.Context, m *Model[T], options ...CreateTableOptions) error {
	return (*query)(m).createTable(ctx, options)
}

// CreateTableSQL is the statement of CreateTable, which is not sent.
func CreateTableSQL[T any](m *Model[T], options ...CreateTableOptions) (string, error) {
	text, _, err := (*query)(m).createTableSQL(options)
	return text, err
}

//go:noinline
func (q *query) createTable(ctx context.Context, options []CreateTableOptions) error {
	text, db, err := q.createTableIn(ctx, options)
	if err != nil {
		return err
	}
	return db.create(ctx, text)
}

// createTableIn is createTableSQL for the tenant of a context, where each has a table.
func (q *query) createTableIn(ctx context.Context, options []CreateTableOptions) (string, *DB, error) {
	q, err := q.inSchema(ctx)
	if err != nil {
		return "", nil, err
	}
	return q.createTableSQL(options)
}

func (q *query) createTableSQL(options []CreateTableOptions) (string, *DB, error) {
	if err := q.usable(); err != nil {
		return "", nil, told(err)
	}
	o, err := atMostOne(options)
	if err != nil {
		return "", nil, errorf("CreateTable of %q: %w", q.src.table.Name, err)
	}
	to, err := q.src.destination(q.wish(), nil, false)
	if err != nil {
		return "", nil, told(err)
	}
	e, err := q.src.reg.lookup(to.connection)
	if err != nil {
		return "", nil, err
	}
	text, err := q.src.table.Create(e.dialect, o.RawTypes, o.RawParts)
	if err != nil {
		return "", nil, errorf("connection %q: CreateTable: %w", to.connection, told(err))
	}
	return text, q.src.reg.DB(to.connection), nil
}
