package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Dialect returns the dialect that a driver's name or alias stands for, in any
// case.
func Dialect(driver string) (*dialect.Dialect, bool) {
	return dialect.Lookup(strings.ToLower(driver))
}

// UnknownDriver returns what is wrong with a name that Dialect does not know,
// as the end of a sentence that begins with its key.
func UnknownDriver(name string) error {
	if name == "" {
		return errors.New("is missing: name postgres, mysql or sqlite, or give a url")
	}
	return fmt.Errorf("is %.40q, which is not a driver: use postgres, mysql or sqlite", name)
}

// wellKnownPorts are the ports on which servers listen by default, by the
// driver's canonical name.
var wellKnownPorts = map[string]int{
	dialect.Postgres.Name: 5432,
	dialect.MySQL.Name:    3306,
}

// WellKnownPort returns the port on which servers of the driver listen by
// default, 0 if there are none. The driver's name is the canonical one.
func WellKnownPort(driver string) int { return wellKnownPorts[driver] }

// driverOfPort returns the driver whose servers listen on port by default, empty
// if there is none.
func driverOfPort(port int) string {
	for driver, known := range wellKnownPorts {
		if port == known {
			return driver
		}
	}
	return ""
}
