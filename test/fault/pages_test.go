package fault

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coredns-headless/headless/test/ask"
)

// once does harm to the first request of each reflector, and none to the others.
func once(h Harm) Harm {
	var mu sync.Mutex
	done := make(map[Asker]bool)
	return func(w http.ResponseWriter, r *http.Request, a Asked, api http.Handler) {
		mu.Lock()
		again := done[a.Asker]
		done[a.Asker] = true
		mu.Unlock()
		if again {
			api.ServeHTTP(w, r)
			return
		}
		h(w, r, a, api)
	}
}

// pages lists from etcd, one object a page.
type pages struct {
	// second is done to all pages but the first.
	second Harm
	// whole says that who did not get it asks for all at once then.
	whole bool

	mu    sync.Mutex
	asked map[Asker]bool // who asked for a second page
}

func (p *pages) list(w http.ResponseWriter, r *http.Request, a Asked, api http.Handler) {
	q := r.URL.Query()
	further := q.Has("continue")
	p.mu.Lock()
	whole := p.whole && p.asked[a.Asker]
	if further {
		p.asked[a.Asker] = true
	}
	p.mu.Unlock()
	if further && p.second != nil {
		p.second(w, r, a, api)
		return
	}
	if further || !whole {
		q.Del("resourceVersion") // the watch cache knows no pages
		q.Set("limit", "1")
		r.URL.RawQuery = q.Encode()
	}
	api.ServeHTTP(w, r)
}

// harmed reports an error until somebody has asked for a second page.
func (p *pages) harmed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.asked) == 0 {
		return errors.New("nobody asked for a second page")
	}
	return nil
}

// A list whose pages do not all come changes nothing. One whose pages expire is asked for at once.
func TestListsInPages(t *testing.T) {
	g, r := startGate(t)
	for _, tt := range []struct {
		name   string
		second Harm
		fails  bool
	}{
		{name: "lists come in pages"},
		{
			name: "lists end between two pages", fails: true,
			second: func(http.ResponseWriter, *http.Request, Asked, http.Handler) { panic(http.ErrAbortHandler) },
		},
		{name: "lists have pages that expire", second: gone},
	} {
		p := &pages{second: tt.second, whole: !tt.fails, asked: make(map[Asker]bool)}
		row := r.Fault(t, tt.name, func() {
			g.Harm(by(map[string]Harm{VerbWatch: once(gone), verbStream: streamless, verbList: p.list}))
			g.Cut()
			r.Move(t)
			r.Server.Poll(t, time.Minute, p.harmed) // the back-off before a list may take long
			if tt.fails {
				r.Stale(t, true)
				time.Sleep(lasts(3 * time.Second)) // the fault's length
			} else {
				r.Fresh(t, Recovery)
			}
			g.Harm(nil)
		})
		if row.Fresh > Recovery {
			t.Errorf("%s: the change showed after %s, want %s at most", tt.name, row.Fresh, Recovery)
		}
		r.fine(t, g)
	}
}

// An API server that lists nothing has nothing, as after its etcd was lost: then nothing is what is answered, and others' names are as before.
func TestEmptyListIsBelieved(t *testing.T) {
	g, r := startGate(t)
	until := func(list []ask.Question) {
		t.Helper()
		for _, q := range list {
			if _, err := ask.Until(r.Address(), Recovery, q); err != nil {
				t.Fatal(err)
			}
		}
	}
	others := slices.DeleteFunc(r.Questions(t), func(q ask.Question) bool { return q.Kind != "bystander" })
	a, err := ask.Start(r.Address(), Rate, others...)
	if err != nil {
		t.Fatal(err)
	}
	g.Harm(by(map[string]Harm{
		VerbWatch: once(gone), verbStream: streamless,
		verbList: func(w http.ResponseWriter, r *http.Request, _ Asked, api http.Handler) {
			r.URL.RawQuery = "labelSelector=nobody"
			api.ServeHTTP(w, r)
		},
	}))
	g.Cut()
	none := r.peers()
	for i := range none {
		none[i].Sent, none[i].Judge = nil, ask.Addresses()
	}
	until(none)
	g.Harm(by(map[string]Harm{VerbWatch: once(gone)}))
	g.Cut()
	until(r.peers())
	report := a.Stop()
	t.Logf("\n%s", report)
	if err := r.Err(report); err != nil {
		t.Errorf("others' names: %v", err)
	}
	r.fine(t, g)
}
