package cluster

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/coredns-headless/headless/plugin/source/sourcetest"
)

// restored is a slice that names the EndpointSlice controller and lacks its label.
func restored(name, service string, endpoints ...string) *discoveryv1.EndpointSlice {
	o := endpointSlice(name, "", service, endpoints...)
	delete(o.Labels, corev1.IsHeadlessService)
	return o
}

func TestSlicesWithoutTheLabelCountWhereAServiceHasNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sourcetest.CaptureLog(t)
		s := filled(t)
		s.set(restored("default/nginx-y", "nginx", "other=10.0.0.9"))
		s.set(restored("default/api-x", "api", "api-0=10.9.9.9")) // of a Service with a cluster IP
		s.set(headlessService("default/back", ""))
		s.set(restored("default/back-x", "back", "back-0=10.0.1.1"))
		w := synced(t, s)
		time.Sleep(2 * leftoverEvery)
		synctest.Wait()
		want := map[string]string{"default/back": "10.0.1.1", "default/back-0": "10.0.1.1", "default/other": "", "default/api-0": ""}
		for name, addrs := range whole {
			want[name] = addrs
		}
		sourcetest.Expect(t, w.Tree(), want)

		s.set(restored("default/back-x", "back", "back-0=10.0.1.2")) // the watch goes on
		sourcetest.Expect(t, w.Tree(), map[string]string{"default/back-0": "10.0.1.2"})

		s.set(endpointSlice("default/back-z", "", "back", "back-1=10.0.1.3")) // the controller's own
		time.Sleep(2 * leftoverEvery)
		synctest.Wait()
		sourcetest.Expect(t, w.Tree(), map[string]string{"default/back": "10.0.1.3", "default/back-0": ""})
		s.set(restored("default/back-x", "back", "back-0=10.0.1.4")) // nobody watches it
		sourcetest.Expect(t, w.Tree(), map[string]string{"default/back-0": ""})
		if w.Stale() {
			t.Error("stale because of a watch that ended")
		}
	})
}

func TestServicesWithoutSlicesAreWatchedUpToALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := sourcetest.CaptureLog(t)
		s := newAPIServer(t)
		for n := range leftoverMax + 3 {
			s.set(headlessService(fmt.Sprintf("default/s-%03d", n), ""))
		}
		w := synced(t, s)
		time.Sleep(2 * leftoverEvery)
		synctest.Wait()
		watches := func() (n int) {
			for _, c := range s.made() {
				if strings.Contains(c.Selector, discoveryv1.LabelServiceName+"=") {
					n++
				}
			}
			return n
		}
		if n := watches(); n != leftoverMax || w.Unwatched.Load() != 3 {
			t.Errorf("%d are watched, %d are not; want %d and 3", n, w.Unwatched.Load(), leftoverMax)
		}
		if lines := log.With("WARNING", "103 headless Services have no EndpointSlice; 3 of them are not watched"); len(lines) != 1 {
			t.Errorf("log: %q", log.With())
		}
		s.delete(headlessService("default/s-000", ""))
		time.Sleep(2 * leftoverEvery)
		synctest.Wait()
		if n := watches(); n != leftoverMax+1 || w.Unwatched.Load() != 2 {
			t.Errorf("%d were watched, %d are not; want one more and 2", n, w.Unwatched.Load())
		}
	})
}
