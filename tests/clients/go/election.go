// Leader election with a Lease: three candidates, each a process. The leader is killed, then one steps down in order.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const (
	electionSpace = "election"
	leaseDuration = 3 * time.Second
	renewDeadline = 2 * time.Second
	retryPeriod   = 500 * time.Millisecond
)

// candidate runs until SIGTERM, upon which it gives the lease back; it says when it leads, and when no longer.
func candidate() {
	id := os.Args[2]
	until, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	client := clientset(true)
	lock := must(resourcelock.New(resourcelock.LeasesResourceLock, electionSpace, "leader", client.CoreV1(), client.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: id}))
	leaderelection.RunOrDie(until, leaderelection.LeaderElectionConfig{Lock: lock, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) { fmt.Println("leads") }, OnStoppedLeading: func() { fmt.Println("stops") },
			OnNewLeader: func(who string) { fmt.Println("sees " + who) }}})
}

type said struct {
	id, what string
	at       time.Time
}

func start(id string, talk chan<- said) *exec.Cmd {
	command := exec.Command(os.Args[0], "candidate", id)
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out := must(command.StdoutPipe())
	try(command.Start(), "start "+id)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			talk <- said{id, lines.Text(), time.Now()}
		}
	}()
	return command
}

// hear waits for somebody to lead, and knows what was said meanwhile.
func hear(talk <-chan said, not string, limit time.Duration) said {
	end := time.After(limit)
	var heard []string
	for {
		select {
		case line := <-talk:
			heard = append(heard, line.id+" "+line.what)
			if line.what == "leads" {
				hold(line.id != not, "election", "%s leads though it is gone", line.id)
				return line
			}
		case <-end:
			fail("election: nobody leads after %v; heard: %s", limit, strings.Join(heard, ", "))
		}
	}
}

// renewed waits until the holder has just written again.
func renewed(client kubernetes.Interface) {
	held := must(client.CoordinationV1().Leases(electionSpace).Get(ctx, "leader", metav1.GetOptions{}))
	await(5*time.Second, "the lease is renewed", func() (bool, string) {
		now := must(client.CoordinationV1().Leases(electionSpace).Get(ctx, "leader", metav1.GetOptions{}))
		return now.Spec.RenewTime.After(held.Spec.RenewTime.Time) && now.Spec.AcquireTime.Equal(held.Spec.AcquireTime), fmt.Sprintf("%+v", now.Spec)
	})
}

func election() {
	client := clientset(true)
	subjectNamespace(client, electionSpace)
	leases := client.CoordinationV1().Leases(electionSpace)
	talk := make(chan said, 100)
	processes := map[string]*exec.Cmd{}
	for _, id := range []string{"one", "two", "three"} {
		processes[id] = start(id, talk)
	}
	first := hear(talk, "", 10*time.Second)
	held := must(leases.Get(ctx, "leader", metav1.GetOptions{}))
	hold(*held.Spec.HolderIdentity == first.id && *held.Spec.LeaseTransitions == 0 && *held.Spec.LeaseDurationSeconds == 3, "lease", "%+v", held.Spec)
	renewed(client)
	say("three candidates, one leader, who renews")

	killed := time.Now()
	try(processes[first.id].Process.Kill(), "kill")
	processes[first.id].Wait()
	second := hear(talk, first.id, 15*time.Second)
	gap := second.at.Sub(killed)
	hold(gap > leaseDuration-renewDeadline && gap < leaseDuration+8*retryPeriod, "takeover", "after %v", gap)
	held = must(leases.Get(ctx, "leader", metav1.GetOptions{}))
	hold(*held.Spec.HolderIdentity == second.id && *held.Spec.LeaseTransitions == 1, "lease", "%+v", held.Spec)
	say("the leader killed: the next one leads after %.1f s", gap.Seconds())

	// A renewal that is cancelled under way may still be carried out, and the release would then conflict.
	renewed(client)
	asked := time.Now()
	try(processes[second.id].Process.Signal(syscall.SIGTERM), "terminate")
	third := hear(talk, second.id, 15*time.Second)
	hold(third.at.Sub(asked) < leaseDuration, "handed over", "after %v", third.at.Sub(asked))
	processes[second.id].Wait()
	say("one steps down: the last one leads after %.1f s", third.at.Sub(asked).Seconds())
	renewed(client)
	try(processes[third.id].Process.Signal(syscall.SIGTERM), "terminate")
	processes[third.id].Wait()
	held = must(leases.Get(ctx, "leader", metav1.GetOptions{}))
	hold(*held.Spec.HolderIdentity == "", "lease", "not given back: %+v", held.Spec)
	events := must(client.CoreV1().Events(electionSpace).List(ctx, metav1.ListOptions{}))
	figure("%d transitions in the lease, %d events", *held.Spec.LeaseTransitions, len(events.Items))
}
