package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// A cursor is the text of a place in the order of a query. It is base64 as a session's
// token is, of
//
//	version (1 byte) · flags (1 byte) · query (12 bytes) · number of keys · keys · 16 bytes of HMAC-SHA256
//	key: kind (1 byte) · value
//
// with a key of the registry, or with one that everybody knows: then the HMAC finds what
// was damaged and not what was forged.

// MaxCursor is how long a cursor is at most, in bytes.
const MaxCursor = 16 << 10

const (
	cursorVersion = 1
	cursorPurpose = "dbfleet cursor"
)

// Cursor is a place in the order of a query.
type Cursor struct {
	// Query tells which query, and in which order.
	Query [12]byte
	// With says that the row of the keys lies behind the place.
	With bool
	// Keys are the values of a row in the columns of the order.
	Keys []Key
}

// Key is one value: nil, a bool, int64, uint64, float64, string, []byte or time.Time.
type Key struct {
	Value   any
	Decimal bool // Value is the text of a decimal
}

// The errors of cursors.
var (
	ErrCursor     = errors.New("it is cut or changed, or signed with a key that is not known here")
	ErrVersion    = errors.New("it was made by another version of this library")
	ErrLongCursor = fmt.Errorf("it would be longer than %d bytes; order by shorter values", MaxCursor)
)

const (
	isWith = 1 << iota
	isSigned
)

const (
	keyNull = iota
	keyFalse
	keyTrue
	keyInt
	keyUint
	keyFloat
	keyText
	keyBytes
	keyTime
	keyDecimal
)

// SealCursor returns the text of c, signed with key; without one it is not signed.
func SealCursor(c Cursor, key []byte) (string, error) {
	flags := byte(0)
	if c.With {
		flags |= isWith
	}
	if len(key) > 0 {
		flags |= isSigned
	}
	b := append([]byte{cursorVersion, flags}, c.Query[:]...)
	b = binary.AppendUvarint(b, uint64(len(c.Keys)))
	var err error
	for _, k := range c.Keys {
		if b, err = k.append(b); err != nil {
			return "", err
		}
	}
	b = append(b, signCursor(b, key)...)
	if base64.RawURLEncoding.EncodedLen(len(b)) > MaxCursor {
		return "", ErrLongCursor
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

func (k Key) append(b []byte) ([]byte, error) {
	text := func(kind byte, s string) []byte {
		return append(binary.AppendUvarint(append(b, kind), uint64(len(s))), s...)
	}
	switch v := k.Value.(type) {
	case nil:
		return append(b, keyNull), nil
	case bool:
		if v {
			return append(b, keyTrue), nil
		}
		return append(b, keyFalse), nil
	case int64:
		return binary.AppendVarint(append(b, keyInt), v), nil
	case uint64:
		return binary.AppendUvarint(append(b, keyUint), v), nil
	case float64:
		return binary.BigEndian.AppendUint64(append(b, keyFloat), math.Float64bits(v)), nil
	case string:
		if k.Decimal {
			return text(keyDecimal, v), nil
		}
		return text(keyText, v), nil
	case []byte:
		return text(keyBytes, string(v)), nil
	case time.Time:
		return binary.AppendUvarint(binary.AppendVarint(append(b, keyTime), v.Unix()), uint64(v.Nanosecond())), nil
	}
	return nil, fmt.Errorf("a %T is no value of a cursor", k.Value)
}

// signCursor signs with a key, or with none that is secret.
func signCursor(b, key []byte) []byte {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s key\x00%d\x00%s", cursorPurpose, len(key), key)
	m := hmac.New(sha256.New, h.Sum(nil))
	m.Write([]byte(cursorPurpose))
	m.Write(b)
	return m.Sum(nil)[:macSize]
}

// OpenCursor returns what a cursor says that was signed with one of keys, or without keys
// what one says that was not signed. Every other text is an error.
func OpenCursor(text string, keys [][]byte) (Cursor, error) {
	if len(text) > MaxCursor {
		return Cursor{}, ErrCursor
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < macSize+2 || base64.RawURLEncoding.EncodeToString(b) != text {
		return Cursor{}, ErrCursor
	}
	if b[0] != cursorVersion {
		return Cursor{}, ErrVersion
	}
	body, mac := b[:len(b)-macSize], b[len(b)-macSize:]
	ok := len(keys) == 0 && hmac.Equal(signCursor(body, nil), mac)
	for _, key := range keys {
		if len(key) > 0 && hmac.Equal(signCursor(body, key), mac) {
			ok = true
		}
	}
	if !ok {
		return Cursor{}, ErrCursor
	}
	return parseCursor(body[1:])
}

func parseCursor(b []byte) (c Cursor, err error) {
	r := reader{b: b}
	flags := r.byte()
	c.With = flags&isWith != 0
	copy(c.Query[:], r.take(uint64(len(c.Query))))
	n := r.number()
	if r.bad || n > uint64(len(r.b)) || flags&^(isWith|isSigned) != 0 {
		return Cursor{}, ErrCursor
	}
	for range n {
		c.Keys = append(c.Keys, r.key())
	}
	if r.bad || len(r.b) > 0 {
		return Cursor{}, ErrCursor
	}
	return c, nil
}

func (r *reader) key() (k Key) {
	switch r.byte() {
	case keyNull:
	case keyFalse:
		k.Value = false
	case keyTrue:
		k.Value = true
	case keyInt:
		k.Value = r.signed()
	case keyUint:
		k.Value = r.number()
	case keyFloat:
		k.Value = math.Float64frombits(r.uint64())
	case keyText:
		k.Value = string(r.bytes())
	case keyBytes:
		k.Value = append([]byte{}, r.bytes()...)
	case keyDecimal:
		k = Key{string(r.bytes()), true}
	case keyTime:
		seconds := r.signed()
		k.Value = time.Unix(seconds, int64(r.number()%1e9)).UTC()
	default:
		r.bad = true
	}
	return k
}

func (r *reader) signed() int64 {
	n, size := binary.Varint(r.b)
	if size <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[size:]
	return n
}
