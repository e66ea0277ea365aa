package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// TreeJSON writes what a decoder of another language (YAML, TOML) made of a text
// as JSON, so that one road reads all of them. An object there may be a
// map[string]any or a map[any]any.
func TreeJSON(tree any) ([]byte, error) {
	data, err := json.Marshal(jsonTree(tree))
	if err != nil {
		// The error could show a value.
		return nil, errors.New("dbfleet: the configuration has a value that is not a text, a number, a truth value, a list or an object")
	}
	return data, nil
}

// jsonTree makes a text of every key of an object and of every duration.
func jsonTree(tree any) any {
	switch tree := tree.(type) {
	case time.Duration:
		return jsonValue(tree)
	case map[any]any:
		o := make(map[string]any, len(tree))
		for key, value := range tree {
			o[fmt.Sprint(key)] = jsonTree(value)
		}
		return o
	case map[string]any:
		o := make(map[string]any, len(tree))
		for key, value := range tree {
			o[key] = jsonTree(value)
		}
		return o
	case []map[string]any:
		list := make([]any, len(tree))
		for i, value := range tree {
			list[i] = jsonTree(value)
		}
		return list
	case []any:
		list := make([]any, len(tree))
		for i, value := range tree {
			list[i] = jsonTree(value)
		}
		return list
	}
	return tree
}
