package watch

import (
	"testing"
	"testing/synctest"
	"time"
)

// A long first list is told of while it comes, and no more often than something does.
func TestLogSaysHowFarTheFirstListsAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := captureLog(t)
		w, services, slices := stores()
		w.Start()
		defer w.Stop()
		list := []any{}
		for _, name := range []string{"default/a", "default/b", "default/c"} {
			o, err := services.Transformer()(headlessService(name, "7"))
			must(t, err)
			list = append(list, o)
		}
		time.Sleep(5 * tellEvery)
		if told := l.with("test: not synced after 2s: received so far Services 3, EndpointSlices 0"); len(told) != 1 || len(l.with()) != 1 {
			t.Errorf("log: %q, want once how many have come", l.with())
		}
		must(t, services.Replace(list, "7"))
		must(t, slices.Replace(nil, "7"))
		synctest.Wait()
		if told := l.with("test: synced after 10s: Services 3"); len(told) != 1 || len(l.with()) != 2 {
			t.Errorf("log: %q, want that all have come", l.with())
		}
	})
}
