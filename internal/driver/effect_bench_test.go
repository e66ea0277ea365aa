package driver

import (
	"testing"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// What a statement's effect costs a connection that has seen its text: four texts, as
// of a transaction.
func BenchmarkEffect(b *testing.B) {
	texts := [...]string{
		"SELECT `id`, `owner`, `balance`, `created_at`, `updated_at` FROM `accounts` WHERE `id` = ? LIMIT 1",
		"UPDATE `accounts` SET `balance` = `balance` + ? WHERE `id` = ?",
		"UPDATE `accounts` SET `balance` = `balance` - ? WHERE `id` = ?",
		"INSERT INTO `entries` (`from`, `to`, `amount`) VALUES (?, ?, ?)",
	}
	var m effects
	b.ReportAllocs()
	for b.Loop() {
		for _, text := range texts {
			for range 2 { // before the statement and after it
				if m.of(text, dialect.MySQL, false) != 0 {
					b.Fatal("an effect")
				}
			}
		}
	}
}
