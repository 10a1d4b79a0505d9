package explain

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/coredns-headless/headless/test/server"
)

// patience is for all that one test does in the browser.
const patience = 5 * time.Minute

// browser is a window of a Chromium that the end of the test closes.
type browser struct {
	testing.TB
	ctx context.Context

	mu        sync.Mutex
	requested []string // URLs
	complaint []string // of the console
}

// needBrowser skips a test where nobody asked for the browser.
func needBrowser(t *testing.T) {
	t.Helper()
	if *screenshots == "" {
		server.All(t)
	}
	server.Need(t, "chromium", "chromium")
}

func openBrowser(t *testing.T) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.WindowSize(1000, 700),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	ctx, cancelAllocator := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancelAllocator)
	ctx, cancelWindow := chromedp.NewContext(ctx, chromedp.WithErrorf(t.Logf))
	t.Cleanup(cancelWindow)
	t.Cleanup(func() { // a Chromium that is killed leaves files in /tmp
		if err := chromedp.Cancel(ctx); err != nil {
			t.Log(err) // of the browser alone
		}
	})
	b := &browser{TB: t, ctx: ctx}
	err := chromedp.Listen(ctx, b.note)
	if err == nil {
		_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	}
	if err == nil {
		_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requested = append(b.requested, e.Request.URL)
	case *log.EventEntryAdded:
		b.complaint = append(b.complaint, e.Entry.Text)
	}
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

// typed fills the field and sends the form, as somebody does who has no mouse, and returns what the page says then.
func (b *browser) typed(url string, field chromedp.CSS, text string) string {
	b.Helper()
	b.do(chromedp.Navigate(url), chromedp.SendKeys(field, text))
	response, err := chromedp.RunResponse(b.ctx, chromedp.SendKeys(field, "\r"))
	if err != nil || response.Status != 200 {
		b.Fatalf("%s: %v %+v", text, err, response)
	}
	return b.says()
}

func (b *browser) says() string {
	b.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		b.Fatal(err)
	}
	return text
}

// looks takes a screenshot, light or dark, and keeps it where somebody wants it. It fails where the page does not
// follow.
func (b *browser) looks(name string, dark bool) {
	b.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		b.Fatal(err)
	}
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		b.Fatal(err)
	}
	if bright := brightness(img); dark != (bright < 128) {
		b.Errorf("%s, %s: the ground has a brightness of %d", name, scheme, bright)
	}
	if *screenshots != "" {
		if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), picture, 0o600); err != nil {
			b.Fatal(err)
		}
	}
}

// brightness of what the page has beside its text, from 0 to 255.
func brightness(img image.Image) uint32 {
	r, g, blue, _ := img.At(2, img.Bounds().Max.Y-2).RGBA()
	return (r + g + blue) / 3 >> 8
}

// clicked follows a link, and returns what the page says then.
func clicked[S chromedp.Selectable](b *browser, link S) string {
	b.Helper()
	if response, err := chromedp.RunResponse(b.ctx, chromedp.Click(link)); err != nil || response.Status != 200 {
		b.Fatalf("%v: %v %+v", link, err, response)
	}
	return b.says()
}

func wantAll(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
}
