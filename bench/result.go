package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Report is what a run found out.
type Report struct {
	When       time.Time         `json:"when"`
	Go         string            `json:"go"`
	System     string            `json:"system"`
	CPU        string            `json:"cpu"`
	GOMAXPROCS int               `json:"gomaxprocs"`
	Rounds     int               `json:"rounds"`
	Seed       uint64            `json:"seed"`
	Versions   map[string]string `json:"versions"`  // of the peers' modules and the drivers
	Databases  map[string]string `json:"databases"` // what the servers say they are
	Results    []Result          `json:"results"`
}

// Result is one peer at one operation on one database. Everything is a median.
type Result struct {
	Database  string    `json:"database"`
	Operation Operation `json:"operation"`
	Peer      string    `json:"peer"`
	Rounds    int       `json:"rounds"`
	Ns        float64   `json:"ns"` // per operation
	// Ratio is the time divided by the hand-written code's in the same round;
	// half of the rounds lie between Low and High.
	Ratio  float64 `json:"ratio"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Allocs float64 `json:"allocs"` // per operation, of this process
	Bytes  float64 `json:"bytes"`
	// Least is the shortest time, where that is of use.
	Least float64 `json:"least,omitempty"`
	// Trips are the round trips to the servers per operation, where they were counted.
	Trips float64 `json:"trips,omitempty"`
}

func newReport(plan Plan) *Report {
	r := &Report{
		When: time.Now().UTC().Truncate(time.Second), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, CPU: cpuName(),
		GOMAXPROCS: runtime.GOMAXPROCS(0), Rounds: plan.Rounds, Seed: plan.Seed, Versions: map[string]string{}, Databases: map[string]string{},
	}
	modules := []string{"modernc.org/sqlite", "github.com/go-sql-driver/mysql", "gorm.io/plugin/dbresolver"}
	for _, p := range Peers() {
		if p.Module != "" && p.Name != ours {
			modules = append(modules, p.Module)
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if slices.Contains(modules, m.Path) {
				r.Versions[m.Path] = m.Version
			}
		}
	}
	return r
}

// cpuName is empty where the system does not tell it as Linux does.
func cpuName() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// add takes up the samples of one operation on one database.
func (r *Report) add(database string, op Operation, all series) {
	for _, p := range slices.Concat(Peers(), ReplicaPeers()[3:]) {
		samples := all[p.Name]
		if len(samples) == 0 {
			continue
		}
		var ns, ratios, allocs, bytes []float64
		for i, s := range samples {
			ns, allocs, bytes = append(ns, s.ns), append(allocs, s.allocs), append(bytes, s.bytes)
			if i < len(all[raw]) {
				ratios = append(ratios, s.ns/all[raw][i].ns)
			}
		}
		r.Results = append(r.Results, Result{
			Database: database, Operation: op, Peer: p.Name, Rounds: len(samples), Ns: round(quantile(ns, 0.5), 1),
			Ratio: round(quantile(ratios, 0.5), 3), Low: round(quantile(ratios, 0.25), 3), High: round(quantile(ratios, 0.75), 3),
			Allocs: round(quantile(allocs, 0.5), 1), Bytes: round(quantile(bytes, 0.5), 0),
		})
		if slices.Contains(Spreads, op) {
			r.Results[len(r.Results)-1].Least = round(slices.Min(ns), 1)
		}
	}
}

// quantile lies between the two values that are nearest to it; of none it is 0.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	at := q * float64(len(v)-1)
	i := int(at)
	if i+1 == len(v) {
		return v[i]
	}
	return v[i] + (at-float64(i))*(v[i+1]-v[i])
}

func round(v float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(v*scale) / scale
}

// find returns a result, or nil.
func (r *Report) find(database string, op Operation, peer string) *Result {
	for i := range r.Results {
		if x := &r.Results[i]; x.Database == database && x.Operation == op && x.Peer == peer {
			return x
		}
	}
	return nil
}

func (r *Report) write(file string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

func readReport(file string) (*Report, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := &Report{}
	return r, json.Unmarshal(text, r)
}
