package controlplane

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// Tests are what a *testing.M is.
type Tests interface{ Run() int }

// Main is the TestMain of a package whose tests share a control plane: it attaches to the one that the variable
// Shared names, or starts one, lets prepare fill it, runs the tests, ends what it started, and exits. Only a control
// plane with no options but Bare is shared: the shared one has controllers, which leave alone what they did not make.
func Main(m Tests, o Options, prepare func(context.Context, *ControlPlane) error) {
	flag.Parse()
	if testing.Short() {
		fmt.Fprintln(os.Stderr, "skipped in -short: the tests here need a control plane")
		return
	}
	code, err := run(m, o, prepare)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func attachOrStart(o Options) (*ControlPlane, error) {
	if dir := os.Getenv(Shared); dir != "" && o.shareable() {
		return attach(dir)
	}
	return Start(o)
}

func run(m Tests, o Options, prepare func(context.Context, *ControlPlane) error) (int, error) {
	c, err := attachOrStart(o)
	if err != nil {
		return 0, err
	}
	defer c.Stop()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		c.Stop()
		os.Exit(1)
	}()
	if err := prepare(context.Background(), c); err != nil {
		return 0, err
	}
	return m.Run(), nil
}
