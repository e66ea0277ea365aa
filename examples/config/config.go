// Package config shows how a service reads the configuration of its databases with
// the library that it has already: encoding/json, YAML, TOML or viper. The keys, the
// durations ("30s") and the faults are the same everywhere.
package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/BurntSushi/toml"
	"github.com/spf13/viper"
	"gopkg.in/yaml.v3"

	"github.com/dbfleet/dbfleet"
)

// Service is the configuration of a whole service, of which that of the databases
// is a part.
type Service struct {
	Listen    string         `json:"listen" yaml:"listen" toml:"listen" mapstructure:"listen"`
	Databases dbfleet.Config `json:"databases" yaml:"databases" toml:"databases" mapstructure:"databases"`
}

// Load reads a file whose name tells its language.
func Load(path string) (Service, error) {
	var s Service
	data, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	switch ext := filepath.Ext(path); ext {
	case ".json":
		err = json.Unmarshal(data, &s)
	case ".yaml", ".yml":
		err = yaml.Unmarshal(data, &s)
	case ".toml":
		err = toml.Unmarshal(data, &s)
	default:
		err = fmt.Errorf("no reader of %s files", ext)
	}
	return s, err
}

// FromViper reads what viper has gathered from its files and variables. Viper
// writes every key, and so each connection's name, in lower case.
func FromViper(v *viper.Viper) (Service, error) {
	var s Service
	err := v.Unmarshal(&s)
	return s, err
}
