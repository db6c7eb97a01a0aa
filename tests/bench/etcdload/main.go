// etcdload puts the loads of tools/bench.c on etcd, through etcd's own client, and prints the same lines.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/etcd/clientv3"
	"google.golang.org/grpc/grpclog"
)

var (
	endpoints   = flag.String("endpoints", os.Getenv("ETCDCTL_ENDPOINTS"), "members' client addresses")
	caFile      = flag.String("cacert", os.Getenv("ETCDCTL_CACERT"), "certificate authority")
	certFile    = flag.String("cert", os.Getenv("ETCDCTL_CERT"), "own certificate")
	keyFile     = flag.String("key", os.Getenv("ETCDCTL_KEY"), "its key")
	clients     = flag.Int("clients", 64, "requests under way at a time")
	connections = flag.Int("connections", 8, "connections they share")
	total       = flag.Int("total", 10000, "requests in all")
	valueBytes  = flag.Int("value-bytes", 256, "size of a value")
	keys        = flag.Int("keys", 10000, "different keys")
	perTxn      = flag.Int("per-txn", 1, "fill: puts of one transaction")
	rate        = flag.Int("rate", 300, "pace: puts a second")
	seconds     = flag.Int("seconds", 10, "pace: how long")
	watchers    = flag.Int("watchers", 1000, "watch: how many, over the connections")
)

type load struct {
	stores []*clientv3.Client
	pool   string // random: values are pieces of it
	size   int
	leases []clientv3.LeaseID
}

func die(format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, "etcdload: "+format+"\n", args...)
	os.Exit(1)
}

func connect() *clientv3.Client {
	config := clientv3.Config{Endpoints: strings.Split(*endpoints, ","), DialTimeout: 5 * time.Second,
		MaxCallSendMsgSize: 64 << 20, MaxCallRecvMsgSize: 512 << 20}
	if *certFile != "" {
		pair, err := tls.LoadX509KeyPair(*certFile, *keyFile)
		if err != nil {
			die("%v", err)
		}
		pem, err := os.ReadFile(*caFile)
		if err != nil {
			die("%v", err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		config.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots}
	}
	client, err := clientv3.New(config)
	if err != nil {
		die("%v", err)
	}
	return client
}

func key(i int) string { return fmt.Sprintf("bench/%010d", i%*keys) }

func (l *load) store(worker int) *clientv3.Client { return l.stores[worker%len(l.stores)] }

// Each does one request: the worker's number and the request's.
func (l *load) put(ctx context.Context, w, i int) error {
	_, err := l.store(w).Put(ctx, key(i), l.value())
	return err
}

func (l *load) get(ctx context.Context, w, i int) error {
	_, err := l.store(w).Get(ctx, key(i))
	return err
}

func (l *load) sget(ctx context.Context, w, i int) error {
	_, err := l.store(w).Get(ctx, key(i), clientv3.WithSerializable())
	return err
}

func (l *load) list(ctx context.Context, w, i int) error {
	answer, err := l.store(w).Get(ctx, "bench/", clientv3.WithPrefix())
	if err == nil && len(answer.Kvs) == 0 {
		err = fmt.Errorf("an empty list")
	}
	return err
}

func (l *load) fill(ctx context.Context, w, i int) error {
	ops := make([]clientv3.Op, *perTxn)
	for n := range ops {
		ops[n] = clientv3.OpPut(key(i**perTxn+n), l.value())
	}
	_, err := l.store(w).Txn(ctx).Then(ops...).Commit()
	return err
}

func (l *load) keepalive(ctx context.Context, w, i int) error {
	_, err := l.store(w).KeepAliveOnce(ctx, l.leases[i%len(l.leases)])
	return err
}

// Kubernetes' write: if the revision is still the one last seen, put, else read. Each worker has keys of its own.
func (l *load) cas(revisions []int64) func(context.Context, int, int) error {
	return func(ctx context.Context, w, i int) error {
		k := fmt.Sprintf("cas/%06d", w)
		answer, err := l.store(w).Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(k), "=", revisions[w])).
			Then(clientv3.OpPut(k, l.value())).Else(clientv3.OpGet(k)).Commit()
		if err != nil {
			return err
		}
		if answer.Succeeded {
			revisions[w] = answer.Header.Revision
		} else if kvs := answer.Responses[0].GetResponseRange().Kvs; len(kvs) == 1 {
			revisions[w] = kvs[0].ModRevision
		}
		return nil
	}
}

