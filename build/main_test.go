package main

import (
	"slices"
	"testing"

	"github.com/coredns/coredns/core/dnsserver"
)

// headless stands directly before k8s_external, and nothing else moves.
func TestHeadlessStandsBeforeK8sExternal(t *testing.T) {
	list := with(dnsserver.Directives)
	at := slices.Index(list, "headless")
	if at < 0 || list[at+1] != before {
		t.Fatalf("headless does not stand before %s: %q", before, list)
	}
	if rest := slices.Delete(list, at, at+1); !slices.Equal(rest, dnsserver.Directives) {
		t.Errorf("other plugins moved: %q", rest)
	}
}
