// Shared informers through the balance address while objects come, change and go, the store is compacted, apiservers are
// killed and a client is cut off for longer than anybody remembers. What each watch sent is recorded below the informer, what
// handlers heard above it.
//
// The environment says how to disturb (shell commands): COMPACT, KILL (an apiserver, in turn), RESTART (all apiservers); and
// SECONDS how long.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

const informerSpace = "informer"

// gate is the client's network: while it is shut nothing is dialled, and what was open is closed.
type gate struct {
	lock  sync.Mutex
	shut  bool
	conns []net.Conn
}

func (gate *gate) dial(dialing context.Context, network, address string) (net.Conn, error) {
	gate.lock.Lock()
	defer gate.lock.Unlock()
	if gate.shut {
		return nil, fmt.Errorf("cut off from %s", address)
	}
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(dialing, network, address)
	if err == nil {
		gate.conns = append(gate.conns, conn)
	}
	return conn, err
}

func (gate *gate) set(shut bool) {
	gate.lock.Lock()
	defer gate.lock.Unlock()
	gate.shut = shut
	for _, conn := range gate.conns {
		conn.Close()
	}
	gate.conns = nil
}

// account is what one informer's lists and watches brought, and what its handlers heard.
type account struct {
	name string
	lock sync.Mutex
	// Below the informer: versions that came in watches; where lists and streamed beginnings stood; per kind.
	versions                  map[uint64]bool
	lists                     []uint64
	events, bookmarks         int
	expired, watches, relists int
	// Above it: per uid the last version heard, and who was told to be gone.
	heard     map[types.UID]uint64
	gone      map[types.UID]bool
	told      int
	unchanged int
}

// watched is one watch under the informer: it holds the order that was promised.
type watched struct {
	account   *account
	last      uint64
	streaming bool
	initial   map[string]uint64
}

func (w *watched) check(event watch.Event) (watch.Event, bool) {
	r := w.account
	r.lock.Lock()
	defer r.lock.Unlock()
	if event.Type == watch.Error {
		if apierrors.IsResourceExpired(apierrors.FromObject(event.Object)) || apierrors.IsGone(apierrors.FromObject(event.Object)) {
			r.expired++
		} else {
			fail("%s: the watch says %v", r.name, apierrors.FromObject(event.Object))
		}
		return event, true
	}
	object := objectMeta(event.Object)
	version := revision(object.GetResourceVersion())
	switch {
	case event.Type == watch.Bookmark:
		hold(version >= w.last, r.name, "bookmark of %d after %d", version, w.last)
		r.bookmarks++
		if object.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true" {
			hold(w.streaming, r.name, "a second end of the initial events")
			w.streaming = false
			r.lists = append(r.lists, version)
		}
		w.last = version
	case w.streaming:
		hold(event.Type == watch.Added && w.initial[object.GetName()] == 0, r.name, "%s of %s among the initial events", event.Type, object.GetName())
		w.initial[object.GetName()] = version
		r.events++
	default:
		hold(version > w.last, r.name, "%s %s of %d after %d in one watch", event.Type, object.GetName(), version, w.last)
		w.last = version
		r.versions[version] = true
		r.events++
	}
	return event, true
}

func watchFrom(r *account, options metav1.ListOptions, events watch.Interface, err error) (watch.Interface, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if err != nil {
		if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
			r.expired++
		}
		return events, err
	}
	r.watches++
	w := &watched{account: r, streaming: options.SendInitialEvents != nil && *options.SendInitialEvents, initial: map[string]uint64{}}
	if !w.streaming && options.ResourceVersion != "" {
		w.last = revision(options.ResourceVersion)
	}
	return watch.Filter(events, w.check), nil
}

func listed(r *account, version string, err error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if err == nil {
		r.relists++
		r.lists = append(r.lists, revision(version))
	} else if apierrors.IsResourceExpired(err) {
		r.expired++
	}
}

