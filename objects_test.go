package headless

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/miekg/dns"
	yaml "go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/coredns-headless/headless/plugin/object"
)

// svc is a manifest of the Service namespace/name with that spec, in YAML.
func svc(key, spec string) string {
	ns, name, _ := strings.Cut(key, "/")
	return fmt.Sprintf("---\n{apiVersion: v1, kind: Service, metadata: {namespace: %s, name: %s}, spec: {%s}}\n", ns, name, spec)
}

// aliasTo is a manifest of an ExternalName Service.
func aliasTo(key, target string) string {
	return svc(key, fmt.Sprintf("type: ExternalName, externalName: %q", target))
}

const (
	none = "clusterIP: None"
	web  = "{name: web, port: 80, protocol: TCP}"
)

// eps is a manifest of an EndpointSlice of the Service namespace/name; part tells the slices of one apart. Ports are
// in YAML. An endpoint is its addresses, divided by commas, and what else it has: host=, pod= or unready.
func eps(key, part, ports string, endpoints ...string) string {
	ns, service, _ := strings.Cut(key, "/")
	var b strings.Builder
	family := "IPv4"
	for _, e := range endpoints {
		fields := strings.Fields(e)
		if strings.Contains(fields[0], ":") {
			family = "IPv6"
		}
		fmt.Fprintf(&b, "- {addresses: [\"%s\"]", strings.ReplaceAll(fields[0], ",", `", "`))
		for _, f := range fields[1:] {
			switch k, v, _ := strings.Cut(f, "="); k {
			case "host":
				fmt.Fprintf(&b, ", hostname: %s", v)
			case "pod":
				fmt.Fprintf(&b, ", targetRef: {kind: Pod, namespace: %s, name: %s}", ns, v)
			case "unready":
				b.WriteString(", conditions: {ready: false}")
			default:
				panic(f)
			}
		}
		b.WriteString("}\n")
	}
	return fmt.Sprintf("---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {namespace: %s, name: %s-%s, labels: {kubernetes.io/service-name: %s}}\n"+
		"addressType: %s\nports: [%s]\nendpoints:\n%s", ns, service, part, service, family, ports, &b)
}

// openFor brings a stanza for zones to life, with these options and objects, where every record has a TTL of 7 s.
func openFor(t testing.TB, zones, options string, objects ...string) *Headless {
	t.Helper()
	text := strings.Join(objects, "")
	return open(t, "headless "+zones+" {\nttl 7\napex_ttl 7\nmanifests "+manifest(t, text)+"\n"+options+"\n}", new(behind))
}

// row is a query and the whole reply to it.
type row struct {
	name  string // or "", where that of the query says it
	qname string
	qtype uint16
	// want is the rcode where it is not NOERROR, TC where that is set, and the records in presentation format, one a
	// line. They are those of the answer up to a line "authority:" or "additional:". @ is the query's name, > the
	// last target before, $ the TTL and the class; SOA and a zone is that zone's SOA record. "next" is the reply of
	// the plugin behind, SERVFAIL and REFUSED nothing written.
	want string
}

// reply is the message that want describes.
func (tt *row) reply(h *Headless, r *dns.Msg) *dns.Msg {
	m := authoritative(r, dns.RcodeSuccess, nil, nil)
	compose(m, tt.want, func(zone string) string { return soa(h, zone) })
	return m
}

// compose adds to m what text says, as row has it.
func compose(m *dns.Msg, text string, soa func(zone string) string) {
	section := &m.Answer
	last := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		rcode, isRcode := dns.StringToRcode[line]
		zone, isSOA := strings.CutPrefix(line, "SOA ")
		switch {
		case line == "":
		case isRcode:
			m.Rcode = rcode
		case line == "TC":
			m.Truncated = true
		case line == "authority:":
			section = &m.Ns
		case line == "additional:":
			section = &m.Extra
		case isSOA:
			*section = append(*section, records(soa(zone))...)
		default:
			owner, rest, _ := strings.Cut(line, " ")
			switch owner {
			case "@":
				owner = m.Question[0].Name
			case ">":
				owner = last
			}
			if data, ok := strings.CutPrefix(rest, "$ "); ok {
				rest = "7 IN " + data
			}
			if t := strings.TrimSuffix(rest, " @"); t != rest {
				rest = t + " " + m.Question[0].Name
			}
			if target := rest[strings.LastIndex(rest, " ")+1:]; dns.IsFqdn(target) {
				last = target
			}
			*section = append(*section, records(owner+" "+rest)...)
		}
	}
}

// check asks h for the row and wants its reply.
func (tt *row) check(t *testing.T, h *Headless) {
	t.Helper()
	r := query(tt.qname, tt.qtype)
	switch tt.want {
	case "next":
		goesOn(t, h, r)
	case "NODATA, with their SOA":
		b := h.Next.(*behind)
		b.asked = 0
		m := elsewhere(r)
		m.Rcode = dns.RcodeSuccess
		got, rcode, err := ask(h, r)
		same(t, m, got)
		if rcode != dns.RcodeSuccess || err != nil || b.asked != 1 {
			t.Errorf("returned %s, %v; asked behind %d times", dns.RcodeToString[rcode], err, b.asked)
		}
	case "SERVFAIL", "REFUSED":
		refuses(t, h, r, dns.StringToRcode[tt.want])
	default:
		answers(t, h, r, tt.reply(h, r))
	}
}

func checkAll(t *testing.T, h *Headless, rows []row) {
	t.Helper()
	for _, tt := range rows {
		t.Run(cmp.Or(tt.name, tt.qname), func(t *testing.T) { tt.check(t, h) })
	}
}

// Short forms of rows' replies.
func noData(zone string) string   { return "authority:\nSOA " + zone }
func nxDomain(zone string) string { return "NXDOMAIN\nauthority:\nSOA " + zone }

// objectsOf are the slim objects of manifests.
func objectsOf(t testing.TB, manifests ...string) []object.Object {
	t.Helper()
	var list []object.Object
	docs := yaml.NewDecoder(strings.NewReader(strings.Join(manifests, "")))
	for {
		var plain map[string]any
		err := docs.Decode(&plain)
		if errors.Is(err, io.EOF) {
			return list
		}
		text, jerr := json.Marshal(plain)
		if err := errors.Join(err, jerr); err != nil {
			t.Fatal(err)
		}
		var o any = new(discoveryv1.EndpointSlice)
		if plain["kind"] == "Service" {
			o = new(corev1.Service)
		}
		if err := json.Unmarshal(text, o); err != nil {
			t.Fatal(err)
		}
		if slim, _ := object.From(o); slim != nil {
			list = append(list, slim)
		}
	}
}
