// Command coredns is CoreDNS with all its own plugins, and headless.
package main

import (
	"slices"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	_ "github.com/coredns/coredns/core/plugin" // all plugins of CoreDNS
	"github.com/coredns/coredns/coremain"

	"github.com/coredns-headless/headless"
)

// before is the plugin that headless stands in front of, here as in plugin.cfg: behind cache, rewrite, template and
// hosts, before kubernetes, file and forward.
const before = "k8s_external"

func main() {
	if err := dnsserver.SetDirectives(with(dnsserver.Directives)); err != nil {
		panic(err)
	}
	caddy.AppVersion = coremain.CoreVersion + " with headless-" + headless.Version
	coremain.Run()
}

// with returns directives with headless at its place.
func with(directives []string) []string {
	return slices.Insert(slices.Clone(directives), slices.Index(directives, before), "headless")
}
