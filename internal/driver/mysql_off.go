//go:build dbfleet_no_mysql

package driver

func newMySQL(Options) (backend, error) {
	return nil, &NotLinkedError{Driver: "MySQL", Tag: "dbfleet_no_mysql"}
}

func classifyMySQL(error) (Problem, bool) { return Problem{}, false }

func mysqlMessage(error) (raw, shown string, ok bool) { return "", "", false }

const mysqlLinked = false
