// Server-side apply with typed configurations: conflicts, force, what is given up, and the ownership that is read back.
package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	appsv1client "k8s.io/client-go/kubernetes/typed/apps/v1"
	"k8s.io/client-go/util/retry"
)

const applySpace = "apply"

func appliedDeployment() *appsv1ac.DeploymentApplyConfiguration {
	labels := map[string]string{"app": "web"}
	return appsv1ac.Deployment("web", applySpace).WithLabels(labels).WithSpec(appsv1ac.DeploymentSpec().
		WithReplicas(0).WithSelector(metav1ac.LabelSelector().WithMatchLabels(labels)).
		WithTemplate(corev1ac.PodTemplateSpec().WithLabels(labels).WithSpec(corev1ac.PodSpec().WithContainers(
			corev1ac.Container().WithName("main").WithImage("example:1").
				WithPorts(corev1ac.ContainerPort().WithContainerPort(80)).
				WithEnv(corev1ac.EnvVar().WithName("A").WithValue("1"), corev1ac.EnvVar().WithName("B").WithValue("2"))))))
}

// owners lists who manages a field whose path in FieldsV1 is given by its steps' texts.
func owners(object metav1.Object, operation metav1.ManagedFieldsOperationType, step string) []string {
	var found []string
	for _, entry := range object.GetManagedFields() {
		if entry.Operation == operation && entry.Subresource == "" && strings.Contains(string(entry.FieldsV1.Raw), step) {
			found = append(found, entry.Manager)
		}
	}
	slices.Sort(found)
	return found
}

func as(manager string, force bool) metav1.ApplyOptions {
	return metav1.ApplyOptions{FieldManager: manager, Force: force}
}

func serverSideApply() {
	client := clientset(true)
	subjectNamespace(client, applySpace)
	deployments := client.AppsV1().Deployments(applySpace)
	first := must(deployments.Apply(ctx, appliedDeployment(), as("one", false)))
	hold(fmt.Sprint(owners(first, metav1.ManagedFieldsOperationApply, `"f:replicas"`)) == "[one]", "apply", "%v", first.ManagedFields)
	settle(deployments)
	before := must(deployments.Get(ctx, "web", metav1.GetOptions{}))
	again := must(deployments.Apply(ctx, appliedDeployment(), as("one", false)))
	hold(sameAs(before, again), "apply", "the same again is another version")
	say("created by apply; the same again changes nothing")

	conflict(deployments)
	givenUp(deployments)
	readBack(deployments)
	statusAndUpdate(deployments)
}

// settle waits until the controller has told its status: from then on nobody else writes.
func settle(deployments appsv1client.DeploymentInterface) {
	await(20*time.Second, "the controller is done", func() (bool, string) {
		object := must(deployments.Get(ctx, "web", metav1.GetOptions{}))
		progressing := slices.ContainsFunc(object.Status.Conditions, func(condition appsv1.DeploymentCondition) bool {
			return condition.Type == appsv1.DeploymentProgressing && condition.Reason == "NewReplicaSetAvailable"
		})
		return object.Status.ObservedGeneration == object.Generation && progressing, fmt.Sprintf("%+v", object.Status)
	})
}

func conflict(deployments appsv1client.DeploymentInterface) {
	other := appsv1ac.Deployment("web", applySpace).WithSpec(appsv1ac.DeploymentSpec().WithReplicas(0).WithMinReadySeconds(3))
	shared := must(deployments.Apply(ctx, other, as("two", false)))
	hold(fmt.Sprint(owners(shared, metav1.ManagedFieldsOperationApply, `"f:replicas"`)) == "[one two]", "apply", "an equal value is not shared: %v", shared.ManagedFields)
	_, err := deployments.Apply(ctx, appliedDeployment().WithSpec(appliedDeployment().Spec.WithReplicas(1)), as("one", false))
	var status apierrors.APIStatus
	hold(apierrors.IsConflict(err) && errors.As(err, &status), "apply", "no conflict: %v", err)
	causes := status.Status().Details.Causes
	hold(len(causes) == 1 && causes[0].Type == metav1.CauseTypeFieldManagerConflict && causes[0].Field == ".spec.replicas" &&
		causes[0].Message == `conflict with "two"`, "apply", "causes %+v", causes)
	hold(err.Error() == `Apply failed with 1 conflict: conflict with "two": .spec.replicas`, "apply", "%v", err)
	template := appsv1ac.DeploymentSpec().WithTemplate(corev1ac.PodTemplateSpec().WithSpec(corev1ac.PodSpec().WithContainers(
		corev1ac.Container().WithName("main").WithImage("example:2").WithEnv(corev1ac.EnvVar().WithName("B").WithValue("3")))))
	_, err = deployments.Apply(ctx, appsv1ac.Deployment("web", applySpace).WithSpec(template), as("three", false))
	hold(errors.As(err, &status) && len(status.Status().Details.Causes) == 2, "apply", "two conflicts: %v", err)
	figure("%s", strings.ReplaceAll(err.Error(), "\n", " "))
	forced := must(deployments.Apply(ctx, appsv1ac.Deployment("web", applySpace).WithSpec(template), as("three", true)))
	container := forced.Spec.Template.Spec.Containers[0]
	hold(container.Image == "example:2" && len(container.Env) == 2 && container.Env[1].Value == "3", "force", "%+v", container)
	hold(fmt.Sprint(owners(forced, metav1.ManagedFieldsOperationApply, `"f:image"`)) == "[three]", "force", "%v", forced.ManagedFields)
	say("conflicts name field and manager; force takes the field")
}

