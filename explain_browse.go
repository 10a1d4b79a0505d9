package headless

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/explain"
	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/tree"
)

// What rows are of.
const (
	kindZone      = "cluster zone"
	kindSuffix    = "suffix"
	kindNetwork   = "pod network"
	kindNamespace = "namespace"
	kindService   = "service"
	kindPeer      = "peer"
)

// Browse implements explain.Server.
func (e *explained) Browse(q string, from, n int, seen map[any]bool) ([]explain.Row, int) {
	l := &listing{from: from, n: n}
	for _, word := range strings.Fields(strings.ToLower(q)) {
		l.words = append(l.words, []byte(word))
	}
	for _, o := range e.h.origins {
		switch {
		case o.guest:
			l.add(kindZone, o.zone, "", e.key, o.stanza.state())
		case o.shared:
			l.add(kindSuffix, o.zone, o.zone, nodeName(o.node()), "shared", o.stanza.state())
		default:
			l.add(kindSuffix, o.zone, o.zone, nodeName(o.node()), o.stanza.state())
		}
	}
	for _, nw := range e.h.networks {
		l.add(kindNetwork, nw.prefix.String(), "", e.key, nw.stanza.state())
	}
	for _, s := range e.h.stanzas {
		if !seen[s.tree] { // another stanza, or server block, may have the same source
			seen[s.tree] = true
			l.addTree(s.tree, e.ways(s.tree))
		}
	}
	return l.rows, l.total
}

// ways are the origins under which the server block is asked for what is in a tree, cluster zones first.
func (e *explained) ways(t *tree.Tree) (list []*origin) {
	for _, s := range e.h.stanzas {
		if s.tree != t {
			continue
		}
		for _, o := range slices.Concat(s.zones, s.suffixes) {
			if _, ok := o.name.Below(&e.zone); ok {
				list = append(list, o)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b *origin) int { return cmp.Compare(number(b.guest), number(a.guest)) })
	return list
}

// link is a name of a Service, or of a peer of it, under the first of the origins that has it, and empty where none has.
func link(ways []*origin, namespace, service, peer string) string {
	for _, o := range ways {
		labels := []string{namespace, cmp.Or(peer, service)}
		if len(o.graft) > 1 {
			labels = []string{namespace, service}
			if peer != "" {
				labels = append(labels, peer)
			}
		}
		below := o.zone
		if o.guest {
			below = "svc." + below
		}
		if slices.EqualFunc(o.graft, labels[:min(len(o.graft), len(labels))], func(a []byte, b string) bool { return string(a) == b }) {
			if name, ok := dnsname.Join(below, labels[len(o.graft):]...); ok {
				return name
			}
		}
	}
	return ""
}

// state says how far what a stanza answers can be relied on.
func (s *stanza) state() string {
	switch {
	case !s.tree.AllSynced():
		return "not synced"
	case s.tree.Presumed():
		return "from the snapshot"
	}
	return "synced"
}

// listing picks the rows of one page among very many, and makes strings of these alone.
type listing struct {
	words          [][]byte // all stand in each row
	from, n, total int
	rows           []explain.Row
	buf            []byte
}

// add adds a row if it is one of the page's. Link is the name to explain, empty where there is nothing to say.
func (l *listing) add(kind, name, link string, text ...string) {
	t := strings.Join(text, ", ")
	if l.has(netip.Addr{}, kind, name, t) {
		l.rows = append(l.rows, explain.Row{Kind: kind, Name: name, Link: link, Text: t})
	}
}

// has counts the row with these parts and a in it if it is one of those searched for, and reports whether it is one of the page's.
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

func (l *listing) addTree(t *tree.Tree, ways []*origin) {
	types := [...]string{object.Headless: "headless", object.ClusterIP: "ClusterIP", object.ExternalName: "ExternalName"}
	for r := range t.Browse() {
		switch {
		case r.Service == "":
			l.add(kindNamespace, r.Namespace, "")
		case !r.Addr.IsValid():
			if l.has(r.Addr, kindService, r.Service, r.Namespace, types[r.Type]) {
				l.rows = append(l.rows, explain.Row{
					Kind: kindService, Name: r.Service + "." + r.Namespace, Link: link(ways, r.Namespace, r.Service, ""), Text: types[r.Type],
				})
			}
		default:
			l.addPeer(r, ways)
		}
	}
}

func (l *listing) addPeer(r tree.Row, ways []*origin) {
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
	l.rows = append(l.rows, explain.Row{
		Kind: kindPeer, Name: label + "." + r.Service + "." + r.Namespace, Link: link(ways, r.Namespace, r.Service, label), Text: text,
	})
}
