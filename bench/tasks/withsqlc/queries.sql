-- name: Note :exec
INSERT INTO events (kind) VALUES (?);

-- name: Create :one
INSERT INTO users (name, email) VALUES (?, ?) RETURNING *;

-- name: Find :one
SELECT * FROM users WHERE id = ?;

-- name: List :many
SELECT * FROM users WHERE balance >= ? ORDER BY name LIMIT ?;

-- name: Rename :exec
UPDATE users SET name = ? WHERE id = ?;

-- name: Raise :exec
UPDATE users SET balance = balance + sqlc.arg(amount) WHERE id = sqlc.arg(id);

-- name: Upsert :exec
INSERT INTO users (name, email) VALUES (?, ?)
ON CONFLICT (email) DO UPDATE SET name = excluded.name;

-- name: AddOrder :exec
INSERT INTO orders (user_id, total) VALUES (?, ?);

-- name: Take :execrows
UPDATE users SET balance = balance - sqlc.arg(amount) WHERE id = sqlc.arg(id) AND balance >= sqlc.arg(amount);

-- name: Users :many
SELECT * FROM users ORDER BY id;

-- name: OrdersOf :many
SELECT * FROM orders WHERE user_id IN (sqlc.slice('users')) ORDER BY id;

-- name: Spending :many
SELECT user_id, COUNT(*) AS number, CAST(SUM(total) AS REAL) AS total
FROM orders GROUP BY user_id ORDER BY user_id;

-- name: Largest :many
SELECT user_id, total FROM (
	SELECT user_id, total, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY total DESC) AS place FROM orders
) AS ranked WHERE place = 1 AND total > ? ORDER BY user_id;
