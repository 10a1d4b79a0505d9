//go:build race

package parts

// race says that tests run with the race detector: then CoreDNS does so too.
const race = true