// The handlers: an informer's versions of one object never go back, and it is gone once.
func (r *account) changed(old, object any) {
	meta := object.(metav1.Object)
	r.lock.Lock()
	defer r.lock.Unlock()
	version := revision(meta.GetResourceVersion())
	hold(!r.gone[meta.GetUID()], r.name, "%s was gone and came again at %d", meta.GetName(), version)
	before, known := r.heard[meta.GetUID()]
	hold(known == (old != nil), r.name, "%s at %d: added twice, or changed before it was added", meta.GetName(), version)
	if old != nil && sameAs(old.(metav1.Object), meta) {
		r.unchanged++ // a relist tells the informer the same again
		hold(version == before, r.name, "%s went from %d to %d", meta.GetName(), before, version)
		return
	}
	hold(version > before, r.name, "%s went from %d to %d", meta.GetName(), before, version)
	r.heard[meta.GetUID()] = version
	r.told++
}

func (r *account) deleted(object any) {
	if unknown, held := object.(cache.DeletedFinalStateUnknown); held {
		object = unknown.Obj
	}
	meta := object.(metav1.Object)
	r.lock.Lock()
	defer r.lock.Unlock()
	hold(!r.gone[meta.GetUID()], r.name, "%s was deleted twice", meta.GetName())
	r.gone[meta.GetUID()] = true
	r.told++
}

// follower is one client with its own connections, and an informer per kind.
type follower struct {
	gate    *gate
	records map[string]*account
	stores  map[string]cache.SharedIndexInformer
}

func follow(number int, stop chan struct{}) *follower {
	f := &follower{gate: &gate{}, records: map[string]*account{}, stores: map[string]cache.SharedIndexInformer{}}
	config := configuration(number%2 == 1)
	config.Dial = f.gate.dial
	config.Timeout = 0
	client := must(kubernetes.NewForConfig(config))
	maps, pods := client.CoreV1().ConfigMaps(informerSpace), client.CoreV1().Pods(informerSpace)
	f.add(number, "configmaps", &corev1.ConfigMap{}, func(r *account) *cache.ListWatch {
		return &cache.ListWatch{
			ListFunc: func(options metav1.ListOptions) (runtime.Object, error) {
				list, err := maps.List(ctx, options)
				listed(r, list.GetResourceVersion(), err)
				return list, err
			},
			WatchFunc: func(options metav1.ListOptions) (watch.Interface, error) {
				events, err := maps.Watch(ctx, options)
				return watchFrom(r, options, events, err)
			}}
	})
	f.add(number, "pods", &corev1.Pod{}, func(r *account) *cache.ListWatch {
		return &cache.ListWatch{
			ListFunc: func(options metav1.ListOptions) (runtime.Object, error) {
				list, err := pods.List(ctx, options)
				listed(r, list.GetResourceVersion(), err)
				return list, err
			},
			WatchFunc: func(options metav1.ListOptions) (watch.Interface, error) {
				events, err := pods.Watch(ctx, options)
				return watchFrom(r, options, events, err)
			}}
	})
	for _, informer := range f.stores {
		go informer.Run(stop)
	}
	return f
}

func (f *follower) add(number int, kind string, object runtime.Object, source func(*account) *cache.ListWatch) {
	r := &account{name: fmt.Sprintf("informer %d of %s", number, kind), versions: map[uint64]bool{}, heard: map[types.UID]uint64{}, gone: map[types.UID]bool{}}
	informer := cache.NewSharedIndexInformer(source(r), object, 0, cache.Indexers{})
	try(informer.SetWatchErrorHandler(func(*cache.Reflector, error) {}), "error handler")
	must(informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: func(object any) { r.changed(nil, object) }, UpdateFunc: r.changed, DeleteFunc: r.deleted}))
	f.records[kind], f.stores[kind] = r, informer
}

// writer creates, updates and deletes objects of both kinds, and knows the versions of what was answered.
type writer struct {
	client   kubernetes.Interface
	lock     sync.Mutex
	versions map[string][]uint64 // per kind
	deleted  map[string][]types.UID
	failed   int
}

func (w *writer) note(kind string, object metav1.Object, err error) {
	w.lock.Lock()
	defer w.lock.Unlock()
	if err != nil {
		w.failed++ // an apiserver was killed: the outcome is unknown
		return
	}
	w.versions[kind] = append(w.versions[kind], revision(object.GetResourceVersion()))
}

