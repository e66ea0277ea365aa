package config

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFault_NamesConnectionVariableKeyAndCause(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	for want, fault := range map[string]*Fault{
		`dbfleet: is bad`:                                            {Reason: "is bad"},
		`dbfleet: host is bad`:                                       {Key: "host", Reason: "is bad"},
		`dbfleet: DB_HSOT is bad`:                                    {Variable: "DB_HSOT", Reason: "is bad"},
		`dbfleet: connection "a": DB_A_HOST (host) is bad`:           {Connection: "a", Key: "host", Variable: "DB_A_HOST", Reason: "is bad"},
		`dbfleet: connection "a": tls.ca_file cannot be read: cause`: {Connection: "a", Key: "tls.ca_file", Reason: "cannot be read", Err: cause},
		`dbfleet: connection "a\nb": "x y" is bad`:                   {Connection: "a\nb", Key: "x y", Reason: "is bad"},
		`dbfleet: "ü" is bad`:                                        {Key: "ü", Reason: "is bad"},
		`dbfleet: a~ is bad`:                                         {Key: "a~", Reason: "is bad"},
	} {
		require.EqualError(t, fault, want)
	}
	require.ErrorIs(t, &Fault{Err: cause}, cause)
}

func TestFaults_NameTheVariableThatGaveTheSetting(t *testing.T) {
	t.Parallel()
	f := NewFaults("users", "DB_USERS_")
	s := Settings{"host": "h"}
	s.Merge(testKeys, Settings{"host": "h", "pool.max_open": 3}, f)
	f.Add("pool.max_open", "is bad")
	f.Add("host", "is bad")
	f.Add("params.role", "is bad")
	variables := []string{}
	for _, fault := range f.List() {
		variables = append(variables, fault.Variable)
		require.Equal(t, "users", fault.Connection)
	}
	require.Equal(t, []string{"DB_USERS_URL", "DB_USERS_HOST", "DB_USERS_URL"}, variables)
	require.True(t, f.Has("host"))
	require.False(t, f.Has("port"))
}
