package cluster

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/cache"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/source"
	"github.com/coredns-headless/headless/plugin/tree"
)

// store is what a reflector takes for its cache: it puts slim objects into the tree and keeps none.
type store struct {
	source  *source.Source
	writer  *tree.Writer
	kind    object.Kind
	request *request
}

var _ cache.TransformingStore = (*store)(nil)

// Transformer implements cache.TransformingStore. A streamed list is slimmed as it arrives, object by object, so that
// memory never holds the whole of it as the API server sent it.
func (s *store) Transformer() cache.TransformFunc {
	return func(o any) (any, error) {
		s.source.Count(s.kind).Received.Add(1)
		if slim := s.slim(o); slim != nil {
			return slim, nil
		}
		return nil, nil // left out, and counted
	}
}

// slim returns nil for an object that is left out.
func (s *store) slim(o any) object.Object {
	if slim, ok := o.(object.Object); ok {
		return slim
	}
	slim, err := object.From(o)
	if err != nil {
		s.source.Skip(s.key(o), err)
	}
	return slim
}

// key returns the key of an object that may be left out.
func (s *store) key(o any) object.Key {
	m, err := meta.Accessor(o)
	if err != nil {
		return object.Key{Kind: s.kind}
	}
	return object.NewKey(s.kind, m.GetNamespace(), m.GetName())
}

// newAge is how old a slice that a watch adds may be if it counts as a change. An older one came from the other
// selector.
const newAge = time.Minute

// Add implements cache.ReflectorStore.
func (s *store) Add(o any) error {
	m, err := meta.Accessor(o)
	return s.set(o, err == nil && time.Since(m.GetCreationTimestamp().Time) < newAge)
}

// Update implements cache.ReflectorStore.
func (s *store) Update(o any) error { return s.set(o, true) }

// set puts an event's object into the tree, and observes how long that took, if timed.
func (s *store) set(o any, timed bool) error {
	slim := s.slim(o)
	if slim == nil { // its older version must not stay
		return s.Delete(o)
	}
	if triggered := s.writer.Set(slim); triggered && timed {
		took := time.Since(time.Unix(0, slim.(*object.EndpointSlice).Trigger))
		s.source.Latency.Observe(max(0, took).Seconds()) // who made the change may have a clock that is ahead
	}
	s.source.Count(s.kind).Applied.Add(1)
	return nil
}

// Delete implements cache.ReflectorStore.
func (s *store) Delete(o any) error {
	m, err := meta.Accessor(o)
	if err != nil {
		return fmt.Errorf("delete %s: %w", s.kind, err)
	}
	s.writer.Delete(s.key(o), object.ParseVersion(m.GetResourceVersion()))
	return nil
}

// Replace implements cache.ReflectorStore.
func (s *store) Replace(list []any, resourceVersion string) error {
	slims := make([]object.Object, 0, len(list))
	for _, o := range list {
		if o == nil {
			continue // the transformer left it out
		}
		if slim := s.slim(o); slim != nil {
			slims = append(slims, slim)
		}
	}
	s.writer.Replace(slims, object.ParseVersion(resourceVersion))
	s.source.Count(s.kind).Applied.Add(uint64(len(slims)))
	s.request.listed()
	return nil
}

// Resync implements cache.ReflectorStore: there is nothing to do for it.
func (s *store) Resync() error { return nil }
