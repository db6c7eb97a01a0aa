// The typed clientset, bodies in protobuf: every verb on kinds of every group, what was written compared with what is read.
package main

import (
	"context"
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// verbs is what the clientset gives for each kind: T is a pointer to the kind, L one to its list.
type verbs[T runtime.Object, L runtime.Object] interface {
	Create(context.Context, T, metav1.CreateOptions) (T, error)
	Get(context.Context, string, metav1.GetOptions) (T, error)
	Update(context.Context, T, metav1.UpdateOptions) (T, error)
	Patch(context.Context, string, types.PatchType, []byte, metav1.PatchOptions, ...string) (T, error)
	List(context.Context, metav1.ListOptions) (L, error)
	Watch(context.Context, metav1.ListOptions) (watch.Interface, error)
	Delete(context.Context, string, metav1.DeleteOptions) error
}

// collected have the kinds that can be deleted as a collection: all but services.
type collected interface {
	DeleteCollection(context.Context, metav1.DeleteOptions, metav1.ListOptions) error
}

// kind runs one kind through all verbs.
func kind[T runtime.Object, L runtime.Object](what string, client verbs[T, L], object T) {
	name := objectMeta(object).GetName()
	selector := metav1.ListOptions{LabelSelector: "app=" + name}
	created, err := client.Create(ctx, object, metav1.CreateOptions{})
	try(err, "create "+what)
	birth := objectMeta(created).GetCreationTimestamp()
	hold(objectMeta(created).GetUID() != "" && !birth.IsZero(), what, "without uid or time: %v", created)
	_, err = client.Create(ctx, object, metav1.CreateOptions{})
	hold(apierrors.IsAlreadyExists(err), what, "created twice: %v", err)

	events, err := client.Watch(ctx, metav1.ListOptions{LabelSelector: selector.LabelSelector, ResourceVersion: objectMeta(created).GetResourceVersion()})
	try(err, "watch "+what)
	defer events.Stop()
	changed := change(what, client, name)
	patched, err := client.Patch(ctx, name, types.MergePatchType, []byte(`{"metadata":{"annotations":{"patched":"yes"}}}`), metav1.PatchOptions{})
	try(err, "patch "+what)
	hold(objectMeta(patched).GetAnnotations()["patched"] == "yes" && objectMeta(patched).GetAnnotations()["updated"] == "yes", what, "annotations %v", objectMeta(patched).GetAnnotations())
	_, err = client.Patch(ctx, name, types.StrategicMergePatchType, []byte(`{"metadata":{"annotations":{"patched":null}}}`), metav1.PatchOptions{})
	try(err, "strategic patch "+what)

	list, err := client.List(ctx, selector)
	try(err, "list "+what)
	hold(meta.LenList(list) == 1, what, "list has %d: %v", meta.LenList(list), list)
	_, err = client.Update(ctx, created, metav1.UpdateOptions{})
	hold(apierrors.IsConflict(err), what, "an old one was written: %v", err)
	try(client.Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: new(int64), PropagationPolicy: propagation(metav1.DeletePropagationBackground)}), "delete "+what)
	hears(what, events, objectMeta(changed).GetResourceVersion())
	if collection, held := client.(collected); held {
		try(collection.DeleteCollection(ctx, metav1.DeleteOptions{}, selector), "delete collection of "+what)
	}
	await(10*time.Second, what+" goes", func() (bool, string) {
		_, err := client.Get(ctx, name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
	say("%s: create, get, update, patch, list, watch, delete", what)
}

// change reads, writes with an annotation more, and compares: nothing else may differ. Controllers may write in between.
func change[T runtime.Object, L runtime.Object](what string, client verbs[T, L], name string) T {
	for attempt := 0; ; attempt++ {
		read, err := client.Get(ctx, name, metav1.GetOptions{})
		try(err, "get "+what)
		wanted := read.DeepCopyObject().(T)
		objectMeta(wanted).SetAnnotations(map[string]string{"updated": "yes", "attempt": fmt.Sprint(attempt)})
		updated, err := client.Update(ctx, wanted, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) && attempt < 10 {
			continue
		}
		try(err, "update "+what)
		hold(revision(objectMeta(updated).GetResourceVersion()) > revision(objectMeta(read).GetResourceVersion()), what, "update went back")
		objectMeta(wanted).SetResourceVersion(objectMeta(updated).GetResourceVersion())
		objectMeta(wanted).SetManagedFields(objectMeta(updated).GetManagedFields())
		hold(equality.Semantic.DeepEqual(wanted, updated), what, "an update changed more than was asked:\n%+v\n%+v", wanted, updated)
		again, err := client.Update(ctx, updated, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) && attempt < 10 {
			continue // a controller told its status just now
		}
		try(err, "update "+what+" to the same")
		hold(sameAs(objectMeta(again), objectMeta(updated)), what, "an update to the same is another version")
		return updated
	}
}

// hears reads a watch until DELETED: the update must be there, versions grow, all are of the right type.
func hears(what string, events watch.Interface, updated string) {
	var last uint64
	found := false
	for {
		select {
		case event, open := <-events.ResultChan():
			hold(open, what, "the watch ended at %d", last)
			hold(event.Type != watch.Error, what, "watch: %v", event.Object)
			now := revision(objectMeta(event.Object).GetResourceVersion())
			hold(now > last, what, "event of %d after %d", now, last)
			last = now
			found = found || (event.Type == watch.Modified && objectMeta(event.Object).GetResourceVersion() == updated)
			if event.Type == watch.Deleted {
				hold(found, what, "the update did not come")
				return
			}
		case <-time.After(10 * time.Second):
			fail("%s: no DELETED; last event of %d", what, last)
		}
	}
}

func typedKinds() {
	client := clientset(true)
	const space = "typed"
	subjectNamespace(client, space)
	core, apps, batch := client.CoreV1(), client.AppsV1(), client.BatchV1()
	binary := configMap("cm", map[string]string{"a": "ä\n\"1\""})
	binary.BinaryData = map[string][]byte{"b": {0, 1, 254, 255}}
	kind("ConfigMap", core.ConfigMaps(space), binary)
	kind("Secret", core.Secrets(space), &corev1.Secret{ObjectMeta: named("secret"), Type: corev1.SecretTypeBasicAuth, StringData: map[string]string{"username": "u", "password": "p"}})
	kind("Service", core.Services(space), service("svc"))
	kind("ServiceAccount", core.ServiceAccounts(space), &corev1.ServiceAccount{ObjectMeta: named("sa")})
	kind("Pod", core.Pods(space), pod("pod"))
	kind("PersistentVolumeClaim", core.PersistentVolumeClaims(space), claim("claim"))
	kind("ResourceQuota", core.ResourceQuotas(space), quota("quota"))
	kind("Deployment", apps.Deployments(space), deployment("web", 0))
	kind("StatefulSet", apps.StatefulSets(space), statefulSet("db"))
	kind("CronJob", batch.CronJobs(space), cronJob("cron"))
	kind("Job", batch.Jobs(space), job("job"))
	kind("Role", client.RbacV1().Roles(space), role("role"))
	kind("RoleBinding", client.RbacV1().RoleBindings(space), roleBinding("binding"))
	kind("NetworkPolicy", client.NetworkingV1().NetworkPolicies(space), networkPolicy("policy"))
	kind("Ingress", client.NetworkingV1().Ingresses(space), ingress("ingress"))
	kind("PodDisruptionBudget", client.PolicyV1().PodDisruptionBudgets(space), disruptionBudget("budget", 1))
	kind("HorizontalPodAutoscaler", client.AutoscalingV2().HorizontalPodAutoscalers(space), autoscaler("scaler"))
	kind("Lease", client.CoordinationV1().Leases(space), lease("lease"))
	kind("PriorityClass", client.SchedulingV1().PriorityClasses(), priorityClass("last"))
	bodiesAreKept(space)
}

// bodiesAreKept: one object written in protobuf, read in JSON, and the other way round, is the same.
func bodiesAreKept(space string) {
	binary, text := clientset(true), clientset(false)
	written := must(binary.AppsV1().Deployments(space).Create(ctx, deployment("both", 0), metav1.CreateOptions{DryRun: []string{"All"}}))
	second := must(text.AppsV1().Deployments(space).Create(ctx, deployment("both", 0), metav1.CreateOptions{DryRun: []string{"All"}}))
	hold(equality.Semantic.DeepEqual(written.Spec, second.Spec), "bodies", "protobuf and JSON differ:\n%+v\n%+v", written.Spec, second.Spec)
	hold(!reflect.DeepEqual(written.UID, second.UID), "bodies", "two dry runs have one uid")
	say("a deployment in protobuf and in JSON comes to the same, defaults too")
}
