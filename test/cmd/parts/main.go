// Command parts builds every program that the tests run, so that its progress shows before the first test starts.
package main

import (
	"fmt"
	"os"

	"github.com/coredns-headless/headless/test/parts"
)

func main() {
	for _, p := range parts.All {
		if _, err := p.Path(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
