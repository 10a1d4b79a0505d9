package dnsname

import "strings"

// Under returns the name of a label directly below zone. The label ends in a dot, such as "hostmaster.".
func Under(label, zone string) string {
	if zone == "." {
		return label
	}
	return label + zone
}

// Join returns the name that labels lead to, from zone down, escaped as miekg/dns escapes names. It reports false if
// the name does not fit a DNS message. No record may point at such a name, since no query can have it. The zone must
// not need escapes.
func Join(zone string, labels ...string) (string, bool) {
	octets, size := len(zone)+1, len(zone)
	for _, l := range labels {
		octets += len(l) + 1
		size += len(l) + 1
	}
	if octets > maxName {
		return "", false
	}
	var b strings.Builder
	b.Grow(size)
	for i := len(labels) - 1; i >= 0; i-- {
		escape(&b, labels[i])
		b.WriteByte('.')
	}
	if zone != "." || len(labels) == 0 {
		b.WriteString(zone)
	}
	return b.String(), true
}

// escape writes a label in presentation format (RFC 1035 section 5.1).
func escape(b *strings.Builder, label string) {
	for i := range len(label) {
		switch c := label[i]; {
		case c < '!' && c != ' ' || c > '~':
			b.Write([]byte{'\\', '0' + c/100, '0' + c/10%10, '0' + c%10})
		case strings.IndexByte(". '@;()\"\\", c) >= 0:
			b.Write([]byte{'\\', c})
		default:
			b.WriteByte(c)
		}
	}
}
