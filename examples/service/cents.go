package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Cents is an amount of money. In JSON it is a number with at most two
// decimals: 1250 cents are 12.50.
type Cents int64

// maxCents is the largest amount of one order.
const maxCents = 1_000_000_000_00

var amount = regexp.MustCompile(`^(\d{1,12})(?:\.(\d{1,2}))?$`)

// MarshalJSON writes 12.50.
func (c Cents) MarshalJSON() ([]byte, error) {
	sign := ""
	if c < 0 {
		sign, c = "-", -c
	}
	return fmt.Appendf(nil, "%s%d.%02d", sign, c/100, c%100), nil
}

// UnmarshalJSON reads 12.5 exactly, without a float in between.
func (c *Cents) UnmarshalJSON(text []byte) error {
	m := amount.FindSubmatch(text)
	if m == nil {
		return errors.New("an amount is a positive number with at most two decimals")
	}
	whole, decimals := string(m[1]), string(m[2])
	n, err := strconv.ParseInt(whole+decimals+strings.Repeat("0", 2-len(decimals)), 10, 64)
	*c = Cents(n)
	return err
}
