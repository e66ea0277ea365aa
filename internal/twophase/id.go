package twophase

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Prefix begins every ID. Prepared transactions without it belong to others.
const Prefix = "dbfleet_"

// MaxID is the number of bytes of an ID. MySQL takes 64 for the global part of an
// XA identifier.
const MaxID = len(Prefix) + ledgerDigits + 1 + madeDigits + randomDigits

const (
	ledgerDigits = 16
	madeDigits   = 8
	randomDigits = 16
)

// A LedgerID is the identity of one database's ledger: 16 hexadecimal digits, drawn
// when the table is made and kept in it, together with the name of the database. A
// ledger that finds itself in a database of another name, which is a copy of the first,
// must draw a new one: otherwise two ledgers would answer for the same transactions. For
// the same reason nothing may be in doubt when a database is renamed.
type LedgerID string

// NewLedgerID draws an identity.
func NewLedgerID() LedgerID { return LedgerID(random(ledgerDigits)) }

// Valid says whether the text is one that NewLedgerID may have drawn.
func (l LedgerID) Valid() bool { return isHex(string(l), ledgerDigits) }

// An ID names one transaction over several databases:
//
//	dbfleet_<ledger of the anchor, 16>_<seconds, 8><random, 16>
//
// in hexadecimal digits of lower case. It is given before the transaction begins,
// because XA START asks for it. The seconds are the coordinator's clock and serve one
// purpose: a ledger that forgets records remembers the youngest of them, and knows
// thereby whether it may have forgotten an ID. No two clocks are compared.
type ID string

// NewID draws an ID whose decision will be written to the given ledger.
func NewID(anchor LedgerID, now time.Time) ID {
	return ID(fmt.Sprintf("%s%s_%0*x%s", Prefix, anchor, madeDigits, uint32(now.Unix()), random(randomDigits)))
}

// ParseID reads an ID. ok is false for every text that NewID cannot have made.
func ParseID(text string) (id ID, ok bool) {
	rest, ok := strings.CutPrefix(text, Prefix)
	if !ok || len(text) != MaxID || rest[ledgerDigits] != '_' {
		return "", false
	}
	if !isHex(rest[:ledgerDigits], ledgerDigits) || !isHex(rest[ledgerDigits+1:], madeDigits+randomDigits) {
		return "", false
	}
	return ID(text), true
}

// Ledger is the identity of the ledger that decides; empty if the ID is not valid.
func (id ID) Ledger() LedgerID {
	if _, ok := ParseID(string(id)); !ok {
		return ""
	}
	return LedgerID(id[len(Prefix) : len(Prefix)+ledgerDigits])
}

// Made is the second of the coordinator's clock at which the ID was drawn; 0 if the ID
// is not valid.
func (id ID) Made() uint32 {
	if _, ok := ParseID(string(id)); !ok {
		return 0
	}
	n, _ := strconv.ParseUint(string(id[MaxID-randomDigits-madeDigits:MaxID-randomDigits]), 16, 32)
	return uint32(n)
}

// A BranchID names what one database contributes to a transaction. Branches are
// numbered from 1; the anchor, which never prepares, is number 0.
//
// For XA, ID is the global part and Number, in decimal, the qualifier. PostgreSQL has
// one name per prepared transaction and cluster, which is String.
type BranchID struct {
	ID     ID
	Number int
}

// String is the ID and the number behind an underscore.
func (b BranchID) String() string { return string(b.ID) + "_" + strconv.Itoa(b.Number) }

// Qualifier is the number in decimal.
func (b BranchID) Qualifier() string { return strconv.Itoa(b.Number) }

// ParseBranchID reads what String wrote. ok is false for every other text.
func ParseBranchID(text string) (b BranchID, ok bool) {
	if len(text) <= MaxID || text[MaxID] != '_' {
		return b, false
	}
	return BranchOf(text[:MaxID], text[MaxID+1:])
}

// BranchOf puts together what XA keeps apart. ok is false for what is not ours.
func BranchOf(global, qualifier string) (b BranchID, ok bool) {
	id, ok := ParseID(global)
	if !ok {
		return b, false
	}
	number, err := strconv.Atoi(qualifier)
	if err != nil || number < 1 || strconv.Itoa(number) != qualifier {
		return b, false
	}
	return BranchID{ID: id, Number: number}, true
}

func random(digits int) string {
	bytes := make([]byte, digits/2)
	rand.Read(bytes) // never fails: crypto/rand
	return hex.EncodeToString(bytes)
}

func isHex(text string, digits int) bool {
	if len(text) != digits {
		return false
	}
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