// givenUp: what a manager no longer applies goes, unless somebody else has it.
func givenUp(deployments appsv1client.DeploymentInterface) {
	only := appsv1ac.Deployment("web", applySpace).WithSpec(appsv1ac.DeploymentSpec().WithReplicas(0))
	less := must(deployments.Apply(ctx, only, as("two", false)))
	hold(less.Spec.MinReadySeconds == 0 && *less.Spec.Replicas == 0, "given up", "%+v", less.Spec)
	nothing := must(deployments.Apply(ctx, appsv1ac.Deployment("web", applySpace), as("two", false)))
	hold(*nothing.Spec.Replicas == 0 && fmt.Sprint(owners(nothing, metav1.ManagedFieldsOperationApply, `"f:replicas"`)) == "[one]", "given up", "%v", nothing.ManagedFields)
	without := appliedDeployment()
	container := &without.Spec.Template.Spec.Containers[0]
	container.Env, container.Image = container.Env[:1], nil
	after := must(deployments.Apply(ctx, without, as("one", false)))
	kept := after.Spec.Template.Spec.Containers[0]
	hold(len(kept.Env) == 2 && kept.Image == "example:2" && len(kept.Ports) == 1, "given up", "what three owns went: %+v", kept)
	say("what is no longer applied goes, what another one owns stays")
}

// readBack: the configuration of a manager extracted from the live object, changed and applied.
func readBack(deployments appsv1client.DeploymentInterface) {
	try(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		live := must(deployments.Get(ctx, "web", metav1.GetOptions{}))
		mine, err := appsv1ac.ExtractDeployment(live, "three")
		try(err, "extract")
		spec := mine.Spec.Template.Spec.Containers
		hold(mine.Spec.Replicas == nil && len(spec) == 1 && *spec[0].Image == "example:2" && len(spec[0].Env) == 1 && *spec[0].Env[0].Name == "B", "extract", "%+v", mine.Spec)
		spec[0].WithImage("example:3")
		changed, err := deployments.Apply(ctx, mine, as("three", false))
		if err == nil {
			hold(changed.Spec.Template.Spec.Containers[0].Image == "example:3" && len(changed.Spec.Template.Spec.Containers[0].Env) == 2, "extract", "%+v", changed.Spec.Template)
		}
		return err
	}), "apply what was extracted")
	say("a manager's own fields extracted, changed, applied")
}

// statusAndUpdate: the status has owners of its own; a plain update takes fields as Update.
func statusAndUpdate(deployments appsv1client.DeploymentInterface) {
	settle(deployments)
	condition := appsv1ac.DeploymentCondition().WithType("example.com/Told").WithStatus("True").WithReason("Told").WithMessage("by apply")
	told := must(deployments.ApplyStatus(ctx, appsv1ac.Deployment("web", applySpace).WithStatus(appsv1ac.DeploymentStatus().WithConditions(condition)), as("teller", false)))
	hold(slices.ContainsFunc(told.ManagedFields, func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager == "teller" && entry.Subresource == "status" && entry.Operation == metav1.ManagedFieldsOperationApply
	}), "apply status", "%v", told.ManagedFields)
	mine, err := appsv1ac.ExtractDeploymentStatus(told, "teller")
	try(err, "extract status")
	hold(len(mine.Status.Conditions) == 1, "extract status", "%+v", mine.Status)
	try(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		live := must(deployments.Get(ctx, "web", metav1.GetOptions{}))
		live.Spec.Template.Spec.Containers[0].Image = "example:4"
		updated, err := deployments.Update(ctx, live, metav1.UpdateOptions{FieldManager: "hand"})
		if err == nil {
			hold(fmt.Sprint(owners(updated, metav1.ManagedFieldsOperationUpdate, `"f:image"`), owners(updated, metav1.ManagedFieldsOperationApply, `"f:image"`)) == "[hand] []",
				"update", "%v", updated.ManagedFields)
		}
		return err
	}), "update")
	_, err = deployments.Apply(ctx, appliedDeployment(), as("one", false))
	hold(apierrors.IsConflict(err) && strings.Contains(err.Error(), `conflicts with "hand" using apps/v1`), "apply", "over an update: %v", err)
	_, err = deployments.Apply(ctx, appliedDeployment(), metav1.ApplyOptions{})
	hold(apierrors.IsInvalid(err), "apply", "without a manager: %v", err)
	say("status by apply; an update takes fields, and an apply over it conflicts")
}
