package config

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

// The keywords of libpq's connection strings, such as "host=db user=app". One of
// the second makes it such a string.
var (
	keywordFirst = regexp.MustCompile(`^\s*[A-Za-z_][A-Za-z0-9_.]*\s*=`)
	keywordKnown = regexp.MustCompile(`(?:^|\s)(?:host|hostaddr|port|dbname|user|password|service|sslmode)\s*=`)
)

var errKeywords = errors.New(`is not keyword=value with blanks between, such as "host=db user=app dbname=shop": ` +
	`a value with blanks stands in single quotes, in which \ comes before ' and \`)

func isKeywords(text string) bool {
	return keywordFirst.MatchString(text) && keywordKnown.MatchString(text)
}

// setKeywords sets s from a connection string of libpq's.
func (s Settings) setKeywords(keys Keys, text string) error {
	params, err := splitKeywords(text)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(params, func(p urlParam) bool { return p.name == "host" && strings.Contains(p.value, ",") }); i >= 0 {
		return errURLHosts
	}
	return s.setURLParams(keys, params)
}

// splitKeywords reads keyword = value by the rules of libpq. An empty value says
// nothing there.
func splitKeywords(text string) ([]urlParam, error) {
	const blanks = " \t\n\r\v\f"
	var params []urlParam
	for text = strings.TrimLeft(text, blanks); text != ""; text = strings.TrimLeft(text, blanks) {
		name, rest, ok := strings.Cut(text, "=")
		if name = strings.TrimRight(name, blanks); !ok || name == "" || strings.ContainsAny(name, blanks) {
			return nil, errKeywords
		}
		rest = strings.TrimLeft(rest, blanks)
		quoted := strings.HasPrefix(rest, "'")
		if quoted {
			rest = rest[1:]
		}
		var value strings.Builder
		i := 0
		for ; i < len(rest); i++ {
			c := rest[i]
			if quoted && c == '\'' || !quoted && strings.IndexByte(blanks, c) >= 0 {
				break
			}
			if c == '\\' && i+1 < len(rest) {
				i++
				c = rest[i]
			}
			value.WriteByte(c)
		}
		if quoted {
			if i == len(rest) {
				return nil, errKeywords
			}
			i++
		}
		text = rest[i:]
		if value.Len() > 0 {
			params = append(params, urlParam{name: name, value: value.String()})
		}
	}
	return params, nil
}

// serverOptions reads the value of "options": what is given by -c or -- is a session
// parameter each; what is left is for a proxy in front of the server, such as
// "endpoint=…" (Neon), "reference=…" (Supabase) or "--cluster=…" (CockroachDB).
func serverOptions(value string) ([]urlParam, error) {
	var params []urlParam
	var proxy []string
	words := strings.Fields(value)
	for i := 0; i < len(words); i++ {
		word := words[i]
		setting, isSetting := strings.CutPrefix(word, "-c")
		switch {
		case strings.HasPrefix(word, "--cluster="):
			proxy = append(proxy, word)
			continue
		case isSetting && setting == "" && i+1 < len(words):
			i++
			setting = words[i]
		case isSetting:
		case strings.HasPrefix(word, "--"):
			setting = word[2:]
		case strings.HasPrefix(word, "-"):
			return nil, errors.New("has more than -c name=value: set each parameter by its name")
		default:
			proxy = append(proxy, word)
			continue
		}
		name, value, ok := strings.Cut(setting, "=")
		if !ok || strings.Contains(value, `\`) {
			return nil, errors.New("has more than -c name=value: set each parameter by its name")
		}
		params = append(params, urlParam{name: strings.ReplaceAll(name, "-", "_"), value: value})
	}
	if len(proxy) > 0 {
		params = append(params, urlParam{name: "options", value: strings.Join(proxy, " ")})
	}
	return params, nil
}
