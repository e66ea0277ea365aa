package session

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

func TestCheckParams_NamesEachFault(t *testing.T) {
	t.Parallel()
	o := Options{Name: "main", Dialect: dialect.Postgres, Params: map[string]string{
		"application_name": "shop", "work_mem": "4\x00MB", "a b": "1", "app.user": "x",
	}}
	err := CheckParams(o, true)
	require.ErrorContains(t, err, `Params["a b"]`)
	require.ErrorContains(t, err, "Params.work_mem")
	require.NotContains(t, err.Error(), "application_name")
	require.NotContains(t, err.Error(), "app.user")
	require.ErrorContains(t, CheckParams(o, false), `Params["app.user"]`)
	delete(o.Params, "work_mem")
	delete(o.Params, "a b")
	require.NoError(t, CheckParams(o, true))
}
