package differential

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// shrinkFor is how long a failure may be shrunk.
const shrinkFor = time.Minute

// shrink removes objects from the cluster, and endpoints from slices, as long as the difference stays, and returns
// what is left. It keeps in d the difference as it is then.
func (tr *trial) shrink(ctx context.Context, d *difference) objects {
	ctx, cancel := context.WithTimeout(ctx, shrinkFor)
	defer cancel()
	all, err := list(ctx)
	if err != nil {
		return objects{}
	}
	left := all
	for size := (len(left.services) + len(left.slices)) / 2; size > 0 && ctx.Err() == nil; size /= 2 {
		left = tr.drop(ctx, d, left, size)
	}
	for i := range left.slices {
		s := &left.slices[i]
		for j := len(s.Endpoints) - 1; j >= 0 && ctx.Err() == nil; j-- {
			less := s.DeepCopy()
			less.Endpoints = append(less.Endpoints[:j], less.Endpoints[j+1:]...)
			if updateSlice(ctx, less) == nil && tr.stays(ctx, d) {
				*s = *less
				continue
			}
			_ = updateSlice(ctx, s) // if that fails the difference is gone, and nothing more is dropped
		}
	}
	return left
}

// drop removes size objects at a time, and puts them back where the difference goes with them.
func (tr *trial) drop(ctx context.Context, d *difference, left objects, size int) (kept objects) {
	n := len(left.services) + len(left.slices)
	for at := 0; at < n; at += size {
		part := left.part(at, min(at+size, n))
		if ctx.Err() == nil && remove(ctx, part) == nil && tr.stays(ctx, d) {
			continue
		}
		for i := range part.services {
			_ = applyService(ctx, &part.services[i]) // may be there: time ran out
		}
		for i := range part.slices {
			_ = applySlice(ctx, &part.slices[i])
		}
		kept.services = append(kept.services, part.services...)
		kept.slices = append(kept.slices, part.slices...)
	}
	return kept
}

// part is some of the objects, which are numbered Services first.
func (o objects) part(from, to int) objects {
	n := len(o.services)
	return objects{
		append([]corev1.Service(nil), o.services[min(from, n):min(to, n)]...),
		append([]discoveryv1.EndpointSlice(nil), o.slices[max(from-n, 0):max(to-n, 0)]...),
	}
}

// stays reports whether the query is still answered wrongly, and keeps the way in d.
func (tr *trial) stays(ctx context.Context, d *difference) bool {
	if tr.observe(ctx) != nil {
		return false
	}
	p := tr.newPair()
	defer p.close()
	now, err := tr.check(p, d.query)
	if err != nil || now == nil || now.why != d.why {
		return false
	}
	*d = *now
	return true
}
