package value

const uuidText = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"

// ParseUUID reads 32 hexadecimal digits with the four usual dashes or without. It
// allocates nothing.
func ParseUUID(s string) (u [16]byte, ok bool) {
	dashed := len(s) == len(uuidText)
	if !dashed && len(s) != 32 {
		return u, false
	}
	n := 0
	for i := range len(s) {
		if dashed && uuidText[i] == '-' {
			if s[i] != '-' {
				return u, false
			}
			continue
		}
		digit, ok := hexDigit(s[i])
		if !ok {
			return u, false
		}
		u[n/2] = u[n/2]<<4 | digit
		n++
	}
	return u, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// FormatUUID gives the 36 characters that all databases take for a UUID. Raw
// bytes, for MySQL's BINARY(16), are sent as a []byte.
func FormatUUID(u [16]byte) string {
	const digits = "0123456789abcdef"
	var text [len(uuidText)]byte
	n := 0
	for i := range text {
		if uuidText[i] == '-' {
			text[i] = '-'
			continue
		}
		nibble := u[n/2] >> 4
		if n%2 == 1 {
			nibble = u[n/2] & 0x0f
		}
		text[i] = digits[nibble]
		n++
	}
	return string(text[:])
}
