// Package vectors has column types that an extension of PostgreSQL brings, as
// pgvector does. (What is used here is cube, which every PostgreSQL has; of pgvector
// the type would be pgvector.Vector.)
//
// A type with Value and Scan is a field of a model as it is, on every database. What
// more the driver should know of it is told to each new connection by
// ConnectionConfig.OnConnect: here, a composite type, so that it can be an argument.
package vectors

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/dbfleet/dbfleet"
)

// A Vector is a value of cube: "(1, 2.5, 3)".
type Vector []float64

// Value writes the vector as the extension reads it.
func (v Vector) Value() (driver.Value, error) {
	parts := make([]string, len(v))
	for i, x := range v {
		parts[i] = strconv.FormatFloat(x, 'g', -1, 64)
	}
	return "(" + strings.Join(parts, ", ") + ")", nil
}

// Scan reads the vector as the extension writes it.
func (v *Vector) Scan(src any) error {
	text, ok := src.(string)
	if raw, bytes := src.([]byte); bytes {
		text, ok = string(raw), true
	}
	if !ok {
		return fmt.Errorf("a vector is not read from %T", src)
	}
	*v = (*v)[:0]
	for part := range strings.SplitSeq(strings.Trim(text, "()"), ", ") {
		x, err := strconv.ParseFloat(part, 64)
		if err != nil {
			return err
		}
		*v = append(*v, x)
	}
	return nil
}

// A Picture is a row of pictures.
type Picture struct {
	ID        int64
	Title     string
	Embedding Vector
}

// Dimensions are a value of a composite type, CREATE TYPE dimensions AS (width
// INTEGER, height INTEGER), as pgx has it for an argument.
func Dimensions(width, height int32) pgtype.CompositeFields {
	return pgtype.CompositeFields{width, height}
}

// Prepare is for ConnectionConfig.OnConnect: it tells the driver of a new
// connection the types of this database.
func Prepare(ctx context.Context, driverConn any) error {
	conn := driverConn.(*pgx.Conn)
	types, err := conn.LoadTypes(ctx, []string{"dimensions"})
	if err != nil {
		return err
	}
	conn.TypeMap().RegisterTypes(types)
	return nil
}

// Nearest are the pictures that are nearest to a vector.
func Nearest(ctx context.Context, pictures *dbfleet.Model[Picture], to Vector, limit int) ([]Picture, error) {
	return pictures.Query().OrderByRaw("embedding <-> ?", to).Limit(limit).Get(ctx)
}

// OfDimensions are the titles of the pictures of a width and height: one argument,
// of the database's own type.
func OfDimensions(ctx context.Context, db *dbfleet.DB, width, height int32) ([]string, error) {
	return dbfleet.Select[string](ctx, db, `SELECT title FROM pictures WHERE size = $1::dimensions ORDER BY title`, Dimensions(width, height))
}
