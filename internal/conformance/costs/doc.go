// Package costs tests what the library itself costs beside database/sql: allocations,
// and time for many goroutines as a ratio. It has no code to import.
package costs
