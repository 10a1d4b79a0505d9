package object

import (
	"net/netip"
	"testing"
)

func TestParseDashed(t *testing.T) {
	tests := []struct {
		name, in string
		want     string // "" for none
	}{
		{name: "IPv4", in: "10-151-30-57", want: "10.151.30.57"},
		{name: "IPv6", in: "fd00--1-2", want: "fd00::1:2"},
		{name: "IPv6 that ends in zeros", in: "fd00--0", want: "fd00::"},
		{name: "IPv6 in full", in: "fd00-0-0-0-0-0-0-1", want: "fd00::1"},
		{name: "IPv6 with three dashes", in: "fd00--1-2", want: "fd00::1:2"},
		{name: "IPv6 loopback", in: "--1", want: "::1"},
		{name: "IPv4 mapped into IPv6", in: "--ffff-a00-1", want: "10.0.0.1"},
		{name: "empty", in: ""},
		{name: "pod's name", in: "ws-777779bd59-ftn4j"},
		{name: "pod's name of hexadecimal digits", in: "cafe-0"},
		{name: "pod's name of hexadecimal digits and two dashes", in: "cafe-5d8c9b7f6d-bcdf4"},
		{name: "IPv4 out of range", in: "10-0-0-256"},
		{name: "IPv4 with a leading zero", in: "10-0-0-01", want: "10:0:0:01"},
		{name: "too few parts", in: "10-0-0"},
		{name: "too many parts", in: "1-2-3-4-5-6-7-8-9"},
		{name: "upper case", in: "FD00--1"},
		{name: "dots", in: "10.0.0.1"},
		{name: "dashes alone", in: "----"},
		{name: "two dashes", in: "--", want: "::"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := ParseDashed([]byte(tt.in))
			want, err := netip.ParseAddr(tt.want)
			if ok != (err == nil) || ok && got != want.Unmap() {
				t.Errorf("got %v, %v, want %q", got, ok, tt.want)
			}
		})
	}
}

// FindGuest calls ParseDashed for every pod's name.
func TestParseDashedOfPodNameAllocatesNothing(t *testing.T) {
	for _, name := range []string{
		"web-0", "ws-777779bd59-ftn4j", "cafe-0",
		"a-pod-of-sixty-octets-which-is-more-than-a-small-buffer-0123",
	} {
		if n := testing.AllocsPerRun(100, func() { ParseDashed([]byte(name)) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func FuzzParseDashed(f *testing.F) {
	for _, a := range []string{"10.0.0.1", "fd00::", "fd00::1:2", "::1", "::", "fd00:0:0:1::5", "::ffff:10.0.0.1"} {
		f.Add(netip.MustParseAddr(a).AsSlice())
	}
	f.Fuzz(func(t *testing.T, octets []byte) {
		a, ok := netip.AddrFromSlice(octets)
		if !ok {
			return
		}
		a = a.Unmap()
		label := dashed(a.String())
		if back, ok := ParseDashed([]byte(label)); !ok || back != a || !IsLabel(label) {
			t.Errorf("%v became %q became %v, %v", a, label, back, ok)
		}
	})
}
