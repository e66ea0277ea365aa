package values

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/conformance"
)

func TestRoundTrip_WhatWasReadIsWrittenBackAndFoundAgain(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := context.Background()
		dialect := fl.Database.Dialect
		fl.Create(t, before[dialect]...)
		all := os.Getenv("DBFLEET_TORTURE") != ""
		deadline := time.Now().Add(15 * time.Second)
		columns := columnsOf(dialect)
		seed := rand.Uint64()
		if !all {
			t.Logf("seed %d", seed)
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		var right, refused int
		var failures, shapeless []string
		for _, i := range rng.Perm(len(columns)) {
			c := columns[i]
			if only := os.Getenv("COLUMN"); only != "" && only != c.typ {
				continue
			}
			if !all && time.Now().After(deadline) {
				break
			}
			b := set(t, fl, c, i)
			b.ctx = ctx
			for _, g := range goTypes {
				if only := os.Getenv("GOTYPE"); only != "" && only != g.name {
					continue
				}
				if !all && rng.IntN(6) != 0 {
					continue
				}
				r := g.try(b)
				right += r.right
				refused += r.refused
				for _, f := range r.failures {
					failures = append(failures, fmt.Sprintf("%s × %s: %s", c.typ, g.name, f))
				}
				for _, f := range r.shapeless {
					shapeless = append(shapeless, fmt.Sprintf("%s × %s: %s", c.typ, g.name, f))
				}
			}
		}
		t.Logf("%s: %d right, %d refused, %d wrong, %d refused without a place", dialect, right, refused, len(failures), len(shapeless))
		if path := os.Getenv("FAILURES"); path != "" {
			require.NoError(t, os.WriteFile(path+"."+dialect, []byte(strings.Join(failures, "\n")+"\n"), 0o600))
			require.NoError(t, os.WriteFile(path+"."+dialect+".shapeless", []byte(strings.Join(shapeless, "\n")+"\n"), 0o600))
		}
		require.Empty(t, failures[:min(len(failures), 20)])
		require.Empty(t, shapeless[:min(len(shapeless), 20)])
	})
}

// set makes the tables of a column and stores its literals.
func set(t *testing.T, fl conformance.Fleet, c column, i int) *bench {
	t.Helper()
	b := &bench{fl: fl, ctx: t.Context(), column: c, table: fmt.Sprintf("cell%d", i), stored: map[int64]string{}, alike: map[int64][]int64{}}
	end := ""
	if c.strict {
		end = " STRICT"
	}
	id := "{id}"
	fl.Create(t, fmt.Sprintf("CREATE TABLE %s (id %s, v %s)%s", b.table, id, c.typ, end))
	if c.typ == "SERIAL" {
		fl.Create(t, "ALTER TABLE "+b.table+" ALTER COLUMN v DROP NOT NULL")
	}
	if !c.keyless {
		b.keys = fmt.Sprintf("keys%d", i)
		fl.Create(t, fmt.Sprintf("CREATE TABLE %s (v %s NOT NULL PRIMARY KEY, n {bigint})%s", b.keys, strings.TrimSuffix(c.typ, " NULL"), end))
	}
	for i, literal := range c.literals {
		fl.Create(t, lax(fl)+fmt.Sprintf("INSERT INTO %s (id, v) VALUES (%d, %s)", b.table, i+1, literal))
	}
	b.lastID = 1000
	for i := range c.literals {
		id := int64(i + 1)
		text, err := b.text(id)
		require.NoError(t, err, c.typ)
		b.stored[id] = text
		b.alike[id], _ = b.equals(id)
	}
	return b
}

// lax is what stands before a statement of others, who may have stored what this
// library's sessions refuse.
func lax(fl conformance.Fleet) string {
	if fl.Database.Dialect == "mysql" {
		return "SET STATEMENT sql_mode = '' FOR "
	}
	return ""
}
