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
	list := parts.EndToEnd
	switch {
	case len(os.Args) == 2 && os.Args[1] == "all":
		list = slices.Concat(parts.EndToEnd, parts.Node)
		foretell(endToEnd)
		foretell(theRest)
		if lacks := node.Missing(); lacks != "" {
			fmt.Fprintln(os.Stderr, "the tests in real pods", skipped, "a node needs", lacks)
		}
	case len(os.Args) == 1:
		foretell(endToEnd)
	default:
		list = nil
		for _, name := range os.Args[1:] {
			i := slices.IndexFunc(parts.Tools, func(p parts.Part) bool { return p.Name == name })
			if i < 0 {
				fail(fmt.Errorf("unknown part %q: benchstat, go-md2man, golangci-lint, all, or nothing for what make test runs", name))
			}
			list = append(list, parts.Tools[i])
		}
	}
	for _, p := range list {
		if _, err := p.Path(); err != nil {
			fail(err)
		}
	}
}

// client is a program that tests ask with, and its Debian package.
type client struct{ program, pkg string }

// The clients of `make test`, and those of `make test-all` besides.
var (
	endToEnd = []client{{"dig", "bind9-dnsutils"}, {"delv", "bind9-dnsutils"}, {"unbound", "unbound"}, {"dnsmasq", "dnsmasq-base"}, {"mandoc", "mandoc"}, {"curl", "curl"}}
	theRest  = []client{
		{"knotd", "knot"},
		{"nsd", "nsd"},
		{"named", "bind9"},
		{"dnsperf", "dnsperf"},
		{"chromium", "chromium"},
		{"prometheus", "prometheus"},
		{"buildah", "buildah"},
		{"ip", "iproute2"},
		{"/lib/systemd/systemd-resolved", "systemd-resolved"},
	}
)

const skipped = "will be skipped (with CI=true they fail):"

// foretell says which tests will be skipped: `go test` does not, unless asked for every word.
func foretell(list []client) {
	for _, c := range list {
		if _, err := exec.LookPath(c.program); err != nil {
			fmt.Fprintf(os.Stderr, "the tests that use %s %s it is not installed (Debian package %s)\n", c.program, skipped, c.pkg)
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
