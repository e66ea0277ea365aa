package config

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// jsonObject is a JSON object under construction.
type jsonObject map[string]any

// section returns the object under a name, a new one if there is none.
func (o jsonObject) section(name string) jsonObject {
	inner, ok := o[name].(jsonObject)
	if !ok {
		inner = make(jsonObject)
		o[name] = inner
	}
	return inner
}

// EncodeJSON writes the settings as Decode reads them: all of them if section is
// empty, else those of a section such as "pool". It hides no secret.
func (s Settings) EncodeJSON(section string) ([]byte, error) {
	o := make(jsonObject)
	for key, value := range s {
		outer, name, nested := strings.Cut(key, ".")
		switch {
		case section != "" && outer == section && nested:
			o[name] = jsonValue(value)
		case section != "":
		case key == ReadPool:
			o.section(ReadPool)
		case nested:
			o.section(outer)[name] = jsonValue(value)
		default:
			o[key] = jsonValue(value)
		}
	}
	return json.Marshal(o)
}

// jsonValue writes durations as texts.
func jsonValue(value any) any {
	d, ok := value.(time.Duration)
	switch {
	case !ok:
		return value
	case d == Unbounded:
		return strconv.Itoa(Unbounded)
	}
	return d.String()
}
