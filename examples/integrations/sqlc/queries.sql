-- name: AddAuthor :one
INSERT INTO authors (name) VALUES ($1)
ON CONFLICT (name) DO UPDATE SET name = EXCLUDED.name
RETURNING *;

-- name: AddBook :one
INSERT INTO books (author_id, title) VALUES ($1, $2) RETURNING *;

-- name: BooksOf :many
SELECT books.id, books.title FROM books JOIN authors ON authors.id = books.author_id
WHERE authors.name = $1 ORDER BY books.id;

-- name: DeleteBooks :execrows
DELETE FROM books WHERE author_id = $1;
