package driver

import (
	"net/url"
	"strings"
)

// redact replaces the password, however it is written, in text.
func redact(text, password string) string {
	if password == "" {
		return text
	}
	for _, form := range []string{password, url.QueryEscape(password), url.PathEscape(password), url.UserPassword("", password).String()} {
		if form = strings.TrimPrefix(form, ":"); form != "" {
			text = strings.ReplaceAll(text, form, "xxxxx")
		}
	}
	return text
}
