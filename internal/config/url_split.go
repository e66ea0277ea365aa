package config

import (
	"net/url"
	"strings"
)

// urlParts are the parts of a server's URL as they were written.
type urlParts struct {
	user, password, host, database, query string
}

// splitURL splits what follows "scheme://". A password may have any character
// unescaped, as long as only one reading of the whole remains; it ends at the
// last @ then.
func splitURL(rest string) (urlParts, error) {
	var readings []urlParts
	last := strings.LastIndexByte(rest, '@')
	lastRead := last < 0
	if parts, ok := readURL("", rest); ok {
		readings = append(readings, parts)
		// Before a password there is a colon: without one, each @ is in a value.
		authority := rest[:min(len(rest), strings.IndexAny(rest+"/", "/?#"))]
		lastRead = lastRead || !strings.Contains(authority, ":")
	}
	for i := range len(rest) {
		if rest[i] != '@' {
			continue
		}
		parts, ok := readURL(rest[:i], rest[i+1:])
		if ok {
			readings = append(readings, parts)
			lastRead = lastRead || i == last || !strings.Contains(rest[:i], ":")
		}
	}
	switch {
	case len(readings) == 0 && strings.Contains(rest[last+1:], ","):
		return urlParts{}, errURLHosts
	case len(readings) == 0:
		return urlParts{}, errURLSyntax
	case len(readings) > 1 || !lastRead:
		return urlParts{}, errURLAmbiguous
	}
	return readings[0], nil
}

// readURL reads a URL on the assumption that userinfo is what stands before the
// host. ok is false if the rest cannot be host, database and query then.
func readURL(userinfo, rest string) (parts urlParts, ok bool) {
	parts.user, parts.password, _ = strings.Cut(userinfo, ":")
	if strings.ContainsAny(parts.user, "/?#@") || strings.Contains(rest, "#") {
		return parts, false
	}
	var path string
	path, parts.query, _ = strings.Cut(rest, "?")
	parts.host, parts.database, _ = strings.Cut(path, "/")
	if strings.ContainsAny(parts.database, "/@:") || strings.Contains(rest, " ") {
		return parts, false
	}
	if parts.query != "" {
		for _, pair := range strings.Split(parts.query, "&") {
			if pair == "" {
				continue
			}
			name, _, found := strings.Cut(pair, "=")
			if name, err := unescape(name); !found || err != nil || !isURLParam(name) {
				return parts, false
			}
		}
	}
	if parts.host == "" || strings.HasPrefix(strings.ToLower(parts.host), "%2f") {
		return parts, !strings.ContainsAny(parts.host, "@:")
	}
	host, err := unescape(parts.host)
	if err != nil {
		return parts, false
	}
	_, _, err = SplitAddress(host, 0)
	return parts, err == nil
}

// unescape decodes %XX; a + stays a +.
func unescape(text string) (string, error) {
	decoded, err := url.PathUnescape(text)
	if err != nil {
		return "", errURLEscape
	}
	return decoded, nil
}

// unescapePassword is unescape for a password that may not have been escaped at
// all: if none of its % begins an escape, it is taken literally.
func unescapePassword(text string) (string, error) {
	decoded, err := unescape(text)
	if err == nil {
		return decoded, nil
	}
	for i := range len(text) {
		if text[i] == '%' && i+2 < len(text) {
			if _, notEscape := url.PathUnescape(text[i : i+3]); notEscape == nil {
				return "", err
			}
		}
	}
	return text, nil
}
