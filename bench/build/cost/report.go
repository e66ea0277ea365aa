// Package cost holds what package build has measured, and shows it.
package cost

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Report is what a run measured.
type Report struct {
	When    time.Time `json:"when"`
	Go      string    `json:"go"`
	System  string    `json:"system"`
	Runs    int       `json:"runs"` // at most, for one figure
	Results []Result  `json:"results"`
}

// Result is what the packages of one program cost.
type Result struct {
	Library string `json:"library"`
	// Layout is "together" for a package with types and their usual calls, and
	// "apart" for one that only uses types of another.
	Layout    string  `json:"layout"`
	Types     int     `json:"types"`
	CPU       float64 `json:"cpu_seconds"`
	Memory    float64 `json:"memory_bytes"`
	Binary    float64 `json:"binary_bytes"`
	Functions int     `json:"functions"`
	Runs      int     `json:"runs"`
}

// NewReport begins a report of figures that are the least of so many runs.
func NewReport(runs int) *Report {
	return &Report{When: time.Now().UTC(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Runs: runs}
}

// Add takes a run of the compiler, of which the least counts.
func (x *Result) Add(cpu time.Duration, memory int64) {
	if x.Runs == 0 {
		x.CPU, x.Memory = cpu.Seconds(), float64(memory)
	}
	x.CPU, x.Memory = min(x.CPU, cpu.Seconds()), min(x.Memory, float64(memory))
	x.Runs++
}

// Read reads a report from its file.
func Read(file string) (*Report, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := &Report{}
	return r, json.Unmarshal(text, r)
}

// Write writes the report into a file.
func (r *Report) Write(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// Keep takes the results of an older report for programs that this one has not
// measured.
func (r *Report) Keep(old *Report) {
	for _, x := range old.Results {
		if r.find(x.Library, x.Layout, x.Types) == nil {
			r.Results = append(r.Results, x)
		}
	}
}

// find returns the result for a program, or nil.
func (r *Report) find(library, layout string, types int) *Result {
	for i := range r.Results {
		if x := &r.Results[i]; x.Library == library && x.Layout == layout && x.Types == types {
			return x
		}
	}
	return nil
}

// PerType is what one further type costs.
type PerType struct{ CPU, Memory, Binary, Functions float64 }

// Between is the cost of a further type between two sizes of a program.
func Between(few, many Result) PerType {
	n := float64(many.Types - few.Types)
	return PerType{
		CPU: (many.CPU - few.CPU) / n, Memory: (many.Memory - few.Memory) / n,
		Binary: (many.Binary - few.Binary) / n, Functions: float64(many.Functions-few.Functions) / n,
	}
}
