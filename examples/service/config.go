package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dbfleet/dbfleet"
)

// The connections of this service.
const (
	usersDB   = "users_db"
	replicaDB = "replica" // of users_db; may be missing
	analytics = "analytics"
	shards    = 4
)

// shardOf names the connection that holds a user's orders.
func shardOf(userID int64) string { return shardName(userID % shards) }

func shardName(i int64) string { return fmt.Sprintf("orders_shard_%d", i+1) }

// loadConfig reads the environment if it describes databases, else it puts
// SQLite files into dir. cleanUp removes what was temporary.
func loadConfig(dir string) (config dbfleet.Config, cleanUp func(), err error) {
	cleanUp = func() {}
	for _, variable := range os.Environ() {
		if strings.HasPrefix(variable, "DB_") {
			config, err = dbfleet.ConfigFromEnv()
			return config, cleanUp, err
		}
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "dbfleet-service-"); err != nil {
			return config, cleanUp, err
		}
		cleanUp = func() { _ = os.RemoveAll(dir) }
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return config, cleanUp, err
	}
	return sqliteConfig(dir), cleanUp, nil
}

// sqliteConfig is the whole fleet as files in one folder. SQLite has no
// replicas: "replica" is another way to the same file.
func sqliteConfig(dir string) dbfleet.Config {
	file := func(name string) dbfleet.ConnectionConfig {
		return dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: filepath.Join(dir, name+".db")}
	}
	config := dbfleet.Config{Default: usersDB, Connections: map[string]dbfleet.ConnectionConfig{
		usersDB: file("users"), replicaDB: file("users"), analytics: file("analytics"),
	}}
	for i := range int64(shards) {
		config.Connections[shardName(i)] = file(shardName(i))
	}
	return config
}
