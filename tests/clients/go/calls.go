// What goes beyond the verbs: scale, eviction, tokens, access reviews, conflicts, pages, recorded events.
package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/pager"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
)

const callsSpace = "calls"

func furtherCalls() {
	client := clientset(true)
	subjectNamespace(client, callsSpace)
	scale(client)
	evictions(client)
	tokens(client)
	conflicts(client)
	pages(client)
	recordedEvents(client)
	errorsTold(client)
}

func scale(client kubernetes.Interface) {
	deployments := client.AppsV1().Deployments(callsSpace)
	must(deployments.Create(ctx, deployment("scaled", 1), metav1.CreateOptions{}))
	read := must(deployments.GetScale(ctx, "scaled", metav1.GetOptions{}))
	hold(read.Spec.Replicas == 1 && read.Status.Selector == "app=scaled", "scale", "%+v", read)
	read.Spec.Replicas = 0
	try(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		now, err := deployments.GetScale(ctx, "scaled", metav1.GetOptions{})
		if err == nil {
			now.Spec.Replicas = 0
			_, err = deployments.UpdateScale(ctx, "scaled", now, metav1.UpdateOptions{})
		}
		return err
	}), "update scale")
	await(20*time.Second, "the controller scales down", func() (bool, string) {
		pods := must(client.CoreV1().Pods(callsSpace).List(ctx, metav1.ListOptions{LabelSelector: "app=scaled"}))
		return len(pods.Items) == 0, fmt.Sprint(len(pods.Items), " pods")
	})
	say("scale: read, written, carried out")
}

// evictions: a budget without room refuses with 429 and its cause, a dry run changes nothing, without the budget the pod goes.
func evictions(client kubernetes.Interface) {
	pods := client.CoreV1().Pods(callsSpace)
	created := must(pods.Create(ctx, pod("guarded"), metav1.CreateOptions{}))
	budgets := client.PolicyV1().PodDisruptionBudgets(callsSpace)
	must(budgets.Create(ctx, disruptionBudget("guarded", 1), metav1.CreateOptions{}))
	now := metav1.Now()
	created.Status = corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &now, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
	created.ResourceVersion = ""
	must(pods.UpdateStatus(ctx, created, metav1.UpdateOptions{}))
	// A budget that nobody has counted yet is answered with Retry-After, upon which this client waits: it is counted here.
	try(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		budget := must(budgets.Get(ctx, "guarded", metav1.GetOptions{}))
		budget.Status = policyv1.PodDisruptionBudgetStatus{ObservedGeneration: budget.Generation, CurrentHealthy: 1, DesiredHealthy: 1, ExpectedPods: 1}
		_, err := budgets.UpdateStatus(ctx, budget, metav1.UpdateOptions{})
		return err
	}), "count the budget")
	eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "guarded", Namespace: callsSpace}}
	err := pods.EvictV1(ctx, eviction)
	hold(apierrors.IsTooManyRequests(err) && apierrors.HasStatusCause(err, policyv1.DisruptionBudgetCause), "eviction", "a budget without room: %v", err)
	try(budgets.Delete(ctx, "guarded", metav1.DeleteOptions{}), "delete budget")
	dry := eviction.DeepCopy()
	dry.DeleteOptions = &metav1.DeleteOptions{DryRun: []string{"All"}}
	try(pods.EvictV1(ctx, dry), "dry eviction")
	must(pods.Get(ctx, "guarded", metav1.GetOptions{}))
	wrong := eviction.DeepCopy()
	wrong.DeleteOptions = metav1.NewPreconditionDeleteOptions("other")
	err = pods.EvictV1(ctx, wrong)
	hold(apierrors.IsConflict(err), "eviction", "of another uid: %v", err)
	eviction.DeleteOptions = &metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)}
	try(pods.EvictV1(ctx, eviction), "eviction")
	_, err = pods.Get(ctx, "guarded", metav1.GetOptions{})
	hold(apierrors.IsNotFound(err), "eviction", "the pod is there: %v", err)
	say("eviction: refused by a budget, dry, of another uid, done")
}

