package dbtest

import (
	_ "embed"
	"os"
	"os/exec"
)

// supervisor is a program that runs another and ends with everything that this
// has left behind. Patroni starts PostgreSQL so that it outlives Patroni.
//
//go:embed supervise.py
var supervisor string

// startSupervised is startProcess for a program that starts others as nobody's
// children: they stay below this process, and end when it or this test binary does,
// however that ends. Linux only. It needs Python.
func startSupervised(args []string, dir string, log *os.File) (*process, error) {
	// The supervisor notices the end of this process by the end of its input:
	// a signal at the parent's death could not let it clean up.
	lifeline, held, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := command(append([]string{pythonPath(), "-I", "-S", "-c", supervisor}, args...), dir, log)
	cmd.Stdin = lifeline
	surviveParent(cmd.SysProcAttr)
	p, err := start(cmd)
	lifeline.Close()
	if err != nil {
		held.Close()
		return nil, err
	}
	go func() {
		<-p.done
		held.Close()
	}()
	return p, nil
}

// pythonPath is the system's own Python first: one that the tests' user has installed
// for himself may be out of reach for the account of the servers.
func pythonPath() string {
	const system = "/usr/bin/python3"
	if executable(system) {
		return system
	}
	path, err := exec.LookPath("python3")
	if err != nil {
		return system
	}
	return path
}
