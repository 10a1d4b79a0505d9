package ask

import (
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Moves are the addresses that a peer had, one set after the other.
type Moves struct {
	mu    sync.Mutex
	had   [][]string // the last ones last
	fresh int        // index in had of what must be answered by now, at least
}

// To says that the peer has these addresses, or none. It may be answered with them from now on.
func (m *Moves) To(addrs ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.had = append(m.had, addrs)
}

// Allowed judges the reply to a query about the peer that is sent now: whatever it had since what must have shown by
// then.
func (m *Moves) Allowed() func(*dns.Msg) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	fresh := m.fresh
	return OneOf(func() [][]string {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.had[fresh:]
	})
}

// Show waits until each of the peer's names is answered with what it has now, and returns how long that took. From
// then on nothing older may be.
func (m *Moves) Show(address string, limit time.Duration, names ...string) (took time.Duration, err error) {
	m.mu.Lock()
	last := len(m.had) - 1
	want := m.had[last]
	m.mu.Unlock()
	for _, name := range names {
		t, err := Until(address, limit, Question{Name: name, Judge: Addresses(want...)})
		if err != nil {
			return took, err
		}
		took += t
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fresh = last
	return took, nil
}
