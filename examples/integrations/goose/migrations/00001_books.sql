-- +goose Up
CREATE TABLE books (id BIGINT NOT NULL PRIMARY KEY, title VARCHAR(200) NOT NULL);
CREATE INDEX books_title ON books (title);

-- +goose Down
DROP TABLE books;
