package zone

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/tree"
)

// Row is a line of what can be browsed. Link is a name to explain, if there is one.
type Row struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	Link string `json:"link,omitempty"`
	Text string `json:"text"`
}

// What rows are of.
const (
	kindZone      = "cluster zone"
	kindSuffix    = "suffix"
	kindNetwork   = "pod network"
	kindNamespace = "namespace"
	kindService   = "service"
	kindPeer      = "peer"
)

// Browse lists rows with all words of q in them, n of them after the first from, and says how many there are in all.
// It leaves out the trees in seen, which other Sets have listed, and adds those that it lists. The server block is
// called server, and has only queries for names in zone.
func (s *Set) Browse(server, zone, q string, from, n int, seen map[any]bool) ([]Row, int) {
	l := &listing{from: from, n: n}
	for _, word := range strings.Fields(strings.ToLower(q)) {
		l.words = append(l.words, []byte(word))
	}
	for _, o := range s.origins {
		text := []string{treeName(o.targetPath()), "shared", o.stanza.state()}
		switch {
		case o.guest:
			l.add(kindZone, o.zone, "", server, o.stanza.state())
		case o.shared:
			l.add(kindSuffix, o.zone, o.zone, text...)
		default:
			l.add(kindSuffix, o.zone, o.zone, text[0], text[2])
		}
	}
	for _, nw := range s.networks {
		l.add(kindNetwork, nw.prefix.String(), "", server, nw.stanza.state())
	}
	for _, st := range s.stanzas {
		if !seen[st.Tree] { // another stanza, or server block, may have the same source
			seen[st.Tree] = true
			l.addTree(st.Tree, s.reaching(st.Tree, zone))
		}
	}
	return l.rows, l.total
}

// reaching are the origins under which a server block of zone is asked for what is in a tree, cluster zones first.
func (s *Set) reaching(t *tree.Tree, zone string) []*Origin {
	var top dnsname.Name
	top.Parse(zone)
	var guests, suffixes []*Origin
	for _, st := range s.stanzas {
		if st.Tree == t {
			guests, suffixes = append(guests, st.zones...), append(suffixes, st.suffixes...)
		}
	}
	return slices.DeleteFunc(append(guests, suffixes...), func(o *Origin) bool {
		_, below := o.name.Below(&top)
		return !below
	})
}

// link is a name of a Service, or of a peer of it, under the first of the origins that has it, and empty where none
// has.
func link(origins []*Origin, namespace, service, peer string) string {
	for _, o := range origins {
		labels := []string{namespace, cmp.Or(peer, service)}
		if len(o.target) > 1 {
			labels = []string{namespace, service}
			if peer != "" {
				labels = append(labels, peer)
			}
		}
		below := o.zone
		if o.guest {
			below = "svc." + below
		}
		same := func(a []byte, b string) bool { return string(a) == b }
		if slices.EqualFunc(o.target, labels[:min(len(o.target), len(labels))], same) {
			if name, ok := dnsname.Join(below, labels[len(o.target):]...); ok {
				return name
			}
		}
	}
	return ""
}

// state says how far what a stanza answers can be relied on.
func (s *stanza) state() string {
	switch {
	case !s.Tree.AllSynced():
		return "not synced"
	case s.Tree.Presumed():
		return "from the snapshot"
	}
	return "synced"
}

// listing picks the rows of one page among very many, and makes strings of these alone.
type listing struct {
	words          [][]byte // all stand in each row
	from, n, total int
	rows           []Row
	buf            []byte
}

// add adds a row if it is one of the page's.
func (l *listing) add(kind, name, link string, text ...string) {
	t := strings.Join(text, ", ")
	if l.has(netip.Addr{}, kind, name, t) {
		l.rows = append(l.rows, Row{Kind: kind, Name: name, Link: link, Text: t})
	}
}

// has counts the row with these parts and a in it if it is one of those searched for, and reports whether it is one
// of the page's.
func (l *listing) has(a netip.Addr, parts ...string) bool {
	l.buf = l.buf[:0]
	for _, p := range parts {
		l.buf = append(append(l.buf, p...), ' ')
	}
	if a.IsValid() {
		l.buf = a.AppendTo(l.buf)
	}
	for _, w := range l.words {
		if !bytes.Contains(l.buf, w) {
			return false
		}
	}
	l.total++
	return l.total > l.from && len(l.rows) < l.n
}

// types are the names of types of Services.
var types = [...]string{
	object.Headless: "headless", object.ClusterIP: "ClusterIP",
	object.ExternalName: "ExternalName",
}

func (l *listing) addTree(t *tree.Tree, origins []*Origin) {
	for r := range t.Browse() {
		switch {
		case r.Service == "":
			l.add(kindNamespace, r.Namespace, "")
		case r.Addr.IsValid():
			l.addPeer(r, origins)
		case l.has(r.Addr, kindService, r.Service, r.Namespace, types[r.Type]):
			l.rows = append(l.rows, Row{
				Kind: kindService, Name: r.Service + "." + r.Namespace, Text: types[r.Type],
				Link: link(origins, r.Namespace, r.Service, ""),
			})
		}
	}
}

func (l *listing) addPeer(r tree.Row, origins []*Origin) {
	ready := "ready"
	if !r.Ready {
		ready = "not ready"
	}
	if !l.has(r.Addr, kindPeer, r.Pod, r.Host, r.Service, r.Namespace, ready) {
		return
	}
	label, text := r.Pod, r.Addr.String()+", "+ready
	if label == "" {
		label = r.Host
	} else if r.Host != "" && r.Host != r.Pod {
		text += ", hostname " + r.Host
	}
	l.rows = append(l.rows, Row{
		Kind: kindPeer, Name: label + "." + r.Service + "." + r.Namespace, Text: text,
		Link: link(origins, r.Namespace, r.Service, label),
	})
}
