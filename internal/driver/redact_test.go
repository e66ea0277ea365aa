package driver

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRedact_LeavesWordsReadable(t *testing.T) {
	t.Parallel()
	const refused = "failed to connect to `user=app database=shop`: 127.0.0.1:5432 (localhost): dial error: connection refused"
	for _, password := range []string{"a", "e", "app1", "conn", "5", "err", "ial", "7.0", "127.", "`: 1"} {
		require.Equal(t, refused, redact(refused, []string{password}), password)
	}
	require.Equal(t, "failed to connect to `user=xxxxx database=shop`: 127.0.0.1:5432 (localhost): dial error: connection refused", redact(refused, []string{"app"}))
	require.Equal(t, "connect to main: no xxxxx", newConnectError("main", errors.New("no a"), []string{"a"}).Error())
}

// promise: secrets appear nowhere
func TestRedact_HidesAPasswordThatIsShown(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"a", "7", "x", "pw", "p@", "%", " ", ":", "@", "é", "p w", "12345", "secret", "p/w:rd#%", "longer than that"} {
		for _, text := range []string{
			`password "PW" of app is wrong`, "password 'PW'", "password=PW host=h", "PW", "cannot parse `postgres://u:PW@h/d`", "{u PW h}", "[PW]", "pw:\tPW;",
		} {
			for _, form := range []string{password, url.QueryEscape(password), url.PathEscape(password)} {
				shown := strings.ReplaceAll(text, "PW", form)
				got := redact(shown, []string{password})
				require.NotEqual(t, shown, got, password)
				require.Contains(t, got, "xxxxx", password)
			}
		}
		escaped := url.QueryEscape("u:"+password+"@h") + ` line\n` + url.QueryEscape(password) + ` `
		require.Equal(t, 2, strings.Count(redact(escaped, []string{password}), "xxxxx"), "%s: %s", password, redact(escaped, []string{password}))
	}
	require.Equal(t, "no password", redact("no password", []string{""}))
	require.Equal(t, "inxxxxxside", redact("insecretside", []string{"secret"}), "a long one everywhere")
}
