package values

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/dbfleet/dbfleet/internal/conformance"
)

func TestZZProbe(t *testing.T) {
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		text, _ := os.ReadFile("/work/tmp/vv/probe." + fl.Database.Dialect)
		db := fl.Database.SQL(t)
		for _, s := range strings.Split(string(text), ";\n") {
			s, arg, _ := strings.Cut(strings.TrimSpace(s), " -- ")
			if s == "" {
				continue
			}
			var args []any
			for _, a := range strings.Fields(arg) {
				if strings.HasPrefix(a, "x:") {
					var raw []byte
					fmt.Sscanf(a[2:], "%x", &raw)
					args = append(args, raw)
				} else if strings.HasPrefix(a, "b:") {
					args = append(args, []byte(a[2:]))
				} else {
					args = append(args, a)
				}
			}
			rows, err := db.QueryContext(t.Context(), s, args...)
			if err != nil {
				fmt.Println(s, "=> ERR", err)
				continue
			}
			cols, _ := rows.Columns()
			fmt.Println(s, args)
			for rows.Next() {
				vals := make([]*string, len(cols))
				ptrs := make([]any, len(cols))
				for i := range vals {
					ptrs[i] = &vals[i]
				}
				rows.Scan(ptrs...)
				for i, v := range vals {
					if v != nil {
						fmt.Print("  ", cols[i], "=", *v)
					} else {
						fmt.Print("  ", cols[i], "=NULL")
					}
				}
				fmt.Println()
			}
			if rows.Err() != nil {
				fmt.Println("   ERR", rows.Err())
			}
			rows.Close()
		}
	})
}
