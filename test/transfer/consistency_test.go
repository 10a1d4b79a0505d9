package transfer

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// history is what transfers of one zone have shown so far. All readers of a test share it.
type history struct {
	apex, in  string // in is where namespace changing lies
	endpoints int

	mu        sync.Mutex
	content   map[uint32]rrsets // by serial
	states    map[int]bool
	transfers int
}

// read transfers a zone again and again until stop is closed: each transfer is of one state, a serial stands for one content
// only, and neither goes back.
func (h *history) read(address string, stop <-chan struct{}) error {
	var last uint32
	state := 0
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		asked, err := serial(address, h.apex)
		if err != nil {
			return err
		}
		z, err := axfr(address, h.apex)
		if err != nil {
			return err
		}
		now, err := stateOf(z, h.in, h.endpoints)
		switch {
		case err != nil:
			return err
		case newer(asked, z.soa.Serial) || last != 0 && newer(last, asked):
			return fmt.Errorf("%s: serials %d, %d, %d: transferred, asked, transferred", h.apex, last, asked, z.soa.Serial)
		case now < state:
			return fmt.Errorf("%s: state %d after %d", h.apex, now, state)
		}
		last, state = z.soa.Serial, now
		if err := h.note(z, state); err != nil {
			return err
		}
	}
}

func (h *history) note(z *zone, state int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.transfers++
	h.states[state] = true
	if was, ok := h.content[z.soa.Serial]; ok && diff(was, z.rrsets) != "" {
		return fmt.Errorf("%s: serial %d came with other content before:\n%s", h.apex, z.soa.Serial, diff(was, z.rrsets))
	}
	h.content[z.soa.Serial] = z.rrsets
	return nil
}

// While a slice changes 20 times a second, every transfer is of one of its states, whole.
func TestTransfersWhileTheClusterChanges(t *testing.T) {
	const endpoints, changes = 250, 60
	const few = changes / 8
	s := start(t, settings{})
	first := change(t, endpoints)
	poll(t, patience, func() error { return shows(address(s), changing, first, endpoints) })

	stop := make(chan struct{})
	failed := make(chan error, 4)
	var readers sync.WaitGroup
	var histories []*history
	for _, apex := range []string{changing, root} {
		h := &history{apex: apex, in: changing, endpoints: endpoints, content: map[uint32]rrsets{}, states: map[int]bool{}}
		if apex == root {
			h.in = "changing." + root
		}
		histories = append(histories, h)
		for range 2 {
			readers.Go(func() {
				if err := h.read(address(s), stop); err != nil {
					failed <- err
				}
			})
		}
	}
	scant := func(h *history) bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.states) < few
	}
	ticks := time.NewTicker(time.Second / 20)
	defer ticks.Stop()
	last := first
	deadline := time.Now().Add(time.Minute)
	for n := 0; n < changes || time.Now().Before(deadline) && len(failed) == 0 && slices.ContainsFunc(histories, scant); n++ {
		<-ticks.C
		last = change(t, endpoints)
	}
	close(stop)
	readers.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	for _, h := range histories {
		t.Logf("%s: %d transfers, %d states, %d serials", h.apex, h.transfers, len(h.states), len(h.content))
		if scant(h) {
			t.Errorf("%s: transfers saw %d states of %d: too few to tell anything", h.apex, len(h.states), last-first)
		}
	}
	poll(t, patience, func() error { return shows(address(s), changing, last, endpoints) })
}
