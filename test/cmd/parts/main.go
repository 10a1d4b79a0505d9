// Command parts builds the programs that the tests run, or the tools named in its arguments, so that their
// progress shows before the first test starts.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"

	"github.com/coredns-headless/headless/test/node"
	"github.com/coredns-headless/headless/test/parts"
)

func main() {
	list := parts.Tests
	if len(os.Args) > 1 {
		list = nil
		for _, name := range os.Args[1:] {
			i := slices.IndexFunc(parts.Tools, func(p parts.Part) bool { return p.Name == name })
			if i < 0 {
				fail(fmt.Errorf("no part %q: allowed are benchstat, go-md2man, golangci-lint, or none for all that tests run", name))
			}
			list = append(list, parts.Tools[i])
		}
	}
	for _, p := range list {
		if _, err := p.Path(); err != nil {
			fail(err)
		}
	}
	if len(os.Args) == 1 {
		foretell()
	}
}

// foretell says which tests will be skipped: `go test` does not, unless asked for every word.
func foretell() {
	const skipped = "will be skipped (with CI=true they fail):"
	for _, c := range [][2]string{
		{"dig", "bind9-dnsutils"}, {"delv", "bind9-dnsutils"}, {"unbound", "unbound"}, {"dnsmasq", "dnsmasq-base"}, {"knotd", "knot"}, {"nsd", "nsd"}, {"dnsperf", "dnsperf"}, {"mandoc", "mandoc"},
	} {
		if _, err := exec.LookPath(c[0]); err != nil {
			fmt.Fprintf(os.Stderr, "the tests that use %s %s it is not installed (Debian package %s)\n", c[0], skipped, c[1])
		}
	}
	if lacks := node.Missing(); lacks != "" {
		fmt.Fprintln(os.Stderr, "the tests in real pods", skipped, "a node needs", lacks)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
