package node

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/coredns-headless/headless/test/parts"
)

// cluster is the node of all tests here.
var cluster *Node

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if lacks := Missing(); lacks != "" {
		if os.Getenv("CI") == "true" {
			fmt.Fprintln(os.Stderr, "a node needs", lacks)
			return 1
		}
		fmt.Fprintln(os.Stderr, "skipped outside CI: a node needs", lacks)
		return 0
	}
	for _, p := range slices.Concat(parts.EndToEnd, parts.Node) { // inside there is no network to build with
		if _, err := p.Path(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	isInside, code, err := Enter()
	if err == nil && isInside {
		cluster, err = Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if !isInside {
		return code
	}
	return m.Run()
}
