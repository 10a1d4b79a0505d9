// Package dnsname parses and writes domain names. Parsing allocates nothing.
package dnsname

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// Name is a parsed domain name in lower case. Its labels are octets without escapes. A query's Name is on the stack.
type Name struct {
	wire [maxName]byte    // wire format (RFC 1035 section 3.1) without the root's octet
	off  [maxLabels]uint8 // where each label begins in wire
	n    int              // number of labels
	size int              // number of octets in wire
}

const (
	maxName   = 255 // octets, including the root's (RFC 1035 section 2.3.4)
	maxLabels = 127 // in maxName octets
	maxLabel  = 63  // octets (RFC 1035 section 2.3.4)
)

// Parse parses s, a name in presentation format (RFC 1035 section 5.1) with or without the last dot. It reports false
// if a DNS message cannot hold the name.
func (n *Name) Parse(s string) bool {
	n.n, n.size = 0, 0
	if s == "." {
		return true
	}
	for i := 0; i < len(s); {
		if n.n == maxLabels || n.size >= maxName-1 {
			return false
		}
		start := n.size
		n.off[n.n] = uint8(start) // #nosec G115 -- below maxName
		n.n++
		n.size++ // the label's length, set below
		for i < len(s) && s[i] != '.' {
			c, used := unescape(s[i:])
			if used == 0 || n.size == maxName-1 {
				return false
			}
			n.wire[n.size] = lower(c)
			n.size++
			i += used
		}
		i++ // the dot
		length := n.size - start - 1
		if length == 0 || length > maxLabel {
			return false
		}
		n.wire[start] = byte(length) // #nosec G115 -- at most maxLabel
	}
	return true
}

// unescape returns the first octet of s (RFC 1035 section 5.1) and how many characters it took, 0 if it is malformed.
func unescape(s string) (c byte, used int) {
	if s[0] != '\\' {
		return s[0], 1
	}
	if len(s) < 2 {
		return 0, 0
	}
	if !digit(s[1]) {
		return s[1], 2
	}
	if len(s) < 4 || !digit(s[2]) || !digit(s[3]) {
		return 0, 0
	}
	v := int(s[1]-'0')*100 + int(s[2]-'0')*10 + int(s[3]-'0')
	if v > 255 {
		return 0, 0
	}
	return byte(v), 4 // #nosec G115 -- checked
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// lower converts an ASCII letter to lower case. DNS ignores the case of no others (RFC 4343 section 3).
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// Lower returns s with its ASCII letters in lower case. The number of octets stays the same.
func Lower(s string) string {
	for i := range len(s) {
		if lower(s[i]) != s[i] {
			b := []byte(s)
			for ; i < len(b); i++ {
				b[i] = lower(b[i])
			}
			return string(b)
		}
	}
	return s
}

// Labels returns the number of labels, 0 for the root.
func (n *Name) Labels() int { return n.n }

// Label returns label i, counted from 0 at the left. The slice is valid until the next Parse.
func (n *Name) Label(i int) []byte {
	at := int(n.off[i])
	return n.wire[at+1 : at+1+int(n.wire[at])]
}

// Below reports whether n is o or below it, and how many labels n has in front of o.
func (n *Name) Below(o *Name) (labels int, ok bool) {
	labels = n.n - o.n
	if labels < 0 {
		return 0, false
	}
	if o.n == 0 {
		return labels, true
	}
	return labels, bytes.Equal(n.wire[n.off[labels]:n.size], o.wire[:o.size])
}

// Network returns the network that n is the reverse zone of: RFC 1035 section 3.5 has a label for each octet, RFC 3596
// section 2.5 one for each nibble. The full reverse name of an address is a network of that address. Network reports
// false for other names.
func (n *Name) Network() (netip.Prefix, bool) {
	parts := n.n - 2
	if parts < 0 || string(n.Label(parts+1)) != "arpa" {
		return netip.Prefix{}, false
	}
	var octets [16]byte
	switch zone := string(n.Label(parts)); {
	case zone == "in-addr" && parts <= 4:
		for i := range parts {
			l := n.Label(parts - 1 - i)
			v, err := strconv.ParseUint(string(l), 10, 8)
			if err != nil || len(l) > 1 && l[0] == '0' {
				return netip.Prefix{}, false
			}
			octets[i] = byte(v)
		}
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(octets[:4])), 8*parts), true
	case zone == "ip6" && parts <= 32:
		for i := range parts {
			l := n.Label(parts - 1 - i)
			v, err := strconv.ParseUint(string(l), 16, 4)
			if err != nil || len(l) != 1 {
				return netip.Prefix{}, false
			}
			octets[i/2] |= byte(v) << (4 * (1 - i%2))
		}
		return netip.PrefixFrom(netip.AddrFrom16(octets), 4*parts), true
	}
	return netip.Prefix{}, false
}

// Addr is the address that n is the reverse name of. It reports false for other names, and for IPv4 mapped into IPv6.
func (n *Name) Addr() (netip.Addr, bool) {
	whole, ok := n.Network()
	return whole.Addr(), ok && whole.IsSingleIP() && !whole.Addr().Is4In6()
}

// Reverse is the smallest reverse zone that has all names of a network.
func Reverse(n netip.Prefix) string {
	name, err := dns.ReverseAddr(n.Addr().String())
	if err != nil {
		return "."
	}
	bits, width := n.Addr().BitLen(), 4
	if n.Addr().Is4() {
		width = 8
	}
	for range (bits - n.Bits() + width - 1) / width {
		_, name, _ = strings.Cut(name, ".")
	}
	return name
}
