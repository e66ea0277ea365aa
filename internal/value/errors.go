package value

import "errors"

// ErrEncrypted tells of an encrypted column that is used as if the database knew its
// plaintext, or of one that cannot be sealed.
var ErrEncrypted = errors.New("dbfleet: encrypted column")
