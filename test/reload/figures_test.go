package reload

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// figures are what the metrics say of a process.
type figures struct {
	goroutines, files float64
	// live is what the garbage collector found in use, inuse what the heap spans, resident what the kernel counts;
	// bytes.
	live, inuse, resident float64
}

func (f figures) String() string {
	return fmt.Sprintf("%.0f goroutines, %.0f files, %.1f MB live, %.1f MB heap in use, %.1f MB resident",
		f.goroutines, f.files, f.live/1e6, f.inuse/1e6, f.resident/1e6)
}

func (c *contender) figures(t *testing.T) figures {
	t.Helper()
	text := c.Metrics(t)
	value := func(name string) float64 {
		_, after, _ := strings.Cut(text, "\n"+name+" ")
		line, _, _ := strings.Cut(after, "\n")
		v, err := strconv.ParseFloat(line, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return v
	}
	return figures{
		goroutines: value("go_goroutines"), files: value("process_open_fds"),
		live:  value("go_memstats_next_gc_bytes") / 2, // GOGC=100: the heap may double until the next collection
		inuse: value("go_memstats_heap_inuse_bytes"), resident: value("process_resident_memory_bytes"),
	}
}

// rest is the least of some figures: queries come and go.
func (c *contender) rest(t *testing.T) figures {
	t.Helper()
	least := c.figures(t)
	for range 5 {
		f := c.figures(t)
		least.goroutines, least.files = min(least.goroutines, f.goroutines), min(least.files, f.files)
		least.live, least.inuse, least.resident = min(least.live, f.live), min(least.inuse, f.inuse), min(least.resident, f.resident)
	}
	return least
}

// wantFlat waits until what reloads took is given back; Go collects garbage every two minutes at the latest. What each
// failure that comes late leaves behind is there six times after 40 reloads; the tree of each watch that ended, of 0.8
// MB, and the last ten's, 13 times.
func (c *contender) wantFlat(t *testing.T, before figures) {
	t.Helper()
	c.Poll(t, 5*time.Minute, func() error {
		now := c.figures(t)
		if now.goroutines > before.goroutines+2 || now.files > before.files+2 || now.live > before.live+3e6 {
			return fmt.Errorf("%s\nbefore: %s", now, before)
		}
		return nil
	})
}
