package dbfleet_test

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/dbfleet/dbfleet"
)

func ExampleSecret() {
	config := dbfleet.ConnectionConfig{Driver: dbfleet.MySQL, Host: "db1", Database: "users", Username: "app", Password: "sesame"}
	fmt.Printf("%v %q %x\n", config.Password, config.Password, config.Password)
	text, err := json.Marshal(config)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(text))
	fmt.Println(string(config.Password)) // the program itself
	// Output:
	// [redacted] "[redacted]" [redacted]
	// {"database":"users","driver":"mysql","host":"db1","password":"[redacted]","username":"app"}
	// sesame
}

// The variables of a file, or of a test, with a prefix of their own.
func ExampleEnvOptions() {
	config, err := dbfleet.ConfigFromEnv(dbfleet.EnvOptions{
		Prefix: "SHOP_DB_",
		Lookup: func() []string {
			return []string{
				"SHOP_DB_CONNECTION=main",
				"SHOP_DB_URL=app:sesame@tcp(db1:3306)/shop?parseTime=true&tls=true",
				"SHOP_DB_POOL_MAX_OPEN=20",
				"SHOP_DB_BACKUP_BUCKET=s3://backups",
			}
		},
		Ignore: []string{"SHOP_DB_BACKUP_*"},
	})
	if err != nil {
		log.Fatal(err)
	}
	main := config.Connections["main"]
	fmt.Println(main.Driver, main.Pool.MaxOpen)

	_, err = dbfleet.ConfigFromEnv(dbfleet.EnvOptions{Lookup: func() []string {
		return []string{"DB_MAIN_URL=mysql://app@db1/shop", "DB_MAIN_READ_URL=mysql://app@db2/shop", "DB_MAIN_READ_POOL_MAX_OPEN=5"}
	}})
	fmt.Println(err)
	// Output:
	// mysql 20
	// dbfleet: DB_MAIN_READ_POOL_MAX_OPEN can be read_pool.max_open of the connection "main", which DB_MAIN_URL describes, or pool.max_open of the connection "main_read", which DB_MAIN_READ_URL describes: give one of them another name
}

// What a load balancer asks: the service needs main, and can do without analytics.
func ExampleRegistry_HealthHandler() {
	registry, err := dbfleet.Open(dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{
		"main":      {Driver: dbfleet.SQLite, Database: ":memory:"},
		"analytics": {Driver: dbfleet.SQLite, Database: "/no/such/folder/analytics.db"},
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer registry.Close()
	for _, required := range [][]string{{"main"}, {"main", "analytics"}} {
		handler := registry.HealthHandler(dbfleet.HealthOptions{Required: required})
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/health", nil))
		var health dbfleet.Health
		if err := json.Unmarshal(answer.Body.Bytes(), &health); err != nil {
			log.Fatal(err)
		}
		fmt.Println(answer.Code, health.Status, health.Connections["analytics"].Nodes[0].Problem)
	}
	// Output:
	// 200 degraded no database
	// 503 unhealthy no database
}
