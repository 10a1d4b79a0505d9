package headless

import (
	"bytes"
	"net/netip"
	"strings"

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

// Browse implements explain.Source.
func (e *explained) Browse(q string, from, n int) ([]explain.Row, int) {
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
	seen := make(map[*tree.Tree]bool)
	for _, s := range e.h.stanzas {
		if !seen[s.tree] { // another stanza may have the same source
			seen[s.tree] = true
			l.addTree(s.tree, ".svc."+s.Zones[0])
		}
	}
	return l.rows, l.total
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

func (l *listing) addTree(t *tree.Tree, below string) {
	types := [...]string{object.Headless: "headless", object.ClusterIP: "ClusterIP", object.ExternalName: "ExternalName"}
	for r := range t.Browse() {
		switch {
		case r.Service == "":
			l.add(kindNamespace, r.Namespace, "")
		case !r.Addr.IsValid():
			if l.has(r.Addr, kindService, r.Service, r.Namespace, types[r.Type]) {
				name := r.Service + "." + r.Namespace
				l.rows = append(l.rows, explain.Row{Kind: kindService, Name: name, Link: name + below, Text: types[r.Type]})
			}
		default:
			l.addPeer(r, below)
		}
	}
}

func (l *listing) addPeer(r tree.Row, below string) {
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
		Kind: kindPeer, Name: label + "." + r.Service + "." + r.Namespace, Link: label + "." + r.Namespace + below, Text: text,
	})
}