func cpu() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		die("%v", err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

func report(what string, latencies []time.Duration, took time.Duration) {
	sort.Slice(latencies, func(a, b int) bool { return latencies[a] < latencies[b] })
	ms := func(part float64) float64 {
		return float64(latencies[int(float64(len(latencies)-1)*part)].Microseconds()) / 1000
	}
	fmt.Printf("%s: %.0f/s  p50 %.2f ms  p99 %.2f ms  max %.2f ms  total %d in %.2f s  own cpu %.2f s\n", what,
		float64(len(latencies))/took.Seconds(), ms(0.5), ms(0.99), ms(1), len(latencies), took.Seconds(), cpu())
}

func (l *load) closedLoop(what string, request func(context.Context, int, int) error) {
	latencies := make([]time.Duration, *total)
	var next, failed int64
	var first atomic.Value
	var group sync.WaitGroup
	began := time.Now()
	for w := 0; w < *clients; w++ {
		group.Add(1)
		go func(w int) {
			defer group.Done()
			for {
				i := int(atomic.AddInt64(&next, 1)) - 1
				if i >= *total {
					return
				}
				start := time.Now()
				ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
				if err := request(ctx, w, i); err != nil && atomic.AddInt64(&failed, 1) == 1 {
					first.Store(err.Error())
				}
				cancel()
				latencies[i] = time.Since(start)
			}
		}(w)
	}
	group.Wait()
	report(what, latencies, time.Since(began))
	if failed > 0 {
		die("%d requests failed, the first with: %v", failed, first.Load())
	}
}

// Puts at a steady rate, whether answered or not.
func (l *load) pace() {
	n := *rate * *seconds
	latencies := make([]time.Duration, n)
	ends := make([]time.Duration, n)
	var failed int64
	var group sync.WaitGroup
	began := time.Now()
	for i := 0; i < n; i++ {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(*rate))
		time.Sleep(time.Until(due))
		group.Add(1)
		go func(i int, due time.Time) {
			defer group.Done()
			ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
			defer cancel()
			if err := l.put(ctx, i, i); err != nil {
				atomic.AddInt64(&failed, 1)
			} else {
				ends[i] = time.Since(began)
			}
			latencies[i] = time.Since(due)
		}(i, due)
	}
	group.Wait()
	report("pace", latencies, time.Since(began))
	sort.Slice(ends, func(a, b int) bool { return ends[a] < ends[b] })
	var gap, last time.Duration
	for _, end := range ends {
		if end-last > gap && last > 0 {
			gap = end - last
		}
		if end > 0 {
			last = end
		}
	}
	fmt.Printf("pace: failed %d, longest gap between answers %.1f ms\n", failed, float64(gap.Microseconds())/1000)
}

// Watches the prefix and counts; returns when all watchers are there.
func (l *load) watchAll(ctx context.Context, prefix string, got *int64) {
	var ready sync.WaitGroup
	for w := 0; w < *watchers; w++ {
		ready.Add(1)
		go func(w int) {
			first := true
			for answer := range l.store(w).Watch(clientv3.WithRequireLeader(ctx), prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify()) {
				if first && answer.Created {
					first = false
					ready.Done()
				}
				atomic.AddInt64(got, int64(len(answer.Events)))
			}
		}(w)
	}
	ready.Wait()
}

func await(got *int64, want int64) {
	for deadline := time.Now().Add(2 * time.Minute); atomic.LoadInt64(got) < want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			die("%d of %d events came within two minutes", atomic.LoadInt64(got), want)
		}
	}
}

// Watchers of what another process writes.
func (l *load) follow() {
	var got int64
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l.watchAll(ctx, "bench/", &got)
	fmt.Printf("follow: %d watchers are there\n", *watchers)
	began := time.Now()
	want := int64(*total) * int64(*watchers)
	await(&got, want)
	fmt.Printf("follow: %d events to %d watchers, %.0f events/s\n", want, *watchers, float64(want)/time.Since(began).Seconds())
}

func (l *load) watch() {
	var got int64
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l.watchAll(ctx, "fan/", &got)
	latencies := make([]time.Duration, *total)
	want := int64(*total) * int64(*watchers)
	began := time.Now()
	for i := 0; i < *total; i++ {
		start := time.Now()
		if _, err := l.store(0).Put(ctx, fmt.Sprintf("fan/%d", i%100), l.value()); err != nil {
			die("%v", err)
		}
		latencies[i] = time.Since(start)
	}
	await(&got, want)
	took := time.Since(began)
	report("watch", latencies, took)
	fmt.Printf("watch: %d events to %d watchers, %.0f events/s\n", want, *watchers, float64(want)/took.Seconds())
}

func (l *load) grant() {
	l.leases = make([]clientv3.LeaseID, *keys)
	var group sync.WaitGroup
	for w := 0; w < 64; w++ {
		group.Add(1)
		go func(w int) {
			defer group.Done()
			for i := w; i < len(l.leases); i += 64 {
				answer, err := l.store(w).Grant(context.Background(), 600)
				if err != nil {
					die("%v", err)
				}
				l.leases[i] = answer.ID
			}
		}(w)
	}
	group.Wait()
}

const poolBytes = 4 << 20

func (l *load) value() string {
	at := rand.Intn(poolBytes)
	return l.pool[at : at+l.size]
}

func main() {
	if len(os.Args) < 2 {
		die("a load is needed: put, cas, get, sget, list, fill, keepalive, pace or watch")
	}
	if err := flag.CommandLine.Parse(os.Args[2:]); err != nil {
		die("%v", err)
	}
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, os.Stderr))
	pool := make([]byte, poolBytes+*valueBytes)
	rand.New(rand.NewSource(1)).Read(pool)
	l := &load{pool: string(pool), size: *valueBytes}
	for i := 0; i < *connections && i < *clients; i++ {
		l.stores = append(l.stores, connect())
	}
	switch what := os.Args[1]; what {
	case "put":
		l.closedLoop(what, l.put)
	case "get":
		l.closedLoop(what, l.get)
	case "sget":
		l.closedLoop(what, l.sget)
	case "list":
		l.closedLoop(what, l.list)
	case "fill":
		l.closedLoop(what, l.fill)
	case "cas":
		l.closedLoop(what, l.cas(make([]int64, *clients)))
	case "keepalive":
		l.grant()
		l.closedLoop(what, l.keepalive)
	case "pace":
		l.pace()
	case "watch":
		l.watch()
	case "follow":
		l.follow()
	default:
		die("%q is no load", what)
	}
}
