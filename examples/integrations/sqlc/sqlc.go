// Package sqlc runs queries that sqlc generated, in package store, on connections
// of dbfleet. A *dbfleet.DB and a *dbfleet.Tx are what sqlc calls a DBTX, so there
// is nothing to adapt: store.New(db) sends everything to the primary,
// store.New(db.Read()) asks a replica, and store.New(tx) takes part in a
// transaction. Hooks, error classes and time limits are dbfleet's.
//
// The settings are in sqlc.yaml, with sql_package left at database/sql.
package sqlc

//go:generate sqlc generate

import (
	"context"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/examples/integrations/sqlc/store"
)

// AddBook stores a book, and its author where he is new: both or neither.
func AddBook(ctx context.Context, db *dbfleet.DB, author, title string) (book store.Book, err error) {
	err = db.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
		queries := store.New(tx)
		a, err := queries.AddAuthor(ctx, author)
		if err != nil {
			return err
		}
		book, err = queries.AddBook(ctx, store.AddBookParams{AuthorID: a.ID, Title: title})
		return err
	})
	return book, err
}

// BooksOf are an author's books, read from a replica if there is one.
func BooksOf(ctx context.Context, db *dbfleet.DB, author string) ([]store.BooksOfRow, error) {
	return store.New(db.Read()).BooksOf(ctx, author)
}
