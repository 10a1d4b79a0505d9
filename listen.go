package headless

import (
	"net"
	"net/netip"
	"slices"
)

// hostAddrs are the addresses that the hosts mean: of unspecified ones those of the interfaces that others can reach.
func hostAddrs(hosts []string) []netip.Addr {
	var list []netip.Addr
	for _, host := range hosts {
		a, err := netip.ParseAddr(host)
		switch {
		case err == nil && !a.IsUnspecified():
			list = append(list, a.Unmap().WithZone(""))
		case err == nil && a.Is4():
			list = append(list, slices.DeleteFunc(interfaceAddrs(), netip.Addr.Is6)...)
		default:
			list = append(list, interfaceAddrs()...)
		}
	}
	if len(list) == 0 {
		list = interfaceAddrs()
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}

// interfaceAddrs are the addresses of this machine that are neither loopback nor link-local.
func interfaceAddrs() []netip.Addr {
	var list []netip.Addr
	found, _ := net.InterfaceAddrs() // without any the name servers have no addresses
	for _, f := range found {
		if p, err := netip.ParsePrefix(f.String()); err == nil && p.Addr().IsGlobalUnicast() {
			list = append(list, p.Addr().Unmap())
		}
	}
	return list
}
