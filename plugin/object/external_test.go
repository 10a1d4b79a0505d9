package object

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// FromService reports a target that no record can have, and keeps the Service, because its name exists.
func TestExternalNameIsADomainNameOrAnAddress(t *testing.T) {
	label := strings.Repeat("a", 63)
	longest := strings.Repeat(label+".", 3) + label[:61]
	if len(longest) != 253 {
		t.Fatal(len(longest))
	}
	const (
		noName  = "spec.externalName: %q is not a domain name"
		address = "spec.externalName: %q is an address, not a domain name"
	)
	tests := []struct {
		name, in string
		want     string
		addr     string
		err      string // with %q for in
	}{
		{name: "domain name", in: "db.example.org", want: "db.example.org."},
		{name: "upper case", in: "DB.Example.ORG", want: "db.example.org."},
		{name: "dot at the end", in: "db.example.org.", want: "db.example.org."},
		{name: "one label", in: "localhost", want: "localhost."},
		{name: "digits and dashes", in: "1-2.3", want: "1-2.3."},
		{name: "label of 63 octets", in: label + ".test", want: label + ".test."},
		{name: "label of 64 octets", in: label + "a.test", err: noName},
		{name: "last label of 64 octets", in: "test." + label + "a", err: noName},
		{name: "253 octets", in: longest, want: longest + "."},
		{name: "253 octets and a dot at the end", in: longest + ".", want: longest + "."},
		{name: "254 octets", in: longest + "a", err: noName},
		{name: "absent", in: "", err: noName},
		{name: "root", in: ".", err: noName},
		{name: "two dots at the end", in: "example.org..", err: noName},
		{name: "leading dot", in: ".example.org", err: noName},
		{name: "empty label", in: "db..example.org", err: noName},
		{name: "leading dash of a label", in: "-db.example.org", err: noName},
		{name: "dash at a label's end", in: "db-.example.org", err: noName},
		{name: "underscore", in: "_db.example.org", err: noName},
		{name: "wildcard", in: "*.example.org", err: noName},
		{name: "space", in: "db example.org", err: noName},
		{name: "line feed at the end", in: "db.example.org\n", err: noName},
		{name: "escape", in: `db\046.example.org`, err: noName},
		{name: "NUL", in: "db\x00.example.org", err: noName},
		{name: "a letter that is not ASCII", in: "dbé.example.org", err: noName},
		{name: "a rune whose lower case is ASCII", in: "d\u212a.example.org", err: noName},
		{name: "port", in: "db.example.org:80", err: noName},
		{name: "URL", in: "http://db.example.org", err: noName},
		{name: "IPv4", in: "192.0.2.1", addr: "192.0.2.1"},
		{name: "IPv4 with a dot at the end", in: "192.0.2.1.", addr: "192.0.2.1"},
		{name: "IPv6", in: "2001:db8::1", addr: "2001:db8::1"},
		{name: "IPv6 in upper case", in: "2001:DB8::1", addr: "2001:db8::1"},
		{name: "IPv4 mapped into IPv6", in: "::ffff:192.0.2.1", addr: "192.0.2.1"},
		{name: "IPv6 with a zone", in: "fe80::1%eth0", err: address},
		{name: "IPv6 in brackets", in: "[2001:db8::1]", err: noName},
		{name: "three numbers are no address", in: "192.0.2", want: "192.0.2."},
		{name: "five numbers are no address", in: "1.2.3.4.5", want: "1.2.3.4.5."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			svc := &corev1.Service{ObjectMeta: metadata("default", "db")}
			svc.Spec = corev1.ServiceSpec{Type: "ExternalName", ExternalName: tt.in}
			got, err := From(svc)
			s, ok := got.(*Service)
			if !ok {
				t.Fatalf("got %v, error %v: the Service is gone", got, err)
			}
			if s.Type != ExternalName || s.ExternalName != tt.want ||
				s.Key() != NewKey(KindService, "default", "db") || s.Version() != 7 {
				t.Errorf("got %+v, want external name %q", s, tt.want)
			}
			if got := fmt.Sprint(s.ClusterIPs); got != "["+tt.addr+"]" {
				t.Errorf("addresses %s, want %q", got, tt.addr)
			}
			said := ""
			if err != nil {
				said = err.Error()
			}
			if want := strings.Replace(tt.err, "%q", strconv.Quote(tt.in), 1); said != want {
				t.Errorf("error %q, want %q", said, want)
			}
			if IsExpected(err) {
				t.Errorf("nobody would be warned of %q", said)
			}
		})
	}
}
