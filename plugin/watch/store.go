package watch

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/cache"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/tree"
)

// store is what a reflector takes for its cache: it puts slim objects into the tree and keeps none.
type store struct {
	w      *Watch
	source *tree.Writer
	kind   object.Kind
	from   *request
}

var _ cache.TransformingStore = (*store)(nil)

// Transformer implements cache.TransformingStore. A streamed list is slimmed as it arrives, object by object, so that the
// whole of it never stands in memory as the API server sent it.
func (s *store) Transformer() cache.TransformFunc {
	return func(o any) (any, error) {
		s.w.count[s.kind].received.Add(1)
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
		s.w.skip(s.key(o), err)
	}
	return slim
}

// key is the key of an object that may be no good otherwise.
func (s *store) key(o any) object.Key {
	m, err := meta.Accessor(o)
	if err != nil {
		return object.Key{Kind: s.kind}
	}
	return object.NewKey(s.kind, m.GetNamespace(), m.GetName())
}

// young is how old a slice that is new to a watch is at most if its change counts as one: an older one came from the other selector.
const young = time.Minute

// Add implements cache.ReflectorStore.
func (s *store) Add(o any) error {
	m, err := meta.Accessor(o)
	return s.set(o, err == nil && time.Since(m.GetCreationTimestamp().Time) < young)
}

// Update implements cache.ReflectorStore.
func (s *store) Update(o any) error { return s.set(o, true) }

// set puts an event's object into the tree. Where it is timed, it tells how long that took.
func (s *store) set(o any, timed bool) error {
	slim := s.slim(o)
	if slim == nil { // nothing is left of it, so nothing may stay of its older version
		return s.Delete(o)
	}
	if triggered := s.source.Set(slim); triggered && timed {
		s.w.latency.observe(slim.(*object.EndpointSlice).Trigger)
	}
	s.w.count[s.kind].applied.Add(1)
	return nil
}

// Delete implements cache.ReflectorStore.
func (s *store) Delete(o any) error {
	m, err := meta.Accessor(o)
	if err != nil {
		return fmt.Errorf("delete %s: %w", s.kind, err)
	}
	s.source.Delete(s.key(o), object.ParseVersion(m.GetResourceVersion()))
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
	s.source.Replace(slims, object.ParseVersion(resourceVersion))
	s.w.count[s.kind].applied.Add(uint64(len(slims)))
	s.from.listed()
	return nil
}

// Resync implements cache.ReflectorStore: there is nothing to do it for.
func (s *store) Resync() error { return nil }
