package manifests

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/source"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// counts checks applied and skipped objects.
func counts(t *testing.T, s *source.Source, k object.Kind, applied, skipped uint64) {
	t.Helper()
	c := s.Count(k)
	if diff := cmp.Diff([2]uint64{applied, skipped}, [2]uint64{c.Applied.Load(), c.Skipped.Load()}); diff != "" {
		t.Errorf("%s: applied and skipped (-want +got):\n%s", k, diff)
	}
}
