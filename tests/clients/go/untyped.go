// Clients without Go types: discovery, the dynamic client with its informer, metadata only.
package main

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/openapi"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

const untypedSpace = "untyped"

var deploymentsResource = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
var configMapsResource = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

func untypedClients() {
	subjectNamespace(clientset(false), untypedSpace)
	discoveries()
	dynamicClient()
	metadataClient()
}

func discoveries() {
	client := must(discovery.NewDiscoveryClientForConfig(configuration(false)))
	lists := must(client.ServerPreferredResources())
	kinds := map[string]string{}
	for _, list := range lists {
		for _, resource := range list.APIResources {
			kinds[resource.Name+" "+list.GroupVersion] = resource.Kind
		}
	}
	for name, wanted := range map[string]string{"pods v1": "Pod", "deployments apps/v1": "Deployment", "horizontalpodautoscalers autoscaling/v2": "HorizontalPodAutoscaler",
		"leases coordination.k8s.io/v1": "Lease", "selfsubjectaccessreviews authorization.k8s.io/v1": "SelfSubjectAccessReview"} {
		hold(kinds[name] == wanted, "preferred resources", "%s is %q of %d", name, kinds[name], len(kinds))
	}
	legacy := must(discovery.NewDiscoveryClientForConfig(configuration(false)))
	legacy.UseLegacyDiscovery = true
	_, aggregated, err := client.ServerGroupsAndResources()
	try(err, "aggregated discovery")
	_, plain, err := legacy.ServerGroupsAndResources()
	try(err, "legacy discovery")
	hold(describe(aggregated) == describe(plain), "discovery", "aggregated and legacy differ:\n%s\n%s", describe(aggregated), describe(plain))
	version := must(client.ServerVersion())
	hold(version.Major == "1" && version.Minor == "32", "version", "%+v", version)
	say("discovery: %d preferred resources, aggregated and legacy tell the same", len(kinds))

	paths := must(client.OpenAPIV3().Paths())
	_, held := paths["apis/apps/v1"]
	hold(held, "openapi", "apps/v1 is not among %d", len(paths))
	root := openapi.NewClient(client.RESTClient())
	document := must(must(root.Paths())["apis/apps/v1"].Schema("application/json"))
	hold(len(document) > 10000, "openapi", "apps/v1 has %d bytes", len(document))
	old := must(client.OpenAPISchema())
	hold(len(old.GetDefinitions().GetAdditionalProperties()) > 300, "openapi v2", "%d definitions", len(old.GetDefinitions().GetAdditionalProperties()))
	say("openapi: v3 of %d groups, v2 in protobuf with %d definitions", len(paths), len(old.GetDefinitions().GetAdditionalProperties()))

	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client))
	mapping := must(mapper.RESTMapping(schema.GroupKind{Group: "apps", Kind: "Deployment"}))
	hold(mapping.Resource == deploymentsResource && mapping.Scope.Name() == meta.RESTScopeNameNamespace, "mapper", "%+v", mapping)
	expanded := must(restmapper.NewShortcutExpander(mapper, client, nil).ResourceFor(schema.GroupVersionResource{Resource: "deploy"}))
	hold(expanded == deploymentsResource, "mapper", "deploy is %v", expanded)
	say("mapper: by kind and by short name")
}

// describe is one line per group version and resource, whatever their order.
func describe(lists []*metav1.APIResourceList) string {
	lines := map[string]bool{}
	for _, list := range lists {
		for _, resource := range list.APIResources {
			lines[fmt.Sprintf("%s %s %s %v %v %v", list.GroupVersion, resource.Name, resource.Kind, resource.Namespaced, resource.Verbs, resource.ShortNames)] = true
		}
	}
	return fmt.Sprint(lines)
}

func untypedDeployment(name string, replicas int64) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": name, "labels": map[string]any{"app": name}},
		"spec": map[string]any{"replicas": replicas, "selector": map[string]any{"matchLabels": map[string]any{"app": name}},
			"template": map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": name}},
				"spec": map[string]any{"containers": []any{map[string]any{"name": "main", "image": "example:1"}}}}}}}
}