// tokens: one is made for an account, is told by reviews, and may what the account may.
func tokens(client kubernetes.Interface) {
	accounts := client.CoreV1().ServiceAccounts(callsSpace)
	must(accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: named("reader")}, metav1.CreateOptions{}))
	answer := must(accounts.CreateToken(ctx, "reader", &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](1200)}}, metav1.CreateOptions{}))
	left := time.Until(answer.Status.ExpirationTimestamp.Time)
	hold(answer.Status.Token != "" && left > 1100*time.Second && left <= 1201*time.Second, "token", "%+v", answer.Status)
	const who = "system:serviceaccount:" + callsSpace + ":reader"
	review := must(client.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: answer.Status.Token}}, metav1.CreateOptions{}))
	hold(review.Status.Authenticated && review.Status.User.Username == who, "token review", "%+v", review.Status)

	config := rest.AnonymousClientConfig(configuration(true))
	config.BearerToken = answer.Status.Token
	reader := must(kubernetes.NewForConfig(config))
	self := must(reader.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{}))
	hold(self.Status.UserInfo.Username == who, "self subject review", "%+v", self.Status)
	may := func(verb string) bool {
		access := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: callsSpace, Verb: verb, Resource: "pods"}}}
		return must(reader.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, access, metav1.CreateOptions{})).Status.Allowed
	}
	hold(!may("list"), "access review", "allowed before there is a role")
	_, err := reader.CoreV1().Pods(callsSpace).List(ctx, metav1.ListOptions{})
	hold(apierrors.IsForbidden(err), "access", "lists without a role: %v", err)
	must(client.RbacV1().Roles(callsSpace).Create(ctx, role("reader"), metav1.CreateOptions{}))
	must(client.RbacV1().RoleBindings(callsSpace).Create(ctx, roleBinding("reader"), metav1.CreateOptions{}))
	await(10*time.Second, "the role is in force", func() (bool, string) { return may("list"), "not allowed" })
	await(10*time.Second, "it lists", func() (bool, string) {
		_, err := reader.CoreV1().Pods(callsSpace).List(ctx, metav1.ListOptions{})
		return err == nil, fmt.Sprint(err)
	})
	hold(!may("delete"), "access review", "may delete")
	rules := must(reader.AuthorizationV1().SelfSubjectRulesReviews().Create(ctx, &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: callsSpace}}, metav1.CreateOptions{}))
	hold(len(rules.Status.ResourceRules) > 0 && !rules.Status.Incomplete, "rules review", "%+v", rules.Status)
	say("tokens: request, reviews of token, self, access and rules; refused and allowed with it")
}

// conflicts: many writers count in one object, each tries again on a conflict; nothing is lost.
func conflicts(client kubernetes.Interface) {
	maps := client.CoreV1().ConfigMaps(callsSpace)
	must(maps.Create(ctx, configMap("counter", map[string]string{"n": ""}), metav1.CreateOptions{}))
	const writers, each = 6, 8
	var group sync.WaitGroup
	var lock sync.Mutex
	refused := 0
	for range writers {
		group.Add(1)
		go func() {
			defer group.Done()
			for range each {
				backoff := retry.DefaultBackoff
				backoff.Steps, backoff.Factor = 200, 1
				try(retry.RetryOnConflict(backoff, func() error {
					read := must(maps.Get(ctx, "counter", metav1.GetOptions{}))
					read.Data["n"] += "|"
					_, err := maps.Update(ctx, read, metav1.UpdateOptions{})
					if apierrors.IsConflict(err) {
						lock.Lock()
						refused++
						lock.Unlock()
					}
					return err
				}), "count")
			}
		}()
	}
	group.Wait()
	counted := len(must(maps.Get(ctx, "counter", metav1.GetOptions{})).Data["n"])
	hold(counted == writers*each, "conflicts", "%d of %d increments", counted, writers*each)
	say("conflicts: %d increments by %d writers, %d refused and tried again, none lost", counted, writers, refused)
}

