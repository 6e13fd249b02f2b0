// Command pause holds the namespaces of a pod: it sleeps, reaps orphaned processes and ends on SIGINT or SIGTERM.
// With -v it says its name and ends: kubeadm runs that as a Job before an upgrade.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "-v" {
		fmt.Println("pause of the Open Data Platform")
		return
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGCHLD, syscall.SIGINT, syscall.SIGTERM)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		for reaped(syscall.Wait4(-1, nil, syscall.WNOHANG, nil)) {
		}
	}
}

// reaped says whether Wait4 has taken a dead child, so that another one may wait.
func reaped(pid int, err error) bool {
	return pid > 0 || err == syscall.EINTR
}
