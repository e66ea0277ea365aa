package dbfleet

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
)

// Cipher seals the values of encrypted columns; see Encryption. NewAESCipher makes one, and
// a program may bring its own, say for keys that stay in a vault: those are fetched before,
// since Seal and Open are called while a record is written or read, without a context. Both
// are called by many goroutines at once.
type Cipher interface {
	// Seal returns a ciphertext of plaintext that opens with the same bound bytes only. It
	// keeps neither slice.
	Seal(plaintext, bound []byte) (sealed []byte, err error)
	// Open returns the plaintext that Seal was given, or an error that does not show it. It
	// must notice every change of sealed and of bound.
	Open(sealed, bound []byte) (plaintext []byte, err error)
}

// CipherKey is a key of NewAESCipher.
type CipherKey struct {
	// ID names the key in each ciphertext, in clear: "2026-11". 1 to 255 bytes. It is never
	// given to another key.
	ID string
	// Key are 32 random bytes, as string(bytes).
	Key Secret
}

// NewAESCipher returns a Cipher that seals by AES-256 in Galois/Counter mode with current,
// and opens with whichever key a value was sealed with. To rotate, make the new key current
// and the one before it older; each record that is saved is sealed anew. A key that is
// needed no more is left out, and what it has sealed does not open then.
//
// Each value has a random nonce of 96 bits: a key should seal no more than 2^32 values. The
// ciphertext is 30 bytes longer than the plaintext, and by the key's ID.
func NewAESCipher(current CipherKey, older ...CipherKey) (Cipher, error) {
	c := &aesCipher{current: current.ID, keys: map[string]cipher.AEAD{}, sums: map[[sha256.Size]byte]bool{}}
	var faults []error
	for _, k := range slices.Concat([]CipherKey{current}, older) {
		aead, err := k.aead()
		switch {
		case err != nil:
		case c.keys[k.ID] != nil:
			err = errorf("cipher key %q: there are two of this ID", k.ID)
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		c.keys[k.ID] = aead
		c.sums[sha256.Sum256([]byte(string(k.Key)))] = true
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return c, nil
}

func (k CipherKey) aead() (cipher.AEAD, error) {
	key := []byte(string(k.Key))
	switch {
	case k.ID == "":
		return nil, errorf("a cipher key has no ID")
	case len(k.ID) > 255:
		return nil, errorf("cipher key: its ID has %d bytes, more than 255", len(k.ID))
	case len(key) != 32:
		return nil, errorf("cipher key %q: it has %d bytes, not 32", k.ID, len(key))
	case slices.Max(key) == 0:
		return nil, errorf("cipher key %q: it is zero", k.ID)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, errorf("cipher key %q: %w", k.ID, err)
	}
	return cipher.NewGCM(block)
}

// aesCipher is immutable. Its ciphertexts are a byte for the format, the length of the
// key's ID, the ID, the nonce, and what Seal of crypto/cipher gives.
type aesCipher struct {
	current string
	keys    map[string]cipher.AEAD
	sums    map[[sha256.Size]byte]bool // of the keys, to tell them from those of blind indexes
}

const aesFormat = 1

// header begins a ciphertext. It is bound too: another key's ID does not open.
func aesHeader(id string) []byte { return append([]byte{aesFormat, byte(len(id))}, id...) }

// extra is what is authenticated beside the plaintext.
func aesExtra(header, bound []byte) []byte { return slices.Concat(header, bound) }

func (c *aesCipher) Seal(plaintext, bound []byte) ([]byte, error) {
	aead, header := c.keys[c.current], aesHeader(c.current)
	nonce := make([]byte, aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return aead.Seal(slices.Concat(header, nonce), nonce, plaintext, aesExtra(header, bound)), nil
}

func (c *aesCipher) Open(sealed, bound []byte) ([]byte, error) {
	switch {
	case len(sealed) < 2 || sealed[0] != aesFormat:
		return nil, errors.New("it is not of NewAESCipher's format")
	case len(sealed) < 2+int(sealed[1]):
		return nil, errors.New("it is cut off")
	}
	id, rest := string(sealed[2:2+int(sealed[1])]), sealed[2+int(sealed[1]):]
	aead := c.keys[id]
	if aead == nil {
		return nil, fmt.Errorf("no key has the ID %q", id)
	}
	if len(rest) < aead.NonceSize()+aead.Overhead() {
		return nil, errors.New("it is cut off")
	}
	plaintext, err := aead.Open(nil, rest[:aead.NonceSize()], rest[aead.NonceSize():], aesExtra(aesHeader(id), bound))
	if err != nil {
		return nil, errors.New("it was changed, or belongs to another row or column")
	}
	return plaintext, nil
}

// String keeps keys out of what fmt prints of a configuration.
func (c *aesCipher) String() string { return fmt.Sprintf("AES-256-GCM, current key %q", c.current) }

// GoString is String.
func (c *aesCipher) GoString() string { return c.String() }