// pages: the client's pager, with limits that do and do not divide, brings everything once.
func pages(client kubernetes.Interface) {
	maps := client.CoreV1().ConfigMaps(callsSpace)
	const count = 53
	for i := range count {
		must(maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("page-%02d", i), Labels: map[string]string{"pages": "yes"}}}, metav1.CreateOptions{}))
	}
	for _, limit := range []int64{1, 7, 53, 500} {
		asked := 0
		lister := pager.New(func(_ context.Context, options metav1.ListOptions) (runtime.Object, error) {
			asked++
			return maps.List(ctx, options)
		})
		lister.PageSize = limit
		seen := map[string]bool{}
		try(lister.EachListItem(ctx, metav1.ListOptions{LabelSelector: "pages=yes"}, func(object runtime.Object) error {
			name := objectMeta(object).GetName()
			if seen[name] {
				return errors.New(name + " came twice")
			}
			seen[name] = true
			return nil
		}), "pages")
		wanted := int((count + limit - 1) / limit)
		hold(len(seen) == count && asked == wanted, "pages", "%d of %d in %d pages of %d, not %d", len(seen), count, asked, limit, wanted)
	}
	try(maps.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "pages=yes"}), "delete the pages")
	left := must(maps.List(ctx, metav1.ListOptions{LabelSelector: "pages=yes"}))
	hold(len(left.Items) == 0, "pages", "%d are left", len(left.Items))
	say("pages: %d objects by 1, 7, 53 and 500; gone as a collection", count)
}

// recordedEvents: the recorder of controllers counts what repeats by strategic patches of one event.
func recordedEvents(client kubernetes.Interface) {
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&corev1client.EventSinkImpl{Interface: client.CoreV1().Events(callsSpace)})
	defer broadcaster.Shutdown()
	about := must(client.CoreV1().ConfigMaps(callsSpace).Get(ctx, "counter", metav1.GetOptions{}))
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "clients"})
	for range 3 {
		recorder.Event(about, corev1.EventTypeNormal, "Counted", "again")
	}
	await(10*time.Second, "the event was counted", func() (bool, string) {
		list := must(client.CoreV1().Events(callsSpace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=counter,reason=Counted"}))
		return len(list.Items) == 1 && list.Items[0].Count == 3, fmt.Sprintf("%d events: %+v", len(list.Items), list.Items)
	})
	say("events: one, counted three times")
}

// errorsTold: what callers ask the package apierrors.
func errorsTold(client kubernetes.Interface) {
	maps := client.CoreV1().ConfigMaps(callsSpace)
	_, err := maps.Create(ctx, configMap("Wrong_Name", nil), metav1.CreateOptions{})
	status := apierrors.APIStatus(nil)
	hold(apierrors.IsInvalid(err) && errors.As(err, &status) && len(status.Status().Details.Causes) == 1 &&
		status.Status().Details.Causes[0].Field == "metadata.name", "errors", "a wrong name: %#v", err)
	_, err = maps.List(ctx, metav1.ListOptions{FieldSelector: "data.a=b"})
	hold(apierrors.IsBadRequest(err), "errors", "a field that cannot select: %v", err)
	_, err = client.CoreV1().ConfigMaps("nowhere").Create(ctx, configMap("a", nil), metav1.CreateOptions{})
	hold(apierrors.IsNotFound(err), "errors", "a namespace that is not: %v", err)
	do("COMPACT")
	_, err = maps.List(ctx, metav1.ListOptions{ResourceVersion: "1", ResourceVersionMatch: metav1.ResourceVersionMatchExact})
	hold(apierrors.IsResourceExpired(err), "errors", "a version that is no more: %v", err)
	err = client.CoreV1().RESTClient().Get().MaxRetries(0).Namespace(callsSpace).Resource("configmaps").VersionedParams(
		&metav1.ListOptions{ResourceVersion: "99999999", ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan}, scheme.ParameterCodec).Do(ctx).Error()
	hold(apierrors.IsTimeout(err) && apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge), "errors", "a version to come: %v", err)
	say("errors: Invalid with its cause, BadRequest, NotFound, Expired, Timeout with its cause")
}
