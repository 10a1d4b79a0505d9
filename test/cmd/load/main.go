// Command load measures with dnsperf what headless and others answer; `make load` runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/coredns-headless/headless/test/load"
	"github.com/coredns-headless/headless/test/parts"
)

func main() {
	o := load.Defaults()
	o.Tables, o.Progress = os.Stdout, os.Stderr
	flag.IntVar(&o.Rounds, "rounds", o.Rounds, "rounds over UDP without cache, in each of which every contender is measured once")
	flag.IntVar(&o.RecordRounds, "record-rounds", o.RecordRounds, "rounds of the other settings, for the record")
	flag.DurationVar(&o.Duration, "duration", o.Duration, "of each contender in each round")
	flag.StringVar(&o.Folder, "folder", filepath.Join(parts.Root(), "docs", "performance"), "where load.csv and qps.svg go")
	flag.Func("settings", "of "+strings.Join(o.Settings, ","), words(&o.Settings))
	flag.Func("contenders", "of "+strings.Join(load.Contenders(), ",")+"; all without this", words(&o.Contenders))
	flag.Func("sizes", "endpoints of Services, ascending, such as 1,100,5000", sizes(&o.Sizes))
	flag.Func("record-sizes", "those of the other settings", sizes(&o.RecordSizes))
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	if err := load.Run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // there is nothing left to stop
	}
}

func words(list *[]string) func(string) error {
	return func(s string) error {
		*list = strings.Split(s, ",")
		return nil
	}
}

func sizes(list *[]int) func(string) error {
	return func(s string) error {
		*list = nil
		for text := range strings.SplitSeq(s, ",") {
			n, err := strconv.Atoi(text)
			if err != nil {
				return err
			}
			*list = append(*list, n)
		}
		return nil
	}
}