// turn gives one object a life: created, changed several times, and, two times of three, deleted.
func (w *writer) turn(name string, number int, stop <-chan struct{}) {
	bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	maps, pods := w.client.CoreV1().ConfigMaps(informerSpace), w.client.CoreV1().Pods(informerSpace)
	patch := func(i int) []byte { return []byte(fmt.Sprintf(`{"metadata":{"annotations":{"n":"%d"}}}`, i)) }
	m, err := maps.Create(bounded, configMap(name, map[string]string{"n": ""}), metav1.CreateOptions{})
	w.note("configmaps", m, err)
	p, podErr := pods.Create(bounded, pod(name), metav1.CreateOptions{})
	w.note("pods", p, podErr)
	for i := range 4 {
		select {
		case <-stop:
			return
		case <-time.After(10 * time.Millisecond):
		}
		again, err := maps.Patch(bounded, name, types.MergePatchType, patch(i), metav1.PatchOptions{})
		w.note("configmaps", again, err)
		changed, err := pods.Patch(bounded, name, types.MergePatchType, patch(i), metav1.PatchOptions{})
		w.note("pods", changed, err)
	}
	if number%3 == 0 {
		return
	}
	w.remove("configmaps", m, maps.Delete(bounded, name, metav1.DeleteOptions{}))
	w.remove("pods", p, pods.Delete(bounded, name, metav1.DeleteOptions{}))
}

func (w *writer) remove(kind string, object metav1.Object, err error) {
	w.lock.Lock()
	defer w.lock.Unlock()
	if err != nil {
		w.failed++
	} else if object != nil && object.GetUID() != "" {
		w.deleted[kind] = append(w.deleted[kind], object.GetUID())
	}
}

// do runs a shell command of the environment.
func do(variable string) {
	out, err := exec.Command("bash", "-c", os.Getenv(variable)).CombinedOutput()
	hold(os.Getenv(variable) != "" && err == nil, variable, "%v: %s", err, out)
}

// disturb goes through the disturbances, until the time is over, at least once through all.
func disturb(followers []*follower, end time.Time) (compactions, kills, cuts int) {
	pause := func() { time.Sleep(700 * time.Millisecond) }
	for round := 0; round == 0 || time.Now().Before(end); round++ {
		pause()
		do("COMPACT")
		pause()
		do("KILL")
		pause()
		do("COMPACT")
		// Cut off until neither the store nor an apiserver's memory knows where this client was.
		cut := followers[round%len(followers)]
		cut.gate.set(true)
		pause()
		do("COMPACT")
		do("RESTART")
		pause()
		do("COMPACT")
		cut.gate.set(false)
		pause()
		// Cut off for a moment only.
		other := followers[(round+1)%len(followers)]
		other.gate.set(true)
		other.gate.set(false)
		compactions, kills, cuts = compactions+4, kills+1, cuts+2
	}
	return
}

func informer() {
	streaming := os.Getenv("KUBE_FEATURE_WatchListClient") == "true"
	seconds := must(strconv.Atoi(os.Getenv("SECONDS_LONG")))
	client := clientset(true)
	if _, err := client.CoreV1().Namespaces().Get(ctx, informerSpace, metav1.GetOptions{}); apierrors.IsNotFound(err) {
		subjectNamespace(client, informerSpace)
	}
	w := &writer{client: client, versions: map[string][]uint64{}, deleted: map[string][]types.UID{}}
	prefix := fmt.Sprintf("o%d-", time.Now().UnixMilli())
	for i := range 6 {
		w.turn(fmt.Sprintf("%sbefore-%d", prefix, i), i, nil)
	}
	hold(w.failed == 0, "informer", "%d writes failed before anything was disturbed", w.failed)
	stop, halt := make(chan struct{}), make(chan struct{})
	var followers []*follower
	for i := range 4 {
		followers = append(followers, follow(i, stop))
	}
	for _, f := range followers {
		for kind, informer := range f.stores {
			await(20*time.Second, "informer of "+kind, func() (bool, string) { return informer.HasSynced(), "not synced" })
		}
	}
	var group sync.WaitGroup
	var lives atomic.Int64
	for number := range 3 {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; ; i++ {
				select {
				case <-halt:
					return
				default:
					w.turn(fmt.Sprintf("%s%d-%d", prefix, number, i), i, halt)
					lives.Add(1)
				}
			}
		}()
	}
	compactions, kills, cuts := disturb(followers, time.Now().Add(time.Duration(seconds)*time.Second))
	close(halt)
	group.Wait()
	judge(w, followers, streaming)
	close(stop)
	figure("%d objects lived, %d writes answered, %d not; %d compactions, %d apiservers killed besides restarts, clients cut off %d times",
		lives.Load(), len(w.versions["configmaps"])+len(w.versions["pods"]), w.failed, compactions, kills, cuts)
}

