// Command scale measures the plugin in a large cluster, beside *kubernetes*, and prints a table of what its design
// allows.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/coredns-headless/headless/test/scale"
)

func main() {
	o := scale.Default()
	flag.IntVar(&o.Endpoints, "endpoints", o.Endpoints, "`endpoints` in all")
	flag.IntVar(&o.Services, "services", o.Services, "headless `Services` that they are spread over")
	flag.IntVar(&o.Namespaces, "namespaces", o.Namespaces, "`namespaces` of those")
	flag.IntVar(&o.BigService, "big-service", o.BigService, "`endpoints` of the big Service, 0 for none")
	flag.IntVar(&o.BigNamespace, "big-namespace", o.BigNamespace, "`endpoints` in the big namespace, 0 for none")
	flag.IntVar(&o.Starts, "starts", o.Starts, "`times` that each CoreDNS is started")
	flag.IntVar(&o.Relists, "relists", o.Relists, "`times` that each has to list again, in two ways by turns")
	flag.IntVar(&o.Rate, "rate", o.Rate, "`changes` a second")
	flag.DurationVar(&o.Steady, "steady", o.Steady, "how long at that rate, once for the processor time and once for the latency")
	flag.DurationVar(&o.Other, "other", o.Other, "how long at ten times the rate, and in the big Service and namespace")
	flag.DurationVar(&o.Lookups, "lookups", o.Lookups, "how long look-ups are timed, at rest and during changes")
	flag.StringVar(&o.CSV, "csv", o.CSV, "`file` for all figures")
	flag.StringVar(&o.Profiles, "profiles", o.Profiles, "`folder` for heap profiles")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := scale.Run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
	fmt.Print(r.Markdown())
}
