package headless

import (
	"slices"
	"testing"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/object"
)

// Wherever an answer has an address at a name, in any section, asking for that name says so too: whatever other
// suffix or name server has the name.
func TestEveryAddressIsWhatAskingItsNameSays(t *testing.T) {
	told := 0
	eachCluster(t, 20, func(t *testing.T, h *Headless, _ []object.Object) {
		for _, name := range slices.Concat(names(h, 1), names(h, 2)) {
			for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeNS} {
				told += checkAddresses(t, h, name, qtype)
			}
			for _, port := range []string{"_web._tcp.", "_sql._tcp."} {
				told += checkAddresses(t, h, port+name, dns.TypeSRV)
			}
		}
	})
	if told < 2000 {
		t.Errorf("only %d addresses in all", told)
	}
}

// names are those with so many labels more than a suffix.
func names(h *Headless, n int) (list []string) {
	for _, x := range h.stanzas[0].Suffixes {
		at := []string{x.Name}
		for range n {
			var below []string
			for _, name := range at {
				for _, l := range slices.Concat(poolSpaces, poolServices, poolPods, poolHosts) {
					below = append(below, l+"."+name)
				}
			}
			slices.Sort(below)
			at = slices.Compact(below)
		}
		list = append(list, at...)
	}
	return list
}

// checkAddresses checks the addresses in the answer to one question, and returns how many it has at other names.
func checkAddresses(t *testing.T, h *Headless, name string, qtype uint16) (elsewhere int) {
	t.Helper()
	m := own(t, h, query(name, qtype))
	if m == nil {
		return 0
	}
	for _, rr := range slices.Concat(m.Answer, m.Ns, m.Extra) {
		owner, rrtype := rr.Header().Name, rr.Header().Rrtype
		if owner == name || rrtype != dns.TypeA && rrtype != dns.TypeAAAA {
			continue
		}
		elsewhere++
		said := own(t, h, query(owner, rrtype))
		if said == nil || !slices.ContainsFunc(said.Answer, func(x dns.RR) bool { return x.String() == rr.String() }) {
			t.Errorf("%s %s says %s, and asking for that:\n%v", name, dns.TypeToString[qtype], rr, said)
		}
	}
	return elsewhere
}
