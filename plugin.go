// Package headless is a CoreDNS plugin that makes the pods behind headless Services resolve: under short names in the
// cluster zone, as a guest of *kubernetes*, and under suffixes of which it is the authority.
package headless

import clog "github.com/coredns/coredns/plugin/pkg/log"

// Version is the plugin's own.
const Version = "0.1.0"

const name = "headless"

var log = clog.NewWithPlugin(name)
