// Package mysql speaks with MySQL and MariaDB by go-sql-driver/mysql. Build tag
// dbfleet_no_mysql leaves it out.
package mysql
