// Package token makes the text by which a session goes on in another request or another
// process: what the session has seen of each connection's history, signed. It knows no
// database, no position and no clock. All of it is pure and safe for concurrent use.
//
// A token is base64 without padding, in the alphabet for addresses, of
//
//	version (1 byte) · body · the first 16 bytes of HMAC-SHA256 over what is before them, with a key made of the given one
//
// and the body is
//
//	flags (1 byte) · number of marks · marks
//	mark: flags (1 byte) · length of the name · name · system (8 bytes, if it is known) · length of the position · position
//
// with numbers as unsigned varints. A session without marks and flags is the empty text.
package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

// MaxText is how long a token is at most, in bytes: it fits into a cookie, of which
// browsers keep 4096 bytes with its name and attributes.
const MaxText = 3072

const (
	version = 1
	// macSize is how much of the signature is kept: 128 bits.
	macSize = 16
	// purpose parts these signatures from others that are made with the same key.
	purpose = "dbfleet session"
)

// Mark is what a session has seen of one connection.
type Mark struct {
	// Connection is its name.
	Connection string
	// System tells whose history it is, 0 if that is not known.
	System uint64
	// Position is where in it, as its package encodes it; empty is nowhere.
	Position []byte
	// Pinned says that there is more to be seen than Position tells, so that only the
	// primary may be read, and Lasting that no later position can end that.
	Pinned, Lasting bool
	// Behind says that more was read than Position tells.
	Behind bool
}

// Content is what a token says.
type Content struct {
	Marks []Mark
	// All says that every connection of which there is no mark is to be taken as pinned:
	// there was no room for more, or it is not known what was seen of it.
	All bool
}

// ErrBad is a text that is no token of these keys: forged, cut, of another version or
// signed with another key.
var ErrBad = errors.New("it is cut or changed, of another version, or signed with a key that is not known here")

// ErrNoKey says that there is no key to sign with.
var ErrNoKey = errors.New("there is no key to sign it with")

const (
	hasSystem = 1 << iota
	isPinned
	isLasting
	isBehind
	known = hasSystem | isPinned | isLasting | isBehind
)

const allPinned = 1

// Seal returns the token of c, signed with key. What does not fit into MaxText is not
// cut off: the longest positions give way to pins, and if that is not enough all of it
// gives way to Content.All.
func Seal(c Content, key []byte) (string, error) {
	if len(c.Marks) == 0 && !c.All {
		return "", nil
	}
	if len(key) == 0 {
		return "", ErrNoKey
	}
	b := fit(c)
	b = append(b, sign(b, key)...)
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// room is how long version and body may be.
var room = base64.RawURLEncoding.DecodedLen(MaxText) - macSize

// fit is version and body of c, or of what says as much in less room.
func fit(c Content) []byte {
	b := appendBody(nil, c)
	if len(b) <= room {
		return b
	}
	marks := append([]Mark(nil), c.Marks...)
	for len(b) > room {
		longest := 0
		for i := range marks {
			if len(marks[i].Position) > len(marks[longest].Position) {
				longest = i
			}
		}
		if len(marks[longest].Position) == 0 {
			return appendBody(nil, Content{All: true})
		}
		marks[longest].Position, marks[longest].Pinned = nil, true
		b = appendBody(b[:0], Content{Marks: marks, All: c.All})
	}
	return b
}

func appendBody(b []byte, c Content) []byte {
	b = append(b, version, 0)
	if c.All {
		b[len(b)-1] = allPinned
	}
	b = binary.AppendUvarint(b, uint64(len(c.Marks)))
	for i := range c.Marks {
		b = c.Marks[i].append(b)
	}
	return b
}

func (m *Mark) append(b []byte) []byte {
	var flags byte
	if m.System != 0 {
		flags |= hasSystem
	}
	if m.Pinned {
		flags |= isPinned
	}
	if m.Lasting {
		flags |= isLasting
	}
	if m.Behind {
		flags |= isBehind
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, uint64(len(m.Connection)))
	b = append(b, m.Connection...)
	if m.System != 0 {
		b = binary.BigEndian.AppendUint64(b, m.System)
	}
	b = binary.AppendUvarint(b, uint64(len(m.Position)))
	return append(b, m.Position...)
}

// derive is the key that signs. HMAC takes some keys for the same: one with zero bytes
// behind it, and one that is longer than a block and its hash.
func derive(key []byte) []byte {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s key\x00%d\x00%s", purpose, len(key), key)
	return h.Sum(nil)
}

func sign(b, key []byte) []byte {
	h := hmac.New(sha256.New, derive(key))
	h.Write([]byte(purpose))
	h.Write(b)
	return h.Sum(nil)[:macSize]
}

// Open returns what a token says that was signed with one of keys. Every other text is
// ErrBad, but the empty one, which says nothing. The signature is compared in constant
// time, and nothing is read before it was found to be right.
func Open(text string, keys [][]byte) (Content, error) {
	if text == "" {
		return Content{}, nil
	}
	if len(text) > MaxText {
		return Content{}, ErrBad
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < macSize+1 || base64.RawURLEncoding.EncodeToString(b) != text { // a decoder skips line ends
		return Content{}, ErrBad
	}
	body, mac := b[:len(b)-macSize], b[len(b)-macSize:]
	ok := false
	for _, key := range keys {
		if len(key) > 0 && hmac.Equal(sign(body, key), mac) {
			ok = true
		}
	}
	if !ok || body[0] != version {
		return Content{}, ErrBad
	}
	return parse(body[1:])
}

// parse reads a body, which must be as Seal makes it.
func parse(b []byte) (c Content, err error) {
	r := reader{b: b}
	switch r.byte() {
	case allPinned:
		c.All = true
	case 0:
	default:
		r.bad = true
	}
	n := r.number()
	if n > uint64(len(r.b)) { // a mark has more than one byte
		return Content{}, ErrBad
	}
	for range n {
		var m Mark
		flags := r.byte()
		m.Connection = string(r.bytes())
		if flags&hasSystem != 0 {
			m.System = r.uint64()
		}
		if at := r.bytes(); len(at) > 0 {
			m.Position = at
		}
		m.Pinned, m.Lasting, m.Behind = flags&isPinned != 0, flags&isLasting != 0, flags&isBehind != 0
		if r.bad || flags&^known != 0 || flags&hasSystem != 0 && m.System == 0 {
			return Content{}, ErrBad
		}
		c.Marks = append(c.Marks, m)
	}
	if r.bad || len(r.b) > 0 {
		return Content{}, ErrBad
	}
	return c, nil
}

// reader reads from b; bad says that it was too short.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) bytes() []byte { return r.take(r.number()) }
