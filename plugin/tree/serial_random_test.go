package tree

import (
	"fmt"
	"slices"
	"strings"
)

// state is the serial of a node, and the content of its zone.
type state struct {
	serial  uint32
	exists  bool
	content string
}

// takeSerials returns the state of every node that a suffix can be grafted onto.
func takeSerials(t *Tree) map[string]state {
	content := make(map[string]*strings.Builder)
	for _, g := range grafts {
		content[g.name] = new(strings.Builder)
	}
	for _, text := range zoneTexts(t, "") {
		fields := strings.Fields(text)
		labels := strings.Split(fields[1], ".")
		if len(labels) == 2 && fields[2] == statusNames[Peer] {
			content[labels[1]].WriteString(text + "\n") // no Service, no zone
			content[""].WriteString(text + "\n")
			continue
		}
		for depth := range min(3, len(labels)+1) { // its own zone, if any, and those of all nodes above
			if b := content[strings.Join(labels[len(labels)-depth:], ".")]; b != nil {
				b.WriteString(text + "\n")
			}
		}
	}
	states := make(map[string]state)
	for _, g := range grafts {
		states[g.name] = state{serial: t.Serial(g.path), exists: hasNode(t, g.path), content: content[g.name].String()}
	}
	return states
}

func hasNode(t *Tree, p *Path) bool {
	ns, svc, _ := t.at(p)
	return p.N == 0 || ns != nil && (p.N == 1 || svc != nil)
}

// compareSerials checks the serials after an event about these Services, or about any if there are none. A zone that
// has changed has a higher serial (RFC 1982), a zone that the event is not about has the same, and no zone has a lower
// one.
func compareSerials(was, now map[string]state, about []string) string {
	for g, after := range now {
		before := was[g]
		grown := int32(after.serial - before.serial)
		switch {
		case grown < 0:
			return fmt.Sprintf("serial of %q goes back from %d to %d", g, before.serial, after.serial)
		case before.content != after.content && grown == 0:
			return fmt.Sprintf("serial of %q is %d still, and it changed from\n%s\nto\n%s", g, after.serial,
				before.content, after.content)
		case about != nil && grown > 0 && before.exists && after.exists &&
			!slices.ContainsFunc(about, func(svc string) bool { return concerns(svc, g) }):
			return fmt.Sprintf("serial of %q grows from %d to %d", g, before.serial, after.serial)
		}
		if _, above, ok := strings.Cut(g, "."); ok && after.exists && int32(now[above].serial-after.serial) < 0 {
			return fmt.Sprintf("serial of %q is %d, above it %d", g, after.serial, now[above].serial)
		}
		if int32(now[""].serial-after.serial) < 0 {
			return fmt.Sprintf("serial of %q is %d, of the root %d", g, after.serial, now[""].serial)
		}
	}
	return ""
}

// concerns reports whether a change of the Service "namespace/name" is in the zone at g.
func concerns(svc, g string) bool {
	ns, name, _ := strings.Cut(svc, "/")
	return g == "" || g == ns || g == name+"."+ns
}