// current is what the server has, name to version.
func current(client kubernetes.Interface) map[string]map[string]string {
	there := map[string]map[string]string{"configmaps": {}, "pods": {}}
	maps := must(client.CoreV1().ConfigMaps(informerSpace).List(ctx, metav1.ListOptions{}))
	for _, object := range maps.Items {
		there["configmaps"][object.Name] = object.ResourceVersion
	}
	pods := must(client.CoreV1().Pods(informerSpace).List(ctx, metav1.ListOptions{}))
	for _, object := range pods.Items {
		there["pods"][object.Name] = object.ResourceVersion
	}
	return there
}

// differs tells one difference between an informer's store and what is there.
func differs(informer cache.SharedIndexInformer, there map[string]string) string {
	count := 0
	for _, object := range informer.GetStore().List() {
		meta := object.(metav1.Object)
		count++
		if there[meta.GetName()] != meta.GetResourceVersion() {
			return fmt.Sprintf("%s is %s, should be %q", meta.GetName(), meta.GetResourceVersion(), there[meta.GetName()])
		}
	}
	if count != len(there) {
		return fmt.Sprintf("%d objects, should be %d", count, len(there))
	}
	return ""
}

func judge(w *writer, followers []*follower, streaming bool) {
	there := current(w.client)
	var events, bookmarks, told, unchanged, expired, watches, relists, beginnings int
	for _, f := range followers {
		for kind, informer := range f.stores {
			await(40*time.Second, f.records[kind].name, func() (bool, string) {
				saw := differs(informer, there[kind])
				if saw != "" {
					there = current(w.client)
				}
				return saw == "", saw
			})
			r := f.records[kind]
			r.lock.Lock()
			r.nothingMissed(w.versions[kind], w.deleted[kind])
			events, bookmarks, told, unchanged = events+r.events, bookmarks+r.bookmarks, told+r.told, unchanged+r.unchanged
			beginnings += len(r.lists)
			expired, watches, relists = expired+r.expired, watches+r.watches, relists+r.relists
			r.lock.Unlock()
		}
	}
	say("%d informers agree with the server: %d configmaps and %d pods", 2*len(followers), len(there["configmaps"]), len(there["pods"]))
	say("no event twice, none out of order, none missed, nothing deleted twice")
	hold(beginnings > 2*len(followers), "informer", "nobody had to begin anew")
	if streaming {
		hold(relists == 0, "informer", "%d lists though lists are streamed", relists)
	}
	figure("%d events and %d bookmarks in %d watches, %d lists, %d beginnings, %d times expired; handlers: %d changes, %d the same after a relist",
		events, bookmarks, watches, relists, beginnings, expired, told, unchanged)
}

// nothingMissed: each answered write came as an event, or lies at or before a list that was taken after a gap.
func (r *account) nothingMissed(versions []uint64, deleted []types.UID) {
	slices.Sort(r.lists)
	missed := []string{}
	gaps := r.gaps()
	for _, version := range versions {
		if !r.versions[version] && !slices.ContainsFunc(gaps, func(gap [2]uint64) bool { return version > gap[0] && version <= gap[1] }) {
			missed = append(missed, fmt.Sprint(version))
		}
	}
	hold(len(missed) == 0, r.name, "never came: %s; lists at %v", strings.Join(missed, " "), r.lists)
	for _, uid := range deleted {
		_, known := r.heard[uid]
		hold(!known || r.gone[uid], r.name, "%s was deleted, and its informer not told", uid)
	}
}

// gaps are the stretches that a list jumped over: from the last event before it to the list.
func (r *account) gaps() [][2]uint64 {
	var gaps [][2]uint64
	for _, list := range r.lists {
		var from uint64
		for version := range r.versions {
			if version <= list && version > from {
				from = version
			}
		}
		gaps = append(gaps, [2]uint64{from, list})
	}
	return gaps
}
