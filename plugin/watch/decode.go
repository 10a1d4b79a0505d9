package watch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	yaml "go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/plugin/object"
)

// decoder turns the text of one manifest file into objects. YAML and JSON are read by the same parser, JSON being a part of
// YAML; that gives each item its line.
type decoder struct {
	keep func(object.Object)
	skip func(object.Key, error)
	// document and line of the node at hand, from 1
	document, line int
}

const allowedKinds = "allowed are Service (v1), EndpointSlice (discovery.k8s.io/v1) and lists of them; other kinds are passed over"

// decode calls keep for every Service and EndpointSlice in text, and skip for those left out. The error names the
// document and line of what is not well-formed; what was kept before it is of no use then.
func (d *decoder) decode(text []byte) error {
	docs := yaml.NewDecoder(bytes.NewReader(untab(text)))
	for d.document = 1; ; d.document++ {
		var doc yaml.Node
		err := docs.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("document %d: %s", d.document, strings.TrimPrefix(err.Error(), "yaml: "))
		}
		if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
			continue // nothing between two markers
		}
		if err := d.node(doc.Content[0], typeMeta{}); err != nil {
			return fmt.Errorf("document %d, line %d: %w", d.document, d.line, err)
		}
	}
}

// untab lets JSON that is indented with tabs pass for YAML, which forbids them.
func untab(text []byte) []byte {
	if head := bytes.TrimLeft(text, " \t\r\n"); len(head) == 0 || head[0] != '{' {
		return text
	}
	lines := bytes.Split(text, []byte("\n"))
	for i, line := range lines {
		rest := bytes.TrimLeft(line, " \t")
		lines[i] = append(bytes.Repeat([]byte(" "), len(line)-len(rest)), rest...)
	}
	return bytes.Join(lines, []byte("\n"))
}

type typeMeta struct {
	Kind       string `yaml:"kind"`
	APIVersion string `yaml:"apiVersion"`
}

// node reads an object, or the items of a list. An item of a typed list, such as ServiceList, needs no kind of its own.
func (d *decoder) node(n *yaml.Node, def typeMeta) error {
	d.line = n.Line
	t := def
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("no object: %s", allowedKinds)
	}
	if err := n.Decode(&t); err != nil {
		return fmt.Errorf("kind and apiVersion: %w", err)
	}
	if t.Kind == "" {
		return fmt.Errorf("no kind: %s", allowedKinds)
	}
	group, version := "", t.APIVersion
	if i := strings.LastIndex(t.APIVersion, "/"); i >= 0 {
		group, version = t.APIVersion[:i], t.APIVersion[i+1:]
	}
	switch {
	case t.Kind == "List" && group == "":
		return d.items(n, typeMeta{})
	case t.Kind == "ServiceList" && group == "":
		return d.items(n, typeMeta{Kind: "Service", APIVersion: t.APIVersion})
	case t.Kind == "EndpointSliceList" && group == discoveryv1.GroupName:
		return d.items(n, typeMeta{Kind: "EndpointSlice", APIVersion: t.APIVersion})
	case t.Kind == "Service" && group == "":
		return d.object(n, version, new(corev1.Service))
	case t.Kind == "EndpointSlice" && group == discoveryv1.GroupName:
		return d.object(n, version, new(discoveryv1.EndpointSlice))
	}
	return nil
}

func (d *decoder) items(n *yaml.Node, def typeMeta) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "items" {
			continue
		}
		items := n.Content[i+1]
		if items.Kind != yaml.SequenceNode && items.Tag != "!!null" {
			d.line = items.Line
			return errors.New("items is no list")
		}
		for _, item := range items.Content {
			if err := d.node(item, def); err != nil {
				return err
			}
		}
	}
	return nil
}

// object reads n into o, as the API server would, and slims it. A resourceVersion that a dump brought along means nothing:
// whoever edits the file does not count it up.
func (d *decoder) object(n *yaml.Node, version string, o metav1.Object) error {
	if version != "v1" {
		return fmt.Errorf("version %q: %s", version, allowedKinds)
	}
	var plain map[string]any
	if err := n.Decode(&plain); err != nil {
		return err
	}
	text, err := json.Marshal(plain)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, o); err != nil {
		return fmt.Errorf("not what the API allows: %w", err)
	}
	o.SetResourceVersion("")
	slim, err := object.From(o)
	if err != nil {
		d.skip(object.NewKey(object.KindOf(o), o.GetNamespace(), o.GetName()), err)
	}
	if slim != nil {
		d.keep(slim)
	}
	return nil
}
