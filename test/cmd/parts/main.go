// Command parts builds the programs that the tests run, or those named golangci-lint and so on in its arguments, so that their
// progress shows before the first test starts.
package main

import (
	"fmt"
	"os"

	"github.com/coredns-headless/headless/test/parts"
)

func main() {
	list := parts.Tests
	if len(os.Args) > 1 {
		list = nil
		for _, name := range os.Args[1:] {
			if name != parts.GolangciLint.Name {
				fail(fmt.Errorf("no part %q: allowed is %s, or none for all that tests run", name, parts.GolangciLint.Name))
			}
			list = append(list, parts.GolangciLint)
		}
	}
	for _, p := range list {
		if _, err := p.Path(); err != nil {
			fail(err)
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
