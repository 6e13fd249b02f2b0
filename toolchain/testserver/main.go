// Command testserver is both ends of a network test: a small HTTP server and a client, in an image without a shell.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const usage = `usage: testserver serve ADDRESS MESSAGE   answer each request with "MESSAGE pod=HOSTNAME from=CLIENT"
       testserver get URL [TIMEOUT]       print "STATUS DURATION BODY"; exit 1 on an error or a status of 400 and above
       testserver poll URL INTERVAL       get it again and again until a signal; print each error, and "made N" every ten calls
       testserver sleep                   wait for SIGTERM or SIGINT
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "testserver:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "serve":
		return serve(args[1], args[2])
	case len(args) == 2 && args[0] == "get":
		return get(os.Stdout, args[1], 2*time.Second)
	case len(args) == 3 && args[0] == "get":
		timeout, err := time.ParseDuration(args[2])
		if err != nil {
			return err
		}
		return get(os.Stdout, args[1], timeout)
	case len(args) == 3 && args[0] == "poll":
		interval, err := time.ParseDuration(args[2])
		if err != nil {
			return err
		}
		return poll(args[1], interval)
	case len(args) == 1 && args[0] == "sleep":
		<-ended()
		return nil
	}
	fmt.Fprint(os.Stderr, usage)
	return fmt.Errorf("unknown command %q", args)
}

// ended gives a channel that receives the signal to stop: as process 1 of a container nothing stops by itself.
func ended() <-chan os.Signal {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	return signals
}

func serve(address, message string) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	answer := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s pod=%s from=%s\n", message, host, r.RemoteAddr)
	}
	failed := make(chan error, 1)
	go func() { failed <- http.ListenAndServe(address, http.HandlerFunc(answer)) }()
	select {
	case err := <-failed:
		return err
	case <-ended():
		return nil
	}
}

// poll calls at a fixed rate, each time by a new connection, as short-lived clients do.
func poll(url string, interval time.Duration) error {
	http.DefaultTransport.(*http.Transport).DisableKeepAlives = true
	calls, stop := time.NewTicker(interval), ended()
	for made := 1; ; made++ {
		select {
		case <-stop:
			return nil
		case at := <-calls.C:
			if err := get(io.Discard, url, 2*time.Second); err != nil {
				fmt.Println("failed", at.UTC().Format(time.RFC3339Nano), err)
			}
			if made%10 == 0 {
				fmt.Println("made", made)
			}
		}
	}
}

func get(out io.Writer, url string, timeout time.Duration) error {
	client := http.Client{Timeout: timeout}
	start := time.Now()
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s %v %s", response.Status, time.Since(start).Round(time.Microsecond), body)
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s answered %s", url, response.Status)
	}
	return nil
}
