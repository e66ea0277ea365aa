package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadEnv_SortsVariablesIntoConnections(t *testing.T) {
	t.Parallel()
	env := testKeys.ReadEnv([]string{
		"DB_CONNECTION=Main", "DB_HOST=h", "DB_PORT=3306", "DB_HOST=second",
		"DB_USERS_DB_HOST=u", "DB_USERS_DB_POOL_MAX_OPEN=3", "DB_PG_READ_POOL_MAX_OPEN=4", "DB_A_URL=mariadb://u@h/d",
		"PATH=/bin", "DATABASE_HOST=x", "db_host=x",
	}, EnvPrefix, nil)
	require.Equal(t, "main", env.Default)
	require.Empty(t, env.Faults)
	found := map[string]Settings{}
	names := []string{}
	for _, conn := range env.Connections {
		names = append(names, conn.Name+" "+conn.Prefix)
		found[conn.Name] = conn.Settings
		require.Empty(t, conn.Faults.List())
	}
	require.Equal(t, []string{"a DB_A_", "main DB_", "pg DB_PG_", "users_db DB_USERS_DB_"}, names)
	require.Equal(t, map[string]Settings{
		"a":        {"driver": "mysql", "url": "mariadb://u@h/d"},
		"main":     {"driver": "mysql", "host": "h", "port": 3306},
		"pg":       {"driver": "postgres", "read_pool.max_open": 4},
		"users_db": {"host": "u", "pool.max_open": 3},
	}, found)
}

func TestReadEnv_FaultsNameTheirVariables(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		environ []string
		want    []string // variables in the order of the faults, with a part of the text after a space
	}{
		"nothing":              {nil, []string{"DB_CONNECTION is missing"}},
		"empty default":        {[]string{"DB_CONNECTION="}, []string{"DB_CONNECTION empty"}},
		"no default":           {[]string{"DB_PORT=1", "DB_HOST=h"}, []string{"DB_CONNECTION DB_HOST describes"}},
		"unknown default":      {[]string{"DB_CONNECTION=x", "DB_Y_HOST=h"}, []string{`DB_CONNECTION known: "y"`}},
		"both ways":            {[]string{"DB_CONNECTION=a", "DB_HOST=h", "DB_A_HOST=h"}, []string{"DB_CONNECTION both DB_HOST and DB_A_HOST"}},
		"empty and malformed":  {[]string{"DB_A_HOST=", "DB_A_PORT=x"}, []string{"DB_A_HOST empty", "DB_A_PORT whole number"}},
		"SSL against the mode": {[]string{"DB_A_SSL=no", "DB_A_TLS_MODE=require"}, []string{"DB_A_SSL tls.mode"}},
		"misspelt":             {[]string{"DB_A_HSOT=h", "DB_A_PORT=x"}, []string{"DB_A_HSOT did you mean DB_A_HOST?", "DB_A_PORT whole"}},
		"another word":         {[]string{"DB_A_HOST=h", "DB_A_PASS=h"}, []string{"DB_A_PASS did you mean DB_A_PASSWORD?"}},
		"lower case":           {[]string{"DB_A_HOST=h", "DB_b_HOST=1"}, []string{"DB_b_HOST did you mean DB_B_HOST?"}},
		"no hint":              {[]string{"DB_A_HOST=h", "DB_BACKUP_BUCKET=1"}, []string{"DB_BACKUP_BUCKET connection"}},
		"too many words":       {[]string{"DB_A_HOST=h", "DB" + strings.Repeat("_X", 40) + "_HSOT=1"}, []string{"DB" + strings.Repeat("_X", 40) + "_HSOT connection"}},
		"no name":              {[]string{"DB_A_HOST=h", "DB__HOST=1"}, []string{"DB__HOST is not"}},
	} {
		env := testKeys.ReadEnv(tc.environ, EnvPrefix, nil)
		faults := env.Faults
		for _, conn := range env.Connections {
			faults = append(faults, conn.Faults.List()...)
		}
		require.Len(t, faults, len(tc.want), name)
		for i, want := range tc.want {
			variable, text, _ := strings.Cut(want, " ")
			require.Equal(t, variable, faults[i].Variable, name)
			require.Contains(t, faults[i].Error(), text, name)
		}
	}
}

// An unknown variable gets an answer at once, however long its name is.
func TestReadEnv_HintsDoNotGrowWithTheName(t *testing.T) {
	t.Parallel()
	long := "DB_A_" + strings.Repeat("X", 1<<20)
	env := testKeys.ReadEnv([]string{long + "=1", "DB_A_HOST=h"}, EnvPrefix, nil)
	require.Len(t, env.Faults, 1)
	require.Equal(t, "is not a variable of a connection", env.Faults[0].Reason)
}

func FuzzReadEnv(f *testing.F) {
	f.Add("DB_A_HOST=h\x01DB_A_URL=mysql://u:"+canary+"@h/d\x01DB_A_PORT=x", "DB_A_PASSWORD")
	f.Add("DB_CONNECTION=postgresql", "DB_URL")
	f.Add("DB_CONNECTION=x\x01DB_HOST=h", "DB_TLS_KEY")
	f.Fuzz(func(t *testing.T, environ, variable string) {
		if strings.Contains(strings.ToUpper(environ+variable), canary) || strings.HasSuffix(variable, "DRIVER") || variable == "DB_CONNECTION" {
			t.Skip() // names are no secrets: a fault shows them
		}
		env := testKeys.ReadEnv(append(strings.Split(environ, "\x01"), variable+"="+canary, "DB_PASSWORD="+canary), EnvPrefix, nil)
		faults := env.Faults
		for _, conn := range env.Connections {
			require.True(t, strings.HasPrefix(conn.Prefix, "DB_") && strings.HasSuffix(conn.Prefix, "_"), conn.Prefix)
			require.Equal(t, strings.ToLower(conn.Name), conn.Name)
			for key := range conn.Settings {
				require.True(t, slices.ContainsFunc(testKeys, func(k Key) bool { return k.Name == key }), key)
			}
			for _, fault := range conn.Faults.List() {
				require.Equal(t, conn.Prefix+EnvSuffix(fault.Key), fault.Variable)
			}
			faults = append(faults, conn.Faults.List()...)
		}
		for _, fault := range faults {
			require.True(t, strings.HasPrefix(fault.Variable, "DB_"), fault.Variable)
			requireNoCanary(t, fault.Error())
		}
	})
}
