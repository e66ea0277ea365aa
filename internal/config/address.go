package config

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
)

// What is wrong with an address. Each continues a sentence that names its key.
var (
	errBadHost    = errors.New("is neither a host's name nor an IP address")
	errBadPort    = errors.New("has a port that is not between 1 and 65535")
	errBadAddress = errors.New("is not host, host:port or [IPv6]:port")
	errURL        = errors.New("is a URL, of which only the host is wanted")
)

// SplitAddress splits "host", "host:port", "[v6]" or "[v6]:port". Its errors
// continue a sentence that names the address.
func SplitAddress(address string, defaultPort int) (host string, port int, err error) {
	port = defaultPort
	if isURL(address) {
		return "", 0, errURL
	}
	if strings.HasSuffix(address, "]") || !strings.Contains(address, ":") {
		host = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
		if host != address && !strings.Contains(host, ":") {
			return "", 0, errBadHost
		}
	} else {
		var text string
		if host, text, err = net.SplitHostPort(address); err != nil {
			return "", 0, errBadAddress
		}
		if port, err = strconv.Atoi(text); err != nil || port < 1 || port > 65535 {
			return "", 0, errBadPort
		}
	}
	return host, port, CheckHost(host)
}

// CheckHost returns why host is neither a host's name nor an IP address.
func CheckHost(host string) error {
	if _, err := netip.ParseAddr(host); err == nil && !strings.ContainsFunc(host, unicode.IsControl) {
		return nil
	}
	if isURL(host) {
		return errURL
	}
	if host == "" || len(host) > 253 || host[0] == '-' {
		return errBadHost
	}
	for _, r := range host {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '-', r == '_':
		default:
			return errBadHost
		}
	}
	return nil
}

// isURL says that an address is a whole URL, which may have a password in it.
func isURL(address string) bool { return strings.Contains(address, "://") }
