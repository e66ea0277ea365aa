package driver

import (
	"net/url"
	"slices"
	"strings"
)

// redact replaces the passwords, however they are written, in text.
func redact(text string, passwords []string) string {
	var forms []string
	for _, password := range passwords {
		if password == "" {
			continue
		}
		for _, form := range [...]string{password, url.QueryEscape(password), url.PathEscape(password), url.UserPassword("", password).String()} {
			if form = strings.TrimPrefix(form, ":"); form != "" {
				forms = append(forms, form)
			}
		}
	}
	// A longer one first: what begins with a shorter one would keep its end.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	for _, form := range forms {
		text = strings.ReplaceAll(text, form, "xxxxx")
	}
	return text
}
