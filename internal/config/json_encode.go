package config

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// EncodeJSON writes the settings as Decode reads them: all of them if section is
// empty, else those of a section such as "pool". It hides no secret.
func (s Settings) EncodeJSON(section string) ([]byte, error) { return json.Marshal(s.Tree(section)) }

// Tree is what EncodeJSON writes, for encoders of other languages: objects are
// map[string]any, and durations are texts.
func (s Settings) Tree(section string) map[string]any {
	o := make(map[string]any)
	for key, value := range s {
		outer, name, nested := strings.Cut(key, ".")
		switch {
		case section != "" && outer == section && nested:
			o[name] = jsonValue(value)
		case section != "":
		case value == true && matters(key): // it is there, if only empty
			sectionOf(o, key)
		case nested:
			sectionOf(o, outer)[name] = jsonValue(value)
		default:
			o[key] = jsonValue(value)
		}
	}
	return o
}

// sectionOf returns the object under a name, a new one if there is none.
func sectionOf(o map[string]any, name string) map[string]any {
	inner, ok := o[name].(map[string]any)
	if !ok {
		inner = make(map[string]any)
		o[name] = inner
	}
	return inner
}

// jsonValue writes durations as texts, and settings as objects.
func jsonValue(value any) any {
	if list, ok := value.([]Settings); ok {
		objects := make([]any, len(list))
		for i, s := range list {
			objects[i] = s.Tree("")
		}
		return objects
	}
	d, ok := value.(time.Duration)
	switch {
	case !ok:
		return value
	case d == Unbounded:
		return strconv.Itoa(Unbounded)
	}
	return d.String()
}
