// Package load tests reads under the faults of servers while many readers read. It measures
// throughput, beside a control, and so is alone on the machine in make test. It has no code
// to import.
package load
