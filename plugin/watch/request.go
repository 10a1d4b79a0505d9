package watch

import (
	"context"
	"errors"
	"net/url"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/coredns-headless/headless/plugin/object"
)

// request is what one reflector asks of the API server, again and again.
type request struct {
	w                             *Watch
	resource, namespace, selector string
	kind                          object.Kind

	list  func(context.Context, metav1.ListOptions) (runtime.Object, error)
	watch func(context.Context, metav1.ListOptions) (apiwatch.Interface, error)

	failing map[string]failure // by verb
	stale   bool               // what came so far may be out of date
}

type failure struct {
	text string
	said time.Time
}

// repeatAfter is when a failure that lasts is said again.
const repeatAfter = time.Minute

// outdated notes whether what came so far may be out of date. One goroutine at a time makes the requests and puts in what they bring.
func (r *request) outdated(is bool) {
	if is == r.stale {
		return
	}
	r.stale = is
	if is {
		r.w.outdated.Add(1)
	} else {
		r.w.outdated.Add(-1)
	}
}

// report logs a failed request once, again when its reason changes or it lasts, and when it is over.
func (r *request) report(ctx context.Context, verb string, err error) {
	if ctx.Err() != nil {
		return // stopped: whatever failed, failed for that
	}
	where := ""
	if r.selector != "" {
		where = " labelled " + r.selector
	}
	if r.namespace != "" {
		where += " in namespace " + r.namespace
	}
	was, failing := r.failing[verb]
	switch {
	case err == nil && failing:
		delete(r.failing, verb)
		log.Infof("%s: %s %s%s: works again", r.w.name, verb, r.resource, where)
	case err != nil:
		r.w.count[r.kind].failed.Add(1)
		r.w.fail()
		if u := new(url.Error); errors.As(err, &u) {
			err = u.Err // the URL differs from try to try, and says no more
		}
		if failing && was.text == err.Error() && time.Since(was.said) < repeatAfter {
			return
		}
		if r.failing == nil {
			r.failing = make(map[string]failure)
		}
		r.failing[verb] = failure{text: err.Error(), said: time.Now()}
		log.Warningf("%s: %s %s%s: %v", r.w.name, verb, r.resource, where, err)
	}
}
