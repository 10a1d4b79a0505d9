package watch

import (
	"testing"
	"time"
)

// A long first list is told of while it comes, and no more often than something does.
func TestLogSaysHowFarTheFirstListsAre(t *testing.T) {
	defer func(was time.Duration) { tellEvery = was }(tellEvery)
	tellEvery = 10 * time.Millisecond
	l := captureLog(t)
	w := newWatch("crowd", nil)
	services := &store{w: w, from: &request{w: w}, source: w.tree.Source("")}
	w.Start()
	defer w.Stop()
	list := []any{}
	for _, name := range []string{"default/a", "default/b", "default/c"} {
		o, err := services.Transformer()(headlessService(name, "7"))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, o)
	}
	eventually(t, "how many have come", func() bool {
		return len(l.with("crowd: not synced after", "received so far Services 3, EndpointSlices 0")) == 1
	})
	time.Sleep(5 * tellEvery) // nothing more comes
	if err := services.Replace(list, "7"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "that all have come", func() bool { return len(l.with("crowd: synced after", "Services 3")) == 1 })
	if told := l.with("Services 3, EndpointSlices 0"); len(told) != 1 {
		t.Errorf("told again of nothing new: %q", told)
	}
}
