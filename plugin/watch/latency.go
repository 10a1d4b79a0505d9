package watch

import (
	"slices"
	"sync/atomic"
	"time"
)

// Latency tells how long after changes of pods and Services their EndpointSlices stood in the tree: Kubernetes' network programming latency, of
// DNS. What lists bring is left out, since nobody waited for that.
type Latency struct {
	counts [21]atomic.Uint64 // by bucket; the last has what is over all bounds
	sum    atomic.Int64      // nanoseconds
}

// bounds of the buckets: 1 ms, doubled up to 524 s, as *kubernetes* has them.
var bounds = func() (list [20]time.Duration) {
	for i := range list {
		list[i] = time.Millisecond << i
	}
	return list
}()

// observe adds a change that was made at a time, in Unix nanoseconds. Whoever made it may have a clock that is ahead.
func (l *Latency) observe(made int64) {
	took := max(0, time.Since(time.Unix(0, made)))
	i, _ := slices.BinarySearch(bounds[:], took)
	l.sum.Add(int64(took))
	l.counts[i].Add(1)
}

// Histogram returns the number of observations, their sum in seconds, and how many are not above each bound in seconds.
func (l *Latency) Histogram() (count uint64, sum float64, buckets map[float64]uint64) {
	buckets = make(map[float64]uint64, len(bounds))
	for i, b := range bounds {
		count += l.counts[i].Load()
		buckets[b.Seconds()] = count
	}
	return count + l.counts[len(bounds)].Load(), time.Duration(l.sum.Load()).Seconds(), buckets
}
