package config

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Unbounded is the number and the duration that mean: no bound.
const Unbounded = -1

// What is wrong with a text. Each continues a sentence that names the key.
var (
	errZero     = errors.New("is 0: leave it out for the default, or write -1 for no bound")
	errNumber   = errors.New("is not a whole number")
	errPort     = errors.New("must be between 1 and 65535")
	errBool     = errors.New("is neither true nor false")
	errDuration = errors.New(`is not a duration with its unit, such as "30s", "5m" or "1h30m"`)
	errSSL      = errors.New("is false, but tls.mode asks for TLS")
)

// setText sets a key from its text in the environment or in a URL. An error
// never contains the text, but for the name of a driver.
func (s Settings) setText(key Key, text string) error {
	switch key.Kind {
	case Driver:
		d, ok := Dialect(text)
		if !ok {
			return UnknownDriver(text)
		}
		s.Set(key.Name, d.Name)
	case TLSMode:
		mode := strings.ToLower(text)
		s.Set(key.Name, mode)
		return CheckTLSMode(mode)
	case Number, Port:
		n, err := strconv.Atoi(text)
		if err != nil {
			return errNumber
		}
		return s.setNumber(key, n)
	case Bool, SSL:
		on, err := parseBool(text)
		if err != nil {
			return err
		}
		return s.setBool(key, on)
	case Duration:
		return s.setDuration(key, text)
	case List:
		s.Set(key.Name, parseList(text))
	case Objects:
		var list []Settings
		for _, item := range parseList(text) {
			list = append(list, Settings{key.Of[0].Name: item})
		}
		s.Set(key.Name, list)
	case Section:
		return errNotObject
	default:
		s.Set(key.Name, text)
	}
	return nil
}

func parseList(text string) []string {
	list := strings.Split(text, ",")
	for i, item := range list {
		list[i] = strings.TrimSpace(item)
	}
	return list
}

// setNumber refuses a written zero, which would mean the default in silence.
func (s Settings) setNumber(key Key, n int) error {
	switch {
	case key.Kind == Port && (n < 1 || n > 65535):
		return errPort
	case n == 0:
		return errZero
	}
	s.Set(key.Name, n)
	return nil
}

// setBool sets a key from a text in which false, for a key of kind SSL, is not
// the same as absent.
func (s Settings) setBool(key Key, on bool) error {
	if key.Kind != SSL || on {
		s.Set(key.Name, on)
		return nil
	}
	if mode := s.text("tls.mode"); mode != "" && mode != TLSDisable {
		return errSSL
	}
	s.Set("tls.mode", TLSDisable)
	return nil
}

// setDuration refuses a written zero, as setNumber does.
func (s Settings) setDuration(key Key, text string) error {
	if text == strconv.Itoa(Unbounded) {
		s.Set(key.Name, time.Duration(Unbounded))
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return errDuration
	}
	if d == 0 {
		return errZero
	}
	s.Set(key.Name, d)
	return nil
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "1", "yes", "on":
		return true, nil
	case "false", "0", "no", "off":
		return false, nil
	}
	return false, errBool
}
