package main

import (
	_ "entgo.io/ent/dialect/sql"
	_ "entgo.io/ent/dialect/sql/sqlgraph"
	_ "github.com/Masterminds/squirrel"
	_ "github.com/dbfleet/dbfleet"
	_ "github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jmoiron/sqlx"
	_ "github.com/stephenafamo/bob/dialect/mysql"
	_ "github.com/stephenafamo/bob/dialect/psql"
	_ "github.com/stephenafamo/bob/dialect/sqlite"
	_ "github.com/uptrace/bun/dialect/mysqldialect"
	_ "github.com/uptrace/bun/dialect/pgdialect"
	_ "github.com/uptrace/bun/dialect/sqlitedialect"
	_ "gorm.io/driver/mysql"
	_ "gorm.io/driver/postgres"
	_ "gorm.io/driver/sqlite"
	_ "gorm.io/plugin/dbresolver"
	_ "modernc.org/sqlite"
	_ "xorm.io/xorm"
	_ "github.com/go-sql-driver/mysql"
)

func main() {}
