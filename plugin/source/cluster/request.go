package cluster

import (
	"context"
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	clog "github.com/coredns/coredns/plugin/pkg/log"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/source"
)

var log = clog.NewWithPlugin("headless")

// request is what one reflector asks of the API server, again and again.
type request struct {
	source                        *source.Source
	resource, namespace, selector string
	kind                          object.Kind

	list  func(context.Context, metav1.ListOptions) (runtime.Object, error)
	watch func(context.Context, metav1.ListOptions) (apiwatch.Interface, error)

	limit    flowcontrol.RateLimiter
	failures map[string]*failure // by verb
	stale    atomic.Bool         // what came so far may be out of date
	streams  bool                // a streamed list has begun and is not complete
}

// failure is why requests fail.
type failure struct {
	reasons []string // that were logged, without digits
	since   time.Time
}

// A failure that lasts is logged again after repeatAfter, with at most reasonsMax reasons in that time: some take
// turns, such as a handshake that is refused and a write to the connection that this has closed.
const (
	repeatAfter = time.Minute
	reasonsMax  = 3
)

// isNew reports whether a reason was not logged lately, and remembers it. It ignores digits: ports and times differ
// from try to try.
func (f *failure) isNew(reason string) bool {
	if time.Since(f.since) >= repeatAfter {
		*f = failure{since: time.Now()}
	}
	reason = strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, reason)
	if slices.Contains(f.reasons, reason) || len(f.reasons) == reasonsMax {
		return false
	}
	f.reasons = append(f.reasons, reason)
	return true
}

var (
	// errNotList: client-go decodes an object of another kind, or without a kind, into an empty list, and a reflector
	// would empty the tree. A list from an API server has a resourceVersion (ListMeta).
	errNotList = errors.New("the answer is not a list of them: it has no resourceVersion")
	// errNoAnswer: a connection broke, or a time was up, before there was an answer. client-go returns an empty watch
	// then (rest.Request.Watch). A reflector takes it for a watch that ended at once, and lists everything again.
	errNoAnswer = errors.New("no answer")
	// errCutOff: a streamed list ended before its last bookmark. client-go asks again and logs nothing
	// (kubernetes/kubernetes#140902).
	errCutOff = errors.New("the streamed list ended before it was complete")
)

var emptyWatch = reflect.TypeOf(apiwatch.NewEmptyWatch())

// isList returns an error for an answer that is not a list.
func isList(list runtime.Object) error {
	if m, err := meta.ListAccessor(list); err != nil || m.GetResourceVersion() == "" {
		return errNotList
	}
	return nil
}

// continues reports whether other pages follow (ListMeta.continue).
func continues(list runtime.Object) bool {
	m, err := meta.ListAccessor(list)
	return err == nil && m.GetContinue() != ""
}

// setStale notes whether what came so far may be out of date.
func (r *request) setStale(stale bool) {
	switch was := r.stale.Swap(stale); {
	case stale && !was:
		r.source.Outdated.Add(1)
	case was && !stale:
		r.source.Outdated.Add(-1)
	}
}

// listed notes that a list is complete.
func (r *request) listed() {
	r.setStale(false)
	if r.streams {
		r.streams = false
		r.report(context.Background(), "watch", nil)
	}
}

// wait waits until the next request may be made. What came so far counts as out of date until that one is answered.
func (r *request) wait(ctx context.Context) error {
	r.setStale(true)
	if r.streams {
		r.streams = false
		r.report(ctx, "watch", errCutOff)
	}
	return r.limit.Wait(ctx)
}

// listPage lists objects, or a page of them.
func (r *request) listPage(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	if o.Continue == "" { // the pages of a list count as one request
		if err := r.wait(ctx); err != nil {
			return nil, err
		}
	}
	o.LabelSelector = r.selector
	list, err := r.list(ctx, o)
	if err == nil {
		err = isList(list)
	}
	if err != nil || !continues(list) {
		r.report(ctx, "list", err)
	}
	return list, err
}

// beginWatch begins a watch, which may begin with a streamed list.
func (r *request) beginWatch(ctx context.Context, o metav1.ListOptions) (apiwatch.Interface, error) {
	if err := r.wait(ctx); err != nil {
		return nil, err
	}
	o.LabelSelector = r.selector
	streams := o.SendInitialEvents != nil
	events, err := r.watch(ctx, o)
	if err == nil && reflect.TypeOf(events) == emptyWatch {
		err = errNoAnswer
	}
	r.setStale(err != nil || streams) // without a list a watch goes on where the last one ended
	switch {
	case streams && err == nil:
		r.streams = true // listed or wait reports how it ends
	case streams && apierrors.IsInvalid(err): // the server streams no lists: client-go asks for one next
	default:
		r.report(ctx, "watch", err)
	}
	switch {
	case err == nil:
		return &watching{events, r}, nil
	case !errors.As(err, new(apierrors.APIStatus)):
		// The API server has not answered, so there is no reason for a list. A reflector goes on with its watch after
		// a refused connection, but lists everything again after one that was reset or timed out
		// (kubernetes/kubernetes#119646).
		return nil, errors.Join(syscall.ECONNREFUSED, err)
	}
	return nil, err
}

// watching is a watch that was answered. Once it ends, what it brought may be out of date: the next request may have
// to wait.
type watching struct {
	apiwatch.Interface
	request *request
}

// Stop implements apiwatch.Interface. A reflector calls it at the end of each watch, before it begins the next.
func (w *watching) Stop() {
	w.request.setStale(true)
	w.Interface.Stop()
}

// report logs why a request failed, again if it lasts, and when it works again.
func (r *request) report(ctx context.Context, verb string, err error) {
	if ctx.Err() != nil {
		return // the source was stopped, so the request failed
	}
	where := ""
	if r.selector != "" {
		where = " labelled " + r.selector
	}
	if r.namespace != "" {
		where += " in namespace " + r.namespace
	}
	f := r.failures[verb]
	switch {
	case err == nil && f != nil:
		delete(r.failures, verb)
		log.Infof("%s: %s %s%s: works again", r.source.Name(), verb, r.resource, where)
	case err != nil:
		r.source.Fail(r.kind)
		if u := new(url.Error); errors.As(err, &u) {
			err = u.Err // the URL differs from try to try
		}
		if f == nil {
			f = new(failure)
			if r.failures == nil {
				r.failures = make(map[string]*failure)
			}
			r.failures[verb] = f
		}
		if f.isNew(err.Error()) {
			log.Warningf("%s: %s %s%s: %v", r.source.Name(), verb, r.resource, where, err)
		}
	}
}
