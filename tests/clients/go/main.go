// clients puts the apiserver under Kubernetes' own Go client, one subcommand per subject. Each prints a line per check and
// ends with 1 and what it saw as soon as one does not hold. tests/e2e/clients_go.sh builds and runs it.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const protobufType = "application/vnd.kubernetes.protobuf"

var ctx = context.Background()

// say tells that a check holds.
func say(format string, arguments ...any) { fmt.Printf("  ok "+format+"\n", arguments...) }

// figure tells what was counted.
func figure(format string, arguments ...any) { fmt.Printf("  "+format+"\n", arguments...) }

func fail(format string, arguments ...any) {
	fmt.Printf("FAILED: "+format+"\n", arguments...)
	os.Exit(1)
}

// hold ends the program unless the condition holds.
func hold(condition bool, what, format string, arguments ...any) {
	if !condition {
		fail(what+": "+format, arguments...)
	}
}

func try(err error, what string) {
	if err != nil {
		fail("%s: %v", what, err)
	}
}

// must is for calls of which the value matters and an error ends the program.
func must[T any](value T, err error) T {
	if err != nil {
		fail("%T: %v", value, err)
	}
	return value
}

// await asks until it holds, at most so long.
func await(limit time.Duration, what string, condition func() (bool, string)) {
	var saw string
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var held bool
		if held, saw = condition(); held {
			return
		}
	}
	fail("%s: not within %v: %s", what, limit, saw)
}

// configuration is the kubeconfig's, without the client's own brake; protobuf where the client has a choice.
func configuration(protobuf bool) *rest.Config {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	try(err, "kubeconfig")
	config.QPS, config.Burst = -1, 0
	config.UserAgent = "clients/1"
	if protobuf {
		config.ContentType = protobufType
		config.AcceptContentTypes = protobufType + ",application/json"
	}
	return config
}

func clientset(protobuf bool) kubernetes.Interface {
	return must(kubernetes.NewForConfig(configuration(protobuf)))
}

// revision reads a resourceVersion, which has to be a number: newer clients compare them.
func revision(text string) uint64 {
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		fail("resourceVersion %q is no number", text)
	}
	return number
}

// subjectNamespace makes a namespace of the subject's own and waits for the account that pods need.
func subjectNamespace(client kubernetes.Interface, name string) {
	_, err := client.CoreV1().Namespaces().Create(ctx, namespaceNamed(name), metav1.CreateOptions{})
	try(err, "create namespace "+name)
	await(20*time.Second, "default account of "+name, func() (bool, string) {
		_, err := client.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, fmt.Sprint(err)
	})
}

// sameAs says whether two objects have one resourceVersion.
func sameAs(one, other metav1.Object) bool {
	return one.GetResourceVersion() == other.GetResourceVersion()
}

// objectMeta is an object's metadata behind whatever type it comes in.
func objectMeta(object runtime.Object) metav1.Object {
	accessor, held := object.(metav1.Object)
	if !held {
		fail("%T has no metadata", object)
	}
	return accessor
}

var subjects = map[string]func(){
	"typed":     typedKinds,
	"calls":     furtherCalls,
	"untyped":   untypedClients,
	"apply":     serverSideApply,
	"election":  election,
	"candidate": candidate,
	"informer":  informer,
}

func main() {
	if len(os.Args) < 2 || subjects[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: clients typed|calls|untyped|apply|election|informer   (KUBECONFIG says where)")
		os.Exit(2)
	}
	begin := time.Now()
	subjects[os.Args[1]]()
	if os.Args[1] != "candidate" {
		figure("%s took %.1f s", os.Args[1], time.Since(begin).Seconds())
	}
}
