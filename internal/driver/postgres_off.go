//go:build dbfleet_no_postgres

package driver

func newPostgres(Options, *Pool) (backend, error) {
	return nil, &NotLinkedError{Driver: "PostgreSQL", Tag: "dbfleet_no_postgres"}
}

func classifyPostgres(error) (Problem, bool) { return Problem{}, false }

func postgresMessage(error) (raw, shown string, ok bool) { return "", "", false }

const postgresLinked = false