func dynamicClient() {
	client := must(dynamic.NewForConfig(configuration(false)))
	deployments := client.Resource(deploymentsResource).Namespace(untypedSpace)
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 0, untypedSpace, nil)
	informer := factory.ForResource(deploymentsResource).Informer()
	stop := make(chan struct{})
	defer close(stop)
	factory.Start(stop)
	hold(cache.WaitForCacheSync(stop, informer.HasSynced), "dynamic informer", "did not sync")

	created := must(deployments.Create(ctx, untypedDeployment("web", 0), metav1.CreateOptions{}))
	hold(created.GetKind() == "Deployment" && created.GetUID() != "", "dynamic", "%v", created.Object)
	applied := must(deployments.Apply(ctx, "web", untypedDeployment("web", 0), metav1.ApplyOptions{FieldManager: "dynamic", Force: true}))
	hold(len(applied.GetManagedFields()) >= 2, "dynamic apply", "%v", applied.GetManagedFields())
	patched := must(deployments.Patch(ctx, "web", types.JSONPatchType, []byte(`[{"op":"replace","path":"/spec/replicas","value":0},{"op":"add","path":"/metadata/labels/a","value":"b"}]`), metav1.PatchOptions{}))
	hold(patched.GetLabels()["a"] == "b", "dynamic patch", "%v", patched.GetLabels())
	list := must(deployments.List(ctx, metav1.ListOptions{LabelSelector: "a=b"}))
	hold(len(list.Items) == 1 && list.Items[0].GetKind() == "Deployment" && list.GetKind() == "DeploymentList", "dynamic list", "%v", list.Object)
	everywhere := must(client.Resource(deploymentsResource).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=web"}))
	hold(len(everywhere.Items) == 1, "dynamic list of all namespaces", "%d", len(everywhere.Items))
	_, err := client.Resource(schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "none"}).List(ctx, metav1.ListOptions{})
	hold(apierrors.IsNotFound(err), "dynamic", "a group that is not: %v", err)
	await(10*time.Second, "the dynamic informer has it", func() (bool, string) {
		object, held, _ := informer.GetStore().GetByKey(untypedSpace + "/web")
		return held && object.(*unstructured.Unstructured).GetLabels()["a"] == "b", fmt.Sprint(object)
	})
	limit, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err = watchtools.Until(limit, list.GetResourceVersion(), &cache.ListWatch{WatchFunc: func(options metav1.ListOptions) (watch.Interface, error) {
		try(deployments.Delete(ctx, "web", metav1.DeleteOptions{PropagationPolicy: propagation(metav1.DeletePropagationForeground)}), "dynamic delete")
		return deployments.Watch(ctx, options)
	}}, func(event watch.Event) (bool, error) { return event.Type == watch.Deleted, nil })
	try(err, "foreground deletion seen by a retrying watch")
	say("dynamic: create, apply, patch, lists, informer, foreground deletion watched")
}

func propagation(policy metav1.DeletionPropagation) *metav1.DeletionPropagation { return &policy }

// metadataClient: lists and watches that hold only metadata, of JSON and of protobuf.
func metadataClient() {
	typed := clientset(true).CoreV1().ConfigMaps(untypedSpace)
	first := must(typed.Create(ctx, configMap("first", map[string]string{"large": "data"}), metav1.CreateOptions{}))
	client := must(metadata.NewForConfig(configuration(false))).Resource(configMapsResource).Namespace(untypedSpace)
	list := must(client.List(ctx, metav1.ListOptions{LabelSelector: "app in (first, second)"}))
	hold(len(list.Items) == 1 && list.Items[0].UID == first.UID && len(list.Items[0].ManagedFields) > 0, "metadata list", "%+v", list)
	events := must(client.Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion, LabelSelector: "app in (first, second)"}))
	defer events.Stop()
	must(typed.Create(ctx, configMap("second", nil), metav1.CreateOptions{}))
	patched := must(client.Patch(ctx, "second", types.MergePatchType, []byte(`{"metadata":{"finalizers":["example.com/hold"]}}`), metav1.PatchOptions{}))
	hold(len(patched.Finalizers) == 1, "metadata patch", "%+v", patched)
	try(client.Delete(ctx, "second", metav1.DeleteOptions{}), "metadata delete")
	must(client.Patch(ctx, "second", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}))
	for _, wanted := range []watch.EventType{watch.Added, watch.Modified, watch.Modified, watch.Deleted} {
		select {
		case event := <-events.ResultChan():
			partial, held := event.Object.(*metav1.PartialObjectMetadata)
			hold(held && event.Type == wanted && partial.Name == "second", "metadata watch", "wanted %s, saw %s %+v", wanted, event.Type, event.Object)
		case <-time.After(10 * time.Second):
			fail("metadata watch: no %s", wanted)
		}
	}
	try(client.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "app=first"}), "metadata delete collection")
	_, err := client.Get(ctx, "first", metav1.GetOptions{})
	hold(apierrors.IsNotFound(err), "metadata", "first is there: %v", err)
	say("metadata: list, watch through a finalizer, patch, delete, collection")
}
